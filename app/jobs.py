"""Owns running the jobs: what is due in each tenant, part by part, each run told in one row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

import structlog

from app.wiring import Product
from services.identity.user import NOBODY, tenant_ids
from services.job import JOBS, Job, Part, find_due, get_job, manual_due
from services.kit.context import Context, Principal, system_principal
from services.kit.errors import Refusal
from services.task_run import (
    LEASE,
    Due,
    TaskRun,
    claim,
    end_left,
    find_left,
    find_tick,
    finish,
    prune,
)

_log = structlog.get_logger("jobs")
_NOT_ON = frozenset({"FEATURE_OFF", "PROVIDER_NOT_ENTITLED"})
Ended = Literal["ok", "failed", "skipped"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of some parts: their counts, and the refusal or error that ended one of them."""

    counts: Mapping[str, int]
    error: str = ""
    off: bool = False


def run_due_jobs(product: Product) -> int:
    """Run every job that is due, tenant by tenant, in this process; return how many ran."""
    done = 0
    if not product.settings.jobs_embedded:
        return done
    for who in tenant_principals(product):
        end_left_runs(product, who, older_than=LEASE)
        for due in due_jobs(product, who):
            done += run_job(product, who, due) is not None
    return done


def tenant_principals(product: Product) -> list[Principal]:
    """Return the product itself, once per tenant."""
    runtime = product.runtime
    with runtime.database.read(None) as db:
        return [system_principal(tenant) for tenant in tenant_ids(runtime.context(db, NOBODY))]


def end_left_runs(product: Product, who: Principal, *, older_than: timedelta) -> int:
    """End the runs of a tenant that began longer ago and never ended; return how many."""
    before = product.clock.now() - older_than
    if not product.runtime.read(who, lambda ctx: find_left(ctx, before)):
        return 0
    ended = product.runtime.write(who, lambda ctx: end_left(ctx, before))
    _log.warning("jobs.left_running", tenant=who.tenant_id, ended=ended)
    return ended


def due_jobs(product: Product, who: Principal) -> list[Due]:
    """Return the ticks that are due in a tenant; none while market data are off."""

    def look(ctx: Context) -> list[Due]:
        return [due for job in JOBS.values() if (due := find_due(ctx, job)) is not None]

    try:
        return product.runtime.read(who, look)
    except Refusal as refusal:
        _log.debug("jobs.none", tenant=who.tenant_id, code=refusal.code)
        return []


def run_manual(product: Product, who: Principal, name: str) -> TaskRun:
    """Run a job now because a person asks; the same instant asked twice is one run.

    Raises `PARAM_INVALID` for an unknown job and `FEATURE_OFF` without market data.
    """
    job = get_job(name)
    due = product.runtime.read(who, lambda ctx: manual_due(ctx, job))
    run = run_job(product, who, due)
    if run is None:
        run = product.runtime.read(who, lambda ctx: find_tick(ctx, due))
    if run is None:
        raise RuntimeError("a claimed tick has a row")
    return run


def run_job(product: Product, who: Principal, due: Due) -> TaskRun | None:
    """Run a tick from its claim to its end; None when it is somebody else's, done, or has no parts.

    A part that fails does not take back the parts before it: each is a unit of work of its own,
    and doing one again changes nothing.
    """
    parts, planned = plan(product, who, due)
    if not parts and not planned.error and due.origin == "schedule":
        return None
    run = begin(product, who, due)
    if run is None:
        return None
    return end(product, who, run, [planned, *(do_part(product, who, due, one) for one in parts)])


def plan(product: Product, who: Principal, due: Due) -> tuple[list[Part], Outcome]:
    """Return the parts of a tick, or none and why they could not be found."""
    job = JOBS[due.job]
    parts: list[Part] = []

    def look() -> Mapping[str, int]:
        parts.extend(product.runtime.read(who, job.parts))
        return {}

    return parts, _guarded(job, who, look)


def begin(product: Product, who: Principal, due: Due) -> TaskRun | None:
    """Claim a tick; None when it is done, running elsewhere, resting or given up."""

    def act(ctx: Context) -> TaskRun | None:
        prune(ctx)
        return claim(ctx, due)

    return product.runtime.write(who, act)


def do_part(product: Product, who: Principal, due: Due, part: Part) -> Outcome:
    """Do one part in a unit of work of its own; never raises."""
    job = JOBS[due.job]
    return _guarded(job, who, lambda: product.runtime.write(who, lambda ctx: job.act(ctx, part)))


def _guarded(job: Job, who: Principal, act: Callable[[], Mapping[str, int]]) -> Outcome:
    try:
        return Outcome(dict(act()))
    except Refusal as refusal:
        return Outcome({}, f"{refusal.message} ({refusal.code})", refusal.code in _NOT_ON)
    except Exception as error:  # noqa: BLE001 - a worker loop; see architecture 4
        _log.exception("job.failed", job=job.name, tenant=who.tenant_id)
        return Outcome({}, f"defect: {type(error).__name__}")


def end(product: Product, who: Principal, run: TaskRun, outcomes: Iterable[Outcome]) -> TaskRun:
    """End a run by what became of its parts, with the sum of their counts as its summary.

    `skipped` when what it needs is off, or no part had anything to do; `failed` when a part failed
    or every symbol was refused.
    """
    every = list(outcomes)
    total: Counter[str] = Counter()
    for one in every:
        total.update(one.counts)
    errors = [one for one in every if one.error]
    summary = dict(sorted(total.items()))
    status, error = _judge(total)
    if errors:
        status = "skipped" if all(one.off for one in errors) else "failed"
        error = errors[0].error
    return product.runtime.write(who, lambda ctx: finish(ctx, run, status, summary, error=error))


def _judge(total: Mapping[str, int]) -> tuple[Ended, str]:
    refused = sorted(key.partition(":")[2] for key in total if key.startswith("refused:"))
    if not total:
        return "skipped", "there is nothing to do: no symbol is followed or held"
    if refused and all(key.startswith("refused:") for key in total):
        return ("skipped" if set(refused) <= _NOT_ON else "failed"), ", ".join(refused)
    return "ok", ""
