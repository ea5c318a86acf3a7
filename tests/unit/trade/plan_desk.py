"""Plans for the tests: seeded markets, every setup found in them, and inputs to compose."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from decimal import Decimal
from functools import cache

from services.kit.policy import DEFAULT_POLICY
from services.market.bar import Bar, bar_hash, resample
from services.strategy.detect import detect
from services.strategy.record import RecordKey, SetupRecord, horizon_of
from services.strategy.scene import MarketContext
from services.strategy.score import Score, score_setup
from services.strategy.setup import Setup
from services.strategy.track import Track
from services.trade.idea import Idea, build_idea
from services.trade.plan_inputs import Citation, ListingFacts, PlanInputs, QuoteFacts
from tests.unit.strategy.market_days import CALENDAR, build_context, walk

FIRST, LAST = date(2024, 4, 1), date(2024, 6, 14)
LISTING = ListingFacts(
    id="XNAS:TEST", symbol="TEST", asset_class="equity", currency="USD", calendar=CALENDAR
)


@cache
def bars_of(seed: int) -> tuple[Bar, ...]:
    """Return a seeded market of 5-minute bars; treat them as read-only."""
    if seed < SWING:
        return tuple(walk(seed, FIRST, LAST))
    days = walk(seed, FIRST.replace(year=2020), LAST, minutes=390, swing=0.02)
    return tuple(days)


SWING = 100
"""Seeds from here on are markets of four years of days; the others of months of 5 minutes."""


@cache
def context_of(seed: int) -> MarketContext:
    bars = list(bars_of(seed))
    if seed < SWING:
        return build_context(bars, bars[-1].t_close)
    weeks = resample(bars, calendar=CALENDAR, from_tf="1d", to_tf="1w")
    few = build_context(list(bars_of(0))[:78], bars[-1].t_close)
    tracks = {"1d": Track("1d", CALENDAR, bars), "1w": Track("1w", CALENDAR, weeks)}
    return replace(few, tracks=tracks)


@cache
def setups_of(seed: int, sessions: int = 8) -> tuple[Setup, ...]:
    """Return every setup of the last sessions, each once, in the order of their triggers."""
    context, found = context_of(seed), {}
    for bar in bars_of(seed)[-78 * sessions if seed < SWING else -400 :]:
        for setup in detect(replace(context, as_of=bar.t_close)).setups:
            found.setdefault(setup.key, setup)
    return tuple(found.values())


def ideas(seed: int) -> Iterator[tuple[Idea, Score]]:
    """Yield the ideas of a seed with their scores; setups without a sound stop are left out."""
    from services.kit.errors import Refusal

    for setup in setups_of(seed):
        try:
            idea = build_idea(context_of(seed), setup, policy=DEFAULT_POLICY.plan)
        except Refusal:
            continue
        yield idea, score_of(idea)


def score_of(idea: Idea) -> Score:
    return score_setup(
        idea.context,
        idea.setup,
        r=idea.stop.distance,
        levels=idea.levels,
        policy=DEFAULT_POLICY.confluence,
    )


def inputs_of(idea: Idea, **changes: object) -> PlanInputs:
    """Return the inputs of an idea just after its trigger, the market at the trigger's close."""
    setup = idea.setup
    quote = QuoteFacts(
        bid=setup.trigger_price - Decimal("0.01"),
        ask=setup.trigger_price + Decimal("0.01"),
        last=setup.trigger_price,
        ts=setup.trigger_ts,
    )
    track = idea.context.tracks[setup.timeframe]
    bars = track.bars[: track.count_until(setup.trigger_ts)]
    cited = Citation(
        provider="test",
        dataset="bars",
        symbol=LISTING.id,
        timeframe=setup.timeframe,
        first_ts=bars[0].t_open,
        last_ts=bars[-1].t_close,
        doc_hash=bar_hash(LISTING.id, setup.timeframe, bars),
        provenance="SIMULATED",
    )
    made = PlanInputs(
        idea=idea,
        score=score_of(idea),
        style=idea.style,
        listing=LISTING,
        quote=quote,
        policy=DEFAULT_POLICY,
        as_of=setup.trigger_ts,
        citations=(cited,),
    )
    return replace(made, **changes)


def record_for(idea: Idea, mfe_r: list[str], wins: int = 0) -> SetupRecord:
    """Return a record of an idea's own kind with the given free MFEs."""
    setup = idea.setup
    return SetupRecord(
        key=RecordKey(setup.setup_id, setup.version, setup.side, horizon_of(setup.timeframe)),
        n=len(mfe_r),
        wins=wins,
        mfe_free_r=tuple(sorted(Decimal(one) for one in mfe_r)),
        give_back=Decimal("0.4"),
        labels_hash="sha256:" + "0" * 64,
    )


def ideas_at(seed: int, setup_id: str) -> Idea:
    """Return the first idea of a detector in a seed."""
    return next(idea for idea, _ in ideas(seed) if idea.setup.setup_id == setup_id)
