"""Owns the relay: what services put into the outbox becomes events on the streams, exactly once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy import select

from agent.events import Alert, Event, ProposalChanged, ProposalPending, RiskChanged, StateSnapshot
from agent.log import append, desk_stream
from services.alerts import notification
from services.chat import conversations, runs
from services.kit.context import Context
from services.kit.failpoint import reach
from services.kit.outbox import Message, due, mark_delivered

_BATCH = 100
_CHANGED = {"order.changed": "orders", "position.changed": "positions"}


def deliver(ctx: Context, *, limit: int = _BATCH) -> int:
    """Turn waiting outbox rows into events in the caller's transaction; return how many rows.

    The rows are marked in the same transaction, so each becomes events exactly once.
    """
    ctx.db.lock(f"relay:{ctx.principal.tenant_id}")
    waiting = due(ctx, limit)
    for message in waiting:
        event = event_of(message)
        if event is None:
            continue
        if isinstance(event, Alert):
            event = _noted(ctx, message, event)
        append(ctx, desk_stream(ctx.principal.tenant_id), event)
        stream = _conversation(ctx, message.payload)
        if stream and message.kind != "switch.changed":
            append(ctx, stream, event)
    mark_delivered(ctx, [message.seq for message in waiting])
    if waiting:
        reach("relay.before_commit")
    return len(waiting)


def event_of(message: Message) -> Event | None:
    """Return the event of an outbox message; None for a kind that no screen shows."""
    body = message.payload
    match message.kind:
        case "proposal.pending":
            return ProposalPending(
                proposal_id=str(body["proposal_id"]),
                version=int(body["version"]),
                expires_at=str(body.get("expires_at", "")),
                summary=str(body.get("summary", "")),
            )
        case "proposal.changed":
            return _changed(body)
        case "alert":
            level = body.get("level")
            return Alert(
                level=level if level in ("info", "warning", "critical") else "warning",
                message=str(body.get("message", "")),
                topic=_text(body, "topic"),
                subject=_text(body, "subject"),
                code=_text(body, "code"),
            )
        case "risk" | "switch.changed":
            return RiskChanged(state=str(body.get("state", "")), reason=_text(body, "reason"))
        case kind if kind in _CHANGED:
            return StateSnapshot(state=dict(body), changed=(_CHANGED[kind],))
        case _:
            return None


def _noted(ctx: Context, message: Message, event: Alert) -> Alert:
    """Return the alert with its place in the notification feed, where it is stored with it."""
    note = notification.record(
        ctx,
        event.level,
        event.message,
        topic=event.topic or "orders",
        subject=event.subject or message.key,
        dedupe=f"outbox:{message.seq}",
        body=message.payload,
    )
    return replace(event, notification_id=note)


def _changed(body: Mapping[str, Any]) -> ProposalChanged:
    names = (
        "reason",
        "order_id",
        "order_state",
        "symbol",
        "side",
        "quantity",
        "filled_quantity",
        "avg_price",
    )
    return ProposalChanged(
        proposal_id=str(body["proposal_id"]),
        version=int(body["version"]),
        status=str(body.get("status", "")),
        **{name: _text(body, name) for name in names},
    )


def _text(body: Mapping[str, Any], name: str) -> str | None:
    value = body.get(name)
    return None if value is None or value == "" else str(value)


def _conversation(ctx: Context, body: Mapping[str, Any]) -> str | None:
    """Return the conversation that a message belongs to, by its id or by its run."""
    given = body.get("conversation_id")
    if not given and body.get("run_id"):
        given = ctx.db.scalar(
            select(runs.c.conversation_id).where(runs.c.id == str(body["run_id"]))
        )
    if not given:
        return None
    known: str | None = ctx.db.scalar(
        select(conversations.c.id).where(conversations.c.id == str(given))
    )
    return known
