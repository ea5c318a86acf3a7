"""The worker role: durable workflows on dbos, JSON in their store, taken up when a worker dies."""

import os
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest

from app.worker import DEAD_S, SCHEDULE, Worker, jobs_url
from services import task_run
from services.kit import lease
from services.kit.clock import HandClock
from services.kit.ids import RandomIds
from tests import postgres
from tests.fakes.hand_feed import OPEN_TIME
from tests.fakes.job_desk import JobDesk

ROOT = Path(__file__).resolve().parents[3]
_DYING = """
import os, sys, time
from dataclasses import replace
from app.worker import Worker
from services.job import JOBS
from tests import postgres
from tests.fakes.hand_feed import OPEN_TIME
from tests.fakes.job_desk import JobDesk

desk = JobDesk(sys.argv[1], sys.argv[2], OPEN_TIME, JOBS_EMBEDDED="false")
desk.follow("AAPL", "GOOG", "IBM", "MSFT")
usual = JOBS["ingest_eod"]

def act(ctx, part):
    if part == ("IBM",):
        os._exit(137)
    print(part[0], flush=True)
    return usual.act(ctx, part)

for name in list(JOBS):
    JOBS[name] = replace(JOBS[name], act=act) if name == "ingest_eod" else JOBS[name]
    if name != "ingest_eod":
        del JOBS[name]
Worker(desk.product).launch(every_s=1)
time.sleep(30)
"""


@pytest.fixture
def desk(sqlite_url, tmp_path):
    desk = JobDesk(sqlite_url, tmp_path, OPEN_TIME, JOBS_EMBEDDED="false")
    yield desk
    desk.close()


def wait_until(true, *, seconds=30.0):
    ends = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < ends, "it never came"
        time.sleep(0.05)


def runs(desk):
    return desk.do(lambda ctx: task_run.list_runs(ctx, 50))


def ended(desk, job):
    return [one for one in runs(desk) if one.job == job and one.status == "ok"]


def store_of(desk):
    """The kinds of serialisation of the runs in the worker's own store, and its whole text."""
    path = jobs_url(desk.product).removeprefix("sqlite:///")
    with closing(sqlite3.connect(path)) as store:
        kinds = store.execute(
            "SELECT DISTINCT serialization FROM workflow_status WHERE name = 'run_job'"
        ).fetchall()
        return kinds, "\n".join(store.iterdump())


def test_a_worker_runs_what_is_due_once_and_keeps_plain_json(desk):
    desk.follow("AAPL")
    worker = Worker(desk.product)
    worker.launch(every_s=1)
    try:
        wait_until(lambda: ended(desk, "ingest_intraday") and ended(desk, "splits"))
        from dbos import DBOS

        assert [one["schedule_name"] for one in DBOS.list_schedules()] == [SCHEDULE]
        assert worker.reap() == 0
        kinds, dump = store_of(desk)
        known = DBOS.list_workflows(load_input=False, load_output=False)
        done = {one.workflow_id for one in known if one.status not in ("PENDING", "ENQUEUED")}
        worker.tidy()
        left = {one.workflow_id for one in DBOS.list_workflows(load_input=False)}
    finally:
        worker.close()
    assert len([one for one in runs(desk) if one.job == "ingest_intraday"]) == 1
    assert kinds == [("portable_json",)]
    assert "gASV" not in dump
    assert done
    assert done.isdisjoint(left)
    name = f"worker:{worker.executor}"
    assert desk.do(lambda ctx: lease.find_holder(ctx, name)) is None


@pytest.mark.fault("F131")
def test_the_work_of_a_worker_that_died_goes_on_from_its_last_part(sqlite_url, tmp_path):
    died = subprocess.run(
        [sys.executable, "-c", _DYING, sqlite_url, str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert died.returncode == 137, died.stderr[-2000:]
    assert died.stdout.split() == ["AAPL", "GOOG"]
    now = OPEN_TIME + timedelta(seconds=2 * DEAD_S)
    desk = JobDesk(sqlite_url, tmp_path, now, RandomIds(HandClock(now)), JOBS_EMBEDDED="false")
    [run] = runs(desk)
    assert (run.job, run.status) == ("ingest_eod", "running")
    worker = Worker(desk.product)
    worker.launch(every_s=30)
    try:
        assert worker.reap() == 1
        wait_until(lambda: ended(desk, "ingest_eod"))
    finally:
        worker.close()
    assert [one.attempts for one in ended(desk, "ingest_eod")] == [1]
    desk.close()


@pytest.mark.postgres
def test_on_postgresql_the_work_is_kept_in_a_schema_of_its_own(postgres_server, tmp_path):
    name = f"w{os.getpid()}"
    runtime_url, owner_url = postgres.fresh_database(postgres_server, name)
    desk = JobDesk(
        runtime_url, tmp_path, OPEN_TIME, JOBS_EMBEDDED="false", DATABASE_OWNER_URL=owner_url
    )
    desk.follow("AAPL")
    worker = Worker(desk.product)
    worker.launch(every_s=1)
    try:
        wait_until(lambda: ended(desk, "ingest_intraday"))
    finally:
        worker.close()
        desk.close()
    with psycopg.connect(owner_url) as connection:
        found = connection.execute("SELECT count(*) FROM dbos.workflow_status").fetchone()
    assert found[0] > 0
    postgres.drop_database(postgres_server, name)
