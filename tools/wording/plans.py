"""Owns the rows of plans and sizes in results: targets, components, option contracts, caps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from services.kit.context import Context
from services.ledger.portfolio import account_of, get_portfolio
from services.trade import advice
from services.trade.option_size import ContractSize
from services.trade.plan_store import StoredPlan, get_plan
from tools.registry import Result, Source, cite_stored
from tools.wording.figures import Cents, Exact, Row


class PlannedTarget(Row):
    """One target: `r` in stop distances, `p_reach` the chance to get there before the stop."""

    n: int
    price: Exact
    r: Exact
    fraction: Exact
    p_reach: Exact
    kind: str


class ComponentRow(Row):
    """One part of the confluence score; without a value it is missing."""

    name: str
    weight: Exact
    value: Exact | None = None


class OptionRow(Row):
    """One option alternative: the contract, the most to pay for it, and why this one.

    `contracts` is how many the account may buy, `binding` the limit that says so; `exits` are the
    rules by which a LEAPS call is rolled or sold.
    """

    kind: str
    contract: str
    limit_price: Exact
    breakeven: Exact
    why: str
    greeks_source: str
    risk_per_contract: Exact | None = None
    contracts: Exact | None = None
    binding: str = ""
    exits: tuple[str, ...] = ()


class PlanResult(Result):
    """The plan: `confidence` is the chance of target 1 before the stop; `score` is no chance."""

    symbol: str
    side: str
    style: str
    setup: str
    timeframe: str
    entry_kind: str
    entry_lo: Exact
    entry_hi: Exact
    entry: Exact
    stop: Exact
    stop_distance: Exact
    atr_multiple: Exact
    risk_per_unit: Exact
    targets: tuple[PlannedTarget, ...]
    rr: Exact
    band: str
    ev_r: Exact
    confidence: Exact | None
    confidence_tier: str
    confidence_n: int
    breakeven: Exact
    score: Exact | None
    components: tuple[ComponentRow, ...]
    warnings: tuple[str, ...]
    why: tuple[str, ...]
    would_end: tuple[str, ...]
    options: tuple[OptionRow, ...]
    expires_at: str
    ends_at: str
    state: str
    idea_url: str
    long_only: bool


class CapRow(Row):
    """One limit of the size and the units it allows."""

    name: str
    units: Exact


class SizeResult(Result):
    """The size, what binds it, and what it risks; `caps_skipped` are limits not known now."""

    symbol: str
    side: str
    entry: Exact
    stop: Exact
    quantity: Exact
    binding: str
    one_r: Cents
    currency: str
    notional: Cents
    risk_pct: Exact
    risk_pct_used: Exact
    size_multiplier: Exact
    equity: Cents
    caps: tuple[CapRow, ...]
    caps_skipped: tuple[str, ...]


def option_rows(
    body: Mapping[str, Any], sizes: Sequence[ContractSize] = ()
) -> tuple[OptionRow, ...]:
    """Return the option alternatives of a plan, with the contracts that an account may buy."""
    sized = {one.contract: one for one in sizes}
    found = body["option_alternatives"]
    return tuple(_option_row(one, sized.get(one["contract"])) for one in found)


def _option_row(one: Mapping[str, Any], sized: ContractSize | None) -> OptionRow:
    metrics = one["metrics"]
    return OptionRow(
        kind=one["kind"],
        contract=one["contract"],
        limit_price=metrics["limit_price"],
        breakeven=metrics["breakeven"],
        why=one["why"],
        greeks_source=metrics["greeks_source"],
        risk_per_contract=metrics.get("risk_per_contract"),
        contracts=sized.contracts if sized else None,
        binding=sized.binding if sized else "",
        exits=tuple(_exit_words(rule) for rule in one.get("exits", ())),
    )


def _exit_words(rule: Mapping[str, Any]) -> str:
    why = f" ({rule['why']})" if "why" in rule else ""
    then = "" if rule["do"] == "none" else f": {rule['do']}"
    return f"{rule['when'].replace('_', ' ')} {rule['value']}{then}{why}"


def _end_words(rule: Mapping[str, Any]) -> str:
    """Return one rule that ends an idea, as a sentence without its end."""
    shown = rule["rule"].replace("_", " ")
    return f"a {rule['tf']} {shown} {rule['price']}: {rule['why']}"


def plan_sources(plan: StoredPlan) -> tuple[Source, ...]:
    """Return the citations of a plan's own bars and of its quote."""
    symbol, cited = plan.symbol, plan.document["citations"]
    own = [one for one in cited if one.get("timeframe") == plan.document["timeframe"]]
    return tuple(
        Source(
            provider=one["provider"],
            dataset=one["dataset"],
            symbol=symbol,
            as_of=one["last_ts"],
            provenance=one["provenance"],
        )
        for one in [*own[:1], *(one for one in cited if "timeframe" not in one)]
    )


