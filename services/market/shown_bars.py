"""Owns reading bars that may be shown or computed from: those that can not be true are left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from functools import partial

from services.kit.clock import instant_text
from services.kit.context import Context
from services.kit.errors import Kind, Refusal
from services.market.bar import Bar, bar_hash
from services.market.feed import BarSeries, Feed, LeftOut
from services.market.finding import Finding, Severity
from services.market.gate import settle, splits_since
from services.market.grid import MINUTES
from services.market.instrument import Instrument
from services.market.priming import primed
from services.market.quality import LastGood, Look, QualitySnapshot, block
from services.market.quality_rule import find_scale_fault
from services.market.quality_store import INTRADAY, find_marks
from services.market.quality_window import Window, in_terms_of_now
from services.market.round import market_round, round_of
from services.market.true_bars import Sifted, sift

_NAMED_MAX = 3


def shown_bars(
    ctx: Context, symbol: str, timeframe: str, count: int, *, include_partial: bool = False
) -> BarSeries:
    """Return the feed's newest bars without those that can not be true, which `left_out` names.

    Raises `DQ_BLOCK` with the finding and the last good value when none is left, and what the
    feed's bars raise.
    """
    feed = ctx.port(Feed)
    series = feed.bars(ctx, symbol, timeframe, count, include_partial=include_partial)
    instrument = feed.instrument(ctx, symbol)
    return sound_series(ctx, series, instrument)


def shown_closes(ctx: Context, symbol: str, count: int) -> tuple[Bar, ...]:
    """Return the newest complete days that can be true, ascending; none when the newest can not.

    Raises what the feed's bars raise.
    """
    try:
        series = shown_bars(ctx, symbol, "1d", count)
    except Refusal as refusal:
        if refusal.code != "DQ_BLOCK":
            raise
        return ()
    newest = series.bars[-1].t_open if series.bars else series.as_of
    return () if any(one.t > newest for one in series.left_out) else series.bars


def sound_series(ctx: Context, series: BarSeries, instrument: Instrument) -> BarSeries:
    """Return a series as `shown_bars` does; it is given unchanged when every bar can be true."""
    if not series.bars:
        return series
    known = _reference(ctx, series, instrument)
    found = _sifted(ctx, series, instrument, known)
    if not found.bad:
        return series
    if not found.good:
        raise untrue_bars(ctx, instrument, series, found, known)
    _settle(ctx, instrument, found)
    return replace(
        series,
        bars=found.good,
        bar_hash=bar_hash(instrument.id, series.timeframe, found.good),
        left_out=_left_out(found),
    )


def advised_bars(
    ctx: Context, series: BarSeries, instrument: Instrument, before: Sequence[Bar] = ()
) -> tuple[Bar, ...]:
    """Return the bars of a series that advice may be computed from; `before` are good ones.

    What can not be true is left out, and is a finding; while it is the newest bar, nothing is
    advised at all: raises `DQ_BLOCK` with the finding, the last good value and what ends it.
    """
    known = _mark_of(ctx, instrument, series.as_of)
    found = _sifted(ctx, replace(series, bars=(*before, *series.bars)), instrument, known)
    if found.bad and found.bad[-1].bar == series.bars[-1]:
        raise untrue_bars(ctx, instrument, series, found, known)
    _settle(ctx, instrument, found)
    first = series.bars[0].t_open if series.bars else series.as_of
    return tuple(bar for bar in found.good if bar.t_open >= first)


def require_one_scale(ctx: Context, instrument: Instrument, newest: Sequence[Bar]) -> None:
    """Refuse with `DQ_BLOCK` when the newest bars of several timeframes are in different units."""
    for one in newest[1:]:
        fault = find_scale_fault(one.c, newest[0].c)
        if fault is not None:
            found = Finding(instrument.symbol, fault.code, Severity.CRIT, fault.detail)
            raise _blocked(ctx, instrument, found, None)


def left_out_words(left_out: Sequence[LeftOut]) -> str:
    """Return in one sentence which bars are missing, and why; empty when none is."""
    if not left_out:
        return ""
    count = len(left_out)
    shown = ", ".join(f"{instant_text(one.t)} ({one.code})" for one in left_out[-_NAMED_MAX:])
    more = f" and {count - _NAMED_MAX} earlier" if count > _NAMED_MAX else ""
    which = (
        "1 bar that can not be true is" if count == 1 else f"{count} bars that can not be true are"
    )
    return f"{which} left out: {shown}{more}."


def untrue_bars(
    ctx: Context, instrument: Instrument, series: BarSeries, found: Sifted, known: Window | None
) -> Refusal:
    """Return the `DQ_BLOCK` of a series: its newest finding, the last good value, what ends it."""
    worst = found.bad[-1]
    detail = f"the {series.timeframe} bar of {instant_text(worst.bar.t_open)}: {worst.fault.detail}"
    finding = Finding(instrument.symbol, worst.fault.code, Severity.CRIT, detail)
    good = None
    if found.good:
        last = found.good[-1]
        good = LastGood(last.c, last.t_close, str(series.provenance), series.source)
    elif known is not None and known.last is not None and known.last_ts is not None:
        good = LastGood(known.last, known.last_ts, known.provenance, known.source)
    _keep(ctx, instrument, (finding,))
    return _blocked(ctx, instrument, finding, good)


def _blocked(
    ctx: Context, instrument: Instrument, finding: Finding, good: LastGood | None
) -> Refusal:
    seen = Look(instrument, None, (finding,), good)
    as_of = ctx.port(Feed).as_of(ctx)
    return block(QualitySnapshot("", (instrument.symbol,), as_of, False, (finding,), (seen,)))


def _sifted(
    ctx: Context, series: BarSeries, instrument: Instrument, known: Window | None
) -> Sifted:
    """Return the series judged; again in today's units when a split explains what was found."""
    second = partial(_price_now, ctx, instrument)

    def act(window: Window | None) -> Sifted:
        return sift(
            series.bars,
            instrument=instrument,
            timeframe=series.timeframe,
            known=window,
            second=second,
        )

    found = act(known)
    if not found.bad or known is None or known.last_ts is None:
        return found
    splits = splits_since(ctx, instrument, known.last_ts, series.as_of)
    return act(in_terms_of_now(known, splits)) if splits else found


