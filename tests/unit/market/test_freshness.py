"""The age of bars in trading time."""

from datetime import UTC, datetime

import pytest

from services.kit.errors import Refusal
from services.market.freshness import data_age


def utc(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("timeframe", "limit", "close", "as_of", "age", "stale", "state"),
    [
        ("1m", 3, "2026-03-06T21:00", "2026-03-08T15:00", 0, False, "closed"),
        ("1m", 3, "2026-03-09T15:00", "2026-03-09T15:07", 7, True, "open"),
        ("1m", 3, "2026-03-09T15:00", "2026-03-09T15:03:59", 3, False, "open"),
        ("1m", 3, "2026-03-09T15:00", "2026-03-09T15:04", 4, True, "open"),
        ("15m", 2, "2026-03-06T21:00", "2026-03-09T14:01", 31, True, "open"),
        ("1d", 1, "2026-03-06T21:00", "2026-03-09T19:59", 389, False, "open"),
        ("1d", 1, "2026-03-06T21:00", "2026-03-09T20:00", 390, False, "post"),
        ("1d", 1, "2026-03-06T21:00", "2026-03-10T20:00", 780, True, "post"),
    ],
)
def test_age_counts_trading_time(timeframe, limit, close, as_of, age, stale, state):
    found = data_age("XNYS", timeframe, limit, utc(close), utc(as_of))
    assert (found.age_trading_minutes, found.stale, found.market_state) == (age, stale, state)
    assert found.flags == (("DATA_STALE",) if stale else ())


def test_next_open_is_strictly_after():
    found = data_age("XNYS", "1m", 3, utc("2026-03-06T21:00"), utc("2026-03-09T13:30"))
    assert found.next_open == utc("2026-03-10T13:30")


def test_an_unknown_timeframe_is_refused():
    with pytest.raises(Refusal, match="TIMEFRAME_UNSUPPORTED"):
        data_age("XNYS", "2m", 3, utc("2026-03-06T21:00"), utc("2026-03-09T13:30"))
