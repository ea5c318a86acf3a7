"""Owns the check of a trade plan: errors, warnings, every figure a coach says, one sentence."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from services.kit.money import decimal_text, rounded
from services.trade.draft import MarketFacts, PlanConfidence, PlanDraft, complete_draft
from services.trade.param import (
    ZERO,
    require,
    require_above_zero,
    require_not_negative,
    require_side,
)
from services.trade.plan_rule import (
    Finding,
    RrLimits,
    distance_findings,
    market_findings,
    rr_findings,
    spread_findings,
    structural_findings,
)
from services.trade.rr import Band, RewardRisk, break_even_probability, reward_risk, rr
from services.trade.stop import DEFAULT_BOUNDS

DEFAULT_LIMITS = RrLimits()


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetFigures:
    """One target: `r` is its distance in stop distances (gross), `rr` net of costs."""

    n: int
    price: Decimal
    fraction: Decimal | None
    r: Decimal
    rr: Decimal
    distance_pct: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanFigures:
    """Every figure of a sound plan. Ratios at 4 decimals, prices and fractions at 6.

    `_pct` is a fraction of the worst entry. `blended`, `band` need fractions and a cost.
    """

    worst: Decimal
    stop_distance: Decimal
    stop_distance_pct: Decimal
    atr_multiple: Decimal | None
    risk_per_unit: Decimal
    cost_per_unit: Decimal
    targets: tuple[TargetFigures, ...]
    blended: Decimal | None
    band: Band | None
    p_breakeven_tp1: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanCheck:
    """What validation found. Codes are sorted; `figures` is None while the plan is unsound."""

    errors: tuple[str, ...]
    warnings: tuple[str, ...]
    findings: tuple[Finding, ...]
    figures: PlanFigures | None
    flags: tuple[str, ...]
    summary: str

    @property
    def ok(self) -> bool:
        """Return whether the plan has no error."""
        return not self.errors


def validate(
    draft: PlanDraft,
    *,
    market: MarketFacts | None = None,
    limits: RrLimits = DEFAULT_LIMITS,
    stop_bounds: tuple[Decimal, Decimal] = DEFAULT_BOUNDS,
) -> PlanCheck:
    """Return every finding about `draft`, its figures, and its one-sentence summary.

    All structural rules are evaluated; distance, RR and spread rules only on a sound structure;
    market rules whenever facts are given. A bad plan is an error in the list; only malformed
    arguments (a tick of 0) raise `PARAM_INVALID`. Worked: stop 100.10 of a long 100.00-100.20
    is `STOP_WRONG_SIDE` and nothing else.
    """
    _require_ranges(draft)
    found = list(structural_findings(draft))
    figures = None
    if not found:
        reward = _reward_risk(draft)
        figures = _figures(draft, reward)
        found += distance_findings(draft, stop_bounds=stop_bounds)
        found += rr_findings(reward, limits)
        found += spread_findings(draft)
    if market is not None:
        found += market_findings(draft, market)
    return PlanCheck(
        errors=_codes(found, "error"),
        warnings=_codes(found, "warning"),
        findings=tuple(found),
        figures=figures,
        flags=tuple(sorted(set(draft.flags))),
        summary=" ".join(_summary_parts(draft, figures)),
    )


def validate_user_plan(
    draft: PlanDraft, *, market: MarketFacts | None = None, limits: RrLimits = DEFAULT_LIMITS
) -> tuple[PlanDraft, PlanCheck]:
    """Return the draft with its defaults filled in (`complete_draft`), and the check of that."""
    completed = complete_draft(draft)
    return completed, validate(completed, market=market, limits=limits)


def _require_ranges(draft: PlanDraft) -> None:
    require_side(draft.side)
    require_above_zero(tick=draft.tick, atr=draft.atr, bid=draft.bid, ask=draft.ask)
    require_not_negative(cost_per_unit=draft.cost_per_unit)
    if draft.fractions is not None and draft.targets:
        require(
            len(draft.fractions) == len(draft.targets),
            "fractions",
            value=len(draft.fractions),
            rule="must be one per target",
        )


def _codes(found: list[Finding], level: str) -> tuple[str, ...]:
    return tuple(sorted({item.code for item in found if item.level == level}))


def _reward_risk(draft: PlanDraft) -> RewardRisk | None:
    if draft.fractions is None or draft.cost_per_unit is None:
        return None
    return rr(
        draft.side,
        draft.worst,
        levels=(draft.stop, draft.targets),
        cost_per_unit=draft.cost_per_unit,
        fractions=draft.fractions,
        runner_fraction=draft.runner_fraction,
    )


def _figures(draft: PlanDraft, reward: RewardRisk | None) -> PlanFigures:
    cost = draft.cost_per_unit or ZERO
    risk, per_target = reward_risk(
        draft.side, draft.worst, stop=draft.stop, targets=draft.targets, cost_per_unit=cost
    )
    distance = abs(draft.worst - draft.stop)
    return PlanFigures(
        worst=draft.worst,
        stop_distance=distance,
        stop_distance_pct=rounded(distance / draft.worst, 6),
        atr_multiple=None if draft.atr is None else rounded(distance / draft.atr, 4),
        risk_per_unit=rounded(risk, 6),
        cost_per_unit=cost,
        targets=tuple(_target_figures(draft, at, net) for at, net in enumerate(per_target)),
        blended=None if reward is None else rounded(reward.blended, 4),
        band=None if reward is None else reward.band,
        p_breakeven_tp1=rounded(break_even_probability(per_target[0]), 4),
    )


def _target_figures(draft: PlanDraft, at: int, net: Decimal) -> TargetFigures:
    price = draft.targets[at]
    reach = abs(price - draft.worst)
    return TargetFigures(
        n=at + 1,
        price=price,
        rr=rounded(net, 4),
        fraction=None if draft.fractions is None else draft.fractions[at],
        r=rounded(reach / abs(draft.worst - draft.stop), 4),
        distance_pct=rounded(reach / draft.worst, 6),
    )


def _summary_parts(draft: PlanDraft, figures: PlanFigures | None) -> Iterator[str]:
    """Yield the parts of the sentence; what is not known is left out, never filled in."""
    zone = "-".join(dict.fromkeys((_price(draft.entry_lo), _price(draft.entry_hi))))
    yield from filter(None, (draft.side, draft.symbol, draft.entry_kind))
    if figures is None:
        yield f"{zone}, stop {_price(draft.stop)}: not a sound plan yet."
        return
    in_atr = "" if figures.atr_multiple is None else f" = {figures.atr_multiple}x ATR"
    yield f"{zone}, stop {_price(draft.stop)} ({_price(figures.stop_distance)}{in_atr}),"
    shown = ", ".join(f"{_price(x.price)} ({_price(x.r)}R)" for x in figures.targets)
    yield f"targets {shown},"
    if figures.blended is not None:
        yield f"RR {figures.blended} ({figures.band}),"
    yield _confidence_text(draft.confidence)


def _confidence_text(confidence: PlanConfidence | None) -> str:
    if confidence is None:
        return "confidence uncalibrated."
    return f"confidence {confidence.value} ({confidence.tier}, n={confidence.n})."


def _price(value: Decimal) -> str:
    return decimal_text(value)
