"""Owns composing a plan: from frozen inputs to the document `plan/v1`, pure to the byte."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from services.kit.canonical import document
from services.kit.codes import CATALOGUE
from services.kit.errors import Kind, Refusal, refuse
from services.kit.money import rounded
from services.market.freshness import data_age
from services.strategy.gap_risk import GapRisk, gap_risk
from services.strategy.record import Confidence, confidence_of
from services.trade.draft import MarketFacts, PlanConfidence, PlanDraft
from services.trade.idea import Idea
from services.trade.management import TimeStop, time_stop
from services.trade.param import ONE, ZERO
from services.trade.plan import PlanCheck, validate
from services.trade.plan_hashes import sealed
from services.trade.plan_inputs import PlanInputs
from services.trade.plan_rule import Finding, RrLimits
from services.trade.plan_sections import (
    actionability,
    confidence_section,
    confluence_section,
    earnings_window_of,
    plan_sections,
    warnings_of,
)
from services.trade.rr import reward_risk
from services.trade.target import Scaling, Survival, runner_extension, scale_targets, target_price
from services.trade.target_choice import ChosenTarget, choose_targets

_BPS = Decimal(10_000)
_STALE_BARS = {"5m": "stale_bars_minute", "15m": "stale_bars_hour", "60m": "stale_bars_hour",
               "1d": "stale_bars_day", "1w": "stale_bars_day"}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Worked:
    """Every number of a plan, before it becomes text."""

    inputs: PlanInputs
    targets: tuple[ChosenTarget, ...]
    scaling: Scaling
    fractions: tuple[Decimal, ...]
    runner: Decimal
    extension: tuple[Decimal, Decimal, Decimal] | None
    cost: Decimal
    check: PlanCheck
    confidence: Confidence | None
    gap: GapRisk | None
    ends: TimeStop

    @property
    def idea(self) -> Idea:
        """Return the idea."""
        return self.inputs.idea


@dataclass(frozen=True, slots=True)
class PlanDocument:
    """A composed plan: the document as it is hashed and stored, with its ids."""

    body: dict[str, Any]

    @property
    def plan_id(self) -> str:
        """Return `plan_` and the first 16 digits of the plan's hash."""
        return str(self.body["plan_id"])


def compose(inputs: PlanInputs) -> PlanDocument:
    """Return the plan of an idea; equal inputs give equal bytes, whatever the time of day.

    Everything that was known when the setup triggered makes the idea; the quote, the age of the
    data and the market's hours say whether it may still be taken. Raises what validation calls an
    error of a plan made by us: `RR_BELOW_MIN`, `ENTRY_MISSED`, `PLAN_EXPIRED`, `HALTED`,
    `DATA_STALE`, `SHORT_NOT_BORROWABLE`, `CORPORATE_ACTION_PENDING`, `STOP_WRONG_SIDE`.
    """
    worked = work_out(inputs)
    body: dict[str, Any] = document(
        {
            **plan_sections(worked),
            "confluence": confluence_section(inputs.score),
            "confidence": confidence_section(worked.confidence),
            "warnings": warnings_of(worked),
            "actionability": actionability(worked),
            "citations": [one.document() for one in inputs.citations],
            "policy_hash": inputs.policy.hash,
            "inputs_hash": inputs.hash(inputs.policy.hash),
        }
    )
    return PlanDocument(sealed(body, base_url=inputs.base_url))


def work_out(inputs: PlanInputs) -> Worked:
    """Return every number of the plan; raises as `compose` does."""
    idea, policy = inputs.idea, inputs.policy.plan
    _require_fresh(inputs)
    cost = round_trip_cost(inputs, idea.worst)
    record = inputs.record
    survival = Survival(grid=record.survival, n=record.n) if record else Survival(grid={}, n=0)
    targets = choose_targets(idea, survival, cost=cost, policy=policy)
    _, nets = reward_risk(
        idea.setup.side,
        idea.worst,
        stop=idea.stop.price,
        targets=[one.price for one in targets],
        cost_per_unit=cost,
    )
    confidence = confidence_of(
        idea.setup,
        inputs.score.value,
        record=record,
        calibrator=inputs.calibrator,
        rr1=nets[0],
        tp1_r=rounded(targets[0].r, 4),
    )
    scaling = scale_targets(
        [one.r for one in targets],
        survival,
        runner=_runner_rule(inputs, targets),
        confidence=confidence.value if confidence else None,
        cost_r=cost / idea.stop.distance,
    )
    extension = _extension(inputs, targets, scaling, survival)
    runner = rounded(scaling.runner_fraction, 4)
    rest = tuple(rounded(one, 4) for one in scaling.fractions[1:])
    fractions = (ONE - runner - sum(rest, ZERO), *rest)
    checked = _checked(inputs, targets, fractions, runner, cost, confidence)
    worked = Worked(
        inputs=inputs,
        targets=targets,
        scaling=scaling,
        fractions=fractions,
        runner=runner,
        extension=extension,
        cost=cost,
        check=checked,
        confidence=confidence,
        gap=_gap(idea),
        ends=time_stop(idea, inputs.style, policy),
    )
    if policy.block_earnings and (report := earnings_window_of(worked)):
        raise refuse("EARNINGS_IN_WINDOW", earnings=report)
    return worked


