"""Rate limits: never more than the limit in any window, on a clock that the test moves."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.http.limits import GROUPS, Limits
from services.kit.clock import HandClock
from services.kit.environment import load_settings
from services.kit.errors import Refusal
from services.kit.settings import Settings
from tests.conftest import NOW


def limits_on(clock, **environment):
    return Limits(load_settings(environment), clock.monotonic)


def refused(limits, group, caller="u"):
    try:
        limits.take(group, caller)
    except Refusal as refusal:
        return refusal
    return None


def test_the_hit_above_the_limit_is_refused_and_says_when_to_come_back():
    clock = HandClock(NOW)
    limits = limits_on(clock, LIMIT_CONFIRM="2/minute")
    assert refused(limits, "confirm") is None
    clock.advance(seconds=20)
    assert refused(limits, "confirm") is None
    refusal = refused(limits, "confirm")
    assert (refusal.code, refusal.facts["retry_after_s"]) == ("RATE_LIMITED", 40)
    clock.advance(seconds=40)
    assert refused(limits, "confirm") is None


def test_callers_and_groups_do_not_share_a_window():
    limits = limits_on(HandClock(NOW), LIMIT_CONFIRM="1/minute")
    assert refused(limits, "confirm", "a") is None
    assert refused(limits, "confirm", "b") is None
    assert refused(limits, "mutate", "a") is None
    assert refused(limits, "confirm", "a") is not None


def test_chat_has_a_limit_by_minute_and_by_day():
    clock = HandClock(NOW)
    limits = limits_on(clock, LIMIT_CHAT="100/minute", LIMIT_CHAT_DAY="3/day")
    assert [refused(limits, "chat") is None for _ in range(4)] == [True, True, True, False]
    clock.advance(hours=24)
    assert refused(limits, "chat") is None


def test_the_kill_switch_is_never_limited():
    limits = limits_on(HandClock(NOW))
    assert all(refused(limits, "none") is None for _ in range(2000))


@pytest.mark.fault("F108")
@given(st.lists(st.integers(0, 30), min_size=1, max_size=120))
def test_no_window_ever_holds_more_than_the_limit(pauses):
    clock = HandClock(NOW)
    limits = limits_on(clock, LIMIT_MUTATE="5/minute")
    passed = []
    for pause in pauses:
        clock.advance(seconds=pause)
        if refused(limits, "mutate") is None:
            passed.append(clock.monotonic())
    assert all(later - earlier >= 60 for earlier, later in zip(passed, passed[5:], strict=False))


def test_a_burst_of_ten_thousand_keys_keeps_memory_bounded():
    limits = limits_on(HandClock(NOW))
    for number in range(25_000):
        limits.take("read", f"u{number}")
    assert len(limits._hits) <= 20_000


def test_every_group_names_settings_that_exist():
    names = {name for group in GROUPS.values() for name in group} - {"limit_page"}
    assert names <= set(Settings.model_fields)
