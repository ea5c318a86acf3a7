"""Owns running the product's own detectors and plans over history, as if it were live."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from services.kit.errors import Refusal
from services.kit.money import from_float, rounded
from services.kit.policy import Policy
from services.market.bar import Bar, resample
from services.market.grid import TIMEFRAMES
from services.research.bracket import Terms, Walk, excursions, walk
from services.research.config import BacktestConfig
from services.research.known_then import NOTHING_KNOWN, KnownThen
from services.research.ladder import Ladder, LadderOrder, climb
from services.research.outcome import PLACES, WHOLE, Leave, Outcome
from services.research.series import Frame
from services.research.trip import Minutes
from services.strategy.detect import DETECTORS, Detector, detect
from services.strategy.record import key_of
from services.strategy.scene import MarketContext
from services.strategy.score import score_setup
from services.strategy.setup import Setup
from services.strategy.track import Track
from services.trade.compose import Worked, work_out
from services.trade.idea import build_idea
from services.trade.management import management_rules
from services.trade.plan_inputs import ListingFacts, PlanInputs, QuoteFacts

GAP_R = Decimal("0.5")
"""An entry further than this beyond the worst price of the zone is missed."""
WEEK_MIN = 2
UNCALIBRATED = "uncalibrated"
"""What is said in place of a chance when no record and no curve spoke yet."""
FoundSetups = dict[tuple[str, int], list[tuple[MarketContext, Setup]]]


@dataclass(slots=True)
class SetupRun:
    """One symbol's run over one frame: its tracks up to the frame's end, and its columns.

    `known` are the records and curves with the times they spoke; `found` keeps what was detected
    by symbol and first bar of the frame, so that another run over the same bars detects nothing.
    """

    frame: Frame
    config: BacktestConfig
    policy: Policy
    left_out: Counter[str]
    inside: Minutes
    known: KnownThen = NOTHING_KNOWN
    found: FoundSetups = field(default_factory=dict)

    def outcomes(self, free: int) -> Iterator[Outcome]:
        """Yield the trades in the order of their setups; one at a time, from bar `free` on."""
        bars = self.frame.series.bars
        for context, setup in self.setups():
            first = bisect_left(bars, setup.trigger_ts, key=lambda bar: bar.t_open)
            if first - 1 < free or first - 1 < self.frame.first or first >= len(bars):
                continue
            made = self._traded(context, setup, first)
            if isinstance(made, str):
                self.left_out[made] += 1
                continue
            yield made
            free = made.leaves[-1].bar if made.leaves else len(bars)

    def setups(self) -> list[tuple[MarketContext, Setup]]:
        """Return every setup of every timeframe by its trigger, each found once."""
        of = (self.frame.series.symbol, self.frame.first)
        if of not in self.found:
            self.found[of] = self._detected()
        return self.found[of]

    def _detected(self) -> list[tuple[MarketContext, Setup]]:
        found: dict[str, tuple[MarketContext, Setup]] = {}
        tracks = self._tracks()
        for timeframe, track in tracks.items():
            rules = _rules(self.config, timeframe)
            for bar in track.bars if rules else ():
                context = self._context(bar, tracks)
                for setup in detect(context, rules).setups:
                    found.setdefault(setup.key, (context, setup))
        return sorted(
            found.values(), key=lambda one: (one[1].trigger_ts, one[1].setup_id, one[1].side)
        )

    def _context(self, bar: Bar, tracks: Mapping[str, Track]) -> MarketContext:
        symbol = self.frame.series.symbol
        listing = self.config.listing(symbol)
        return MarketContext(
            instrument_id=symbol,
            symbol=symbol,
            calendar=listing.calendar,
            tick=listing.tick,
            as_of=bar.t_close,
            tracks=tracks,
            policy=self.policy.setups,
        )

    def _tracks(self) -> dict[str, Track]:
        """Return the tracks of the timeframe and every one that can be built from it."""
        base, calendar = self.config.timeframe, self.config.listing(self.frame.series.symbol)
        bars = list(self.frame.series.bars[: self.frame.end])
        tracks = {base: Track(base, calendar.calendar, bars)}
        for timeframe in ("5m", "15m", "60m", "1d", "1w"):
            if TIMEFRAMES.index(timeframe) > TIMEFRAMES.index(base) and len(bars) >= WEEK_MIN:
                built = resample(bars, calendar=calendar.calendar, from_tf=base, to_tf=timeframe)
                tracks[timeframe] = Track(timeframe, calendar.calendar, built)
        return tracks

    def _traded(self, context: MarketContext, setup: Setup, first: int) -> Outcome | str:
        """Return the trade of a setup, or the code of why there is none."""
        try:
            worked = _worked(context, setup, self.policy, self.known)
        except Refusal as refusal:
            return refusal.code
        setup, bars = worked.idea.setup, self.frame.series.bars
        live = bisect_left(bars, setup.expires_at, key=lambda bar: bar.t_open) - first
        if live < 1:
            return "EXPIRED"
        order = _order(worked, live, self._last_bar(worked))
        ladder = climb(order, self.frame.series.columns, first, inside=self.inside)
        refused = self._no_trade(worked, ladder, range(first, first + live))
        if refused:
            return refused
        return self._outcome(worked, order, ladder, first)

    def _last_bar(self, worked: Worked) -> int | None:
        bars, ends = self.frame.series.bars, worked.ends.value
        at = bisect_left(bars, ends, key=lambda bar: bar.t_close)
        return at if at < len(bars) else None

    def _no_trade(self, worked: Worked, ladder: Ladder, waited: range) -> str:
        bars, idea = self.frame.series.bars, worked.idea
        found = ladder.walk
        before = waited if found.status == "unfilled" else range(waited.start, found.entry_bar)
        limit = idea.setup.invalidation.price
        if any(idea.sign * (bars[at].c - limit) < 0 for at in before if at < len(bars)):
            return "INVALIDATED"
        if found.status == "unfilled":
            return "UNFILLED"
        if found.status == "rejected":
            return "ENTRY_THROUGH_STOP"
        late = idea.sign * (self._entry(worked, found) - idea.worst)
        return "ENTRY_MISSED" if late > GAP_R * idea.stop.distance else ""

    def _entry(self, worked: Worked, found: Walk) -> Decimal:
        opens = self.frame.series.bars[found.entry_bar].o
        wanted = _wanted(worked)
        return opens if wanted is None or float(opens) == found.entry else wanted

    def _outcome(self, worked: Worked, order: LadderOrder, ladder: Ladder, first: int) -> Outcome:
        idea, found = worked.idea, ladder.walk
        setup, bars = idea.setup, self.frame.series.bars
        entry = self._entry(worked, found)
        leaves = () if ladder.open else self._leaves(worked, ladder)
        best = worst = free = torn = None
        if leaves:
            best, worst = self._moves(ladder, entry, idea.stop.price)
            free = self._free_r(order, ladder, entry)
            torn = _at_target_r(worked, ladder, leaves, entry) if ladder.ambiguous else None
        score = score_setup(
            idea.context,
            setup,
            r=idea.stop.distance,
            levels=idea.levels,
            policy=self.policy.confluence,
        )
        return Outcome(
            symbol=self.frame.series.symbol,
            setup_id=setup.setup_id,
            version=setup.version,
            sign=idea.sign,
            trigger_ts=setup.trigger_ts,
            trigger_bar=first - 1,
            entry_bar=found.entry_bar,
            entry_ts=bars[found.entry_bar].t_open,
            entry=entry,
            entry_limit=setup.entry_kind == "limit",
            stop=idea.stop.price,
            targets=tuple(one.price for one in worked.targets),
            leaves=leaves,
            ambiguous=ladder.ambiguous,
            drilled=ladder.drilled,
            mfe_r=best,
            mae_r=worst,
            mfe_free_r=free,
            at_target_r=torn,
            score=score.value,
            features=setup.features,
            **_stated(worked),
        )

    def _leaves(self, worked: Worked, ladder: Ladder) -> tuple[Leave, ...]:
        """Return the exits in exact prices: the targets' and stops' own, opens and closes."""
        bars, left, leaves = self.frame.series.bars, Decimal(1), []
        stops = _stops(worked)
        for number, step in enumerate(ladder.steps):
            share = left if step.leg < 0 else min(worked.fractions[step.leg], left)
            left -= share
            bar = bars[step.bar]
            match step.reason:
                case "target":
                    price = worked.targets[step.leg].price
                case "stop":
                    price = stops.get(number, worked.idea.stop.price)
                case "time":
                    price = bar.c
                case _:
                    price = bar.o
            gap = step.reason.endswith("_gap")
            factor = self.frame.factor_at(step.bar) if self.frame.factors else WHOLE
            leaves.append(
                Leave(
                    step.bar,
                    bar.t_open if gap and step.bar > ladder.walk.entry_bar else bar.t_close,
                    price,
                    share,
                    step.reason,
                    step.reason.startswith("target"),
                    factor,
                )
            )
        return tuple(leaves)

    def _moves(self, ladder: Ladder, entry: Decimal, stop: Decimal) -> tuple[Decimal, Decimal]:
        last, columns = ladder.steps[-1], self.frame.series.columns
        whole = ladder.walk._replace(exit=last.price, exit_bar=last.bar, reason=last.reason)
        best, worst = excursions(columns, whole, up=entry > stop)
        risk = abs(float(entry - stop))
        return from_float(best / risk, PLACES), from_float(worst / risk, PLACES)

    def _free_r(self, order: LadderOrder, ladder: Ladder, entry: Decimal) -> Decimal | None:
        """Return the best move with the stop and the time stop alone; None before it ended."""
        columns, found = self.frame.series.columns, ladder.walk
        if order.last_bar is None:
            return None
        held = max(order.last_bar - found.entry_bar + 1, 1)
        terms = order.terms._replace(target=None, time_stop_bars=held)
        free = walk(terms, columns, found.entry_bar)
        if free.status != "closed":
            return None
        best, _ = excursions(columns, free, up=terms.up)
        return from_float(best / abs(float(entry) - terms.stop), PLACES)


def _rules(config: BacktestConfig, timeframe: str) -> tuple[Detector, ...]:
    wanted = config.setup.ids
    return tuple(
        Detector(one.id, (timeframe,), one.rule)
        for one in DETECTORS
        if timeframe in one.timeframes and (not wanted or one.id in wanted)
    )


def _worked(context: MarketContext, setup: Setup, policy: Policy, known: KnownThen) -> Worked:
    """Return the numbers of the plan as it would have been made at the trigger.

    Record and curve are those that spoke then, none in most of the past: one that was made of
    later bars would tell the future.
    """
    key = key_of(setup)
    idea = build_idea(context, setup, policy=policy.plan)
    score = score_setup(
        idea.context, setup, r=idea.stop.distance, levels=idea.levels, policy=policy.confluence
    )
    return work_out(
        PlanInputs(
            idea=idea,
            score=score,
            style=idea.style,
            listing=ListingFacts(
                id=setup.instrument_id,
                symbol=setup.symbol,
                asset_class="equity",
                currency="USD",
                calendar=context.calendar,
            ),
            quote=QuoteFacts(bid=None, ask=None, last=setup.trigger_price, ts=setup.trigger_ts),
            policy=policy,
            as_of=setup.trigger_ts,
            record=known.record(key, setup.trigger_ts),
            calibrator=known.calibrator(key, setup.trigger_ts),
        )
    )


def _stated(worked: Worked) -> dict[str, Any]:
    """Return the chance of target 1 as it was stated: `uncalibrated` without record and curve."""
    sure, inputs = worked.confidence, worked.inputs
    measured = sure is not None and (inputs.record is not None or sure.tier != "prior")
    if sure is None or not measured:
        return {"confidence": None, "confidence_tier": UNCALIBRATED}
    return {"confidence": sure.value, "confidence_tier": sure.tier}


def _wanted(worked: Worked) -> Decimal | None:
    """Return the order's price: a trigger at the near end of the zone, a limit at its worst."""
    setup = worked.idea.setup
    match setup.entry_kind:
        case "market":
            return None
        case "limit":
            return worked.idea.worst
        case "stop":
            return setup.entry_lo if setup.side == "long" else setup.entry_hi


