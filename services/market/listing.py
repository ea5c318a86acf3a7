"""Owns the stored listings: what is tradable by now, what changed, and what went away."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, or_, select, update
from sqlalchemy.engine import Row

from services.kit.canonical import canonical
from services.kit.context import Context
from services.market.as_of import market_now
from services.market.instrument import Instrument
from services.market.store_tables import instruments

_FIELDS = (
    "symbol",
    "name",
    "asset_class",
    "currency",
    "quote_unit",
    "price_scale",
    "tick_rule",
    "lot_step",
    "min_quantity",
    "multiplier",
    "calendar",
)
_VALID = (
    instruments.c.valid_from <= bindparam("now"),
    or_(instruments.c.valid_to.is_(None), instruments.c.valid_to > bindparam("now")),
)
_ALL = select(instruments).where(*_VALID).order_by(instruments.c.symbol, instruments.c.id)
_ONE = (
    select(instruments)
    .where(
        *_VALID,
        or_(instruments.c.id == bindparam("name"), instruments.c.symbol == bindparam("name")),
    )
    .order_by(instruments.c.id)
    .limit(1)
)


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What a refresh stored: how many listings were offered, new, and changed."""

    known: int
    added: int
    changed: int


def refresh_listings(ctx: Context, listed: Sequence[Instrument], source: str) -> Refreshed:
    """Store what `listed` says from the market's now on; earlier rows keep their time.

    A listing is known by its id, never by its ticker: a ticker that another listing took over is
    a new row. One that is not in `listed` stays; `end_listing` is for those known to be gone.
    """
    now = market_now(ctx)
    ctx.db.lock(f"instruments:{ctx.principal.tenant_id}")
    stored = {row.id: row for row in ctx.db.rows(_ALL, now=now)}
    offered = {one.id: one for one in listed}
    added = [one for key, one in sorted(offered.items()) if key not in stored]
    changed = [one for key, one in sorted(offered.items()) if _differs(one, stored.get(key))]
    for one in changed:
        _end(ctx, stored[one.id], now)
    fresh = [replace(one, flags=_kept_flags(one, stored.get(one.id))) for one in added + changed]
    if fresh:
        ctx.db.insert(instruments, *(_row(one, now, source) for one in fresh))
    return Refreshed(len(offered), len(added), len(changed))


def end_listing(ctx: Context, instrument_id: str) -> bool:
    """End a listing that its market knows no more, from now on; False when none is stored."""
    now = market_now(ctx)
    ctx.db.lock(f"instruments:{ctx.principal.tenant_id}")
    row = ctx.db.row(_ONE, now=now, name=instrument_id)
    if row is None:
        return False
    _end(ctx, row, now)
    return True


def _differs(one: Instrument, row: Row[Any] | None) -> bool:
    if row is None:
        return False
    same = all(getattr(one, name) == getattr(row, name) for name in _FIELDS)
    return not same or int(one.shortable) != row.shortable


def _kept_flags(one: Instrument, row: Row[Any] | None) -> tuple[str, ...]:
    return one.flags or (() if row is None else tuple(json.loads(row.flags)))


def set_flags(ctx: Context, instrument: Instrument, flags: Sequence[str], source: str) -> bool:
    """Set a listing's flags from the market's now on; return False when they are so already."""
    now = market_now(ctx)
    ctx.db.lock(f"instruments:{ctx.principal.tenant_id}")
    row = ctx.db.row(_ONE, now=now, name=instrument.id)
    wanted = tuple(sorted(set(flags)))
    if wanted == (() if row is None else tuple(json.loads(row.flags))):
        return False
    if row is not None:
        _end(ctx, row, now)
    ctx.db.insert(instruments, _row(replace(instrument, flags=wanted), now, source))
    return True


def _end(ctx: Context, row: Row[Any], now: datetime) -> None:
    """End a row at `now`; one that began at this very instant goes, so that the key stays free."""
    mine = (instruments.c.id == row.id, instruments.c.valid_from == row.valid_from)
    if row.valid_from == now:
        ctx.db.change(instruments.delete().where(*mine))
    else:
        ctx.db.change(update(instruments).where(*mine).values(valid_to=now))


def find_listing(ctx: Context, name: str) -> Instrument | None:
    """Return the stored listing of a symbol or id that is valid now; None without one."""
    row = ctx.db.row(_ONE, now=market_now(ctx), name=name)
    return None if row is None else _instrument(row)


def stored_listings(ctx: Context) -> list[Instrument]:
    """Return every listing that is valid now, by symbol."""
    return [_instrument(row) for row in ctx.db.rows(_ALL, now=market_now(ctx))]


def stored_calendars(ctx: Context) -> list[str]:
    """Return the calendars of the listings that are valid now, by name."""
    found = select(instruments.c.calendar).where(*_VALID).distinct()
    rows = ctx.db.rows(found.order_by(instruments.c.calendar), now=market_now(ctx))
    return [row.calendar for row in rows]


def _row(one: Instrument, now: datetime, source: str) -> dict[str, Any]:
    values = {name: getattr(one, name) for name in _FIELDS}
    return values | {
        "id": one.id,
        "mic": one.mic,
        "shortable": int(one.shortable),
        "flags": canonical(list(one.flags)).decode(),
        "source": source,
        "valid_from": now,
        "valid_to": None,
    }


def _instrument(row: Row[Any]) -> Instrument:
    values = {name: getattr(row, name) for name in _FIELDS}
    return Instrument(
        id=row.id, shortable=bool(row.shortable), flags=tuple(json.loads(row.flags)), **values
    )