def round_trip_cost(inputs: PlanInputs, price: Decimal) -> Decimal:
    """Return the assumed round-trip cost of one unit: slippage and two commissions, 6 decimals.

    Worked: at 100.00 with 2 bps and 0.005 a share it is 0.03.
    """
    paper = inputs.policy.paper
    return rounded(price * paper.slippage_bps / _BPS + 2 * paper.commission_share, 6)


def _require_fresh(inputs: PlanInputs) -> None:
    """Refuse bars that trading has left behind; a closed market ages nothing."""
    setup, listing = inputs.idea.setup, inputs.listing
    cited = next((one for one in inputs.citations if one.timeframe == setup.timeframe), None)
    if cited is None:
        return
    limit = getattr(inputs.policy.bars, _STALE_BARS[setup.timeframe])
    age = data_age(listing.calendar, setup.timeframe, limit, cited.last_ts, inputs.as_of)
    if age.stale:
        raise refuse(
            "DATA_STALE",
            what=f"{listing.symbol} {setup.timeframe} bars",
            age=f"{age.age_trading_minutes} trading minutes",
            limit=f"{limit} bars",
        )


def _runner_rule(inputs: PlanInputs, targets: tuple[ChosenTarget, ...]) -> tuple[Decimal, Decimal]:
    policy = inputs.policy.plan
    single = len(targets) == 1
    return policy.runner_threshold, ZERO if single else policy.runner_fraction


def _extension(
    inputs: PlanInputs, targets: tuple[ChosenTarget, ...], scaling: Scaling, survival: Survival
) -> tuple[Decimal, Decimal, Decimal] | None:
    """Return (price, r, chance) of the runner's extra target; None when it reaches no further."""
    idea, record, last = inputs.idea, inputs.record, targets[-1].r
    if record is None or not scaling.runner_fraction:
        return None
    if not any(one >= last for one in record.mfe_free_r):
        return None
    x = runner_extension(
        record.mfe_free_r, last_tp_r=last, quantile=inputs.policy.plan.runner_quantile
    )
    price = target_price(
        idea.setup.side, idea.worst, stop_distance=idea.stop.distance, x=x, tick=idea.context.tick
    )
    if idea.sign * (price - targets[-1].price) <= 0:
        return None
    reached = survival.at(last)
    share = survival.at(x) / reached if reached else ZERO
    return price, x, scaling.p[-1] * share


def _checked(
    inputs: PlanInputs,
    targets: tuple[ChosenTarget, ...],
    fractions: tuple[Decimal, ...],
    runner: Decimal,
    cost: Decimal,
    confidence: Confidence | None,
) -> PlanCheck:
    """Return the check of our own plan by the person's rules, RR strict; an error refuses."""
    idea, policy = inputs.idea, inputs.policy.plan
    setup = idea.setup
    draft = PlanDraft(
        side=setup.side,
        entry_lo=setup.entry_lo,
        entry_hi=setup.entry_hi,
        stop=idea.stop.price,
        tick=idea.context.tick,
        targets=tuple(one.price for one in targets),
        fractions=fractions,
        runner_fraction=runner,
        symbol=inputs.listing.symbol,
        entry_kind=setup.entry_kind,
        style=inputs.style,
        timeframe=setup.timeframe,
        atr=idea.atr,
        cost_per_unit=cost,
        bid=inputs.quote.bid,
        ask=inputs.quote.ask,
        accept_stop=True,
        confidence=None
        if confidence is None
        else PlanConfidence(value=confidence.value, tier=confidence.tier, n=confidence.n),
    )
    market = MarketFacts(
        as_of=inputs.as_of,
        expires_at=setup.expires_at,
        last=inputs.quote.last,
        corporate_action=inputs.listing.corporate_action,
        corporate_action_date=inputs.listing.corporate_action_date,
        borrowable=inputs.listing.borrowable,
        halted=inputs.quote.halted,
    )
    limits = RrLimits(min_rr1=policy.min_rr1, min_rr=policy.min_rr, strict=True)
    checked = validate(draft, market=market, limits=limits)
    bad = next((one for one in checked.findings if one.level == "error"), None)
    if bad is not None:
        raise _refusal(bad, inputs)
    return checked


def _refusal(found: Finding, inputs: PlanInputs) -> Refusal:
    """Return a finding of our own plan as a refusal that names the setup it is about."""
    setup = inputs.idea.setup
    facts = {"symbol": setup.symbol, "setup": setup.setup_id, "side": setup.side}
    kind, hint = Kind(CATALOGUE[found.code].kind), found.hint
    if found.code == "RR_BELOW_MIN":
        n = inputs.record.n if inputs.record else 0
        known = f"{n} past setups of its kind" if n else "the default targets"
        hint = (
            f"The {setup.setup_id} on {setup.timeframe} bars is no plan: by {known} and after "
            "costs it pays too little for its risk."
        )
    return Refusal(found.code, kind, found.message, hint=hint, facts=facts)


def _gap(idea: Idea) -> GapRisk | None:
    days = idea.scene.views.get("1d")
    if days is None or not len(days):
        return None
    return gap_risk(days, idea.setup.side, worst=idea.worst, stop=idea.stop.price)