def advice_sources(ctx: Context, ref: str) -> tuple[Source, ...]:
    """Return what stored advice rests on: a plan's citations, or the quote of a check or size."""
    if ref.startswith(advice.PLAN_PREFIX):
        return plan_sources(get_plan(ctx, ref))
    kept = advice.get_kept(ctx, ref)
    seen = {**kept.inputs["quote"], "as_of": kept.inputs["quote"]["ts"]}
    return (cite_stored("quotes", seen, symbol=kept.advice.symbol),)


def barred(ctx: Context, side: str) -> bool:
    """Return whether the default account can not take this side: it is long only."""
    return side == "short" and not account_of(ctx, get_portfolio(ctx).id).allow_short


def tier_word(sure: Mapping[str, Any] | None) -> str:
    """Return one word for a list: `uncalibrated` without an accepted curve, else the curve."""
    return str(sure["tier"]) if sure and sure["tier"] != "prior" else "uncalibrated"


def tier_words(sure: Mapping[str, Any] | None) -> str:
    """Return what a confidence rests on: a prior is said to be uncalibrated, its number stays."""
    if not sure:
        return "uncalibrated"
    return "uncalibrated prior" if sure["tier"] == "prior" else str(sure["tier"])


def plan_row(body: Mapping[str, Any], sizes: Sequence[ContractSize] = ()) -> dict[str, Any]:
    """Return the figures of a plan as the tool's result names them."""
    entry, stop, reward = body["entry"], body["stop"], body["rr"]
    sure, score = body.get("confidence"), body["confluence"]
    return {
        "side": body["side"],
        "style": body["style"],
        "setup": body["setup"]["id"],
        "timeframe": body["timeframe"],
        "entry_kind": entry["kind"],
        "entry_lo": entry["lo"],
        "entry_hi": entry["hi"],
        "entry": entry["worst"],
        "stop": stop["price"],
        "stop_distance": stop["stop_distance"],
        "atr_multiple": stop["atr_multiple"],
        "risk_per_unit": stop["risk_per_unit"],
        "targets": tuple(PlannedTarget.model_validate(one) for one in body["targets"]),
        "rr": reward["blended"],
        "band": reward["band"],
        "ev_r": reward["ev_r"],
        "confidence": sure["value"] if sure else None,
        "confidence_tier": tier_words(sure),
        "confidence_n": sure["n"] if sure else 0,
        "breakeven": reward["p_breakeven_tp1"],
        "score": score.get("score"),
        "components": tuple(ComponentRow.model_validate(one) for one in score["components"]),
        "warnings": tuple(f"{one['code']}: {one['detail']}" for one in body["warnings"]),
        "why": tuple(body["rationale"]),
        "would_end": tuple(_end_words(rule) for rule in body["invalidation"]),
        "options": option_rows(body, sizes),
        "expires_at": body["expires_at"],
        "ends_at": body["time_stop"]["value"],
        "state": body["actionability"]["state"],
        "idea_url": body["idea_url"],
        "flags": tuple(body["flags"]),
    }
