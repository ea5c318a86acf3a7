"""Owns the stored bars: written once, corrected by versions, read as of a market time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, select
from sqlalchemy.engine import Row

from services.kit.context import Context
from services.kit.errors import check
from services.kit.money import rounded
from services.market.as_of import market_now, readable_until
from services.market.bar import Bar
from services.market.feed import COUNT_MAX
from services.market.instrument import Instrument
from services.market.quote import Provenance
from services.market.round import market_round
from services.market.store_tables import bars as bar_rows

_SERIES = (
    bar_rows.c.instrument_id == bindparam("listing"),
    bar_rows.c.timeframe == bindparam("tf"),
    bar_rows.c.round == bindparam("turn"),
    bar_rows.c.t_open >= bindparam("first"),
    bar_rows.c.t_open <= bindparam("last"),
)
_VERSIONS = select(bar_rows).where(*_SERIES).order_by(bar_rows.c.t_open, bar_rows.c.version)
_KNOWN = (
    select(bar_rows)
    .where(
        *_SERIES,
        bar_rows.c.t_close <= bindparam("known_by"),
        bar_rows.c.known_at <= bindparam("known_by"),
    )
    .order_by(bar_rows.c.t_open.desc(), bar_rows.c.version.desc())
)
_LAST = (
    select(bar_rows.c.t_open)
    .where(*_SERIES[:3], bar_rows.c.t_close <= bindparam("known_by"))
    .order_by(bar_rows.c.t_open.desc())
    .limit(1)
)


def upsert_bars(
    ctx: Context,
    instrument: Instrument,
    timeframe: str,
    bars: Sequence[Bar],
    *,
    provenance: Provenance,
    source: str,
    known_at: datetime | None = None,
) -> int:
    """Store the complete bars among `bars`; return how many were new or changed.

    A bar that is stored with other numbers gets a further version (a late trade, or a split that
    the vendor applied to its history). Prices and volumes are kept at 8 decimals, half-even.
    """
    now = known_at or market_now(ctx)
    ctx.db.lock(f"bars:{ctx.principal.tenant_id}:{instrument.id}")
    newest = _newest(ctx, instrument.id, timeframe, bars)
    key = {
        "instrument_id": instrument.id,
        "timeframe": timeframe,
        "round": market_round(ctx),
        "provenance": provenance,
        "source": source,
    }
    made = [key | _build_row(bar, newest.get(bar.t_open), now) for bar in _changed(bars, newest)]
    if made:
        ctx.db.insert(bar_rows, *made)
    return len(made)


def new_bars(ctx: Context, instrument_id: str, timeframe: str, bars: Sequence[Bar]) -> list[Bar]:
    """Return the complete bars among `bars` that are not stored yet with these numbers."""
    return _changed(bars, _newest(ctx, instrument_id, timeframe, bars))


def _newest(
    ctx: Context, instrument_id: str, timeframe: str, bars: Sequence[Bar]
) -> dict[datetime, Row[Any]]:
    if not bars:
        return {}
    rows = ctx.db.rows(
        _VERSIONS,
        listing=instrument_id,
        tf=timeframe,
        turn=market_round(ctx),
        first=min(bar.t_open for bar in bars),
        last=max(bar.t_open for bar in bars),
    )
    return {row.t_open: row for row in rows}


def _changed(bars: Sequence[Bar], newest: Mapping[datetime, Row[Any]]) -> list[Bar]:
    return [bar for bar in bars if bar.complete and not _equals(bar, newest.get(bar.t_open))]


def _equals(bar: Bar, known: Row[Any] | None) -> bool:
    if known is None:
        return False
    return all(value == getattr(known, name) for name, value in _values(bar).items())


def _values(bar: Bar) -> dict[str, Any]:
    values: dict[str, Any] = {
        name: rounded(getattr(bar, name), 8) for name in ("o", "h", "l", "c", "v")
    }
    vw = None if bar.vw is None else rounded(bar.vw, 8)
    return values | {"vw": vw, "n": bar.n, "adj": bar.adj}


def _build_row(bar: Bar, known: Row[Any] | None, now: datetime) -> dict[str, Any]:
    known_at = max(bar.t_close, now)
    return _values(bar) | {
        "t_open": bar.t_open,
        "t_close": bar.t_close,
        "version": 1 if known is None else known.version + 1,
        "known_at": known_at if known is None else max(known_at, known.known_at),
    }


def stored_bars(
    ctx: Context,
    instrument_id: str,
    timeframe: str,
    first: datetime,
    last: datetime,
    *,
    at: datetime | None = None,
    count: int = COUNT_MAX,
) -> list[Bar]:
    """Return the newest `count` (1 to 5000) bars with `first <= t_open <= last`, ascending.

    Each in the version known by `at`, which never reaches beyond the market's now; a bar is known
    from its close on.
    """
    check(1 <= count <= COUNT_MAX, "the count of bars is bounded", count=count)
    rows = ctx.db.rows(
        _KNOWN,
        listing=instrument_id,
        tf=timeframe,
        turn=market_round(ctx),
        first=first,
        last=last,
        known_by=readable_until(ctx, at),
    )
    newest: dict[datetime, Bar] = {}
    for row in rows:
        if len(newest) == count and row.t_open not in newest:
            break
        newest.setdefault(row.t_open, _bar(row))
    return [newest[t_open] for t_open in sorted(newest)]


def last_bar_at(ctx: Context, instrument_id: str, timeframe: str) -> datetime | None:
    """Return the start of the newest stored bar; None without one."""
    found: datetime | None = ctx.db.scalar(
        _LAST, listing=instrument_id, tf=timeframe, turn=market_round(ctx), known_by=market_now(ctx)
    )
    return found


def _bar(row: Row[Any]) -> Bar:
    return Bar(
        t_open=row.t_open,
        t_close=row.t_close,
        o=row.o,
        h=row.h,
        l=row.l,
        c=row.c,
        v=row.v,
        vw=row.vw,
        n=row.n,
        adj=row.adj,
    )
