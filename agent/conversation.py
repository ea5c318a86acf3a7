"""Owns conversations: who may see one, what was said in it, and the start of a run by a message."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select, update

from agent import runs
from agent.intake import clean, take_in
from agent.log import head
from agent.transcript import Entry, append_entries, read_entries
from services import audit
from services.chat import conversations
from services.kit.context import Context
from services.kit.errors import refuse

_TITLE_MAX = 80
_LIST_MAX = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """One conversation of one person."""

    id: str
    title: str
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """A stored message and the run that will answer it."""

    run_id: str
    message_id: str
    tokens_removed: int = 0


def start(ctx: Context, title: str | None = None) -> Conversation:
    """Open a conversation for the acting person. Raises `PARAM_INVALID` for a bad title."""
    name = clean(title, field="title")[:_TITLE_MAX] if title else "New conversation"
    row = {
        "id": ctx.ids.new("c"),
        "user_id": ctx.principal.user_id,
        "title": name,
        "created_at": ctx.now,
        "updated_at": ctx.now,
    }
    ctx.db.insert(conversations, row)
    audit.record(ctx, "conversation.started", str(row["id"]))
    return Conversation(id=str(row["id"]), title=name, created_at=ctx.now, updated_at=ctx.now)


def get_conversation(ctx: Context, conversation_id: str) -> Conversation:
    """Return a conversation of the acting person. Raises `CONVERSATION_UNKNOWN`."""
    row = ctx.db.row(
        select(conversations).where(
            conversations.c.id == conversation_id, conversations.c.user_id == ctx.principal.user_id
        )
    )
    if row is None:
        raise refuse("CONVERSATION_UNKNOWN", id=conversation_id[:60])
    return _conversation(row)


def list_conversations(ctx: Context, *, limit: int = _LIST_MAX) -> list[Conversation]:
    """Return the acting person's conversations, newest first."""
    rows = ctx.db.rows(
        select(conversations)
        .where(conversations.c.user_id == ctx.principal.user_id)
        .order_by(conversations.c.updated_at.desc(), conversations.c.id)
        .limit(min(limit, _LIST_MAX))
    )
    return [_conversation(row) for row in rows]


def _conversation(row: Any) -> Conversation:
    return Conversation(
        id=row.id, title=row.title, created_at=row.created_at, updated_at=row.updated_at
    )


def post_message(
    ctx: Context, conversation_id: str, text: str, *, pastes: tuple[str, ...] = ()
) -> Posted:
    """Store a person's message and queue the run that answers it, in one transaction.

    `pastes` are attached blocks; they are material, never instructions. Repeats under one
    idempotency key are the door's to answer. Raises `CONVERSATION_UNKNOWN`, `PARAM_INVALID`,
    `RUN_ACTIVE`.
    """
    conversation = get_conversation(ctx, conversation_id)
    words = take_in(ctx, text, pastes)
    message_id = ctx.ids.new("m")
    run_id = runs.queue(ctx, conversation_id, message_id)
    append_entries(
        ctx,
        conversation_id,
        [Entry(role="user", id=message_id, text=words.text, pastes=words.pastes, run_id=run_id)],
    )
    values: dict[str, Any] = {"updated_at": ctx.now}
    if conversation.title == "New conversation":
        values["title"] = " ".join(words.text.split())[:_TITLE_MAX]
    ctx.db.change(
        update(conversations).where(conversations.c.id == conversation_id).values(**values)
    )
    audit.record(ctx, "message.posted", conversation_id, run_id=run_id, message_id=message_id)
    return Posted(run_id=run_id, message_id=message_id, tokens_removed=words.tokens_removed)


def messages(ctx: Context, conversation_id: str) -> dict[str, Any]:
    """Return what a screen draws: `{items, cursor}`; events behind `cursor` are not in `items`.

    Each item is `{id, role, text, run_id, at, tools, marks}`; tools stand with the answer that
    called them.
    """
    get_conversation(ctx, conversation_id)
    items: list[dict[str, Any]] = []
    for entry in read_entries(ctx, conversation_id):
        if entry.role == "tool":
            _attach(items, entry)
        elif entry.role == "user" or entry.text or entry.calls:
            items.append(
                {
                    "id": entry.id,
                    "role": entry.role,
                    "text": entry.text,
                    "run_id": entry.run_id,
                    "at": entry.at,
                    "tools": [],
                    "marks": [dict(mark) for mark in entry.marks],
                    "pastes": list(entry.pastes),
                }
            )
    return {"items": items, "cursor": head(ctx, conversation_id).text}


def _attach(items: list[dict[str, Any]], entry: Entry) -> None:
    result = entry.result
    if items and result is not None and items[-1]["role"] == "assistant":
        items[-1]["tools"].append(
            {
                "call_id": result.call_id,
                "name": result.name,
                "ok": result.ok,
                "digest": result.digest,
                "ref": result.ref,
                "source": [dict(one) for one in result.source],
            }
        )
