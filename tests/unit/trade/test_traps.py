"""The traps of domain 15, one test each; 13 belongs to the rebalancing of portfolios."""

from __future__ import annotations

import ast
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal as D  # noqa: N817 - tables of numbers read better short
from pathlib import Path

import pytest

from services.alerts.rule import AlertBar, AlertRule, run_alert
from services.kit.canonical import canonical
from services.kit.errors import Refusal
from services.kit.money import rounded
from services.market.bar import Bar
from services.market.indicator import ema, rsi
from services.market.quality_rule import find_scale_fault, find_unit_faults
from services.market.session import sessions_between
from services.research.bracket import BracketOrder, Ohlc, run_bracket
from services.research.config import BacktestConfig
from services.research.score_stats import reliability
from services.strategy.option_move import straddle_move
from services.strategy.option_price import OptionTerms, bsm, touch_probability
from services.strategy.survival import survival_grid, target_multiples
from services.strategy.track import Track
from services.trade.day_trade import DayTradeAccount, PatternLimits, require_day_trade
from services.trade.rr import reward_risk

ROOT = Path(__file__).resolve().parents[3]
CALENDAR = "XNYS"


def session_bars(first: datetime, count: int, price: str) -> list[Bar]:
    rows = []
    for at in range(count):
        begins = first + timedelta(minutes=5 * at)
        value = D(price) + at
        rows.append(
            Bar(t_open=begins, t_close=begins + timedelta(minutes=5),
                o=value, h=value, l=value, c=value, v=D(100))
        )  # fmt: skip
    return rows


def test_trap_01_vwap_resets_at_the_session_open_on_both_sides_of_a_clock_change():
    """New York opened at 14:30 UTC on Friday 2024-03-08 and at 13:30 UTC on Monday 2024-03-11."""
    days = sessions_between(
        CALENDAR, datetime(2024, 3, 8, tzinfo=UTC).date(), datetime(2024, 3, 11, tzinfo=UTC).date()
    )
    assert [day.open.strftime("%d %H:%M") for day in days] == ["08 14:30", "11 13:30"]
    friday, monday = (
        session_bars(day.open, 78, price) for day, price in zip(days, ("100", "300"), strict=True)
    )
    track = Track("5m", CALENDAR, [*friday, *monday])
    alone = Track("5m", CALENDAR, monday)
    assert track.vwap[0] == 100.0
    assert track.vwap[78] == 300.0
    assert track.vwap[78:] == alone.vwap
    assert track.vwap[77] == pytest.approx(138.5)


def test_trap_02_the_calibration_error_bins_by_exact_decimals():
    """As floats 0.6 * 10 is 6 but 0.7 * 10 is 7.000000000000001 and 0.3 / 0.1 is below 3."""
    p = [D(x) for x in ["0.1", "0.2", "0.35", "0.4", "0.55", "0.6", "0.62", "0.7", "0.8", "0.9"]]
    y = [0, 0, 1, 0, 1, 1, 0, 1, 1, 1]
    assert reliability(p, y).ece == D("0.262")
    assert [row.bin for row in reliability([D("0.3"), D("0.6"), D("0.7")], [0, 1, 1]).bins] == [
        3,
        6,
        7,
    ]


def test_trap_03_the_rsi_of_a_flat_price_is_fifty():
    """A rule that buys below 30 must not buy every halted stock."""
    assert rsi([100.0] * 60, 14).last == 50.0
    flat = session_bars(datetime(2024, 3, 8, 14, 30, tzinfo=UTC), 60, "100")
    still = [replace(bar, o=D(100), h=D(100), l=D(100), c=D(100)) for bar in flat]
    assert Track("5m", CALENDAR, still).rsi[-1] == 50.0


def test_trap_04_the_ema_is_seeded_with_the_mean_of_its_first_closes():
    """A seed on the first close is .01 away after 60 bars at n = 20; ours is the simple mean."""
    closes = [100 + (at * 7 % 13) / 10 for at in range(60)]
    value = sum(closes[:20]) / 20
    first = closes[0]
    for close in closes[20:]:
        value += (close - value) * (2 / 21)
    for close in closes[1:]:
        first += (close - first) * (2 / 21)
    found = ema(closes, 20).last
    assert found == pytest.approx(value, abs=1e-9)
    assert abs(found - first) > 1e-6


LEAPS = OptionTerms(right="call", spot=232, strike=180, years=480 / 365, rate=0.042, dividend=0.004)


def test_trap_05_delta_is_not_the_chance_to_end_in_the_money_and_two_deltas_not_to_touch():
    found = bsm(LEAPS, 0.29)
    assert found.delta == pytest.approx(0.855341, abs=1e-6)
    assert found.p_itm == pytest.approx(0.772496, abs=1e-6)
    far = OptionTerms(right="call", spot=100, strike=130, years=0.25, rate=0.04, dividend=0)
    touch = touch_probability(far, 130, 0.3)
    assert abs(2 * bsm(far, 0.3).delta - touch) > 0.01


def test_trap_06_most_of_a_straddle_is_not_one_sigma():
    found = straddle_move(D("2.8587"), D("2.8587"), spot=D(100), iv=D("0.25"), dte=30)
    assert (rounded(found.em_085, 4), rounded(found.one_sigma, 4)) == (D("4.8598"), D("7.1673"))
    assert found.em_085 < D("0.7") * found.one_sigma


