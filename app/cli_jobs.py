"""Owns the verbs about jobs: the worker role, and running one job by hand."""

from __future__ import annotations

from typing import Annotated

import typer


def worker() -> None:
    """Run the scheduled jobs in a process of its own. Example: cornerman worker.

    Set JOBS_EMBEDDED=false for `serve` beside it; with both, each tick still runs once.
    """
    import signal
    import threading

    from app.cli import settings_now
    from app.wiring import build
    from app.worker import run_worker

    stop = threading.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: stop.set())
    product = build(settings_now())
    try:
        typer.echo(f"Cornerman {product.version} runs the scheduled jobs; stop it with Ctrl-C.")
        run_worker(product, stop)
    finally:
        product.close()


def ingest(
    job: Annotated[str, typer.Argument(help="Name of the job, such as ingest_eod.")],
) -> None:
    """Run one job now and tell what it did. Example: cornerman ingest ingest_eod."""
    from app.cli import desk_here
    from app.jobs import run_manual
    from services.kit.context import system_principal

    with desk_here() as desk:
        run = run_manual(desk.product, system_principal(desk.principal.tenant_id), job)
    counts = ", ".join(f"{name} {count}" for name, count in sorted(run.summary.items()))
    typer.echo(f"{run.job} {run.status}: {run.error or counts or 'nothing'}")
    if run.status in ("failed", "dead"):
        raise typer.Exit(1)
