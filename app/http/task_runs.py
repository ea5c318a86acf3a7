"""Owns the routes of job runs: what ran, and running a job by hand."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from app.http.unit import principal_of, product_of, read, render
from app.http.wire import Body, Word
from app.jobs import run_manual
from services.job import JOBS
from services.kit.context import Context, system_principal
from services.task_run import list_runs

router = APIRouter(prefix="/api/v1")


class JobBody(Body):
    """Which job to run now."""

    job: Word


@router.get("/task-runs")
async def list_task_runs(
    request: Request, limit: Annotated[int, Query(ge=1, le=200)] = 50
) -> Response:
    """List the newest runs of jobs, and the jobs that there are."""

    def act(ctx: Context) -> dict[str, Any]:
        jobs = [{"name": job.name, "title": job.title} for job in JOBS.values()]
        return {"items": list_runs(ctx, limit), "jobs": jobs}

    return await read(request, act)


@router.post("/task-runs")
async def run_task(request: Request, body: JobBody) -> Response:
    """Run a job now and return its run; the same instant of market time asked twice is one run."""
    product = product_of(request)
    who = system_principal(principal_of(request).tenant_id)
    run = await product.runtime.in_thread(lambda: run_manual(product, who, body.job))
    return render(run)
