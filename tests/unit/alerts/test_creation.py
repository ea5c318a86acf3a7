"""What creating an alert writes into it, and the key of its events."""

from datetime import UTC, datetime
from decimal import Decimal as D  # noqa: N817 - tables of numbers read better short

import pytest

from services.alerts.creation import default_expiry, default_hysteresis, event_key, is_far
from services.kit.errors import Refusal


def utc(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("level", "atr", "tick", "width"),
    [
        ("200", "1.23", "0.01", "0.31"),
        ("200", "0.4", "0.01", "0.2"),
        ("200", None, "0.01", "0.2"),
        ("3", "0.01", "0.05", "0"),
    ],
)
def test_hysteresis_is_a_tenth_of_a_percent_or_a_quarter_atr(level, atr, tick, width):
    assert default_hysteresis(D(level), atr and D(atr), tick=D(tick)) == D(width)


@pytest.mark.parametrize(
    ("created", "timeframe", "expires"),
    [
        ("2026-03-09T15:00", "minute", "2026-03-13T20:00"),
        ("2026-03-09T20:00", "minute", "2026-03-16T20:00"),
        ("2026-03-07T12:00", "minute", "2026-03-13T20:00"),
        ("2025-11-24T15:00", "minute", "2025-12-01T21:00"),
        ("2026-03-09T15:00", "day", "2026-06-07T15:00"),
    ],
)
def test_an_alert_of_minutes_lasts_five_sessions_and_a_daily_one_ninety_days(
    created, timeframe, expires
):
    assert default_expiry("XNYS", utc(created), timeframe=timeframe) == utc(expires)


@pytest.mark.parametrize(
    ("level", "far"), [("150", False), ("150.01", True), ("50", False), ("49.99", True)]
)
def test_a_level_beyond_half_the_price_is_far(level, far):
    assert is_far(D(level), D(100)) is far


def test_a_price_of_nothing_is_refused():
    with pytest.raises(Refusal, match="PARAM_INVALID"):
        is_far(D(1), D(0))


def test_the_event_key_is_one_per_alert_and_bar():
    one = event_key("al_1", utc("2026-03-09T15:00"))
    assert one == event_key("al_1", utc("2026-03-09T15:00"))
    assert len({one, event_key("al_2", utc("2026-03-09T15:00"))}) == 2
    assert len({one, event_key("al_1", utc("2026-03-09T15:01"))}) == 2