def test_trap_07_targets_are_chosen_from_runs_without_targets_and_do_not_shrink():
    """With exits at the targets every MFE ends there, and the next targets lie nearer."""
    free = [D(step) / 10 for step in range(100)]
    chosen = target_multiples(survival_grid(free), len(free))
    censored = [min(one, chosen[0]) for one in free]
    again = target_multiples(survival_grid(censored), len(censored))
    assert again[1] < chosen[1] or again[2] < chosen[2]
    bars = [
        Ohlc(o=D(100), h=D(102), l=D("99.5"), c=D(101)),
        Ohlc(o=D(101), h=D(108), l=D(101), c=D(107)),
        Ohlc(o=D(107), h=D(107), l=D(97), c=D(97)),
    ]
    order = BracketOrder(side="long", entry_kind="market", stop=D(98), target=D(102))
    cut, free = run_bracket(order, bars), run_bracket(replace(order, target=None), bars)
    assert (cut.reason, free.reason) == ("target", "stop")
    assert (cut.mfe_r, free.mfe_r) == (D(1), D(4))


def test_trap_08_break_even_is_that_of_target_one_and_not_of_the_blend():
    _, nets = reward_risk(
        "long", D("100.20"), stop=D("98.94"),
        targets=[D("101.46"), D("102.72"), D("103.98")], cost_per_unit=D("0.02"),
    )  # fmt: skip
    even = 1 / (1 + nets[0])
    assert rounded(even, 4) == D("0.5079")
    blended = sum(
        share * rr for share, rr in zip((D("0.5"), D("0.3"), D("0.2")), nets, strict=True)
    )
    assert even - 1 / (1 + blended) > D("0.13")


def test_trap_09_numbers_stay_text_in_canonical_documents():
    assert canonical({"price": D("100.10"), "n": D(9007199254740993)}) == (
        b'{"n":"9007199254740993","price":"100.1"}'
    )
    assert canonical({"price": "100.10"}) == b'{"price":"100.10"}'
    for bad in (100.1, 2**53):
        with pytest.raises(Refusal) as caught:
            canonical({"price": bad})
        assert caught.value.code == "CANON_FLOAT"
    assert json.loads(canonical({"price": D("0.1")}))["price"] == "0.1"


def test_trap_10_the_pattern_day_trade_limit_is_a_setting_of_broker_and_day():
    account = DayTradeAccount(rule="pdt_legacy", equity=D(20_000), day_trades=3)
    with pytest.raises(Refusal) as caught:
        require_day_trade(account, limits=PatternLimits(min_equity=D(25_000), max_day_trades=3))
    assert caught.value.code == "PDT_LIMIT"
    assert not require_day_trade(
        account, limits=PatternLimits(min_equity=D(15_000), max_day_trades=3)
    )
    require_day_trade(
        replace(account, rule="intraday_margin", maintenance=D(5_000)),
        limits=PatternLimits(min_equity=D(25_000), max_day_trades=3),
    )
    source = ast.parse((ROOT / "services" / "trade" / "day_trade.py").read_text())
    numbers = [one.value for one in ast.walk(source) if isinstance(one, ast.Constant)]
    assert not {25000, "25000", "25_000"} & set(map(_plain, numbers))


def _plain(value: object) -> object:
    return value if isinstance(value, int | str) else None


def test_trap_11_a_hundredfold_jump_is_a_unit_error_until_it_is_proven():
    for price in (D(34550), D("3.455")):
        found = find_scale_fault(price, D("345.5"))
        assert found is not None
        assert (found.code, found.severity) == ("DQ_SCALE_SUSPECT", "CRIT")
    assert find_scale_fault(D(360), D("345.5")) is None
    codes = [one.code for one in find_unit_faults("GBP", quote_unit="GBX")]
    assert codes == ["DQ_CCY_MISMATCH", "DQ_SCALE_SUSPECT"]


def test_trap_12_a_backtest_has_no_filter_on_open_interest():
    """Providers keep no history of it, so a filter on it would look ahead."""
    known = json.dumps(
        json.loads(canonical(BacktestConfig(name="x", kind="setup", symbols=("A",))))
    )
    assert "open_interest" not in known
    for name in ("engine", "setup_run", "config", "label"):
        text = (ROOT / "services" / "research" / f"{name}.py").read_text()
        assert "open_interest" not in text, name


def test_trap_14_an_alert_never_re_arms_and_fires_inside_one_bar():
    """One bar falls below the reset and rises over the level: what came first is not known."""
    rule = AlertRule(
        kind="price_above", level=D(200), ref_price=D(198), repeat=True, hysteresis=D(1)
    )
    first = AlertBar(60, D(199), D(201), D(199), D(201))
    both = AlertBar(120, D(201), D(202), D("198.5"), D(202))
    third = AlertBar(180, D(199), D("200.5"), D(199), D(200))
    told = run_alert(rule, [first, both])
    assert [one.t for one in told.events] == [60]
    assert told.after.state == "armed"
    assert [one.t for one in run_alert(rule, [first, both, third]).events] == [60, 180]


def test_trap_15_the_option_model_is_our_own_and_imports_no_wrapper():
    for path in sorted((ROOT / "services").rglob("*.py")):
        text = path.read_text()
        assert "py_vollib" not in text, path.name
