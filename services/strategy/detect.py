"""Owns detection: every detector on both sides of a market, in real prices, without conflicts."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import lru_cache

from services.kit.money import from_float
from services.market.grid import MINUTES
from services.market.session import Session, find_last_session, market_state, next_session
from services.strategy.scene import MarketContext, Scene
from services.strategy.setup import Found, Invalidation, Lapse, Setup
from services.strategy.setups import (
    ema_pullback,
    ma_cross,
    orb,
    range_breakout,
    volume_spike,
    vwap_deviation,
    vwap_reclaim,
    weekly_breakout,
)
from services.strategy.view import Side

PLACES = 6
_MOMENTS = 4096
"""Bars' moments whose session is kept: the symbols of a scan share them."""
SIDES: tuple[Side, ...] = ("long", "short")


@dataclass(frozen=True, slots=True)
class Detector:
    """One rule and the timeframes it runs on."""

    id: str
    timeframes: tuple[str, ...]
    rule: Callable[[Scene, Session], Found | None]


DETECTORS = (
    Detector("orb", ("5m",), orb.detect),
    Detector("vwap_reclaim", ("5m",), vwap_reclaim.detect),
    Detector("ema_pullback", ("15m", "1d"), ema_pullback.detect),
    Detector("range_breakout", ("60m", "1d"), range_breakout.detect),
    Detector("ma_cross", ("15m", "1d"), ma_cross.detect),
    Detector("vwap_deviation", ("5m",), vwap_deviation.detect),
    Detector("volume_spike", ("5m",), volume_spike.detect),
    Detector("weekly_breakout", ("1w",), weekly_breakout.detect),
)


@dataclass(frozen=True, slots=True)
class Detection:
    """The setups of one moment by id, timeframe and side; conflicts are dropped and flagged."""

    setups: tuple[Setup, ...]
    flags: tuple[str, ...] = ()


_NOTHING = Detection(())


def detect(context: MarketContext, detectors: Iterable[Detector] = DETECTORS) -> Detection:
    """Return every setup whose bar is the newest complete one of its timeframe at `as_of`.

    Only bars that had closed by then are read. Setups of opposite sides on one timeframe's bar are
    both dropped, with `CONFLICTING_SETUPS`.
    """
    rules = tuple(detectors)
    wanted = {name: None for one in rules for name in one.timeframes}
    scenes = {side: context.scenes(side, wanted) for side in SIDES}
    sessions = {
        name: _session_of(context.calendar, scene) for name, scene in scenes[SIDES[0]].items()
    }
    found = [
        setup
        for detector in rules
        for timeframe in detector.timeframes
        if (session := sessions.get(timeframe)) is not None
        for side in SIDES
        if (setup := _run(detector, scenes[side][timeframe], session)) is not None
    ]
    if not found:
        return _NOTHING
    sides: dict[tuple[str, datetime], set[str]] = {}
    for one in found:
        sides.setdefault((one.timeframe, one.trigger_ts), set()).add(one.side)
    kept = [one for one in found if len(sides[(one.timeframe, one.trigger_ts)]) == 1]
    kept.sort(key=lambda one: (one.setup_id, one.timeframe, one.side))
    torn = len(kept) < len(found)
    return Detection(tuple(kept), ("CONFLICTING_SETUPS",) if torn else ())


def _run(detector: Detector, scene: Scene, session: Session) -> Setup | None:
    found = detector.rule(scene, session)
    if found is None:
        return None
    setup = _real(detector.id, scene, found, session)
    return setup if setup.expires_at > scene.context.as_of else None


def _session_of(calendar: str, scene: Scene) -> Session | None:
    """Return the session that the newest bar lies in, of a longer one the last it covers."""
    bar = scene.bars.bar()
    if scene.bars.timeframe in MINUTES:
        return _session_at(calendar, bar.t_open)
    return _last_session(calendar, bar.t_close)


@lru_cache(maxsize=_MOMENTS)
def _session_at(calendar: str, moment: datetime) -> Session | None:
    return market_state(calendar, moment).session


_last_session = lru_cache(maxsize=_MOMENTS)(find_last_session)


def _real(setup_id: str, scene: Scene, found: Found, session: Session) -> Setup:
    """Return a find of a view as a setup in real prices: of a short the zone turns over."""
    context, bars = scene.context, scene.bars
    long = scene.side == "long"
    low, high = (found.lo, found.hi) if long else (found.hi, found.lo)
    return Setup(
        setup_id=setup_id,
        version=context.policy.version,
        instrument_id=context.instrument_id,
        symbol=context.symbol,
        side=scene.side,
        timeframe=bars.timeframe,
        trigger_ts=bars.closed_at(),
        trigger_price=bars.bar().c,
        entry_kind=found.entry_kind,
        entry_lo=_price(scene, low),
        entry_hi=_price(scene, high),
        structure=_price(scene, found.structure),
        invalidation=Invalidation(
            rule="close_below" if long else "close_above",
            timeframe=bars.timeframe,
            price=_price(scene, found.gives_up),
            why=found.why,
        ),
        expires_at=_expiry(
            context.calendar, bars.timeframe, session, found.lapse, bars.closed_at()
        ),
        target=None if found.target is None else _price(scene, found.target),
        features={
            name: from_float(value, PLACES) for name, value in sorted(found.features.items())
        },
    )


def _price(scene: Scene, value: float) -> Decimal:
    return from_float(scene.bars.price(value), PLACES)


def _expiry(
    calendar: str, timeframe: str, session: Session, lapse: Lapse, closed_at: datetime
) -> datetime:
    """Return when a setup lapses; bars are trading time, so they go on in the next session."""
    match lapse.unit:
        case "minutes":
            return session.open + timedelta(minutes=lapse.count)
        case "session":
            return session.close
        case "sessions":
            return _sessions_later(calendar, session, lapse.count)
        case "bars":
            step = MINUTES.get(timeframe)
            if step is None:
                return _sessions_later(calendar, session, lapse.count)
            return _minutes_later(calendar, session, closed_at, lapse.count * step)


def _sessions_later(calendar: str, session: Session, count: int) -> datetime:
    for _ in range(count):
        session = next_session(calendar, session.close)
    return session.close


def _minutes_later(calendar: str, session: Session, start: datetime, minutes: int) -> datetime:
    left = timedelta(minutes=minutes)
    while start + left > session.close:
        left -= session.close - start
        session = next_session(calendar, session.close)
        start = session.open
    return start + left


def strongest(setups: Iterable[Setup], score: Callable[[Setup], Decimal | None]) -> list[Setup]:
    """Return one setup per side, the one with the highest score; the others support it.

    Ties go to the first id in code point order; a setup without a score comes last.
    """

    def rank(one: Setup) -> tuple[Decimal, str, str]:
        scored = score(one)
        return (-scored if scored is not None else Decimal(1), one.setup_id, one.timeframe)

    best: dict[Side, Setup] = {}
    for one in sorted(setups, key=rank):
        first = best.get(one.side)
        if first is None:
            best[one.side] = one
        else:
            name = f"{one.setup_id} {one.timeframe}"
            best[one.side] = replace(first, supporting=tuple(sorted({*first.supporting, name})))
    return [best[side] for side in SIDES if side in best]
