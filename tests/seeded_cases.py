"""Seeded cases of the pure functions and of whole plans, and the command that prints their bytes.

`python -m tests.seeded_cases 200 40` prints one hash per case: two runs anywhere must agree.
"""

from __future__ import annotations

import hashlib
import itertools
import random
import sys
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from decimal import Decimal as D  # noqa: N817 - tables of numbers read better short
from typing import Any

from services.alerts.rule import AlertBar, AlertRule, run_alert
from services.kit.canonical import canonical
from services.kit.errors import Refusal
from services.kit.money import floor_to, rounded, tick_round, use_context
from services.market.indicator import adx, atr, ema, rsi
from services.market.level import pivots, swings
from services.market.realised_volatility import realised_volatility
from services.market.vwap import VolumeBar, vwap
from services.research.bracket import BracketOrder, Ohlc, run_bracket
from services.research.calibrate import fit_isotonic, fit_platt
from services.research.score_stats import brier, r_stats, reliability
from services.strategy.confidence import pooled_confidence, prior_confidence, wilson
from services.strategy.confluence import confluence, mtf
from services.strategy.option_move import straddle_move
from services.strategy.option_price import OptionTerms, bsm, implied_volatility, touch_probability
from services.strategy.survival import survival_grid, target_multiples
from services.trade.compose import compose
from services.trade.confidence_tie import Confidence
from services.trade.position_size import CapInputs, Levels, RiskTaken, size
from services.trade.risk import RiskAccount, RiskPosition, risk_state
from services.trade.rr import reward_risk
from services.trade.stop import StopInputs, build_stop
from services.trade.target import Survival, scale_targets
from tests.unit.trade.plan_desk import ideas, inputs_of, record_for

PLAN_SEEDS = (0, 1, 100)
Case = Callable[[random.Random], Any]


def money(r: random.Random, low: float = 1, high: float = 500, places: int = 2) -> D:
    """Return a seeded exact amount."""
    return D(r.randint(int(low * 10**places), int(high * 10**places))).scaleb(-places)


def floats(r: random.Random, count: int) -> list[float]:
    """Return a seeded walk of prices."""
    price, out = r.uniform(20, 400), []
    for _ in range(count):
        price *= 1 + r.uniform(-0.02, 0.02)
        out.append(price)
    return out


def columns(r: random.Random, count: int) -> tuple[list[float], list[float], list[float]]:
    """Return highs, lows and closes that fit."""
    close = floats(r, count)
    return (
        [x * (1 + r.random() / 50) for x in close],
        [x * (1 - r.random() / 50) for x in close],
        close,
    )


def _averages(r: random.Random) -> Any:
    high, low, close = columns(r, r.randint(90, 140))
    return [ema(close, r.randint(2, 20)), rsi(close, 14), atr(high, low, close, 14),
            adx(high, low, close, 14), realised_volatility(close, 20)]  # fmt: skip


def _levels(r: random.Random) -> Any:
    high, low, close = columns(r, 40)
    seen = [
        VolumeBar(h, lo, c, float(r.randint(1, 9999)))
        for h, lo, c in zip(high, low, close, strict=True)
    ]
    state = vwap(seen)
    return [
        pivots(high[0], low[0], prev_close=close[0]),
        swings(high, low, 3),
        state.value,
        state.sigma,
    ]


def _option(r: random.Random) -> Any:
    terms = OptionTerms(
        right=r.choice(["call", "put"]), spot=r.uniform(20, 400), strike=r.uniform(20, 400),
        years=r.uniform(0.02, 3), rate=r.uniform(0, 0.08), dividend=r.uniform(0, 0.04),
    )  # fmt: skip
    sigma = r.uniform(0.1, 1)
    found = bsm(terms, sigma)
    return [
        found,
        touch_probability(terms, terms.strike, sigma),
        implied_volatility(terms, found.price),
    ]


