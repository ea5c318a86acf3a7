"""A backtest: its trades, its books, its bounds, and that it never sees what comes later."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal as D  # noqa: N817 - tables of numbers read better short

import pytest

from services.kit.errors import Refusal
from services.market.bar import Bar
from services.research.config import (
    BacktestConfig,
    CostTerms,
    ListingTerms,
    RuleTerms,
    SizeTerms,
    SplitTerms,
)
from services.research.engine import Extras, run
from services.research.series import Series
from services.research.trade_log import find_break
from services.trade.position_size import CapInputs, Levels, RiskTaken, size
from tests.unit.research import crosscheck
from tests.unit.strategy.market_days import walk

FREE = crosscheck.FREE
SETUPS = BacktestConfig(name="setups", kind="setup", symbols=("GOOG",))


@pytest.fixture(scope="module")
def goog():
    return crosscheck.goog_bars()


@pytest.fixture(scope="module")
def minutes():
    return crosscheck.minute_walk(6_000)


def minute_config(**more):
    return BacktestConfig(
        name="m", kind="rule", symbols=("X",), timeframe="1m",
        **({"rule": RuleTerms(side="both")} | more),
    )  # fmt: skip


def spoiled(bars: list[Bar], after: int) -> list[Bar]:
    """The bars with everything behind `after` ten times as high."""
    return bars[:after] + [
        replace(bar, o=bar.o * 10, h=bar.h * 10, l=bar.l * 10, c=bar.c * 10) for bar in bars[after:]
    ]


def closed_by(report, bar):
    return [trade for trade in report.trades if trade.exit_ts < bar.t_close]


@pytest.mark.parametrize("cut", [400, 1200, 1900])
def test_planted_future_bars_change_no_trade_that_ended_before_them(goog, cut):
    for config in (SETUPS, replace(SETUPS, kind="rule", rule=RuleTerms(side="both"))):
        whole = run(config, {"GOOG": goog})
        planted = run(config, {"GOOG": spoiled(goog, cut)})
        cut_off = run(config, {"GOOG": goog[:cut]})
        before = [row.hash for row in closed_by(whole, goog[cut - 1])]
        assert before
        assert [row.hash for row in closed_by(planted, goog[cut - 1])] == before
        assert [row.hash for row in cut_off.trades] == before


@pytest.mark.parametrize("name", ["ema_cross", "ma_cross", "vwap_deviation", "volume_spike"])
def test_every_rule_sees_only_its_bar_and_earlier_ones(minutes, name):
    config = minute_config(
        rule=RuleTerms(name=name, side="both", threshold_pct=D("0.3"), multiple=D("1.0"))
    )
    bars = [replace(bar, v=D(900 + 300 * (at % 7))) for at, bar in enumerate(minutes)]
    whole = run(config, {"X": bars})
    planted = run(config, {"X": spoiled(bars, 3_000)})
    assert len(whole.trades) > 3
    before = [row.hash for row in closed_by(whole, bars[2_999])]
    assert [row.hash for row in closed_by(planted, bars[2_999])] == before


def test_the_same_inputs_make_the_same_bytes(goog):
    first, second = (run(SETUPS, {"GOOG": goog}) for _ in range(2))
    assert first.bytes == second.bytes
    assert first.run_hash.startswith("sha256:")


def test_another_bar_or_another_number_makes_another_run(goog):
    base = run(SETUPS, {"GOOG": goog})
    other = run(replace(SETUPS, costs=CostTerms(slippage_bps=D(3))), {"GOOG": goog})
    bars = [*goog[:-1], replace(goog[-1], v=goog[-1].v + 1)]
    longer = run(SETUPS, {"GOOG": bars})
    assert len({base.run_hash, other.run_hash, longer.run_hash}) == 3
    assert base.data_hashes != longer.data_hashes
    assert base.config_hash != other.config_hash


def test_every_row_is_sealed_by_the_row_before(minutes):
    trades = run(minute_config(), {"X": minutes}).trades
    assert find_break(trades) is None
    forged = [*trades[:2], replace(trades[2], pnl=trades[2].pnl + 1), *trades[3:]]
    assert find_break(forged) == 3
    assert find_break([*trades[:1], *trades[2:]]) == 3


def test_cash_is_the_start_and_every_booked_result(minutes):
    report = run(minute_config(size=SizeTerms(risk_pct=D("0.002"))), {"X": minutes})
    total = sum(trade.pnl for trade in report.trades)
    assert report.performance.end == report.performance.start + total
    for trade in report.trades:
        sign = 1 if trade.side == "long" else -1
        gross = sign * trade.quantity * (trade.exit - trade.entry)
        assert trade.pnl == pytest.approx(gross - trade.fees, abs=D("0.01"))
        assert trade.fees == sum(fill.fee for fill in trade.fills)


def test_costs_and_slippage_only_ever_hurt(minutes):
    free = run(minute_config(costs=FREE), {"X": minutes})
    dear = run(minute_config(costs=CostTerms(slippage_bps=D(5))), {"X": minutes})
    assert len(free.trades) == len(dear.trades)
    for cheap, costly in zip(free.trades, dear.trades, strict=True):
        assert costly.gross_r == cheap.gross_r
        assert costly.r < cheap.r


@pytest.mark.parametrize("limit", ["0.2", "100"])
def test_the_first_size_is_that_of_the_products_own_sizing(goog, limit):
    terms = SizeTerms(start_cash=D(50_000), max_notional_pct=D(limit))
    costs = CostTerms(slippage_bps=D(0))
    first = run(replace(SETUPS, size=terms, costs=costs), {"GOOG": goog}).trades[0]
    levels = Levels(
        side=first.side, entry=first.entry, stop=first.stop, commission_per_unit=D("0.005")
    )
    risk = RiskTaken(equity=D(50_000), risk_pct=D("0.01"))
    asked = size(levels, risk, caps=CapInputs(max_notional_pct=D(limit)))
    assert first.quantity == asked.quantity


def test_what_can_not_buy_one_lot_is_left_out_and_counted(goog):
    report = run(replace(SETUPS, size=SizeTerms(start_cash=D(300))), {"GOOG": goog})
    assert report.left_out["SIZE_BELOW_MIN_LOT"] > 0


def test_an_ambiguous_bar_is_judged_by_its_minutes():
    """A 5-minute bar holds stop and target; its minutes say that the target came first."""
    bars, planted = _five_minutes()
    config = BacktestConfig(name="drill", kind="rule", symbols=("X",), timeframe="5m", costs=FREE,
                            rule=RuleTerms(fast=2, slow=4, atr=3))  # fmt: skip
    coarse = run(config, {"X": bars})
    fine = run(config, {"X": bars}, extras=Extras(minutes={"X": planted}))
    assert (coarse.trades[0].reason, coarse.trades[0].ambiguous) == ("stop", True)
    assert (fine.trades[0].reason, fine.trades[0].ambiguous) == ("target", False)
    assert (coarse.trades[0].resolution, fine.trades[0].resolution) == (None, "1m")
    assert (coarse.ambiguity.n, fine.ambiguity.n) == (1, 0)
    assert coarse.ambiguity.low_r < 0 < coarse.ambiguity.high_r
    assert coarse.ambiguity.material
    assert "AMBIGUITY_MATERIAL" in coarse.flags


def _five_minutes() -> tuple[list[Bar], list[Bar]]:
    start = crosscheck.minute_walk(1)[0].t_open
    closes = [100, 99, 98, 97, 96, 95, 97, 99]
    rows = [(D(c), D(c) + 1, D(c) - 1, D(c)) for c in closes] + [(D(99), D(120), D(80), D(100))]
    bars = [
        Bar(t_open=start + timedelta(minutes=5 * at), t_close=start + timedelta(minutes=5 * at + 5),
            o=o, h=h, l=low, c=c, v=D(10))
        for at, (o, h, low, c) in enumerate(rows)
    ]  # fmt: skip
    last = bars[-1].t_open
    inner = [(99, 120, 99, 118), (118, 118, 80, 90), (90, 101, 90, 100)]
    return bars, [
        Bar(t_open=last + timedelta(minutes=at), t_close=last + timedelta(minutes=at + 1),
            o=D(o), h=D(h), l=D(low), c=D(c), v=D(3))
        for at, (o, h, low, c) in enumerate(inner)
    ]  # fmt: skip


def test_a_split_is_known_from_its_day_on_and_moves_no_result(goog):
    """Raw bars over a 2:1 split trade like unsplit ones: in R, and in cash but for the fees."""
    day = goog[1_000].t_open.date()
    raw = goog[:1_000] + [
        replace(bar, o=bar.o / 2, h=bar.h / 2, l=bar.l / 2, c=bar.c / 2, v=bar.v * 2)
        for bar in goog[1_000:]
    ]
    rule = RuleTerms(side="both", stop_atr=D(5), target_atr=D(6))
    base = replace(SETUPS, kind="rule", rule=rule, costs=FREE)
    listing = ListingTerms(splits=(SplitTerms(day=day, before=1, after=2),), tick=D("0.000001"))
    smooth = replace(base, listings={"GOOG": ListingTerms(tick=D("0.000001"))})
    split = run(replace(base, listings={"GOOG": listing}), {"GOOG": raw})
    whole = run(smooth, {"GOOG": goog})
    over = [row for row in whole.trades if row.entry_ts < goog[1_000].t_open < row.exit_ts]
    assert over, "a trade spans the split"
    assert [row.gross_r for row in split.trades] == pytest.approx(
        [row.gross_r for row in whole.trades], abs=D("0.0001")
    )
    before = [row for row in split.trades if row.exit_ts < goog[1_000].t_open]
    assert [row.entry for row in before] == [row.entry for row in whole.trades[: len(before)]]


def test_the_universe_is_flagged_unless_it_is_dated(goog):
    assert "SURVIVORSHIP" in run(SETUPS, {"GOOG": goog}).flags
    listed = ListingTerms(listed=date(2010, 1, 1), delisted=date(2012, 1, 1))
    dated = replace(SETUPS, universe_dated=True, listings={"GOOG": listed})
    report = run(dated, {"GOOG": goog})
    assert "SURVIVORSHIP" not in report.flags
    assert report.left_out["NOT_LISTED"] > 0
    assert all(date(2010, 1, 1) <= row.entry_ts.date() < date(2012, 1, 1) for row in report.trades)


def test_a_setup_with_fewer_than_thirty_trades_says_nothing(goog):
    rows = {row.setup_id: row for row in run(SETUPS, {"GOOG": goog}).by_setup}
    small = rows["ema_pullback"]
    assert (small.enough, small.win_rate, small.expectancy_r) == (False, None, None)
    large = rows["ma_cross"]
    assert large.n >= 30
    assert large.ci95[0] < large.win_rate < large.ci95[1]


def test_a_plans_targets_take_parts_and_its_stop_follows(goog):
    trades = run(SETUPS, {"GOOG": goog}).trades
    stepped = [row for row in trades if row.legs_filled >= 1 and len(row.fills) > 2]
    assert stepped
    for row in stepped:
        assert sum(fill.quantity for fill in row.fills[1:]) == row.quantity
    saved = [row for row in stepped if row.reason == "stop"]
    assert all(row.gross_r > 0 for row in saved)


def test_the_free_move_is_never_below_the_realised_one(goog):
    for row in run(SETUPS, {"GOOG": goog}).trades:
        if row.mfe_free_r is not None and row.legs_filled:
            assert row.mfe_free_r >= 1 - D("0.3")
            assert row.mfe_free_r >= row.mfe_r - D("0.000001") or row.legs_filled < 3


def test_intraday_setups_run_on_every_timeframe_that_can_be_built():
    bars = walk(7, date(2024, 3, 4), date(2024, 4, 12))
    config = BacktestConfig(name="day", kind="setup", symbols=("TEST",), timeframe="5m")
    report = run(config, {"TEST": bars})
    assert report.trades
    ends = {row.exit_ts.date() == row.entry_ts.date() for row in report.trades}
    assert True in ends
    again = run(config, {"TEST": bars[: len(bars) // 2]})
    known = again.trades[:-1]
    assert [row.hash for row in known] == [row.hash for row in report.trades[: len(known)]]


def test_prepared_indicators_equal_the_states_bit_for_bit(minutes):
    from services.market.indicator import Atr, Ema

    series = Series("X", "1m", minutes)
    ema, atr = Ema(10), Atr(14)
    folded = [ema.push(close) for close in series.columns.c]
    _, high, low, close = series.columns
    ranged = [atr.push(*row) for row in zip(high, low, close, strict=True)]
    assert series.ema(10) == folded[9:]
    assert series.atr(14) == ranged[14:]


@pytest.mark.parametrize(
    ("bars", "code"), [([], "PARAM_INVALID"), ("twice", "BAR_INVALID"), ("low", "BAR_INVALID")]
)
def test_bars_that_can_not_be_true_are_refused(minutes, bars, code):
    given = {
        "twice": [minutes[0], minutes[0]],
        "low": [replace(minutes[0], l=minutes[0].h + 1)],
    }.get(bars, bars) if isinstance(bars, str) else bars  # fmt: skip
    with pytest.raises(Refusal) as told:
        run(minute_config(), {"X": given})
    assert told.value.code == code


def test_progress_is_told_by_symbol(goog):
    seen = []
    run(SETUPS, {"GOOG": goog[:300]}, extras=Extras(progress=lambda *row: seen.append(row)))
    assert seen == [(1, 1, "GOOG")]
