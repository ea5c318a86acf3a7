"""Owns the life of a run: queued, claimed under a lease, ended once; dead ones are recovered."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Select, select, update

from agent.events import RunError, RunFinished, RunStarted
from agent.leftover import close_open
from agent.log import append, append_many
from services.chat import runs
from services.kit.context import Context
from services.kit.errors import refuse

LEASE_S = 60
"""Longer than the longest run; a run past its lease belongs to a dead process."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One claimed run."""

    id: str
    conversation_id: str
    user_id: str
    message_id: str
    status: str
    stop_reason: str
    cancel_requested: bool


def queue(ctx: Context, conversation_id: str, message_id: str) -> str:
    """Store a queued run and return its id. Raises `RUN_ACTIVE` while another one lives.

    A run whose lease has passed is ended first, so a conversation is never blocked for good.
    """
    ctx.db.lock(f"conversation:{conversation_id}")
    _interrupt(
        ctx,
        select(runs).where(
            runs.c.conversation_id == conversation_id,
            runs.c.status.in_(("queued", "running")),
            runs.c.lease_until < ctx.now,
        ),
    )
    active = select(runs.c.id).where(
        runs.c.conversation_id == conversation_id, runs.c.status.in_(("queued", "running"))
    )
    if ctx.db.row(active) is not None:
        raise refuse("RUN_ACTIVE")
    run_id = ctx.ids.new("r")
    ctx.db.insert(
        runs,
        {
            "id": run_id,
            "conversation_id": conversation_id,
            "user_id": ctx.principal.user_id,
            "message_id": message_id,
            "status": "queued",
            "stop_reason": "",
            "cancel_requested": False,
            "lease_until": ctx.now + timedelta(seconds=LEASE_S),
            "started_at": ctx.now,
            "ended_at": None,
        },
    )
    return run_id


def get_run(ctx: Context, run_id: str) -> Run:
    """Return a run of the acting person. Raises `RUN_UNKNOWN`."""
    row = ctx.db.row(
        select(runs).where(runs.c.id == run_id, runs.c.user_id == ctx.principal.user_id)
    )
    if row is None:
        raise refuse("RUN_UNKNOWN", id=run_id[:60])
    return Run(
        id=row.id,
        conversation_id=row.conversation_id,
        user_id=row.user_id,
        message_id=row.message_id,
        status=row.status,
        stop_reason=row.stop_reason,
        cancel_requested=row.cancel_requested,
    )


def claim(ctx: Context, run_id: str) -> Run | None:
    """Take a queued run and announce its start; None when somebody else has it already."""
    taken = ctx.db.change(
        update(runs)
        .where(runs.c.id == run_id, runs.c.status == "queued")
        .values(status="running", lease_until=ctx.now + timedelta(seconds=LEASE_S))
    )
    if not taken:
        return None
    run = get_run(ctx, run_id)
    append(ctx, run.conversation_id, RunStarted(), run=run_id)
    return run


def request_cancel(ctx: Context, run_id: str) -> Run:
    """Ask a run to stop; a run that has ended stays as it is. Raises `RUN_UNKNOWN`."""
    run = get_run(ctx, run_id)
    if run.status == "queued" and ctx.db.change(
        update(runs)
        .where(runs.c.id == run_id, runs.c.status == "queued")
        .values(status="finished", stop_reason="cancelled", ended_at=ctx.now)
    ):
        append_many(
            ctx,
            run.conversation_id,
            [RunStarted(), RunFinished(stop_reason="cancelled")],
            run=run_id,
        )
        return get_run(ctx, run_id)
    ctx.db.change(
        update(runs)
        .where(runs.c.id == run_id, runs.c.status == "running")
        .values(cancel_requested=True)
    )
    return run


def cancel_wanted(ctx: Context, run_id: str) -> bool:
    """Return True when somebody asked this run to stop."""
    return bool(ctx.db.scalar(select(runs.c.cancel_requested).where(runs.c.id == run_id)))


def end(ctx: Context, run_id: str, event: RunFinished | RunError) -> bool:
    """Store the one terminal event of a running run; False when it has ended already."""
    finished = isinstance(event, RunFinished)
    reason = event.stop_reason if isinstance(event, RunFinished) else event.code
    hit = ctx.db.change(
        update(runs)
        .where(runs.c.id == run_id, runs.c.status == "running")
        .values(status="finished" if finished else "failed", stop_reason=reason, ended_at=ctx.now)
    )
    if hit:
        stream = ctx.db.scalar(select(runs.c.conversation_id).where(runs.c.id == run_id))
        close_open(ctx, stream, run_id)
        append(ctx, stream, event, run=run_id)
    return bool(hit)


def recover(ctx: Context, *, everything: bool = True) -> list[str]:
    """End the tenant's runs of dead processes with a retryable error; return their ids.

    `everything` is right at the boot of the only process; with several, only expired leases.
    The conversation keeps its events and takes the next message.
    """
    dead = select(runs).where(runs.c.status.in_(("queued", "running")))
    if not everything:
        dead = dead.where(runs.c.lease_until < ctx.now)
    return _interrupt(ctx, dead)


def _interrupt(ctx: Context, dead: Select[Any]) -> list[str]:
    ended = []
    for row in ctx.db.rows(dead.order_by(runs.c.started_at, runs.c.id)):
        if row.status == "queued":
            claim_row = update(runs).where(runs.c.id == row.id).values(status="running")
            ctx.db.change(claim_row)
            append(ctx, row.conversation_id, RunStarted(), run=row.id)
        fault = refuse("RUN_INTERRUPTED")
        end(ctx, row.id, RunError(code=fault.code, message=fault.message, retryable=True))
        ended.append(row.id)
    return ended
