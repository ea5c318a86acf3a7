"""Owns priming: the reference window of a listing, made once per session from daily history."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from services.kit.context import Context
from services.kit.errors import Refusal
from services.market import store
from services.market.as_of import market_now
from services.market.bar import Bar
from services.market.feed import Feed
from services.market.instrument import Instrument
from services.market.quality_store import DAY, INTRADAY, Mark, find_marks, save_mark
from services.market.quality_window import SESSIONS, Window, session_of, sigma_of, usual_volume
from services.market.round import round_of, session_key
from services.market.true_bars import sift

_MONTHS = timedelta(days=60)


def primed(ctx: Context, instruments: Iterable[Instrument], as_of: datetime) -> dict[str, Mark]:
    """Return the marks of the moment of `instruments`, each primed once per session.

    Priming asks the feed for the daily bars of the last 20 sessions, and the store when the feed
    has none; in a writing unit of work the mark is kept. Daily bars are read as of now: splits on
    record are in them.
    """
    wanted = {one.id: one for one in instruments}
    found = find_marks(ctx, wanted)
    marks: dict[str, Mark] = {}
    for listing, instrument in wanted.items():
        session = session_of(instrument.calendar, as_of)
        key = session_key(ctx, session.date if session else as_of.date())
        mark = found.get((listing, INTRADAY))
        if mark is None or mark.session != key:
            mark = _prime(ctx, instrument, mark, key)
            if ctx.db.writing:
                save_mark(ctx, mark)
                mark = replace(mark, known=True)
        marks[listing] = mark
    return marks


def _prime(ctx: Context, instrument: Instrument, before: Mark | None, key: str) -> Mark:
    same = before is not None and round_of(before.session) == round_of(key)
    window = before.window if before is not None and same else Window()
    usual = _usual(ctx, instrument)
    window = replace(window, sigma=usual.sigma, volume=usual.volume)
    behind = window.last_ts is None or (
        usual.last_ts is not None and usual.last_ts > window.last_ts
    )
    if usual.last is not None and behind:
        window = replace(
            window,
            last=usual.last,
            last_ts=usual.last_ts,
            provenance=usual.provenance,
            source=usual.source,
        )
    return Mark(instrument.id, INTRADAY, key, window, known=before is not None)


def _usual(ctx: Context, instrument: Instrument) -> Window:
    try:
        series = ctx.port(Feed).bars(ctx, instrument.symbol, "1d", SESSIONS + 1)
    except Refusal:
        series = None
    bars = _days(instrument, series.bars) if series else []
    if series is None or not bars:
        return _stored(ctx, instrument)
    return Window(
        last=bars[-1].c,
        last_ts=bars[-1].t_close,
        sigma=sigma_of([bar.c for bar in bars]),
        volume=usual_volume(bars),
        provenance=str(series.provenance),
        source=series.source,
    )


def day_before(ctx: Context, instrument: Instrument, ts: datetime) -> Window:
    """Return what a daily bar that closes at `ts` is held against where no day is stored.

    That is the newest earlier day of the feed's history that can be true, else the last good price
    on record, as if it were of the day before; empty without either.
    """
    try:
        series = ctx.port(Feed).bars(ctx, instrument.symbol, "1d", SESSIONS + 1)
    except Refusal:
        series = None
    days = _days(instrument, series.bars) if series else []
    before = [bar for bar in days if bar.t_close < ts]
    if before:
        return Window(last=before[-1].c, last_ts=before[-1].t_close)
    mark = find_marks(ctx, (instrument.id,)).get((instrument.id, INTRADAY))
    if mark is None or mark.window.last is None or mark.window.last_ts is None:
        return Window()
    known = min(mark.window.last_ts, ts - timedelta(days=1))
    return Window(last=mark.window.last, last_ts=known)


def _days(instrument: Instrument, bars: Sequence[Bar]) -> list[Bar]:
    """Return the days that can be true; a jump among them may be, and stays."""
    bad = sift(bars, instrument=instrument, timeframe="1d").bad
    untrue = [one.bar for one in bad if one.fault.code != "DQ_JUMP"]
    return [bar for bar in bars if bar not in untrue]


def _stored(ctx: Context, instrument: Instrument) -> Window:
    now = market_now(ctx)
    points = store.price_window(ctx, instrument.id, now - _MONTHS, now, DAY)
    if not points:
        return Window()
    newest = points[-1]
    return Window(
        last=newest.price,
        last_ts=newest.ts,
        sigma=sigma_of([point.price for point in points]),
        provenance=str(newest.provenance),
        source=newest.source,
    )
