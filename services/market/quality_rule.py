"""Owns the data-quality rules that look past one quote: jumps, units, splits, order, FX, bars."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Literal, NamedTuple

from services.kit.errors import Refusal
from services.kit.money import decimal_text, rounded
from services.market.bar import Bar, validate_bars
from services.market.grid import MINUTES, Grid
from services.market.param import require

ZERO, ONE = Decimal(0), Decimal(1)
Interval = Literal["intraday", "day"]


class Fault(NamedTuple):
    """One thing that is wrong with an observation; CRIT freezes what it names."""

    code: str
    severity: Literal["INFO", "WARN", "CRIT"]
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityThresholds:
    """Numbers of the rules, one set per asset class. `_pct` is a fraction: 0.05 is 5 %.

    `split_volume_slack` is how far volume may miss the inverse of a split's ratio, as a factor.
    `gap_volume_min` is the usual volume of a session from which every minute should trade.
    """

    jump_sigmas: float = 8.0
    jump_intraday: float = 0.05
    jump_day: float = 0.20
    jump_confirmations: int = 2
    scale_factors: tuple[Decimal, ...] = (Decimal(100), Decimal(1000))
    scale_pct: Decimal = Decimal("0.02")
    split_ratios: tuple[Decimal, ...] = (Decimal("1.5"), *(Decimal(n) for n in range(2, 21)))
    split_pct: Decimal = Decimal("0.015")
    split_volume_slack: Decimal = Decimal(3)
    out_of_order_pct: Decimal = Decimal("0.01")
    fx_age: timedelta = timedelta(hours=24)
    fx_age_weekend: timedelta = timedelta(hours=72)
    fx_inverse_pct: Decimal = Decimal("0.005")
    fx_jump_pct: Decimal = Decimal("0.03")
    coverage_freeze: Decimal = Decimal("0.95")
    recon_warn: Decimal = Decimal("0.01")
    recon_crit: Decimal = Decimal("0.05")
    skew_seen: int = 5
    skew_steady: timedelta = timedelta(seconds=2)
    skew_ahead_warn: timedelta = timedelta(seconds=1.5)
    skew_ahead_crit: timedelta = timedelta(seconds=2)
    skew_behind_warn: timedelta = timedelta(seconds=5)
    skew_behind_crit: timedelta = timedelta(seconds=60)
    gap_volume_min: Decimal = Decimal(1_000_000)


THRESHOLDS = QualityThresholds()
THRESHOLDS_BY_CLASS: Mapping[str, QualityThresholds] = {
    "equity": THRESHOLDS,
    "etf": THRESHOLDS,
    "index": THRESHOLDS,
    "option": QualityThresholds(
        jump_intraday=1.0, jump_day=2.5, recon_warn=Decimal("0.05"), recon_crit=Decimal("0.25")
    ),
    "fx": QualityThresholds(jump_intraday=0.02, jump_day=0.03),
    "crypto": QualityThresholds(jump_intraday=0.10, jump_day=0.30),
}
"""The numbers by asset class. An option moves by multiples of what its underlying moves."""


def jump_limit(
    interval: Interval, sigma: float | None, *, limits: QualityThresholds = THRESHOLDS
) -> float:
    """Return the largest absolute log return that is no jump: 8 sigma, or 5 % and 20 % if more.

    `sigma` is that of the returns of the same interval over 20 sessions; None when unknown.
    """
    least = limits.jump_intraday if interval == "intraday" else limits.jump_day
    return least if sigma is None else max(least, limits.jump_sigmas * sigma)


def find_jump(price: Decimal, last_good: Decimal, *, limit: float) -> Fault | None:
    """Return `DQ_JUMP` when |ln(price / last_good)| exceeds `limit`; the price is set aside.

    Raises `PARAM_INVALID`. Worked: 100 to 180 intraday is a jump of 0.5878.
    """
    moved = _log_return(price, last_good)
    if moved <= limit:
        return None
    return Fault("DQ_JUMP", "CRIT", f"log return {moved:.4f} from the last good price")


def is_jump_confirmed(
    suspect: Decimal,
    later: Sequence[Decimal],
    *,
    limit: float,
    second_source: Decimal | None = None,
    limits: QualityThresholds = THRESHOLDS,
) -> bool:
    """Return whether a jump may count: the two prices after it agree, or another source does."""
    if second_source is not None and _log_return(second_source, suspect) <= limit:
        return True
    newest = later[-limits.jump_confirmations :]
    enough = len(newest) == limits.jump_confirmations
    return enough and all(_log_return(price, suspect) <= limit for price in newest)


def _log_return(price: Decimal, before: Decimal) -> float:
    return abs(math.log(float(_ratio(price, before))))


def _ratio(price: Decimal, reference: Decimal) -> Decimal:
    for name, value in (("price", price), ("reference", reference)):
        require(value > 0, name, value=value, rule="must be above 0")
    return price / reference


def find_scale_fault(
    price: Decimal, reference: Decimal, *, limits: QualityThresholds = THRESHOLDS
) -> Fault | None:
    """Return `DQ_SCALE_SUSPECT` near 100 or 1000 times the reference, or that part of it.

    Within 2 % of the factor, ends inclusive: pence taken for pounds. Raises `PARAM_INVALID`.
    """
    ratio = _ratio(price, reference)
    for factor in limits.scale_factors:
        for wanted in (factor, ONE / factor):
            if abs(ratio / wanted - 1) <= limits.scale_pct:
                shown = decimal_text(rounded(ratio, 6))
                return Fault("DQ_SCALE_SUSPECT", "CRIT", f"{shown} times the reference price")
    return None


def find_unit_faults(observed: str, *, quote_unit: str) -> list[Fault]:
    """Return `DQ_CCY_MISMATCH` when a price is not in the listing's unit, by code.

    Pounds for pence, or the reverse, are `DQ_SCALE_SUSPECT` as well.
    """
    if observed == quote_unit:
        return []
    detail = f"{observed} given, {quote_unit} expected"
    found = [Fault("DQ_CCY_MISMATCH", "CRIT", detail)]
    if {observed, quote_unit} == {"GBX", "GBP"}:
        found.append(Fault("DQ_SCALE_SUSPECT", "CRIT", detail))
    return found


def find_split_fault(
    open_price: Decimal,
    close_before: Decimal,
    *,
    volume_ratio: Decimal | None = None,
    limits: QualityThresholds = THRESHOLDS,
) -> Fault | None:
    """Return `DQ_SPLIT_SUSPECT` for a gap at the open that looks like a split or its reverse.

    The ratio lies within 1.5 % of a whole number from 2 to 20, of 3:2 or of an inverse, and volume
    against the usual scales inversely; unknown volume does not clear it. Raises `PARAM_INVALID`.
    """
    ratio = _ratio(open_price, close_before)
    for terms in limits.split_ratios:
        for wanted in (terms, ONE / terms):
            if abs(ratio / wanted - 1) > limits.split_pct:
                continue
            if volume_ratio is None or _scales(volume_ratio * wanted, limits.split_volume_slack):
                shown = decimal_text(rounded(ratio, 6))
                return Fault("DQ_SPLIT_SUSPECT", "CRIT", f"opens at {shown} of the close before")
    return None


def _scales(product: Decimal, slack: Decimal) -> bool:
    return ONE / slack <= product <= slack


def find_recon_fault(
    price: Decimal, other: Decimal, *, limits: QualityThresholds = THRESHOLDS
) -> Fault | None:
    """Return `DQ_RECON` when two sources differ: a warning above 1 %, critical above 5 %.

    Raises `PARAM_INVALID`. Worked: 102 against 100 is 2 % apart, a warning.
    """
    apart = abs(_ratio(price, other) - 1)
    if apart <= limits.recon_warn:
        return None
    severity: Literal["WARN", "CRIT"] = "CRIT" if apart > limits.recon_crit else "WARN"
    return Fault("DQ_RECON", severity, f"two sources are {decimal_text(rounded(apart, 6))} apart")


class Arrival(NamedTuple):
    """When a source says an observation was made, and its number within that instant."""

    ts: datetime
    seq: int = 0


def find_arrival_fault(
    arrival: Arrival, newest: Arrival | None, *, recent: Collection[Arrival] = ()
) -> Fault | None:
    """Return why an observation is dropped: seen before, or older than the newest one."""
    if arrival == newest or arrival in recent:
        return Fault("DQ_DUPLICATE", "INFO", "the same observation again")
    if newest is not None and arrival < newest:
        return Fault("DQ_OUT_OF_ORDER", "INFO", "older than the newest observation")
    return None


def find_disorder(
    dropped: int, total: int, *, limits: QualityThresholds = THRESHOLDS
) -> Fault | None:
    """Return a warning when more than 1 % of five minutes' observations came out of order."""
    if dropped <= limits.out_of_order_pct * total:
        return None
    return Fault("DQ_OUT_OF_ORDER", "WARN", f"{dropped} of {total} observations")


