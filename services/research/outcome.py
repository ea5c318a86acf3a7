"""Owns the outcome of one idea before money: entry, exits and moves, in exact prices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

from services.kit.money import from_float
from services.research.bracket import Columns, Terms, Walk, excursions, walk
from services.research.config import BacktestConfig
from services.research.series import Frame
from services.research.trip import Trip

PLACES = 6
ONE = Decimal(1)
WHOLE = Fraction(1)
"""The factor of a position that no split touched; always this very object."""


class Leave(NamedTuple):
    """One exit: the bar, its instant, the price before costs, the share of the position, why.

    `limit` says that it rested at its price, so that no slippage is due. `factor` is what one unit
    of the entry has become by splits.
    """

    bar: int
    ts: datetime
    price: Decimal
    share: Decimal
    reason: str
    limit: bool
    factor: Fraction = WHOLE


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One filled idea. Moves are in R of the fill before costs, 6 decimals.

    Within a bar the instant is not known: an entry is dated by its bar's start, an exit by its end.

    `leaves` is empty while it is open at the end. `at_target_r` is what an ambiguous one would have
    made with the target first. `mfe_free_r` is the best move without a target, None when unknown.
    `confidence` is the chance of target 1 as it was stated at the trigger, by which tier.
    """

    symbol: str
    setup_id: str
    version: int
    sign: int
    trigger_ts: datetime
    trigger_bar: int
    entry_bar: int
    entry_ts: datetime
    entry: Decimal
    entry_limit: bool
    stop: Decimal
    targets: tuple[Decimal, ...]
    leaves: tuple[Leave, ...]
    ambiguous: bool = False
    drilled: bool = False
    mfe_r: Decimal | None = None
    mae_r: Decimal | None = None
    mfe_free_r: Decimal | None = None
    at_target_r: Decimal | None = None
    score: Decimal | None = None
    features: Mapping[str, Decimal] = field(default_factory=dict)
    confidence: Decimal | None = None
    confidence_tier: str | None = None

    @property
    def risk(self) -> Decimal:
        """Return the price at risk per unit from the fill before costs."""
        return abs(self.entry - self.stop)


def outcome_of(frame: Frame, trip: Trip, config: BacktestConfig) -> Outcome | None:
    """Return a trip in exact prices; None when it never filled or was rejected."""
    found, series = trip.walk, frame.series
    if found.status not in ("closed", "open"):
        return None
    tick, bars = config.listing(series.symbol).tick, series.bars
    stop, target = trip.stop * tick, trip.target * tick
    first = bars[found.entry_bar]
    risk = abs(float(first.o - stop))
    best, worst = (
        excursions(series.columns, found, up=trip.sign > 0) if found.status == "closed" else (0, 0)
    )
    closed = found.status == "closed"
    return Outcome(
        symbol=series.symbol,
        setup_id=config.rule.name,
        version=1,
        sign=trip.sign,
        trigger_ts=bars[trip.at].t_close,
        trigger_bar=trip.at,
        entry_bar=found.entry_bar,
        entry_ts=first.t_open,
        entry=first.o,
        entry_limit=False,
        stop=stop,
        targets=(target,),
        leaves=(_leave(frame, found, stop, target),) if closed else (),
        ambiguous=found.ambiguous,
        drilled=trip.drilled,
        mfe_r=from_float(best / risk, PLACES) if closed else None,
        mae_r=from_float(worst / risk, PLACES) if closed else None,
        mfe_free_r=_free_r(series.columns, trip, config, risk),
        at_target_r=abs(target - first.o) / abs(first.o - stop) if found.ambiguous else None,
    )


def _leave(frame: Frame, walk: Walk, stop: Decimal, target: Decimal) -> Leave:
    bar = frame.series.bars[walk.exit_bar]
    factor = frame.factor_at(walk.exit_bar) if frame.factors else WHOLE
    at, reason = walk.exit_bar, str(walk.reason)
    match walk.reason:
        case "stop":
            return Leave(at, bar.t_close, stop, ONE, reason, False, factor)
        case "target":
            return Leave(at, bar.t_close, target, ONE, reason, True, factor)
        case "time":
            return Leave(at, bar.t_close, bar.c, ONE, reason, False, factor)
        case _:
            return Leave(at, bar.t_open, bar.o, ONE, reason, walk.reason == "target_gap", factor)


def _free_r(columns: Columns, trip: Trip, config: BacktestConfig, risk: float) -> Decimal | None:
    """Return the best move in R with the stop and the time stop alone; None without a time stop.

    Without one a winner would be held to the end of the data, and the figure would say nothing.
    """
    held = config.rule.time_stop_bars
    if held is None or trip.walk.status != "closed":
        return None
    stop = trip.walk.entry - trip.sign * risk
    terms = Terms(trip.sign > 0, "market", None, stop, None, held)
    free = walk(terms, columns, trip.walk.entry_bar)
    if free.status != "closed":
        return None
    best, _ = excursions(columns, free, up=trip.sign > 0)
    return from_float(best / risk, PLACES)
