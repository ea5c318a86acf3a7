"""Owns the stored prices: written once, corrected by versions, read as of a market time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from sqlalchemy import bindparam, select
from sqlalchemy.engine import Row

from services.kit.context import Context
from services.kit.errors import check
from services.kit.money import rounded
from services.market.as_of import market_now, readable_until
from services.market.quote import Provenance
from services.market.round import market_round
from services.market.store_tables import PRICE_KINDS, price_points

PriceKind = Literal["intraday", "day"]
WINDOW_MAX = 20_000
"""Bound of the points that one window returns."""


@dataclass(frozen=True, slots=True)
class PricePoint:
    """One observed price of a listing at `ts`, in the major unit of `currency`.

    `known_at` is the market time at which it became known; None means the market's now.
    """

    instrument_id: str
    ts: datetime
    price: Decimal
    currency: str
    provenance: Provenance
    source: str
    kind: PriceKind
    volume: Decimal | None = None
    known_at: datetime | None = None


def record_price(ctx: Context, point: PricePoint) -> bool:
    """Store one price; return False when exactly this price is known already.

    Another price for the same listing, kind and time is stored as a further version: reads as of
    an earlier time still see the first one. Prices are kept at 8 decimals, half-even.
    """
    return record_prices(ctx, (point,)) == 1


def record_prices(ctx: Context, points: Sequence[PricePoint]) -> int:
    """Store many prices like `record_price`; return how many were new or changed."""
    if not points:
        return 0
    now, turn = market_now(ctx), market_round(ctx)
    for listing in sorted({point.instrument_id for point in points}):
        ctx.db.lock(f"price_points:{ctx.principal.tenant_id}:{listing}")
    newest = _find_newest(ctx, points, turn)
    rows: list[dict[str, Any]] = []
    for point in points:
        key = (point.instrument_id, point.kind, point.ts)
        row = _build_row(point, now, turn, newest.get(key))
        if row is not None:
            newest[key] = (row["version"], row["price"], row["volume"], row["known_at"])
            rows.append(row)
    if rows:
        ctx.db.insert(price_points, *rows)
    return len(rows)


def is_recorded(ctx: Context, point: PricePoint) -> bool:
    """Return whether exactly this price is the newest version that is stored for its time."""
    turn = market_round(ctx)
    known = _find_newest(ctx, (point,), turn).get((point.instrument_id, point.kind, point.ts))
    return _build_row(point, market_now(ctx), turn, known) is None


_Known = tuple[int, Decimal, Decimal | None, datetime]
_VERSIONS = (
    select(price_points)
    .where(
        price_points.c.instrument_id == bindparam("listing"),
        price_points.c.kind == bindparam("of_kind"),
        price_points.c.round == bindparam("turn"),
        price_points.c.ts >= bindparam("first"),
        price_points.c.ts <= bindparam("last"),
    )
    .order_by(price_points.c.ts, price_points.c.version)
)


def _find_newest(
    ctx: Context, points: Sequence[PricePoint], turn: int
) -> dict[tuple[str, str, datetime], _Known]:
    spans: dict[tuple[str, str], list[datetime]] = {}
    for point in points:
        spans.setdefault((point.instrument_id, point.kind), []).append(point.ts)
    found: dict[tuple[str, str, datetime], _Known] = {}
    for (listing, kind), times in spans.items():
        rows = ctx.db.rows(
            _VERSIONS, listing=listing, of_kind=kind, turn=turn, first=min(times), last=max(times)
        )
        for row in rows:
            found[listing, kind, row.ts] = (row.version, row.price, row.volume, row.known_at)
    return found


def _build_row(
    point: PricePoint, now: datetime, turn: int, known: _Known | None
) -> dict[str, Any] | None:
    check(point.kind in PRICE_KINDS, "a price is intraday or of a day", kind=point.kind)
    price = rounded(point.price, 8)
    volume = None if point.volume is None else rounded(point.volume, 8)
    if known is not None and known[1:3] == (price, volume):
        return None
    known_at = max(point.ts, point.known_at or now)
    return {
        "instrument_id": point.instrument_id,
        "kind": point.kind,
        "ts": point.ts,
        "round": turn,
        "version": 1 if known is None else known[0] + 1,
        "price": price,
        "currency": point.currency,
        "volume": volume,
        "known_at": known_at if known is None else max(known_at, known[3]),
        "provenance": point.provenance,
        "source": point.source,
    }


_LAST = (
    select(price_points)
    .where(
        price_points.c.instrument_id == bindparam("listing"),
        price_points.c.kind == bindparam("of_kind"),
        price_points.c.round == bindparam("turn"),
        price_points.c.ts <= bindparam("until"),
        price_points.c.known_at <= bindparam("until"),
    )
    .order_by(price_points.c.ts.desc(), price_points.c.version.desc())
    .limit(1)
)


def last_price(
    ctx: Context, instrument_id: str, at: datetime | None = None, kind: PriceKind | None = None
) -> PricePoint | None:
    """Return the newest price with `ts <= at` that was known by `at`; None without one.

    `at` never reaches beyond the market's now; None asks for now. Without `kind` the newer of
    both kinds is returned, at the same time the intraday one.
    """
    until, turn = readable_until(ctx, at), market_round(ctx)
    found = [
        row
        for one in PRICE_KINDS
        if kind in (None, one)
        and (row := ctx.db.row(_LAST, listing=instrument_id, of_kind=one, turn=turn, until=until))
    ]
    return _point(max(found, key=lambda row: row.ts)) if found else None


_WINDOW = (
    select(price_points)
    .where(
        price_points.c.instrument_id == bindparam("listing"),
        price_points.c.kind == bindparam("of_kind"),
        price_points.c.round == bindparam("turn"),
        price_points.c.ts >= bindparam("first"),
        price_points.c.ts <= bindparam("until"),
        price_points.c.known_at <= bindparam("known_by"),
    )
    .order_by(price_points.c.ts.desc(), price_points.c.version.desc())
    .limit(WINDOW_MAX)
)


def price_window(
    ctx: Context,
    instrument_id: str,
    first: datetime,
    last: datetime,
    kind: PriceKind = "intraday",
    *,
    at: datetime | None = None,
) -> list[PricePoint]:
    """Return the prices with `first <= ts <= last` as known by `at`, ascending, one per time.

    `at` never reaches beyond the market's now. The newest 20,000 rows are looked at.
    """
    known_by = readable_until(ctx, at)
    rows = ctx.db.rows(
        _WINDOW,
        listing=instrument_id,
        of_kind=kind,
        turn=market_round(ctx),
        first=first,
        until=min(last, known_by),
        known_by=known_by,
    )
    newest: dict[datetime, PricePoint] = {}
    for row in rows:
        newest.setdefault(row.ts, _point(row))
    return [newest[ts] for ts in sorted(newest)]


def _point(row: Row[Any]) -> PricePoint:
    return PricePoint(
        row.instrument_id,
        row.ts,
        row.price,
        row.currency,
        Provenance(row.provenance),
        row.source,
        row.kind,
        row.volume,
        row.known_at,
    )