@dataclass(frozen=True, slots=True)
class FxObservation:
    """A rate, the time it is from, and what it can be held against: its inverse, the last one."""

    rate: Decimal
    ts: datetime
    inverse: Decimal | None = None
    rate_before: Decimal | None = None


def find_fx_faults(
    seen: FxObservation | None, as_of: datetime, *, limits: QualityThresholds = THRESHOLDS
) -> list[Fault]:
    """Return what is wrong with a needed FX rate, by code; each freezes the valuation.

    None is `DQ_FX_MISSING`. `DQ_FX_STALE` beyond 24 hours, 72 when a weekend lies between.
    `DQ_FX_INVERTED` when rate * inverse is not 1 +- 0.5 %, or the rate is the inverse of the last
    one; otherwise `DQ_FX_JUMP` beyond 3 % from the last one, a day ago. Raises `PARAM_INVALID`.
    """
    if seen is None:
        return [Fault("DQ_FX_MISSING", "CRIT", "no rate")]
    found: list[Fault] = []
    if _is_inverted(seen, limits):
        found.append(Fault("DQ_FX_INVERTED", "CRIT", f"rate {decimal_text(seen.rate)}"))
    elif seen.rate_before is not None:
        moved = abs(_ratio(seen.rate, seen.rate_before) - 1)
        if moved > limits.fx_jump_pct:
            found.append(Fault("DQ_FX_JUMP", "CRIT", f"moved {decimal_text(rounded(moved, 6))}"))
    age = as_of - seen.ts
    if age > (limits.fx_age_weekend if _spans_weekend(seen.ts, as_of) else limits.fx_age):
        found.append(Fault("DQ_FX_STALE", "CRIT", f"{int(age.total_seconds())} s old"))
    return found


