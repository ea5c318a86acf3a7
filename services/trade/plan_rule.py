"""Owns the validation rules of a plan, in their groups; each yields findings, none refuses."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from services.kit.clock import instant_text
from services.kit.codes import CATALOGUE
from services.kit.money import decimal_text, rounded, tick_round
from services.trade.draft import MarketFacts, PlanDraft
from services.trade.param import ZERO
from services.trade.rr import RewardRisk, fractions_hold

ZONE_ATR_MAX = Decimal("0.5")
SPREAD_R_MAX = Decimal("0.15")
MISSED_R_MAX = Decimal("0.25")
_NOTICES = {"SPREAD_WIDE": "spread {spread} is more than {limit}, 0.15 of the risk per unit"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One rule that does not hold: its code, whether it blocks, and the sentence to show."""

    code: str
    level: Literal["error", "warning"]
    message: str
    hint: str


@dataclass(frozen=True, slots=True)
class RrLimits:
    """The least RR of target 1 and blended; `strict` makes less an error (compose)."""

    min_rr1: Decimal = Decimal("0.8")
    min_rr: Decimal = Decimal("1.5")
    strict: bool = False


def build_finding(
    code: str, *, level: Literal["error", "warning"] = "error", **facts: object
) -> Finding:
    """Return the finding of `code` with the catalogue's sentence filled from `facts`."""
    shown = {name: _shown(value) for name, value in facts.items()}
    entry = CATALOGUE.get(code)
    if entry is None:
        return Finding(code, level, _NOTICES[code].format(**shown), "Weigh it before you trade.")
    return Finding(code, level, entry.message.format(**shown), entry.hint.format(**shown))


def _shown(value: object) -> object:
    return decimal_text(value) if isinstance(value, Decimal) else value


def structural_findings(draft: PlanDraft) -> Iterator[Finding]:
    """Yield every structural error: zone, sides, order, ticks, prices, fractions."""
    sign = draft.sign
    if draft.entry_lo > draft.entry_hi:
        yield build_finding("ENTRY_ZONE_INVERTED", lo=draft.entry_lo, hi=draft.entry_hi)
    if sign * (draft.best - draft.stop) <= 0:
        yield build_finding("STOP_WRONG_SIDE", stop=draft.stop, entry=draft.best, side=draft.side)
    if not draft.targets:
        yield build_finding("NO_TARGET")
    for target in draft.targets:
        if sign * (target - draft.worst) <= 0:
            yield build_finding(
                "TARGET_WRONG_SIDE", target=target, entry=draft.worst, side=draft.side
            )
    if any(sign * (b - a) <= 0 for a, b in zip(draft.targets, draft.targets[1:], strict=False)):
        shown = ", ".join(decimal_text(target) for target in draft.targets)
        yield build_finding("TARGETS_NOT_MONOTONE", targets=shown)
    yield from _price_findings(draft)
    yield from _fraction_findings(draft)


def _price_findings(draft: PlanDraft) -> Iterator[Finding]:
    named = [("entry", draft.entry_lo), ("entry", draft.entry_hi), ("stop", draft.stop)]
    named += [(f"target {n}", target) for n, target in enumerate(draft.targets, 1)]
    for name, price in dict.fromkeys(named):
        if price <= 0:
            yield build_finding("PRICE_NON_POSITIVE", field=name, px=price)
        if price % draft.tick != 0:
            yield build_finding(
                "PRICE_OFF_TICK",
                field=name,
                px=price,
                tick=draft.tick,
                lo=tick_round(price, draft.tick, "floor"),
                hi=tick_round(price, draft.tick, "ceil"),
            )


def _fraction_findings(draft: PlanDraft) -> Iterator[Finding]:
    if draft.fractions is not None and not fractions_hold(draft.fractions, draft.runner_fraction):
        yield build_finding("FRACTIONS_SUM", total=sum(draft.fractions, draft.runner_fraction))