def _price_now(ctx: Context, instrument: Instrument) -> Decimal | None:
    try:
        return ctx.port(Feed).quote(ctx, instrument.id).last
    except Refusal as refusal:
        if refusal.kind is Kind.INTERNAL:
            raise
        return None


def _reference(ctx: Context, series: BarSeries, instrument: Instrument) -> Window | None:
    """Return the last price that the gate believed; minutes are held against a day's close."""
    if series.timeframe not in MINUTES:
        return _mark_of(ctx, instrument, series.as_of)
    window = primed(ctx, (instrument,), series.as_of)[instrument.id].window
    return window if window.last_ts is not None and window.last_ts <= series.as_of else None


def _mark_of(ctx: Context, instrument: Instrument, as_of: datetime) -> Window | None:
    mark = find_marks(ctx, (instrument.id,)).get((instrument.id, INTRADAY))
    if mark is None or round_of(mark.session) != market_round(ctx):
        return None
    known = mark.window.last_ts
    return mark.window if known is not None and known <= as_of else None


def last_known_price(ctx: Context, instrument: Instrument) -> Decimal | None:
    """Return the last price on record that the gate believed; asks nobody."""
    known = _mark_of(ctx, instrument, ctx.port(Feed).as_of(ctx))
    return None if known is None else known.last


def _left_out(found: Sifted) -> tuple[LeftOut, ...]:
    rows = sorted(found.bad, key=lambda one: one.bar.t_open)
    return tuple(LeftOut(one.bar.t_open, one.fault.code, one.fault.detail) for one in rows)


def _settle(ctx: Context, instrument: Instrument, found: Sifted) -> None:
    """Keep what was left out as findings, after a unit that writes."""
    named = {
        one.fault.code: Finding(
            instrument.symbol,
            one.fault.code,
            Severity.WARN,
            f"the bar of {instant_text(one.bar.t_open)} is left out: {one.fault.detail}",
        )
        for one in found.bad
    }
    _keep(ctx, instrument, tuple(named.values()))


def _keep(ctx: Context, instrument: Instrument, findings: Sequence[Finding]) -> None:
    if findings:
        ctx.afterwards.append(partial(settle, instrument=instrument, findings=findings))
