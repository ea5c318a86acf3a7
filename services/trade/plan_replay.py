"""Owns making a stored plan again from what was stored with it, and comparing the bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeVar

from pydantic import TypeAdapter

from services.kit.canonical import canonical
from services.kit.clock import parse_instant
from services.kit.context import Context
from services.kit.errors import refuse
from services.market.bar import Bar
from services.market.chain import OptionContract
from services.strategy.detect import DETECTORS, detect
from services.strategy.documents import find_calibrator, find_record
from services.strategy.record import Calibrator, SetupRecord, horizon_of
from services.strategy.scene import MarketContext
from services.strategy.score import score_setup
from services.strategy.setup import Setup
from services.strategy.track import Track
from services.trade.compose import compose
from services.trade.idea import build_idea
from services.trade.plan_inputs import (
    ChainFacts,
    Citation,
    EarningsFacts,
    ListingFacts,
    PlanInputs,
    QuoteFacts,
)
from services.trade.plan_store import get_plan, stored_bars, stored_inputs

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Remade:
    """A plan made again: whether every byte is the same, and both documents."""

    plan_id: str
    same: bool
    stored: bytes
    made: bytes


def remake_plan(ctx: Context, plan_id: str) -> Remade:
    """Make a stored plan again from its stored bars, quote, chain, events and documents.

    Nothing is fetched and no clock is read. Raises `PLAN_UNKNOWN`, and `INPUTS_CHANGED` when the
    policy, the record or the calibrator in force is no longer the one it was made under, or when
    its setup is not found again.
    """
    plan = get_plan(ctx, plan_id)
    kept = stored_inputs(ctx, plan_id)
    if plan.document["policy_hash"] != ctx.policy.hash:
        raise refuse("INPUTS_CHANGED", id=plan_id, what="the policy")
    stored = canonical(plan.document)
    made = canonical(compose(_inputs(ctx, plan_id, kept)).body)
    return Remade(plan_id=plan_id, same=made == stored, stored=stored, made=made)


def _inputs(ctx: Context, plan_id: str, kept: Mapping[str, Any]) -> PlanInputs:
    listing = _read(ListingFacts, kept["listing"])
    tracks = {name: _track(ctx, key, name, listing) for name, key in kept["bars"].items()}
    context = MarketContext(
        instrument_id=listing.id,
        symbol=listing.symbol,
        calendar=listing.calendar,
        tick=Decimal(kept["tick"]),
        as_of=parse_instant(kept["as_of"]),
        tracks=tracks,
        policy=ctx.policy.setups,
    )
    setup = _setup(context, plan_id, kept["setup"])
    idea = build_idea(context, setup, policy=ctx.policy.plan)
    market = _track(ctx, kept["market"], "1d", listing) if kept.get("market") else None
    score = score_setup(
        idea.context,
        idea.setup,
        r=idea.stop.distance,
        levels=idea.levels,
        market=market,
        policy=ctx.policy.confluence,
    )
    idea = replace(idea, setup=replace(idea.setup, supporting=tuple(kept["setup"]["supporting"])))
    record, calibrator = _documents(ctx, plan_id, setup, kept)
    return PlanInputs(
        idea=idea,
        score=score,
        style=kept["style"],
        listing=listing,
        quote=_read(QuoteFacts, kept["quote"]),
        policy=ctx.policy,
        as_of=parse_instant(kept["as_of"]),
        record=record,
        calibrator=calibrator,
        earnings=_read(EarningsFacts, kept["earnings"]),
        chain=_chain(kept["chain"]),
        citations=tuple(_read(Citation, one) for one in kept["citations"]),
        base_url=kept["base_url"],
        others=tuple((code, detail) for code, detail in kept["others"]),
    )


def _track(ctx: Context, key: str, timeframe: str, listing: ListingFacts) -> Track:
    bars = [_bar(row) for row in stored_bars(ctx, key)]
    return Track(timeframe, listing.calendar, bars)


def _bar(row: list[str]) -> Bar:
    o, h, low, c, v = (Decimal(text) for text in row[2:7])
    return Bar(
        t_open=parse_instant(row[0]),
        t_close=parse_instant(row[1]),
        o=o,
        h=h,
        l=low,
        c=c,
        v=v,
        vw=Decimal(row[7]) if row[7] else None,
    )


def _setup(context: MarketContext, plan_id: str, kept: Mapping[str, Any]) -> Setup:
    """Return the setup again, found by its detector in the bars of its own moment."""
    moment: datetime = parse_instant(kept["trigger_ts"])
    rules = [one for one in DETECTORS if one.id == kept["id"]]
    found = detect(replace(context, as_of=moment), rules).setups
    setup = next((one for one in found if one.key == kept["key"]), None)
    if setup is None:
        raise refuse("INPUTS_CHANGED", id=plan_id, what="the rule that found its setup")
    return setup


def _documents(
    ctx: Context, plan_id: str, setup: Setup, kept: Mapping[str, Any]
) -> tuple[SetupRecord | None, Calibrator | None]:
    """Return the record and calibrator in force, which must be those of the plan."""
    horizon = horizon_of(setup.timeframe)
    record = find_record(ctx, setup.setup_id, setup.side, horizon)
    calibrator = find_calibrator(ctx, setup.setup_id, setup.side, horizon)
    if (record.hash if record else None) != kept.get("record"):
        raise refuse("INPUTS_CHANGED", id=plan_id, what="the record of its setup")
    if (calibrator.hash if calibrator else None) != kept.get("calibrator"):
        raise refuse("INPUTS_CHANGED", id=plan_id, what="its calibrator")
    return record, calibrator


def _chain(kept: Mapping[str, Any]) -> ChainFacts:
    absent = {one.name: None for one in fields(OptionContract)}
    contracts = tuple(_read(OptionContract, {**absent, **row}) for row in kept["contracts"])
    return replace(_read(ChainFacts, {**kept, "contracts": ()}), contracts=contracts)


def _read(kind: type[T], kept: Mapping[str, Any]) -> T:
    """Return a dataclass of what was stored as text."""
    made: T = TypeAdapter(kind).validate_python(dict(kept))
    return made