def distance_findings(
    draft: PlanDraft, *, stop_bounds: tuple[Decimal, Decimal]
) -> Iterator[Finding]:
    """Yield errors of zone width and stop distance in ATR; nothing without an ATR."""
    if draft.atr is None:
        return
    limit = ZONE_ATR_MAX * draft.atr
    if draft.entry_hi - draft.entry_lo > limit:
        yield build_finding(
            "ENTRY_ZONE_WIDE", lo=draft.entry_lo, hi=draft.entry_hi, limit=rounded(limit, 6)
        )
    distance = abs(draft.worst - draft.stop)
    low, high = stop_bounds
    code = None
    if distance < low * draft.atr:
        code = "STOP_TOO_TIGHT"
    elif distance > high * draft.atr:
        code = "STOP_TOO_WIDE"
    if code is not None:
        yield build_finding(
            code,
            level="warning" if draft.accept_stop else "error",
            x=rounded(distance / draft.atr, 4),
            lo=low,
            hi=high,
        )


def rr_findings(rr: RewardRisk | None, limits: RrLimits) -> Iterator[Finding]:
    """Yield `RR_BELOW_MIN` when target 1 or the blend pays too little; nothing without an RR."""
    if rr is None:
        return
    level: Literal["error", "warning"] = "error" if limits.strict else "warning"
    if rr.per_target[0] < limits.min_rr1:
        yield build_finding(
            "RR_BELOW_MIN", level=level, rr=rounded(rr.per_target[0], 4), min=limits.min_rr1
        )
    elif rr.blended < limits.min_rr:
        yield build_finding(
            "RR_BELOW_MIN", level=level, rr=rounded(rr.blended, 4), min=limits.min_rr
        )


def spread_findings(draft: PlanDraft) -> Iterator[Finding]:
    """Yield `SPREAD_WIDE` above 0.15 of the risk per unit; nothing without both sides."""
    if draft.bid is None or draft.ask is None:
        return
    limit = SPREAD_R_MAX * (abs(draft.worst - draft.stop) + (draft.cost_per_unit or ZERO))
    if draft.ask - draft.bid > limit:
        yield build_finding(
            "SPREAD_WIDE",
            level="warning",
            spread=decimal_text(draft.ask - draft.bid),
            limit=decimal_text(rounded(limit, 6)),
        )


def market_findings(draft: PlanDraft, market: MarketFacts) -> Iterator[Finding]:
    """Yield what the market forbids now: stale data, quality, events, halts, a missed entry."""
    symbol = draft.symbol
    if market.data_age:
        yield build_finding("DATA_STALE", what=symbol, age=market.data_age, limit=market.data_limit)
    if market.quality_checks:
        yield build_finding("DQ_BLOCK", checks=", ".join(market.quality_checks))
    if market.corporate_action:
        yield build_finding(
            "CORPORATE_ACTION_PENDING",
            symbol=symbol,
            action=market.corporate_action,
            date=market.corporate_action_date,
        )
    if market.earnings:
        yield build_finding(
            "EARNINGS_IN_WINDOW",
            earnings=market.earnings,
            level="error" if market.block_earnings else "warning",
        )
    if market.halted:
        yield build_finding("HALTED", symbol=symbol, state="is halted")
    if draft.side == "short" and market.borrowable is False:
        yield build_finding("SHORT_NOT_BORROWABLE", symbol=symbol, state="can not be borrowed")
    yield from _timing_findings(draft, market)


def _timing_findings(draft: PlanDraft, market: MarketFacts) -> Iterator[Finding]:
    if market.as_of and market.expires_at and market.as_of > market.expires_at:
        yield build_finding("PLAN_EXPIRED", ts=instant_text(market.expires_at))
    risk = abs(draft.worst - draft.stop) + (draft.cost_per_unit or ZERO)
    if market.last is None or risk == 0:
        return
    beyond = draft.sign * (market.last - draft.worst) / risk
    if beyond > MISSED_R_MAX:
        yield build_finding("ENTRY_MISSED", px=market.last, r=rounded(beyond, 4))
