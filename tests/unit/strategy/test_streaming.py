"""Streaming strategies: the plug-in, the runner around it, and the three built-ins."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal as D  # noqa: N817 - tables of numbers read better short

import pytest

from services.kit.errors import Refusal
from services.strategy.streaming import (
    COOLDOWN,
    DeviationRule,
    MaCrossRule,
    Runner,
    Say,
    SpikeRule,
    Window,
)

START = datetime(2024, 3, 4, 14, 30, tzinfo=UTC)
CLOSES = ["10", "10", "10", "10", "10", "9.8", "9.7", "9.9", "10.3", "10.6", "10.4", "9.9", "9.5"]


def window(at, close, *, volume="100", opened=None, vwap=None):
    start = START + timedelta(minutes=at)
    c, o = D(close), D(opened or close)
    return Window(
        start=start, end=start + timedelta(minutes=1), open=o, high=max(o, c), low=min(o, c),
        close=c, volume=D(volume), vwap=D(vwap or close),
    )  # fmt: skip


class Always:
    """A plug-in that buys at every window."""

    id, version, params = "always", "1", {"k": D(1)}

    def __init__(self):
        self.seen, self.resets = [], 0

    def on_metric(self, symbol, metrics):
        self.seen.append((symbol, metrics.start))
        return Say("BUY", D(1), "always", {"close": metrics.close})

    def reset(self, symbol):
        self.resets += 1

    def snapshot(self):
        return b"{}"

    def restore(self, content):
        pass


def test_the_worked_crosses_of_two_and_four():
    rule = MaCrossRule(2, 4)
    said = [rule.on_metric("A", window(at, close)) for at, close in enumerate(CLOSES)]
    found = {at: one.side for at, one in enumerate(said) if one}
    assert found == {5: "SELL", 8: "BUY", 11: "SELL"}


def test_the_worked_deviation_and_spike():
    rule = DeviationRule(D(1), lookback=1)
    assert rule.on_metric("A", window(0, "98.9", vwap="100")).side == "BUY"
    assert rule.on_metric("A", window(1, "98.9", vwap="100")).inputs["deviation_pct"] == D(
        "-1.1000"
    )
    spike = SpikeRule(D(3), 20)
    for at in range(20):
        assert spike.on_metric("A", window(at, "10")) is None
    said = spike.on_metric("A", window(20, "10.1", volume="320", opened="10"))
    assert (said.side, said.inputs["ratio"]) == ("BUY", D("3.2000"))


def test_a_plug_in_needs_nothing_of_ours_and_rests_after_a_signal():
    runner = Runner(Always())
    said = [runner.on_window("A", window(at, "10")) for at in range(13)]
    assert [at for at, one in enumerate(said) if one] == [0, COOLDOWN + 1, 2 * (COOLDOWN + 1)]
    assert said[0].signal_id != said[6].signal_id
    assert said[0].signal_id.startswith("sha256:")


def test_repeated_and_late_windows_are_left_out_and_counted():
    strategy = Always()
    runner = Runner(strategy)
    for at in (0, 1, 1, 0, 2):
        runner.on_window("A", window(at, "10"))
    assert (runner.ignored, len(strategy.seen)) == (2, 3)


@pytest.mark.parametrize(("missing", "resets"), [(3, 0), (4, 1)])
def test_a_gap_of_more_than_three_windows_begins_anew(missing, resets):
    strategy = Always()
    runner = Runner(strategy)
    runner.on_window("A", window(0, "10"))
    runner.on_window("A", window(1 + missing, "10"))
    assert strategy.resets == resets


def test_symbols_have_states_of_their_own():
    runner = Runner(MaCrossRule(2, 4))
    mixed = []
    for at, close in enumerate(CLOSES):
        mixed.append(runner.on_window("A", window(at, close)))
        assert runner.on_window("B", window(at, "10")) is None
    alone = Runner(MaCrossRule(2, 4))
    assert mixed == [alone.on_window("A", window(at, close)) for at, close in enumerate(CLOSES)]


@pytest.mark.parametrize(
    "build",
    [lambda: MaCrossRule(2, 4), lambda: DeviationRule(D("0.5"), 3), lambda: SpikeRule(D(2), 3)],
)
def test_a_restored_state_goes_on_as_if_it_had_never_stopped(build):
    whole, first = build(), build()
    rows = [
        window(at, close, volume=str(50 + 40 * (at % 4)), opened="10")
        for at, close in enumerate(CLOSES)
    ]
    said = [whole.on_metric("A", row) for row in rows]
    for row in rows[:6]:
        first.on_metric("A", row)
    second = build()
    second.restore(first.snapshot())
    assert [second.on_metric("A", row) for row in rows[6:]] == said[6:]
    assert second.snapshot() == whole.snapshot()


@pytest.mark.parametrize("content", [b"[]", b"nonsense", b'{"A": [["x"]]}', b'{"A": 3}'])
def test_foreign_bytes_are_no_state(content):
    with pytest.raises(Refusal, match="PARAM_INVALID"):
        MaCrossRule().restore(content)


@pytest.mark.parametrize(
    "build", [lambda: MaCrossRule(20, 5), lambda: SpikeRule(D(0)), lambda: DeviationRule(D(-1))]
)
def test_numbers_that_make_no_rule_are_refused(build):
    with pytest.raises(Refusal, match="PARAM_INVALID"):
        build()
