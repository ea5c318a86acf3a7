"""Owns the journal: what was executed, which never changes, and the notes beside it, which may."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Unpack

from sqlalchemy import (
    CheckConstraint,
    Column,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Text,
    UniqueConstraint,
    select,
    update,
)

from services import audit
from services.journal_execution import ExecutionFacts, execution_summary
from services.journal_rules import require_entry_symbol, require_note, require_range
from services.kit.canonical import canonical
from services.kit.context import Context
from services.kit.db import UtcDateTime, tenant_table
from services.kit.errors import refuse
from services.kit.text import require_text

QUERY_MAX = 200
LIST_MAX = 200
DAYS_MAX = 3660

journal_entries = tenant_table(
    "journal_entries",
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("ref", Text, nullable=False),
    Column("symbol", Text, nullable=False),
    Column("summary", Text, nullable=False),
    Column("facts", Text, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("market_at", UtcDateTime, nullable=False),
    Column("author", Text, nullable=False),
    UniqueConstraint("tenant_id", "ref"),
    CheckConstraint("kind IN ('execution', 'note')", name="kind"),
    Index("ix_journal_entries_newest", "tenant_id", "at", "id"),
    append_only=True,
)

journal_notes = tenant_table(
    "journal_notes",
    Column("entry_id", Text, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("text", Text, nullable=False),
    Column("tags", Text, nullable=False),
    Column("deleted", Integer, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Column("search", Text, nullable=False),
    CheckConstraint("deleted IN (0, 1)", name="deleted"),
)

journal_note_versions = tenant_table(
    "journal_note_versions",
    Column("entry_id", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("text", Text, nullable=False),
    Column("tags", Text, nullable=False),
    Column("deleted", Integer, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("author", Text, nullable=False),
    PrimaryKeyConstraint("entry_id", "version"),
    append_only=True,
)


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """One entry. `summary` and `facts` are locked; `note` and `tags` are the person's own.

    `text` is what to show: the summary of an execution with its note, or the note alone. `at` is
    when it was written down, `market_at` the market's time of what it tells.
    """

    id: str
    kind: str
    ref: str
    symbol: str
    text: str
    summary: str
    facts: dict[str, Any]
    at: datetime
    market_at: datetime
    author: str
    note: str
    tags: tuple[str, ...]
    note_version: int
    note_updated_at: datetime


@dataclass(frozen=True, slots=True)
class NoteVersion:
    """One state of a note, as it was written."""

    version: int
    text: str
    tags: tuple[str, ...]
    deleted: bool
    at: datetime
    author: str


def record_execution(ctx: Context, **facts: Unpack[ExecutionFacts]) -> JournalEntry:
    """Write the entry of one fill; a repeated execution returns the entry that exists.

    Worked summary: `Bought 50 MSFT at 26.43 USD, commission 1.`
    """
    ref = f"{facts['order_id']}:{facts['exec_id']}"
    known = ctx.db.scalar(select(journal_entries.c.id).where(journal_entries.c.ref == ref))
    if known is not None:
        return get_entry(ctx, known)
    summary = execution_summary(facts)
    entry_id = _insert(
        ctx,
        kind="execution",
        ref=ref,
        symbol=facts["symbol"],
        summary=summary,
        facts=facts,
        market_at=facts["at"],
    )
    _store_note(ctx, entry_id, summary, facts["symbol"], text="", tags=())
    return get_entry(ctx, entry_id)


def add(
    ctx: Context,
    text: str,
    *,
    symbol: str | None = None,
    tags: Sequence[str] = (),
    market_at: datetime | None = None,
) -> JournalEntry:
    """Write a note of its own, at most 4000 characters and 10 tags.

    Raises `PARAM_INVALID` for control characters, long text, and tags or symbols out of shape.
    """
    text, tags = require_note(text, tags)
    symbol = require_entry_symbol(symbol)
    entry_id = _insert(
        ctx,
        kind="note",
        ref="",
        symbol=symbol,
        summary="",
        facts={},
        market_at=market_at or ctx.now,
    )
    _store_note(ctx, entry_id, "", symbol, text=text, tags=tags)
    audit.record(ctx, "journal.added", entry_id, symbol=symbol, length=len(text))
    return get_entry(ctx, entry_id)


def edit_note(
    ctx: Context, entry_id: str, text: str, *, tags: Sequence[str] | None = None
) -> JournalEntry:
    """Replace the note of an entry, also the one beside an execution; old versions stay readable.

    Raises `JOURNAL_UNKNOWN` and `PARAM_INVALID`.
    """
    entry = get_entry(ctx, entry_id)
    text, kept = require_note(text, entry.tags if tags is None else tags)
    _change_note(ctx, entry, text=text, tags=kept, deleted=False)
    audit.record(ctx, "journal.edited", entry_id, version=entry.note_version + 1, length=len(text))
    return get_entry(ctx, entry_id)


def delete_note(ctx: Context, entry_id: str) -> None:
    """Take a note out of the journal; its versions stay on record.

    Raises `JOURNAL_LOCKED` for the entry of an execution and `JOURNAL_UNKNOWN`.
    """
    entry = get_entry(ctx, entry_id)
    if entry.kind == "execution":
        raise refuse("JOURNAL_LOCKED", id=entry_id)
    _change_note(ctx, entry, text="", tags=(), deleted=True)
    audit.record(ctx, "journal.deleted", entry_id, version=entry.note_version + 1)


def get_entry(ctx: Context, entry_id: str) -> JournalEntry:
    """Return one entry. Raises `JOURNAL_UNKNOWN`, also for a deleted one."""
    row = ctx.db.row(_entries().where(journal_entries.c.id == entry_id))
    if row is None:
        raise refuse("JOURNAL_UNKNOWN", id=entry_id[:60])
    return _entry(row)


def list_entries(
    ctx: Context,
    query: str | None = None,
    *,
    days: int | None = None,
    symbol: str | None = None,
    limit: int = 50,
) -> list[JournalEntry]:
    """Return the newest entries whose text, facts, tags or symbol hold `query`, newest first.

    Capitals do not matter. `days` (1 to 3660) counts back from now, `limit` is 1 to 200.
    Raises `PARAM_INVALID`.
    """
    require_range("limit", limit, LIST_MAX)
    statement = _entries()
    if query is not None and query.strip():
        wanted = require_text(query, "query", longest=QUERY_MAX).casefold()
        statement = statement.where(journal_notes.c.search.contains(wanted, autoescape=True))
    if days is not None:
        require_range("days", days, DAYS_MAX)
        statement = statement.where(journal_entries.c.at >= ctx.now - timedelta(days=days))
    if symbol:
        statement = statement.where(journal_entries.c.symbol == require_entry_symbol(symbol))
    rows = ctx.db.rows(
        statement.order_by(journal_entries.c.at.desc(), journal_entries.c.id.desc()).limit(limit)
    )
    return [_entry(row) for row in rows]


def note_versions(ctx: Context, entry_id: str) -> list[NoteVersion]:
    """Return every state that the note of an entry had, oldest first, the deleted one too."""
    rows = ctx.db.rows(
        select(journal_note_versions)
        .where(journal_note_versions.c.entry_id == entry_id)
        .order_by(journal_note_versions.c.version)
    )
    if not rows:
        raise refuse("JOURNAL_UNKNOWN", id=entry_id[:60])
    return [
        NoteVersion(
            row.version,
            row.text,
            tuple(json.loads(row.tags)),
            bool(row.deleted),
            row.at,
            row.author,
        )
        for row in rows
    ]


def _entries() -> Any:
    return (
        select(
            journal_entries,
            journal_notes.c.version,
            journal_notes.c.text,
            journal_notes.c.tags,
            journal_notes.c.updated_at,
        )
        .join(journal_notes, journal_notes.c.entry_id == journal_entries.c.id)
        .where(journal_notes.c.deleted == 0)
    )


def _insert(
    ctx: Context,
    *,
    kind: str,
    ref: str,
    symbol: str,
    summary: str,
    facts: Mapping[str, object],
    market_at: datetime,
) -> str:
    entry_id = ctx.ids.new("jr")
    ctx.db.insert(
        journal_entries,
        {
            "id": entry_id,
            "kind": kind,
            "ref": ref or entry_id,
            "symbol": symbol,
            "summary": summary,
            "facts": canonical(facts).decode(),
            "at": ctx.now,
            "market_at": market_at,
            "author": ctx.principal.user_id,
        },
    )
    return entry_id


def _store_note(
    ctx: Context, entry_id: str, summary: str, symbol: str, *, text: str, tags: tuple[str, ...]
) -> None:
    ctx.db.insert(
        journal_notes,
        {
            "entry_id": entry_id,
            "version": 1,
            "text": text,
            "tags": json.dumps(list(tags)),
            "deleted": 0,
            "updated_at": ctx.now,
            "search": _search(summary, symbol, text, tags),
        },
    )
    _store_version(ctx, entry_id, 1, text=text, tags=tags, deleted=False)


def _change_note(
    ctx: Context, entry: JournalEntry, *, text: str, tags: tuple[str, ...], deleted: bool
) -> None:
    version = entry.note_version + 1
    _store_version(ctx, entry.id, version, text=text, tags=tags, deleted=deleted)
    ctx.db.change(
        update(journal_notes)
        .where(journal_notes.c.entry_id == entry.id)
        .values(
            version=version,
            text=text,
            tags=json.dumps(list(tags)),
            deleted=int(deleted),
            updated_at=ctx.now,
            search=_search(entry.summary, entry.symbol, text, tags),
        )
    )


def _store_version(
    ctx: Context, entry_id: str, version: int, *, text: str, tags: tuple[str, ...], deleted: bool
) -> None:
    ctx.db.insert(
        journal_note_versions,
        {
            "entry_id": entry_id,
            "version": version,
            "text": text,
            "tags": json.dumps(list(tags)),
            "deleted": int(deleted),
            "at": ctx.now,
            "author": ctx.principal.user_id,
        },
    )


def _search(summary: str, symbol: str, text: str, tags: Sequence[str]) -> str:
    return "\n".join((symbol, summary, text, " ".join(tags))).casefold()


def _entry(row: Any) -> JournalEntry:
    text = "\n".join(part for part in (row.summary, row.text) if part)
    return JournalEntry(
        row.id,
        row.kind,
        row.ref,
        row.symbol,
        text,
        row.summary,
        json.loads(row.facts),
        row.at,
        row.market_at,
        row.author,
        row.text,
        tuple(json.loads(row.tags)),
        row.version,
        row.updated_at,
    )
