"""Owns replaying: a stored plan is made again from its stored inputs and compared byte by byte."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from services.kit.canonical import canonical
from services.kit.clock import parse_instant
from services.kit.context import Context
from services.kit.errors import Refusal, refuse
from services.kit.revive import revive
from services.market.bar import Bar, bar_hash
from services.strategy.detect import DETECTORS, Detector, detect
from services.strategy.documents import calibrator_from, get_document, record_from
from services.strategy.scene import MarketContext
from services.strategy.score import score_setup
from services.strategy.setup import Setup
from services.strategy.track import Track
from services.trade.compose import compose
from services.trade.idea import Idea, build_idea
from services.trade.plan_inputs import (
    ChainFacts,
    Citation,
    EarningsFacts,
    ListingFacts,
    PlanInputs,
    QuoteFacts,
)
from services.trade.plan_store import get_plan, policy_of, stored_bars, stored_inputs

DIFFERENCES_MAX = 20
HASHES = ("plan_hash", "inputs_hash", "policy_hash", "idea_hash")


@dataclass(frozen=True, slots=True)
class Difference:
    """One member that came out otherwise; an absent one is empty."""

    path: str
    stored: str
    made: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """What became of making advice again; `same` means every byte of it."""

    ref: str
    symbol: str
    same: bool
    bytes_compared: int
    hashes: Mapping[str, str]
    differences: tuple[Difference, ...] = ()


def replay_plan(ctx: Context, plan_id: str) -> Replay:
    """Make a stored plan again from what was stored with it, and compare the bytes.

    The policy, record and curve are those of then. Nothing else is read: no feed, no clock, no
    row made later. At most 20 differences are told;
    what the rules refuse today is one. Raises `PLAN_UNKNOWN`.
    """
    plan = get_plan(ctx, plan_id)
    ctx = replace(ctx, policy=policy_of(ctx, str(plan.document["policy_hash"])))
    before = canonical(plan.document)
    told = {name: str(plan.document[name]) for name in HASHES}
    found = _unsound(ctx, plan.document, stored_inputs(ctx, plan_id))
    after = b""
    if not found:
        try:
            made = compose(inputs_of(ctx, plan_id)).body
            after = canonical(made)
            found = differences(plan.document, _plain(after))
        except Refusal as refusal:
            found = [Difference("$", "a plan", f"{refusal.code}: {refusal.message}")]
    return Replay(
        ref=plan_id,
        symbol=plan.symbol,
        same=not found and before == after,
        bytes_compared=len(before),
        hashes=told,
        differences=tuple(found[:DIFFERENCES_MAX]),
    )


def _unsound(ctx: Context, plan: Mapping[str, Any], kept: Mapping[str, Any]) -> list[Difference]:
    """Return what makes a comparison idle: bars that are not what was cited."""
    found = []
    listing = kept["listing"]["id"]
    cited = {one.get("timeframe"): one["bar_hash"] for one in _own(plan, listing)}
    for name, digest in sorted(kept["bars"].items()):
        bars = bars_of(ctx, digest)
        made = bar_hash(listing, name, bars)
        if bars and cited.get(name, made) != made:
            found.append(Difference(f"bars.{name}", str(cited[name]), made))
    return found


def _own(plan: Mapping[str, Any], listing: str) -> list[Mapping[str, Any]]:
    rows = plan["citations"]
    return [one for one in rows if "timeframe" in one and one["symbol"] == listing]


def inputs_of(ctx: Context, plan_id: str) -> PlanInputs:
    """Return the inputs of a stored plan, made again from its stored bars and documents.

    Raises `PLAN_UNKNOWN`, `DOCUMENT_UNKNOWN`, and `NO_SETUP` when the rules no longer find the
    setup on its bar.
    """
    kept = stored_inputs(ctx, plan_id)
    idea = _idea(ctx, kept)
    market = kept.get("market")
    index = _track(ctx, "1d", idea.context.calendar, market) if market else None
    score = score_setup(
        idea.context,
        idea.setup,
        r=idea.stop.distance,
        levels=idea.levels,
        market=index,
        policy=ctx.policy.confluence,
    )
    record, calibrator = kept.get("record"), kept.get("calibrator")
    return PlanInputs(
        idea=idea,
        score=score,
        style=kept["style"],
        listing=revive(ListingFacts, kept["listing"]),
        quote=revive(QuoteFacts, kept["quote"]),
        policy=ctx.policy,
        as_of=parse_instant(kept["as_of"]),
        record=record_from(_body(ctx, record)) if record else None,
        calibrator=calibrator_from(_body(ctx, calibrator)) if calibrator else None,
        earnings=revive(EarningsFacts, kept["earnings"]),
        chain=revive(ChainFacts, kept["chain"]),
        citations=tuple(revive(Citation, one) for one in kept["citations"]),
        base_url=kept["base_url"],
        others=tuple((code, detail) for code, detail in kept["others"]),
    )


def _idea(ctx: Context, kept: Mapping[str, Any]) -> Idea:
    """Return the idea: its setup found again on the bar that triggered it."""
    named, listing = kept["setup"], kept["listing"]
    tracks = {
        name: _track(ctx, name, listing["calendar"], digest)
        for name, digest in sorted(kept["bars"].items())
    }
    context = MarketContext(
        instrument_id=listing["id"],
        symbol=listing["symbol"],
        calendar=listing["calendar"],
        tick=Decimal(kept["tick"]),
        as_of=parse_instant(kept["as_of"]),
        tracks=tracks,
        policy=ctx.policy.setups,
    )
    setup = _setup(context, named)
    return build_idea(
        context, replace(setup, supporting=tuple(named["supporting"])), policy=ctx.policy.plan
    )


def _setup(context: MarketContext, named: Mapping[str, Any]) -> Setup:
    rules = [
        Detector(one.id, (named["timeframe"],), one.rule)
        for one in DETECTORS
        if one.id == named["id"]
    ]
    then = replace(context, as_of=parse_instant(named["trigger_ts"]))
    for one in detect(then, rules).setups:
        if one.side == named["side"]:
            return one
    raise refuse(
        "NO_SETUP",
        symbol=context.symbol,
        side_words=f" ({named['side']})",
        why=f"{named['id']} {named['timeframe']} is not found on its bar",
        nearest="",
        detectors=[],
    )


def _track(ctx: Context, timeframe: str, calendar: str, digest: str) -> Track:
    return Track(timeframe, calendar, bars_of(ctx, digest))


def bars_of(ctx: Context, digest: str) -> list[Bar]:
    """Return stored bars by the hash of their body. Raises `PLAN_UNKNOWN`."""
    rows = stored_bars(ctx, digest)
    return [
        Bar(
            t_open=parse_instant(row[0]),
            t_close=parse_instant(row[1]),
            o=Decimal(row[2]),
            h=Decimal(row[3]),
            l=Decimal(row[4]),
            c=Decimal(row[5]),
            v=Decimal(row[6]),
            vw=Decimal(row[7]) if row[7] else None,
        )
        for row in rows
    ]


def _body(ctx: Context, digest: str) -> Mapping[str, Any]:
    """Return the document that spoke then, revoked since or not."""
    return get_document(ctx, digest).body


def _plain(text: bytes) -> Mapping[str, Any]:
    found: Mapping[str, Any] = json.loads(text)
    return found


def differences(stored: Any, made: Any, path: str = "$") -> list[Difference]:
    """Return every member in which two documents differ, by path, outermost first.

    Worked: `{"a": [1, 2]}` and `{"a": [1, 3]}` differ in `$.a[1]`, 2 and 3.
    """
    if isinstance(stored, Mapping) and isinstance(made, Mapping):
        names = sorted({*stored, *made})
        return [
            one
            for name in names
            for one in differences(stored.get(name), made.get(name), f"{path}.{name}")
        ]
    if isinstance(stored, list) and isinstance(made, list) and len(stored) == len(made):
        both = enumerate(zip(stored, made, strict=True))
        return [one for at, (a, b) in both for one in differences(a, b, f"{path}[{at}]")]
    if stored == made:
        return []
    return [Difference(path, _shown(stored), _shown(made))]


def _shown(value: object) -> str:
    return "" if value is None else str(value)[:200]
