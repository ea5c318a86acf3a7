"""Owns the metrics of a session so far: volume-weighted price, volume and range of a listing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import delete

from services.kit.context import Context
from services.kit.money import rounded
from services.market.bar import Bar
from services.market.feed import BarSeries, Feed
from services.market.instrument import Instrument
from services.market.quote import Provenance
from services.market.round import market_round
from services.market.session import Session, find_last_session
from services.market.shown_bars import sound_series
from services.market.store_tables import session_metrics

MINUTES_MAX = 390
"""Minute bars of the longest session that a provider has."""


@dataclass(frozen=True, slots=True)
class SessionMetrics:
    """What the minute bars of one session say; `vwap` is None without volume.

    `vwap`, `range_pct` and `change_pct` at 6 decimals half-even, the last two as fractions of the
    open. `bars` counts the minutes that traded.
    """

    symbol: str
    instrument_id: str
    session: str
    open: Decimal
    high: Decimal
    low: Decimal
    last: Decimal
    vwap: Decimal | None
    volume: Decimal
    range_pct: Decimal
    change_pct: Decimal
    bars: int
    as_of: datetime
    provenance: Provenance
    source: str


def read_metrics(ctx: Context, instrument: Instrument) -> SessionMetrics | None:
    """Return the metrics of the newest session, from the feed's complete minute bars.

    Minutes that can not be true are left out. None before the first complete minute. Raises
    `DQ_BLOCK` and what the feed's bars raise.
    """
    feed = ctx.port(Feed)
    session = find_last_session(instrument.calendar, feed.as_of(ctx))
    if session is None:
        return None
    series = feed.bars(ctx, instrument.symbol, "1m", min(session.minutes, MINUTES_MAX))
    return build_metrics(instrument, session, sound_series(ctx, series, instrument))


def build_metrics(
    instrument: Instrument, session: Session, series: BarSeries
) -> SessionMetrics | None:
    """Return the metrics of the bars of `session` within `series`; None without a bar; pure."""
    bars = [bar for bar in series.bars if session.open <= bar.t_open < session.close]
    if not bars:
        return None
    first, high, low = bars[0].o, max(bar.h for bar in bars), min(bar.l for bar in bars)
    return SessionMetrics(
        symbol=instrument.symbol,
        instrument_id=instrument.id,
        session=session.date.isoformat(),
        open=first,
        high=high,
        low=low,
        last=bars[-1].c,
        vwap=session_vwap(bars),
        volume=sum((bar.v for bar in bars), Decimal(0)),
        range_pct=rounded((high - low) / first, 6),
        change_pct=rounded((bars[-1].c - first) / first, 6),
        bars=len(bars),
        as_of=bars[-1].t_close,
        provenance=series.provenance,
        source=series.source,
    )


def session_vwap(bars: Sequence[Bar]) -> Decimal | None:
    """Return sum(p * v) / sum(v), 6 decimals half-even; None without volume; pure.

    `p` is the bar's own `vw`, or (h + l + c) / 3 where any traded bar lacks it: one source of
    price per series (domain 1.6). Worked: 100 at 10 shares and 103 at 20 shares is 102.
    """
    traded = [bar for bar in bars if bar.v > 0]
    volume = sum((bar.v for bar in traded), Decimal(0))
    if not volume:
        return None
    given = all(bar.vw is not None for bar in traded)
    paid = sum((_price(bar, given=given) * bar.v for bar in traded), Decimal(0))
    return rounded(paid / volume, 6)


def _price(bar: Bar, *, given: bool) -> Decimal:
    if given and bar.vw is not None:
        return bar.vw
    return (bar.h + bar.l + bar.c) / 3


def keep_metrics(ctx: Context, found: SessionMetrics) -> None:
    """Store the metrics of a session in place of its earlier ones."""
    turn = market_round(ctx)
    ctx.db.lock(f"session_metrics:{ctx.principal.tenant_id}:{found.instrument_id}")
    ctx.db.change(
        delete(session_metrics).where(
            session_metrics.c.instrument_id == found.instrument_id,
            session_metrics.c.round == turn,
            session_metrics.c.session == found.session,
        )
    )
    ctx.db.insert(
        session_metrics,
        {
            "instrument_id": found.instrument_id,
            "symbol": found.symbol,
            "round": turn,
            "session": found.session,
            "vwap": found.vwap,
            "volume": rounded(found.volume, 8),
            "high": rounded(found.high, 8),
            "low": rounded(found.low, 8),
            "open": rounded(found.open, 8),
            "last": rounded(found.last, 8),
            "bars": found.bars,
            "as_of": found.as_of,
            "provenance": found.provenance,
            "source": found.source,
        },
    )
