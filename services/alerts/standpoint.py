"""Owns reading the market for an alert: last price, ATR, the session so far, usual volumes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from functools import partial
from itertools import groupby

from services.alerts.alert import AT_VWAP, AlertKind, Timeframe
from services.alerts.measure import SLOT, Means, Memory, measure, usual_volumes
from services.alerts.terms import Standpoint
from services.kit.context import Context
from services.kit.errors import Kind, Refusal
from services.kit.money import from_float, rounded
from services.market.bar import Bar
from services.market.feed import Feed
from services.market.indicator import atr
from services.market.instrument import Instrument, require_listing
from services.market.quality import require_green
from services.market.round import market_round
from services.market.session import Session, find_last_session
from services.market.shown_bars import shown_bars

ATR_BARS, ATR_N = 60, 14
HISTORY_SESSIONS = 20
_SLOTS_A_DAY = 78
SESSION_BARS_MAX = 400


def stand(ctx: Context, symbol: str, *, kind: AlertKind | None, timeframe: Timeframe) -> Standpoint:
    """Return the market as an alert on `symbol` finds it; the price stands on green data.

    Raises `SYMBOL_UNKNOWN` with the nearest names, `DQ_BLOCK`, `QUOTE_UNUSABLE` and what the feed
    raises.
    """
    feed = ctx.port(Feed)
    instrument = feed.instrument(ctx, require_listing(symbol))
    require_green(ctx, [instrument.symbol])
    last = feed.quote(ctx, instrument.symbol).last
    memory, measured = _so_far(ctx, instrument, kind)
    by_price = kind is not AlertKind.VWAP_CROSS and kind is not AlertKind.RVOL_ABOVE
    if kind is AlertKind.VWAP_CROSS and measured is not None:
        measured = rounded(AT_VWAP * last / measured, 6)
    return Standpoint(
        instrument=instrument,
        as_of=feed.as_of(ctx),
        last=last,
        measured=last if by_price else measured,
        atr=_atr(ctx, instrument.symbol, "1m" if timeframe == "minute" else "1d"),
        memory=memory,
        round=market_round(ctx),
    )


def means_for(ctx: Context, symbol: str, calendar: str) -> Means:
    """Return how to find the usual volumes of a symbol: the 20 sessions before the one asked for.

    Half days are left out. Without bars there is no history.
    """

    def means(session: Session) -> Sequence[Decimal]:
        count = (HISTORY_SESSIONS + 2) * _SLOTS_A_DAY
        try:
            bars = shown_bars(ctx, symbol, "5m", count).bars
        except Refusal as refusal:
            if refusal.kind not in (Kind.DATA, Kind.STATE, Kind.LIMITED, Kind.INPUT):
                raise
            return ()
        day_of = partial(_session_of, calendar=calendar)
        days = [list(day) for _, day in groupby(_before(bars, session), key=day_of)]
        slots = (session.close - session.open) // SLOT
        whole = [day for day in days if not _is_half(calendar, day[0])]
        return usual_volumes(whole[-HISTORY_SESSIONS:], slots=slots)

    return means


def _before(bars: Sequence[Bar], session: Session) -> list[Bar]:
    return [bar for bar in bars if bar.t_open < session.open and bar.session == "rth"]


def _session_of(bar: Bar, calendar: str) -> date:
    found = find_last_session(calendar, bar.t_open)
    return found.date if found else bar.t_open.date()


def _is_half(calendar: str, bar: Bar) -> bool:
    found = find_last_session(calendar, bar.t_open)
    return found is not None and found.half_day


def _so_far(
    ctx: Context, instrument: Instrument, kind: AlertKind | None
) -> tuple[Memory, Decimal | None]:
    """Return the memory of the session's complete bars, and the VWAP or relative volume now."""
    if kind is not AlertKind.VWAP_CROSS and kind is not AlertKind.RVOL_ABOVE:
        return {}, None
    feed, calendar = ctx.port(Feed), instrument.calendar
    session = find_last_session(calendar, feed.as_of(ctx))
    bars = shown_bars(ctx, instrument.symbol, "1m", SESSION_BARS_MAX).bars
    memory: Memory = {}
    measured: Decimal | None = None
    means = means_for(ctx, instrument.symbol, calendar)
    for bar in bars:
        if session is None or bar.t_open < session.open:
            continue
        found = measure(kind, bar, memory, calendar=calendar, means=means)
        memory = found.memory
        if kind is AlertKind.RVOL_ABOVE and found.bar is not None:
            measured = found.bar.c
    if kind is AlertKind.VWAP_CROSS and Decimal(memory.get("volume", "0")):
        measured = Decimal(memory["paid"]) / (3 * Decimal(memory["volume"]))
    return memory, measured


def _atr(ctx: Context, symbol: str, timeframe: str) -> Decimal | None:
    """Return ATR14 of the newest bars; None while there are too few, or no range."""
    try:
        bars = shown_bars(ctx, symbol, timeframe, ATR_BARS).bars
        found = atr(
            [float(bar.h) for bar in bars],
            [float(bar.l) for bar in bars],
            [float(bar.c) for bar in bars],
            ATR_N,
        )
    except Refusal as refusal:
        if refusal.code not in ("INSUFFICIENT_BARS", "PARAM_INVALID"):
            raise
        return None
    return None if found.last is None else from_float(found.last)
