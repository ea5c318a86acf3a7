"""Owns the canonical transcript: what was said, called and answered, append-only and in order."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import func, select

from agent.model.port import ToolCall
from services.chat import entries
from services.kit.canonical import canonical
from services.kit.context import Context

ENTRIES_MAX = 400
"""Newest entries that a run looks at; older ones stay stored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The answer to one tool call, whole as the services gave it.

    `clean` is true when every symbol in the call's arguments came from the person or from clean
    results; only such a result can be the basis of an order.
    """

    call_id: str
    name: str
    ok: bool
    digest: str
    ref: str
    arguments: str
    payload: Mapping[str, Any]
    source: tuple[Mapping[str, Any], ...] = ()
    tainted: bool = False
    clean: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry: the person's words, an answer with its calls, or the result of a call."""

    role: Literal["user", "assistant", "tool"]
    text: str = ""
    run_id: str = ""
    id: str = ""
    at: datetime | None = None
    pastes: tuple[str, ...] = ()
    calls: tuple[ToolCall, ...] = ()
    marks: tuple[Mapping[str, str], ...] = ()
    result: Result | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)


def append_entries(ctx: Context, conversation_id: str, batch: Sequence[Entry]) -> list[str]:
    """Store entries at the end of a conversation in the caller's transaction; return their ids."""
    ctx.db.lock(f"conversation:{conversation_id}")
    last = (
        ctx.db.scalar(
            select(func.max(entries.c.place)).where(entries.c.conversation_id == conversation_id)
        )
        or 0
    )
    ids = [entry.id or ctx.ids.new("m") for entry in batch]
    for at, (entry, entry_id) in enumerate(zip(batch, ids, strict=True), 1):
        ctx.db.insert(
            entries,
            {
                "id": entry_id,
                "conversation_id": conversation_id,
                "place": last + at,
                "role": entry.role,
                "run_id": entry.run_id,
                "text": entry.text,
                "document": _document(entry),
                "at": ctx.now,
            },
        )
    return ids


def _document(entry: Entry) -> str:
    return canonical(
        {
            "pastes": entry.pastes or None,
            "calls": [
                {"id": call.id, "name": call.name, "arguments": call.arguments}
                for call in entry.calls
            ]
            or None,
            "marks": list(entry.marks) or None,
            "result": entry.result,
            "extra": dict(entry.extra) or None,
        }
    ).decode()


def read_entries(ctx: Context, conversation_id: str, *, limit: int = ENTRIES_MAX) -> list[Entry]:
    """Return the newest `limit` entries of a conversation, oldest first."""
    rows = ctx.db.rows(
        select(entries)
        .where(entries.c.conversation_id == conversation_id)
        .order_by(entries.c.place.desc())
        .limit(limit)
    )
    return [_entry(row) for row in reversed(rows)]


def _entry(row: Any) -> Entry:
    body = json.loads(row.document)
    result = body.get("result")
    return Entry(
        role=row.role,
        text=row.text,
        run_id=row.run_id,
        id=row.id,
        at=row.at,
        pastes=tuple(body.get("pastes", ())),
        calls=tuple(ToolCall(**call) for call in body.get("calls", ())),
        marks=tuple(body.get("marks", ())),
        extra=body.get("extra", {}),
        result=None
        if result is None
        else Result(**{**result, "source": tuple(result.get("source", ()))}),
    )