def _size(r: random.Random) -> Any:
    entry, side = money(r, 5), r.choice(["long", "short"])
    away = money(r, 0.01, 4)
    levels = Levels(side=side, entry=entry, stop=entry - away if side == "long" else entry + away,
                    slippage_per_unit=money(r, 0, 0.05), commission_per_unit=D("0.005"),
                    lot=r.choice([D(1), D("0.001"), D(100)]))  # fmt: skip
    sure = Confidence(
        value=money(r, 0.3, 0.9), tier=r.choice(["prior", "platt"]), rr_tp1=money(r, 1, 3)
    )
    caps = CapInputs(
        day_risk_left=money(r, 0, 900), buying_power=money(r, 0, 90000), adv_units=money(r, 0, 9e6)
    )
    return size(levels, RiskTaken(equity=money(r, 100, 90000), risk_pct=money(r, 0.001, 0.02, 3),
                                  confidence=sure), caps=caps)  # fmt: skip


def _plan_parts(r: random.Random) -> Any:
    entry, width = money(r, 20), money(r, 0.3, 3)
    stop = build_stop("long", StopInputs(
        entry_worst=entry, atr=width, structure=entry - money(r, 0.1, 6), ema20=entry - money(r, 0.1, 6),
        k_atr=D("1.5"), tick=D("0.01"),
    ), method=r.choice(["structure_ema", "atr", "structure", "tightest"]),
        bounds=(D("0.5"), D(3)))  # fmt: skip
    away = stop.distance
    nets = reward_risk("long", entry, stop=stop.price, targets=[entry + away * k for k in (1, 2, 3)],
                       cost_per_unit=money(r, 0, 0.1))  # fmt: skip
    mfes = [money(r, 0, 8, 1) for _ in range(r.randint(20, 260))]
    grid = survival_grid(mfes)
    xs = target_multiples(grid, len(mfes))
    scaled = scale_targets(xs, Survival(grid=grid, n=len(mfes)), runner=(D("0.45"), D("0.20")),
                           confidence=r.choice([None, money(r, 0.2, 0.8)]))  # fmt: skip
    return [stop, nets, xs, scaled]


def _confidences(r: random.Random) -> Any:
    n = r.randint(1, 400)
    wins, rr = r.randint(0, n), money(r, 0.5, 4)
    return [wilson(wins, n), prior_confidence(wins, n, rr_tp1=rr),
            pooled_confidence(wins, n, rr_tp1=rr, pool=(2 * wins, 3 * n))]  # fmt: skip


def _score(r: random.Random) -> Any:
    votes = {name: [r.choice([-1, 0, 1]) for _ in range(3)] for name in ("1d", "60m", "15m", "5m")}
    weights = {"1d": D("0.35"), "60m": D("0.30"), "15m": D("0.20"), "5m": D("0.15")}
    found = mtf(r.choice(["long", "short"]), votes, weights=weights)
    names = {"mtf": "0.35", "vwap": "0.15", "rvol": "0.15", "room": "0.15", "momentum": "0.10",
             "volatility": "0.05", "market": "0.05"}  # fmt: skip
    values = {name: None if r.random() < 0.2 else money(r, 0, 1, 4) for name in names}
    return [found, confluence(values, weights={name: D(text) for name, text in names.items()})]


def _risk(r: random.Random) -> Any:
    held = [
        RiskPosition(symbol=r.choice("ABC"), side="long", quantity=money(r, 0, 900, 0),
                     last=money(r, 50, 400), stop=r.choice([None, money(r, 20, 49)]))
        for _ in range(r.randint(0, 4))
    ]  # fmt: skip
    account = RiskAccount(equity=money(r, 1000, 90000), one_r=D(500), realised_today=money(r, 0, 3000) - 1500,
                          unrealised_today=money(r, 0, 3000) - 1500)  # fmt: skip
    return risk_state(account, held, limits={"day_loss": D("0.03"), "gross": D(2), "symbol": D(1)})


