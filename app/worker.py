"""Owns the worker role: jobs as durable workflows, taken up by another worker when one dies."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import structlog
from sqlalchemy import make_url

from app import jobs
from app.wiring import Product, prepare_database
from services.identity.user import LOCAL_TENANT
from services.kit import lease
from services.kit.clock import instant_text, parse_instant
from services.kit.context import Principal, system_principal
from services.task_run import Due, TaskRun, find_run, find_tick

if TYPE_CHECKING:
    from dbos import DBOSConfig

_log = structlog.get_logger("worker")
VERSION = "jobs-1"
"""Version of the workflows' steps. Change it when their order changes: work in flight of another
version is left to workers of that version."""
SCHEDULE = "cornerman-jobs"
EVERY_S = 15
HEARTBEAT_S, DEAD_S = 10.0, 35.0
_KEEP = timedelta(days=2)
_THREADS = 4
_FINISH_S = 5
"""How long what is under way may still take at the end, so that it closes its connections."""


class Worker:
    """One worker process: a schedule that looks for due ticks, and a workflow per run."""

    def __init__(self, product: Product) -> None:
        self._product = product
        self.executor = product.ids.new("exe")
        self._home = system_principal(LOCAL_TENANT)

    def launch(self, *, every_s: int = EVERY_S) -> None:
        """Register the workflows, start them, and set the one schedule; others are deleted."""
        from dbos import DBOS

        DBOS(config=self._config())
        look = self._register()
        self.beat()
        DBOS.launch()
        for known in DBOS.list_schedules():
            DBOS.delete_schedule(known["schedule_name"])
        DBOS.create_schedule(
            schedule_name=SCHEDULE, workflow_fn=look, schedule=f"*/{every_s} * * * * *"
        )

    def close(self) -> None:
        """Stop taking work up and give the lease back; what is not done then goes on elsewhere."""
        from dbos import DBOS

        DBOS.destroy(destroy_registry=True, workflow_completion_timeout_sec=_FINISH_S)
        self._product.runtime.write(
            self._home, lambda ctx: lease.release(ctx, self._lease(self.executor), self.executor)
        )

    def _config(self) -> DBOSConfig:
        from dbos import DBOSPortableJSONSerializer

        return {
            "name": "cornerman",
            "system_database_url": jobs_url(self._product),
            "application_version": VERSION,
            "executor_id": self.executor,
            "serializer": DBOSPortableJSONSerializer(),
            "max_executor_threads": _THREADS,
            "log_level": "ERROR",
            "scheduler_polling_interval_sec": 5.0,
        }

    def _register(self) -> Callable[[datetime, Any], None]:
        from dbos import DBOS, SetWorkflowID

        @DBOS.workflow(name="run_job")
        def run_job(tick: dict[str, Any]) -> None:
            planned = DBOS.run_step({"name": "plan"}, self._plan, tick)
            if not planned["parts"] and not planned["outcome"]["error"]:
                return
            claimed = DBOS.run_step({"name": "begin"}, self._begin, tick)
            if claimed is None:
                return
            done = [
                DBOS.run_step({"name": "part"}, self._part, tick, part) for part in planned["parts"]
            ]
            outcomes = [planned["outcome"], *done]
            DBOS.run_step({"name": "end"}, self._end, tick, claimed, outcomes)

        @DBOS.workflow(name="look_for_due")
        def look_for_due(_scheduled_at: datetime, _context: Any) -> None:
            for one in DBOS.run_step({"name": "due"}, self._due):
                with SetWorkflowID(one["id"]):
                    DBOS.start_workflow(run_job, one)

        return look_for_due

    def _due(self) -> list[dict[str, Any]]:
        return [
            self._document(who, tick)
            for who in jobs.tenant_principals(self._product)
            for tick in jobs.due_jobs(self._product, who)
        ]

    def _document(self, who: Principal, due: Due) -> dict[str, Any]:
        """Return a tick as JSON; its id names the attempt, so that each is one workflow."""
        at = instant_text(due.scheduled_at)
        known = self._product.runtime.read(who, lambda ctx: find_tick(ctx, due))
        attempt = 1 if known is None else known.attempts + int(known.status == "failed")
        return {
            "id": f"{who.tenant_id}/{due.job}/{due.round}/{at}/{attempt}",
            "tenant": who.tenant_id,
            "job": due.job,
            "at": at,
            "round": due.round,
            "missed": due.missed,
        }

    def _plan(self, tick: Mapping[str, Any]) -> dict[str, Any]:
        parts, outcome = jobs.plan(self._product, *_read(tick))
        return {"parts": [list(part) for part in parts], "outcome": _written(outcome)}

    def _begin(self, tick: Mapping[str, Any]) -> list[Any] | None:
        run = jobs.begin(self._product, *_read(tick))
        return None if run is None else [run.id, run.attempts]

    def _part(self, tick: Mapping[str, Any], part: list[str]) -> dict[str, Any]:
        who, due = _read(tick)
        return _written(jobs.do_part(self._product, who, due, tuple(part)))

    def _end(self, tick: Mapping[str, Any], claimed: list[Any], outcomes: list[Any]) -> None:
        who, _ = _read(tick)
        run_id, attempts = claimed
        run = self._product.runtime.read(who, lambda ctx: find_run(ctx, run_id))
        if isinstance(run, TaskRun) and run.attempts == attempts:
            jobs.end(self._product, who, run, [jobs.Outcome(**one) for one in outcomes])

    def beat(self) -> None:
        """Tell that this worker lives; another may take its work up when this stays away."""
        name = self._lease(self.executor)
        self._product.runtime.write(
            self._home, lambda ctx: lease.take(ctx, name, self.executor, DEAD_S)
        )

    def reap(self) -> int:
        """Take up the workflows of workers that no longer live; return how many."""
        from dbos import DBOS

        taken = 0
        for one in DBOS.list_workflows(status="PENDING", load_input=False, load_output=False):
            if one.executor_id and not self._lives(one.executor_id):
                DBOS.resume_workflow(one.workflow_id)
                _log.warning("worker.reaped", workflow=one.workflow_id, executor=one.executor_id)
                taken += 1
        return taken

    def _lives(self, executor: str) -> bool:
        name = self._lease(executor)
        holder = self._product.runtime.read(self._home, lambda ctx: lease.find_holder(ctx, name))
        return executor == self.executor or holder is not None

    def tidy(self) -> None:
        """Delete workflows that ended more than two days ago; `task_runs` keeps the record."""
        from dbos import DBOS

        before = (self._product.clock.now() - _KEEP).isoformat()
        old = DBOS.list_workflows(
            completed_before=before, limit=1000, load_input=False, load_output=False
        )
        if old:
            DBOS.delete_workflows([one.workflow_id for one in old])

    @staticmethod
    def _lease(executor: str) -> str:
        return f"worker:{executor}"


def _read(tick: Mapping[str, Any]) -> tuple[Principal, Due]:
    at = parse_instant(tick["at"])
    return system_principal(tick["tenant"]), Due(tick["job"], at, tick["round"], tick["missed"])


def _written(outcome: jobs.Outcome) -> dict[str, Any]:
    return {"counts": dict(outcome.counts), "error": outcome.error, "off": outcome.off}


def jobs_url(product: Product) -> str:
    """Return where the workflows are kept: `jobs.db` in the home, or schema `dbos` of PostgreSQL.

    On PostgreSQL the owner's URL is needed, because the runtime role may not make a schema.
    """
    settings = product.settings
    if settings.runtime_database_url.startswith("sqlite"):
        return f"sqlite:///{settings.cornerman_home / 'jobs.db'}"
    owner = make_url(settings.owner_database_url)
    return owner.set(drivername="postgresql").render_as_string(hide_password=False)


def run_worker(product: Product, stop: threading.Event, *, every_s: int = EVERY_S) -> None:
    """Work until `stop` is set: the schedule runs by itself; this thread beats, reaps, tidies."""
    prepare_database(product)
    worker = Worker(product)
    worker.launch(every_s=every_s)
    try:
        while not stop.wait(HEARTBEAT_S):
            worker.beat()
            worker.reap()
            worker.tidy()
    finally:
        worker.close()
