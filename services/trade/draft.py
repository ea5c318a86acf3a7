"""Owns the plan as a person draws it, what the market says about it, and its defaults."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Literal

from services.kit.money import rounded
from services.trade.param import ZERO, Side, require_above_zero, require_side
from services.trade.target import Survival, scale_targets, target_price

Style = Literal["intraday", "swing", "leaps"]
DEFAULT_TARGETS_R = (Decimal(1), Decimal(2), Decimal(3))
NO_HISTORY = Survival(grid={}, n=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanConfidence:
    """The confidence to quote: value at 4 decimals, its tier, and the trades behind it."""

    value: Decimal
    tier: str
    n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanDraft:
    """A trade plan before it is checked; prices per unit, fractions of the quantity.

    A single entry price is `entry_lo == entry_hi`. None means not given: the rules that need
    it are skipped. `cost_per_unit` is the round trip. `accept_stop` turns a stop that is too
    near or too far into a warning.
    """

    side: Side
    entry_lo: Decimal
    entry_hi: Decimal
    stop: Decimal
    tick: Decimal
    targets: tuple[Decimal, ...] = ()
    fractions: tuple[Decimal, ...] | None = None
    runner_fraction: Decimal = ZERO
    symbol: str = ""
    entry_kind: Literal["limit", "market", "stop"] = "limit"
    style: Style | None = None
    timeframe: str | None = None
    atr: Decimal | None = None
    cost_per_unit: Decimal | None = None
    bid: Decimal | None = None
    ask: Decimal | None = None
    accept_stop: bool = False
    confidence: PlanConfidence | None = None
    flags: tuple[str, ...] = ()

    @property
    def sign(self) -> int:
        """Return +1 for a long, -1 for a short."""
        return require_side(self.side)

    @property
    def worst(self) -> Decimal:
        """Return the price that risk and RR use: high of the zone for a long, low for a short."""
        return self.entry_hi if self.side == "long" else self.entry_lo

    @property
    def best(self) -> Decimal:
        """Return the other end of the entry zone, the one that the stop must not cross."""
        return self.entry_lo if self.side == "long" else self.entry_hi


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketFacts:
    """What is known about the market when a plan is checked; None and empty skip their rule."""

    as_of: datetime | None = None
    expires_at: datetime | None = None
    last: Decimal | None = None
    data_age: str = ""
    data_limit: str = ""
    quality_checks: tuple[str, ...] = ()
    corporate_action: str = ""
    corporate_action_date: str = ""
    earnings: str = ""
    block_earnings: bool = False
    borrowable: bool | None = None
    halted: bool = False


def complete_draft(
    draft: PlanDraft, *, targets_r: tuple[Decimal, ...] = DEFAULT_TARGETS_R
) -> PlanDraft:
    """Return `draft` with the defaults of a plan drawn by a person.

    Style swing, timeframe 1d; without targets, those at 1, 2 and 3 R (R = |worst - stop|) on
    tick, the default fractions, and flag `TARGETS_DEFAULT`. A stop on the wrong side gets no
    targets, so that the check names the stop. Worked: long 100.20, stop 98.94 is 101.46,
    102.72, 103.98.
    """
    require_above_zero(tick=draft.tick)
    filled = replace(draft, style=draft.style or "swing", timeframe=draft.timeframe or "1d")
    distance = draft.sign * (draft.worst - draft.stop)
    reaches_zero = draft.side == "short" and draft.worst <= targets_r[-1] * distance
    if draft.targets or distance <= 0 or draft.stop <= 0 or reaches_zero:
        return filled
    targets = tuple(
        target_price(draft.side, draft.worst, stop_distance=distance, x=x, tick=draft.tick)
        for x in targets_r
    )
    return replace(
        filled,
        targets=targets,
        fractions=draft.fractions or default_fractions(targets_r),
        flags=tuple(sorted({*draft.flags, "TARGETS_DEFAULT"})),
    )


def default_fractions(targets_r: tuple[Decimal, ...]) -> tuple[Decimal, ...]:
    """Return the fractions without any history, 4 decimals; what rounding leaves is the first's.

    Worked: 1, 2, 3 R is .4615, .3077, .2308.
    """
    scaling = scale_targets(targets_r, NO_HISTORY, runner=(ZERO, ZERO))
    rest = tuple(rounded(item, 4) for item in scaling.fractions[1:])
    return (1 - sum(rest, ZERO), *rest)
