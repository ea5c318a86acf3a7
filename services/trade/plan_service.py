"""Owns making a plan: green data, the setups that stand, the best of them composed and stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from services.kit.context import Context
from services.kit.errors import Kind, Refusal, refuse
from services.ledger import portfolio
from services.market.feed import Feed
from services.market.freeze import portfolio_scope
from services.market.quality import require_green
from services.strategy.detect import DETECTORS, SIDES, Detector, strongest
from services.strategy.documents import find_calibrator, find_record
from services.strategy.level_list import INTRADAY
from services.strategy.load import Loaded, load
from services.strategy.record import horizon_of
from services.strategy.score import Score, score_setup
from services.strategy.setup import Setup
from services.strategy.standing import standing_setups
from services.strategy.view import Side
from services.strategy.why_not import explain
from services.trade.compose import PlanDocument, compose
from services.trade.idea import WARM_BARS, Idea, Style, build_idea, style_of
from services.trade.plan_facts import SharedFacts, bars_cited, chain_of, facts_of
from services.trade.plan_inputs import PlanInputs
from services.trade.plan_store import StoredPlan, save_plan

REASONS_MAX = 6
_SWING = ("60m", "1d", "1w")


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanWish:
    """What to plan; without a side or style whatever scores highest."""

    symbol: str
    side: Side | None = None
    style: Style | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A setup that stands, its idea and its score."""

    idea: Idea
    score: Score


@dataclass(frozen=True, slots=True)
class Draft:
    """A composed plan with what it was made of, not stored yet."""

    composed: PlanDocument
    inputs: PlanInputs


def make_plan(ctx: Context, wish: PlanWish) -> StoredPlan:
    """Return the plan of the best setup of a symbol, stored with what it was made of.

    The data must be green; the setups are those that still stand; the one with the highest score
    is composed first, and when the rules refuse it the next one, which then names the first.
    Raises `DQ_BLOCK`, `SYMBOL_UNKNOWN`, `INSUFFICIENT_BARS`, `ATR_ZERO`, `NO_SETUP` with what each
    rule lacks, and what `compose` raises when no setup may be offered.
    """
    instrument = ctx.port(Feed).instrument(ctx, wish.symbol)
    scopes = tuple(portfolio_scope(one.id) for one in portfolio.list_portfolios(ctx))
    quality = require_green(ctx, [instrument.symbol], scopes=scopes)
    loaded = load(ctx, instrument.id)
    draft = draft_plan(ctx, loaded, wish)
    return save_plan(ctx, draft.composed, draft.inputs, loaded=loaded, quality=quality)


def draft_plan(
    ctx: Context,
    loaded: Loaded,
    wish: PlanWish,
    *,
    rules: Sequence[Detector] | None = None,
    shared: SharedFacts | None = None,
) -> Draft:
    """Return the plan that `make_plan` would store, from tracks that are loaded; stores nothing.

    `rules` narrows the detectors further than the style does; `shared` stands for the quote and
    the events of now. Raises as `make_plan` does, apart from the look at the data's quality.
    """
    _require_bars(loaded, wish)
    ranked = rank_candidates(ctx, loaded, wish, rules=rules)
    if not ranked:
        raise no_setup(loaded, wish, rules=rules)
    known = facts_of(ctx, loaded) if shared is None else shared
    missed: list[Refusal] = []
    for one in ranked:
        inputs = _inputs(ctx, loaded, one, known, wish.style)
        inputs = replace(inputs, others=tuple(_told(refusal) for refusal in missed))
        try:
            return Draft(compose(inputs), inputs)
        except Refusal as refusal:
            if refusal.kind is Kind.INTERNAL:
                raise
            missed.append(_of(refusal, one.idea.setup))
    raise missed[0]


def rank_candidates(
    ctx: Context, loaded: Loaded, wish: PlanWish, *, rules: Sequence[Detector] | None = None
) -> list[Candidate]:
    """Return the ideas of the setups that stand, the highest score first; one per side.

    An idea whose stop has been touched since, or that has no sound stop, is none.
    """
    chosen = detectors_of(wish.style) if rules is None else rules
    standing = standing_setups(loaded.context, chosen, memo=loaded.memo)
    found: dict[str, Candidate] = {}
    for setup in standing.setups:
        if wish.side is not None and setup.side != wish.side:
            continue
        one = _candidate(ctx, loaded, setup)
        if one is not None:
            found[one.idea.setup.key] = one
    best = strongest(
        (one.idea.setup for one in found.values()), lambda setup: found[setup.key].score.value
    )
    ranked = [_with_support(found[setup.key], setup) for setup in best]
    ranked.sort(key=_order)
    led = {one.idea.setup.key for one in ranked}
    rest = sorted((one for key, one in found.items() if key not in led), key=_order)
    return [*ranked, *rest]


def _order(one: Candidate) -> tuple[bool, object, str, str]:
    value = one.score.value
    setup = one.idea.setup
    return (value is None, -value if value is not None else 0, setup.setup_id, setup.timeframe)