def _is_inverted(seen: FxObservation, limits: QualityThresholds) -> bool:
    require(seen.rate > 0, "rate", value=seen.rate, rule="must be above 0")
    if seen.inverse is not None:
        return abs(seen.rate * seen.inverse - 1) > limits.fx_inverse_pct
    if seen.rate_before is None:
        return False
    moved = abs(_ratio(seen.rate, seen.rate_before) - 1)
    flipped = abs(seen.rate * seen.rate_before - 1)
    return moved > limits.fx_jump_pct and flipped <= limits.fx_inverse_pct


def _spans_weekend(start: datetime, end: datetime) -> bool:
    days = (end.date() - start.date()).days
    return any((start + timedelta(days=n)).weekday() >= 5 for n in range(min(days, 6) + 1))


def find_bar_faults(
    bars: Sequence[Bar], grid: Grid, *, span: tuple[datetime, datetime] | None = None
) -> list[Fault]:
    """Return `DQ_BAR_SANITY`: critical for a bar that can not be true, a warning for gaps.

    The order of the series and its grid count too; a minute without trades has no bar, so a gap
    in an intraday grid only warns. `span` is what the bars should cover, else it is from the
    first to the last. Worked: 117 bars of 120 minutes are a coverage of 0.975.
    """
    try:
        validate_bars(bars, grid)
    except Refusal as refusal:
        return [Fault("DQ_BAR_SANITY", "CRIT", refusal.message)]
    if grid.timeframe not in MINUTES or not (bars or span):
        return []
    first, last = span or (bars[0].t_open, bars[-1].t_close)
    expected = grid.count_windows(first, last)
    gaps = expected - len(bars)
    if gaps <= 0:
        return []
    coverage = decimal_text(rounded(Decimal(len(bars)) / expected, 6))
    detail = f"{gaps} of {expected} bars missing, coverage {coverage}"
    return [Fault("DQ_BAR_SANITY", "WARN", detail)]


@dataclass(frozen=True, slots=True)
class ValueCoverage:
    """The share of a portfolio's value with green data, null without value.

    Below 1 nothing is recommended; `fault` is critical when the portfolio freezes.
    """

    ratio: Decimal | None
    recommends: bool
    fault: Fault | None


def value_coverage(
    values: Mapping[str, Decimal], green: Iterable[str], *, limits: QualityThresholds = THRESHOLDS
) -> ValueCoverage:
    """Return how much of the value (unsigned, by listing) stands on green data.

    Compared before rounding: below 100 % `DQ_COVERAGE` and no recommendation, below 95 % a
    freeze. `ratio` has 6 decimals. Worked: 900 of 1000 is 0.9, critical.
    """
    total = sum((abs(value) for value in values.values()), ZERO)
    if total == 0:
        return ValueCoverage(None, recommends=True, fault=None)
    clean = frozenset(green)
    covered = sum((abs(value) for name, value in values.items() if name in clean), ZERO)
    ratio = covered / total
    if ratio >= 1:
        return ValueCoverage(ONE, recommends=True, fault=None)
    severity: Literal["WARN", "CRIT"] = "CRIT" if ratio < limits.coverage_freeze else "WARN"
    shown = rounded(ratio, 6)
    fault = Fault("DQ_COVERAGE", severity, f"{decimal_text(shown)} of the value is green")
    return ValueCoverage(shown, recommends=False, fault=fault)