def _stops(worked: Worked) -> dict[int, Decimal]:
    """Return the stop after so many filled targets, from the plan's management rules."""
    rules = management_rules(
        worked.idea,
        worked.targets,
        cost=worked.cost,
        runner=worked.runner,
        give_back=worked.inputs.record.give_back if worked.inputs.record else None,
        policy=worked.inputs.policy.plan,
    )
    stops: dict[int, Decimal] = {}
    for rule in rules:
        when, price = str(rule["when"]), rule.get("price")
        if when.startswith("tp") and isinstance(price, Decimal):
            stops[int(when[2])] = price
    return dict(sorted({**stops, 3: stops[2]}.items())) if 2 in stops else stops


def _order(worked: Worked, live: int, last_bar: int | None) -> LadderOrder:
    setup, wanted = worked.idea.setup, _wanted(worked)
    terms = Terms(
        setup.side == "long",
        setup.entry_kind,
        None if wanted is None else float(wanted),
        float(worked.idea.stop.price),
        None,
        None,
        live,
    )
    return LadderOrder(
        terms=terms,
        targets=[float(one.price) for one in worked.targets],
        stops={count: float(price) for count, price in _stops(worked).items()},
        last_bar=last_bar,
    )


def _at_target_r(
    worked: Worked, ladder: Ladder, leaves: tuple[Leave, ...], entry: Decimal
) -> Decimal:
    """Return R before costs had the target come first where the order was unknown."""
    sign, risk = worked.idea.sign, abs(entry - worked.idea.stop.price)
    total = sum((one.share * (one.price - entry) for one in leaves[: ladder.torn_leg]), Decimal(0))
    rest = 1 - sum((one.share for one in leaves[: ladder.torn_leg]), Decimal(0))
    target = worked.targets[min(ladder.torn_leg, len(worked.targets) - 1)].price
    return rounded(sign * (total + rest * (target - entry)) / risk, PLACES)