def _with_support(one: Candidate, setup: Setup) -> Candidate:
    own = replace(one.idea.setup, supporting=setup.supporting)
    return replace(one, idea=replace(one.idea, setup=own))


def _candidate(ctx: Context, loaded: Loaded, setup: Setup) -> Candidate | None:
    try:
        idea = build_idea(loaded.context, setup, policy=ctx.policy.plan)
    except Refusal as refusal:
        if refusal.kind is Kind.INTERNAL:
            raise
        return None
    if _stopped(idea, loaded):
        return None
    score = score_setup(
        idea.context,
        idea.setup,
        r=idea.stop.distance,
        levels=idea.levels,
        market=loaded.market.track if loaded.market else None,
        policy=ctx.policy.confluence,
    )
    return Candidate(idea=idea, score=score)


def _stopped(idea: Idea, loaded: Loaded) -> bool:
    """Return whether a bar since the trigger has touched the stop: that trade is over."""
    track = loaded.context.tracks[idea.setup.timeframe]
    first = track.count_until(idea.setup.trigger_ts)
    since = track.bars[first : track.count_until(loaded.context.as_of)]
    if idea.setup.side == "long":
        return any(bar.l <= idea.stop.price for bar in since)
    return any(bar.h >= idea.stop.price for bar in since)


def detectors_of(style: Style | None) -> tuple[Detector, ...]:
    """Return the detectors of a style: within the day, or over days; all without one."""
    if style is None:
        return DETECTORS
    wanted = INTRADAY if style == "intraday" else _SWING
    kept = []
    for one in DETECTORS:
        timeframes = tuple(name for name in one.timeframes if name in wanted)
        if timeframes:
            kept.append(Detector(one.id, timeframes, one.rule))
    return tuple(kept)


def _require_bars(loaded: Loaded, wish: PlanWish) -> None:
    """Refuse a symbol with too few bars, or whose prices stand still, on every timeframe."""
    names = {name for one in detectors_of(wish.style) for name in one.timeframes}
    ends = {
        name: track.count_until(loaded.context.as_of)
        for name, track in sorted(loaded.context.tracks.items())
        if name in names
    }
    have = max(ends.values())
    if have < WARM_BARS:
        raise refuse("INSUFFICIENT_BARS", indicator="EMA20", need=WARM_BARS, have=have)
    moving = [
        name for name, end in ends.items() if end and loaded.context.tracks[name].atr[end - 1]
    ]
    if not moving:
        raise refuse("ATR_ZERO", name=f"ATR14 of {loaded.context.symbol}")


def no_setup(loaded: Loaded, wish: PlanWish, *, rules: Sequence[Detector] | None = None) -> Refusal:
    """Return `NO_SETUP`: what each rule lacks, the nearest one first, and what may be done."""
    sides: Sequence[Side] = SIDES if wish.side is None else (wish.side,)
    chosen = detectors_of(wish.style) if rules is None else rules
    lacks = explain(loaded.context, chosen, sides)
    words = [one.words for one in lacks]
    nearest = f"The nearest is {words[0]}." if words else ""
    own = " With your own entry and stop, plan_check tells what such a plan is worth."
    return refuse(
        "NO_SETUP",
        hint=nearest + (own if wish.side else ""),
        symbol=loaded.context.symbol,
        side_words=f" ({wish.side})" if wish.side else "",
        why="; ".join(words[:REASONS_MAX]),
        nearest=words[0] if words else "",
        detectors=words,
    )


def _inputs(
    ctx: Context, loaded: Loaded, one: Candidate, shared: SharedFacts, style: Style | None
) -> PlanInputs:
    """Return the inputs of one candidate: the shared facts, its chain, record and calibrator."""
    setup = one.idea.setup
    horizon, held = horizon_of(setup.timeframe), style or style_of(setup.timeframe)
    chain = chain_of(ctx, loaded, setup.side, held)
    return PlanInputs(
        idea=one.idea,
        score=one.score,
        style=held,
        listing=shared.listing,
        quote=shared.quote,
        policy=ctx.policy,
        as_of=shared.as_of,
        record=find_record(ctx, setup.setup_id, setup.side, horizon),
        calibrator=find_calibrator(ctx, setup.setup_id, setup.side, horizon),
        earnings=shared.earnings,
        chain=chain.facts,
        citations=(*bars_cited(loaded, one.idea), *shared.citations, *chain.citations),
        base_url=ctx.settings.public_base_url.rstrip("/"),
    )


def _of(refusal: Refusal, setup: Setup) -> Refusal:
    refusal.facts.setdefault("setup", setup.setup_id)
    refusal.facts.setdefault("timeframe", setup.timeframe)
    refusal.facts.setdefault("side", setup.side)
    return refusal


def _told(refusal: Refusal) -> tuple[str, str]:
    facts = refusal.facts
    return (
        refusal.code,
        f"{facts['setup']} {facts['timeframe']} {facts['side']} is not offered: {refusal.message}",
    )
