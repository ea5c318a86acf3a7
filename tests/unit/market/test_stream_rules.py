"""When a stream tries again, what silence means, and which channels are asked for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.market.stream_channel import batches, channels_of, find_canary, find_denied
from services.market.stream_state import Backoff, Ended, StreamTiming, Watchdog

LOST, CROWDED = Ended("lost", "gone"), Ended("crowded", "another process uses this key")
TIMING = StreamTiming()


@pytest.mark.fault("F027")
@given(st.lists(st.floats(0, 1, exclude_max=True), min_size=1, max_size=40))
def test_waits_grow_to_a_minute_and_no_storm_of_reconnects_arises(chances):
    backoff = Backoff(TIMING)
    waits = [backoff.wait_s(LOST, chance) for chance in chances]
    for at, wait in enumerate(waits):
        longest = min(60.0, 2.0**at)
        assert longest / 2 <= wait <= longest
    assert sum(waits[:20]) > 400 or len(waits) < 20


@pytest.mark.fault("F027")
def test_a_welcome_does_not_shorten_the_wait_and_half_a_minute_of_data_does():
    backoff = Backoff(TIMING)
    for _ in range(6):
        backoff.wait_s(LOST, 0)
    assert backoff.note_flow(0.0) is False
    assert backoff.note_flow(29.9) is False
    assert backoff.wait_s(LOST, 0) == 30.0
    assert backoff.note_flow(30.0) is True
    assert backoff.wait_s(LOST, 0) == 0.5


@given(st.floats(0, 1, exclude_max=True), st.integers(0, 8))
def test_a_crowded_account_waits_a_minute_or_more(chance, failures):
    backoff = Backoff(TIMING)
    for _ in range(failures):
        backoff.wait_s(LOST, chance)
    assert backoff.wait_s(CROWDED, chance) >= 60


def test_silence_counts_from_the_last_data_or_the_last_rest():
    dog = Watchdog(TIMING, began=100.0)
    assert dog.is_silent(159.9) is False
    assert dog.is_silent(160.0) is True
    dog.note(150.0)
    assert dog.is_silent(209.9) is False
    dog.rest(205.0)
    assert dog.is_silent(264.9) is False
    assert dog.is_silent(265.0) is True
    assert dog.is_silent(265.0, times=5) is False


def test_data_flow_from_the_first_of_a_connection():
    dog = Watchdog(TIMING, began=0.0)
    assert dog.flowing_s(50.0) == 0
    dog.note(50.0)
    dog.note(70.0)
    assert dog.flowing_s(81.0) == 31.0


def test_channels_are_those_of_the_cluster_without_what_the_plan_denies():
    none = frozenset()
    assert channels_of(["B", "A"], "stocks", frozenset({"Q"})) == ["T.A", "AM.A", "T.B", "AM.B"]
    assert channels_of(["I:SPX"], "indices", none) == ["V.I:SPX", "AM.I:SPX"]
    assert channels_of(["O:X"], "options", none) == ["T.O:X", "Q.O:X", "AM.O:X"]


def test_a_canary_sings_where_the_plan_lets_it():
    assert find_canary("stocks", frozenset()) == "A.SPY"
    assert find_canary("stocks", frozenset({"A"})) is None
    assert find_canary("options", frozenset()) is None


def test_requests_hold_at_most_so_many_channels():
    assert list(batches(["a", "b", "c"], 2)) == ["a,b", "c"]
    assert list(batches([], 2)) == []


@pytest.mark.parametrize(
    ("message", "cluster", "kinds"),
    [
        ("not authorized: Q.AAPL", "stocks", {"Q"}),
        ("You are not entitled to T.AAPL, Q.AAPL", "stocks", {"T", "Q"}),
        ("not authorized", "stocks", {"T", "Q"}),
        ("not authorized", "indices", {"V"}),
        ("please upgrade for V.I:SPX", "indices", {"V"}),
        ("unknown parameter T.AAPL", "stocks", set()),
        ("", "stocks", set()),
    ],
)
def test_a_denial_names_the_kinds_that_the_plan_lacks(message, cluster, kinds):
    assert find_denied(message, cluster) == kinds
