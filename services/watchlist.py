"""Owns watchlists: named, ordered symbols that a person follows, audited, per tenant."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Column, Text, UniqueConstraint, delete, func, select, update

from services import audit
from services.kit.context import Context
from services.kit.db import UtcDateTime, tenant_table
from services.kit.errors import refuse
from services.kit.text import require_text
from services.market.feed import Feed
from services.market.instrument import require_symbol

LISTS_MAX = 20
"""Most lists of one tenant: what a page shows without a search."""
SYMBOLS_MAX = 50
"""Most symbols of one list: what one screen and one batch of quotes hold."""
NAME_MAX = 40
HINT = "No watchlist yet: save one with the symbols that you follow, such as AAPL and MSFT."

watchlists = tenant_table(
    "watchlists",
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("name_key", Text, nullable=False),
    Column("symbols", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("changed_at", UtcDateTime, nullable=False),
    UniqueConstraint("tenant_id", "name_key"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Watchlist:
    """One list; its symbols stand in the person's own order, each once."""

    id: str
    name: str
    symbols: tuple[str, ...]
    created_at: datetime
    changed_at: datetime


def list_watchlists(ctx: Context) -> list[Watchlist]:
    """Return every list, the oldest first; there is none before a person saves one."""
    rows = ctx.db.rows(select(watchlists).order_by(watchlists.c.created_at, watchlists.c.id))
    return [_watchlist(row) for row in rows]


def get_watchlist(ctx: Context, list_id: str) -> Watchlist:
    """Return one list. Raises `WATCHLIST_UNKNOWN`."""
    row = ctx.db.row(select(watchlists).where(watchlists.c.id == list_id))
    if row is None:
        raise refuse("WATCHLIST_UNKNOWN", id=list_id[:60])
    return _watchlist(row)


def symbols_watched(ctx: Context) -> frozenset[str]:
    """Return every symbol of every list; what is held is the caller's to add."""
    return frozenset(symbol for one in list_watchlists(ctx) for symbol in one.symbols)


def save(ctx: Context, name: str, symbols: Sequence[str] = ()) -> Watchlist:
    """Store a new list of at most 50 symbols that the feed knows; names differ without capitals.

    Raises `WATCHLIST_EXISTS`, `WATCHLIST_LIMIT`, `PARAM_INVALID`, and `SYMBOL_UNKNOWN` with the
    three nearest names.
    """
    ctx.db.lock("watchlists")
    shown = _require_name(ctx, name, besides="")
    count = ctx.db.scalar(select(func.count()).select_from(watchlists)) or 0
    if count >= LISTS_MAX:
        raise refuse("WATCHLIST_LIMIT", what="watchlists", limit=LISTS_MAX)
    kept = _require_symbols(ctx, symbols)
    made = Watchlist(
        id=ctx.ids.new("wl"), name=shown, symbols=kept, created_at=ctx.now, changed_at=ctx.now
    )
    ctx.db.insert(
        watchlists,
        {"id": made.id, "created_at": ctx.now, "changed_at": ctx.now, **_columns(shown, kept)},
    )
    audit.record(ctx, "watchlist.saved", made.id, name=shown, symbols=list(kept))
    return made


def change(
    ctx: Context, list_id: str, *, name: str | None = None, symbols: Sequence[str] | None = None
) -> Watchlist:
    """Replace the name, the symbols, or both; what is not given stays.

    Raises what `save` raises, and `WATCHLIST_UNKNOWN`.
    """
    ctx.db.lock("watchlists")
    before = get_watchlist(ctx, list_id)
    shown = before.name if name is None else _require_name(ctx, name, besides=list_id)
    kept = before.symbols if symbols is None else _require_symbols(ctx, symbols)
    if (shown, kept) == (before.name, before.symbols):
        return before
    ctx.db.change(
        update(watchlists)
        .where(watchlists.c.id == list_id)
        .values(changed_at=ctx.now, **_columns(shown, kept))
    )
    audit.record(ctx, "watchlist.changed", list_id, name=shown, symbols=list(kept))
    return get_watchlist(ctx, list_id)


def remove(ctx: Context, list_id: str) -> None:
    """Delete a list. Raises `WATCHLIST_UNKNOWN`."""
    gone = get_watchlist(ctx, list_id)
    ctx.db.change(delete(watchlists).where(watchlists.c.id == list_id))
    audit.record(ctx, "watchlist.deleted", list_id, name=gone.name)


def _require_name(ctx: Context, name: str, *, besides: str) -> str:
    shown = require_text(name, "name", longest=NAME_MAX)
    taken = ctx.db.scalar(
        select(watchlists.c.id).where(
            watchlists.c.name_key == shown.casefold(), watchlists.c.id != besides
        )
    )
    if taken is not None:
        raise refuse("WATCHLIST_EXISTS", field="name", name=shown)
    return shown


def _require_symbols(ctx: Context, symbols: Sequence[str]) -> tuple[str, ...]:
    """Return the symbols as the feed spells them, in order, each once."""
    if len(symbols) > SYMBOLS_MAX:
        raise refuse("WATCHLIST_LIMIT", what="symbols in a watchlist", limit=SYMBOLS_MAX)
    wanted = dict.fromkeys(require_symbol(symbol) for symbol in symbols)
    feed = ctx.port(Feed)
    return tuple(dict.fromkeys(feed.instrument(ctx, symbol).symbol for symbol in wanted))


def _columns(name: str, symbols: tuple[str, ...]) -> dict[str, str]:
    return {"name": name, "name_key": name.casefold(), "symbols": json.dumps(list(symbols))}


def _watchlist(row: Any) -> Watchlist:
    return Watchlist(
        id=row.id,
        name=row.name,
        symbols=tuple(json.loads(row.symbols)),
        created_at=row.created_at,
        changed_at=row.changed_at,
    )
