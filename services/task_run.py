"""Owns the runs of jobs: one row per job and tick, its state, its attempts and its summary."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import (
    CheckConstraint,
    Column,
    Index,
    Integer,
    Text,
    UniqueConstraint,
    bindparam,
    delete,
    select,
    update,
)
from sqlalchemy.engine import Row

from services.kit.canonical import canonical
from services.kit.context import Context
from services.kit.db import UtcDateTime, tenant_table
from services.kit.outbox import put

Status = Literal["running", "ok", "failed", "skipped", "dead"]
Origin = Literal["schedule", "manual"]
ATTEMPTS_MAX = 3
LEASE = timedelta(minutes=5)
"""A run that has not ended after this long is taken to have died with its process."""
BACKOFF = timedelta(seconds=5)
"""Pause before the second attempt; it doubles with each further one."""
KEEP = timedelta(days=30)
ERROR_MAX = 300
_DIED = "its process ended in the middle"

task_runs = tenant_table(
    "task_runs",
    Column("id", Text, primary_key=True),
    Column("job", Text, nullable=False),
    Column("round", Integer, nullable=False),
    Column("scheduled_at", UtcDateTime, nullable=False),
    Column("origin", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("summary_json", Text, nullable=False),
    Column("error", Text, nullable=False),
    Column("missed", Integer, nullable=False),
    Column("started_at", UtcDateTime, nullable=False),
    Column("finished_at", UtcDateTime),
    UniqueConstraint("tenant_id", "job", "round", "scheduled_at", name="uq_task_runs_tick"),
    Index("ix_task_runs_recent", "tenant_id", "started_at"),
    CheckConstraint("status IN ('running', 'ok', 'failed', 'skipped', 'dead')", name="status"),
    CheckConstraint("origin IN ('schedule', 'manual')", name="origin"),
    CheckConstraint("attempts >= 1 AND missed >= 0", name="counts"),
)
"""`scheduled_at` is market time in the feed's `round`; `missed` counts the ticks it stands for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRun:
    """One run of a job. `scheduled_at` is market time, `started_at` and `finished_at` wall time.

    `status`: `running`, `ok`, `skipped` (there was nothing that could be done), `failed` (it is
    tried again) or `dead` (given up after three attempts, and told).
    """

    id: str
    job: str
    scheduled_at: datetime
    origin: Origin
    status: Status
    attempts: int
    summary: Mapping[str, Any]
    error: str
    missed: int
    started_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class Due:
    """A tick of a job: its market time in the feed's round, and how many ticks it stands for."""

    job: str
    scheduled_at: datetime
    round: int = 0
    missed: int = 0
    origin: Origin = "schedule"


_TICK = select(task_runs).where(
    task_runs.c.job == bindparam("of_job"),
    task_runs.c.round == bindparam("turn"),
    task_runs.c.scheduled_at == bindparam("tick"),
)
_LAST = (
    select(task_runs)
    .where(
        task_runs.c.job == bindparam("of_job"),
        task_runs.c.round == bindparam("turn"),
        task_runs.c.origin == "schedule",
    )
    .order_by(task_runs.c.scheduled_at.desc())
    .limit(1)
)


_LEFT = select(task_runs.c.id).where(
    task_runs.c.status == "running", task_runs.c.started_at <= bindparam("until")
)


def claim(ctx: Context, due: Due) -> TaskRun | None:
    """Begin the run of a tick; None when it is done, running elsewhere, resting or given up.

    A tick has one row, whoever asks and how often. A run that failed is begun again after a pause,
    one whose process died after five minutes; the third failure is the last.
    """
    ctx.db.lock(f"task_runs:{ctx.principal.tenant_id}:{due.job}")
    row = _find(ctx, due)
    if row is None:
        return _begin(ctx, due)
    if not _may_retry(row, ctx.now):
        return None
    if row.attempts >= ATTEMPTS_MAX:
        _end(ctx, row, "dead", json.loads(row.summary_json), _DIED)
        return None
    mine = update(task_runs).where(task_runs.c.id == row.id)
    again = {"status": "running", "attempts": row.attempts + 1, "started_at": ctx.now}
    ctx.db.change(mine.values(**again, finished_at=None))
    return find_run(ctx, row.id)


def _may_retry(row: Row[Any], now: datetime) -> bool:
    if row.status == "running":
        return bool(row.started_at + LEASE <= now)
    if row.status != "failed":
        return False
    rest = BACKOFF * int(2 ** (row.attempts - 1))
    return bool((row.finished_at or row.started_at) + rest <= now)


def _find(ctx: Context, due: Due) -> Row[Any] | None:
    return ctx.db.row(_TICK, of_job=due.job, turn=due.round, tick=due.scheduled_at)