def _bars(r: random.Random, count: int) -> list[Ohlc]:
    rows, price = [], money(r, 95, 105)
    for _ in range(count):
        close = price + money(r, 0, 4) - 2
        rows.append(
            Ohlc(
                price, max(price, close) + money(r, 0, 1), min(price, close) - money(r, 0, 1), close
            )
        )
        price = close
    return rows


def _bracket(r: random.Random) -> Any:
    order = BracketOrder(side="long", entry_kind="limit", entry_price=D(100), stop=D(97),
                         target=r.choice([None, D(104)]), time_stop_bars=r.randint(1, 20))  # fmt: skip
    return run_bracket(order, _bars(r, 25))


def _alert(r: random.Random) -> Any:
    rule = AlertRule(kind=r.choice(["price_above", "price_below"]), level=money(r, 98, 102), ref_price=D(100),
                     repeat=True, hysteresis=money(r, 0, 1), cooldown_s=60 * r.randint(0, 3))  # fmt: skip
    return run_alert(rule, [AlertBar(60 * at, *bar) for at, bar in enumerate(_bars(r, 20), 1)])


def _calibration(r: random.Random) -> Any:
    p = [money(r, 0, 1) for _ in range(r.randint(5, 40))]
    y = [int(r.random() < float(one)) for one in p]
    return [
        fit_isotonic(p, y),
        fit_platt(p, y),
        brier(p, y),
        reliability(p, y),
        r_stats([one * 4 - 1 for one in p]),
    ]


def _rounding(r: random.Random) -> Any:
    price, tick = money(r, 0, 900, 6), r.choice([D("0.01"), D("0.05"), D("0.0001"), D("0.25")])
    return [*(tick_round(price, tick, mode) for mode in ("floor", "ceil", "nearest")), rounded(price, 3),
            floor_to(price, tick), straddle_move(money(r), money(r), spot=money(r), iv=D("0.4"), dte=30)]  # fmt: skip


CASES: tuple[Case, ...] = (
    _averages, _levels, _option, _size, _plan_parts, _confidences, _score, _risk, _bracket, _alert,
    _calibration, _rounding, _size, _plan_parts, _risk, _alert, _score, _rounding,
)  # fmt: skip


def plain(value: Any) -> Any:
    """Return a value as canonical data: a float as its shortest text, a tuple key as text."""
    if isinstance(value, float):
        return repr(value)
    if is_dataclass(value) and not isinstance(value, type):
        return {one.name: plain(getattr(value, one.name)) for one in fields(value)}
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list | tuple) else value


def case_bytes(seed: int) -> bytes:
    """Return the canonical bytes of one case; a refusal is its code and message."""
    rule = CASES[seed % len(CASES)]
    try:
        return canonical([rule.__name__, plain(rule(random.Random(seed)))])
    except Refusal as refusal:
        return canonical([rule.__name__, refusal.code, refusal.message])


def plan_bytes(count: int) -> Iterator[bytes]:
    """Yield the bytes of seeded plans: every idea of the markets, again and again, other records."""
    known = itertools.cycle(idea for seed in PLAN_SEEDS for idea, _ in ideas(seed))
    for at, idea in enumerate(itertools.islice(known, count)):
        source = random.Random(at)
        mfes = [str(money(source, 0, 9, 1)) for _ in range(source.randint(0, 240))]
        record = record_for(idea, mfes, wins=sum(D(one) >= 1 for one in mfes)) if mfes else None
        try:
            yield canonical(compose(inputs_of(idea, record=record)).body)
        except Refusal as refusal:
            yield canonical([refusal.code, refusal.message])


def digests(cases: int, plans: int) -> list[str]:
    """Return the short hashes of so many cases and plans."""
    use_context()
    made = [*map(case_bytes, range(cases)), *plan_bytes(plans)]
    return [hashlib.sha256(one).hexdigest()[:16] for one in made]


if __name__ == "__main__":
    print("\n".join(digests(int(sys.argv[1]), int(sys.argv[2]))))
