"""Owns labels: every setup that the detectors found in a history, and what became of it."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from services.kit.canonical import tagged_hash
from services.kit.errors import Refusal
from services.kit.money import from_float, rounded
from services.kit.policy import Policy
from services.market.bar import Bar
from services.research.raw_bars import CALENDAR, RawHistory
from services.research.settle import ENTERED, Settled, Suggested, settle
from services.strategy.detect import DETECTORS, Detector, detect
from services.strategy.record import RecordKey, key_of
from services.strategy.scene import MarketContext
from services.strategy.score import score_setup
from services.strategy.setup import Setup
from services.strategy.track import Track
from services.trade.idea import Idea, build_idea
from services.trade.management import time_stop

PLACES = 6
FOLLOWED = {"5m": "5m", "15m": "15m", "60m": "60m", "1d": "1d", "1w": "1d"}
"""The bars on which a setup of a timeframe is followed: weeks by their days."""
TARGET_R = Decimal(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """One setup that became a trade: its score before, and whether 1 R came before the stop.

    `mfe_free_r`, `free_r` and `r` are at 6 decimals, in R of the plan. `volatility` is the
    percentile of the day's realised volatility in its year, `trend` the mean of the day's votes
    for the side, both as they stood at the trigger.
    """

    key: RecordKey
    symbol: str
    trigger_ts: datetime
    ended_at: datetime
    score: Decimal | None
    won: bool
    r: Decimal
    mfe_free_r: Decimal
    free_r: Decimal
    ambiguous: bool
    volatility: Decimal | None
    trend: Decimal | None


@dataclass(frozen=True, slots=True)
class Labelled:
    """The labels of a history by trigger, and how many setups became no trade, by reason."""

    labels: tuple[Label, ...]
    left_out: dict[str, int]


def label_history(history: RawHistory, *, policy: Policy, market: Track | None = None) -> Labelled:
    """Run every detector over a history as if it were live, and settle what it found.

    At each bar only what had closed by then is read; entry and stop are those of a plan. A setup
    whose end lies beyond the history has no label.
    """
    labels: list[Label] = []
    left_out: dict[str, int] = {}
    for context, setup in find_setups(history, policy=policy):
        bars = history.tracks[FOLLOWED[setup.timeframe]].bars
        after = bars[bisect_left(bars, setup.trigger_ts, key=lambda bar: bar.t_open) :]
        made = label_setup(context, setup, after, policy=policy, market=market)
        if isinstance(made, str):
            left_out[made] = left_out.get(made, 0) + 1
        else:
            labels.append(made)
    labels.sort(key=lambda one: (one.trigger_ts, one.key.text, one.symbol))
    return Labelled(tuple(labels), dict(sorted(left_out.items())))


def find_setups(history: RawHistory, *, policy: Policy) -> Iterator[tuple[MarketContext, Setup]]:
    """Yield each new setup with the context it was found in, timeframe by timeframe."""
    for timeframe, track in history.tracks.items():
        rules = tuple(
            Detector(one.id, (timeframe,), one.rule)
            for one in DETECTORS
            if timeframe in one.timeframes
        )
        for bar in track.bars if rules else ():
            context = MarketContext(
                instrument_id=history.symbol,
                symbol=history.symbol,
                calendar=CALENDAR,
                tick=history.tick_on(bar.t_open.date()),
                as_of=bar.t_close,
                tracks=history.tracks,
                policy=policy.setups,
            )
            for setup in detect(context, rules).setups:
                yield context, setup


def label_setup(
    context: MarketContext,
    setup: Setup,
    after: Sequence[Bar],
    *,
    policy: Policy,
    market: Track | None = None,
) -> Label | str:
    """Return the label of a setup by the bars `after` it, or the word for why there is none."""
    try:
        idea = build_idea(context, setup, policy=policy.plan)
    except Refusal as refusal:
        return refusal.code.lower()
    outcome = settle(suggested_of(idea, policy), after[:_BARS_MAX])
    if outcome.state not in ENTERED:
        return outcome.state
    if not outcome.free_ended:
        return "open"
    return _finish(idea, outcome, market=market, policy=policy)


_BARS_MAX = 400
"""Bars that a trade may take: five sessions of 5 minutes are 390, ten of days 10."""


def suggested_of(idea: Idea, policy: Policy) -> Suggested:
    """Return an idea as a suggestion with its target at 1 R.

    A trigger stands at the near end of the zone, a limit at its worst end.
    """
    setup, sign = idea.setup, idea.sign
    near = setup.entry_lo if setup.side == "long" else setup.entry_hi
    entry = {"market": None, "stop": near, "limit": idea.worst}[setup.entry_kind]
    return Suggested(
        side=setup.side,
        entry_kind=setup.entry_kind,
        entry=entry,
        worst=idea.worst,
        stop=idea.stop.price,
        target=idea.worst + sign * TARGET_R * idea.stop.distance,
        entry_until=setup.expires_at,
        ends_at=time_stop(idea, idea.style, policy.plan).value,
        invalid_at=setup.invalidation.price,
    )


def _finish(idea: Idea, outcome: Settled, *, market: Track | None, policy: Policy) -> Label:
    if outcome.r is None or outcome.mfe_free_r is None or outcome.ended_at is None:
        raise RuntimeError("a closed trade has its figures")
    score = score_setup(
        idea.context,
        idea.setup,
        r=idea.stop.distance,
        levels=idea.levels,
        market=market,
        policy=policy.confluence,
    )
    day = idea.context.tracks.get("1d")
    rank = day.volatility_rank(day.count_until(idea.context.as_of)) if day else None
    scene = idea.context.scene(idea.setup.side, "1d")
    trend = scene.trend("1d") if scene else None
    return Label(
        key=key_of(idea.setup),
        symbol=idea.setup.symbol,
        trigger_ts=idea.setup.trigger_ts,
        ended_at=max(outcome.ended_at, idea.setup.trigger_ts),
        score=score.value,
        won=outcome.state == "target",
        r=rounded(outcome.r, PLACES),
        mfe_free_r=rounded(outcome.mfe_free_r, PLACES),
        free_r=rounded(outcome.free_r or outcome.r, PLACES),
        ambiguous=outcome.ambiguous,
        volatility=None if rank is None else from_float(rank, PLACES),
        trend=None if trend is None else from_float(trend, PLACES),
    )


def labels_hash(labels: Iterable[Label]) -> str:
    """Return the tagged hash (`labels/v1`) of labels, in their order."""
    return tagged_hash("labels/v1", {"labels": [_row(one) for one in labels]})


def _row(label: Label) -> Sequence[object]:
    return [
        label.key.text,
        label.symbol,
        label.trigger_ts,
        label.ended_at,
        label.score if label.score is not None else "",
        label.won,
        label.r,
        label.mfe_free_r,
        label.free_r,
    ]