def _begin(ctx: Context, due: Due) -> TaskRun | None:
    run_id = ctx.ids.new("job")
    ctx.db.insert(
        task_runs,
        {
            "id": run_id,
            "job": due.job,
            "round": due.round,
            "scheduled_at": due.scheduled_at,
            "origin": due.origin,
            "status": "running",
            "attempts": 1,
            "summary_json": "{}",
            "error": "",
            "missed": due.missed,
            "started_at": ctx.now,
            "finished_at": None,
        },
    )
    return find_run(ctx, run_id)


def finish(
    ctx: Context,
    run: TaskRun,
    status: Literal["ok", "failed", "skipped"],
    summary: Mapping[str, Any],
    *,
    error: str = "",
) -> TaskRun:
    """End an attempt; the third failed one ends the run as `dead` and tells a person.

    Nothing changes when a later attempt has begun meanwhile: that one speaks for the run.
    """
    row = ctx.db.row(select(task_runs).where(task_runs.c.id == run.id))
    if row is not None and row.status == "running" and row.attempts == run.attempts:
        given_up = status == "failed" and row.attempts >= ATTEMPTS_MAX
        _end(ctx, row, "dead" if given_up else status, summary, error)
    return find_run(ctx, run.id) or run


def _end(
    ctx: Context, row: Row[Any], status: Status, summary: Mapping[str, Any], error: str
) -> None:
    ctx.db.change(
        update(task_runs)
        .where(task_runs.c.id == row.id)
        .values(
            status=status,
            summary_json=canonical(dict(summary)).decode(),
            error=error[:ERROR_MAX],
            finished_at=ctx.now,
        )
    )
    if status == "dead":
        _tell(ctx, row, error)


def _tell(ctx: Context, row: Row[Any], error: str) -> None:
    """Alert once per job and day: a job that fails every minute is one matter, not 390."""
    reason = error[:ERROR_MAX].rstrip(".") or "no reason given"
    message = f"The job {row.job} failed {row.attempts} times and was given up: {reason}."
    key = f"job:{row.job}:{ctx.now.date().isoformat()}"
    facts = {"level": "warning", "message": message, "code": "JOB_DEAD", "subject": row.job}
    put(ctx, "alert", key, {**facts, "topic": "data"}, dedupe=key)


def find_left(ctx: Context, before: datetime) -> list[str]:
    """Return the ids of the runs that began by `before` and have not ended."""
    return [row.id for row in ctx.db.rows(_LEFT, until=before)]


def end_left(ctx: Context, before: datetime) -> int:
    """End the runs that a dead process left `running` since `before` or earlier; return how many.

    Each counts as a failed attempt: its tick is tried again, and given up after the third.
    """
    rows = ctx.db.rows(select(task_runs).where(task_runs.c.id.in_(find_left(ctx, before))))
    for row in rows:
        ctx.db.lock(f"task_runs:{ctx.principal.tenant_id}:{row.job}")
        finish(ctx, _run(row), "failed", json.loads(row.summary_json), error=_DIED)
    return len(rows)


def find_run(ctx: Context, run_id: str) -> TaskRun | None:
    """Return one run, or None."""
    row = ctx.db.row(select(task_runs).where(task_runs.c.id == run_id))
    return None if row is None else _run(row)


def find_tick(ctx: Context, due: Due) -> TaskRun | None:
    """Return the run of a tick, or None before it began."""
    row = _find(ctx, due)
    return None if row is None else _run(row)


def last_scheduled(ctx: Context, job: str, turn: int) -> TaskRun | None:
    """Return the newest scheduled run of a job in the feed's round, or None."""
    row = ctx.db.row(_LAST, of_job=job, turn=turn)
    return None if row is None else _run(row)


def list_runs(ctx: Context, limit: int) -> list[TaskRun]:
    """Return at most `limit` runs, the newest first."""
    newest = select(task_runs).order_by(task_runs.c.started_at.desc(), task_runs.c.id.desc())
    return [_run(row) for row in ctx.db.rows(newest.limit(limit))]


def prune(ctx: Context) -> int:
    """Delete the runs that began more than 30 days ago; return how many."""
    return ctx.db.change(delete(task_runs).where(task_runs.c.started_at < ctx.now - KEEP))


def _run(row: Row[Any]) -> TaskRun:
    return TaskRun(
        id=row.id,
        job=row.job,
        scheduled_at=row.scheduled_at,
        origin=row.origin,
        status=row.status,
        attempts=row.attempts,
        summary=json.loads(row.summary_json),
        error=row.error,
        missed=row.missed,
        started_at=row.started_at,
        finished_at=row.finished_at,
    )
