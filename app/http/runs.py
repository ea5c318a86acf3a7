"""Owns the coach's runs as server tasks: started by a message, independent of who listens."""

from __future__ import annotations

import asyncio

import structlog

from app.background import tenant_principals
from app.wiring import Product
from services.kit.context import Principal

_log = structlog.get_logger()
_CLOSE_S = 5.0
"""How long a run may take to end after it was cancelled at shutdown."""


class Runs:
    """The tasks of the runs of this process."""

    def __init__(self, product: Product) -> None:
        self._product = product
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, principal: Principal, run_id: str) -> None:
        """Start a queued run; the client's disconnect does not touch it."""
        task = asyncio.create_task(self._run(principal, run_id), name=f"run:{run_id}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def recover(self) -> None:
        """End the runs that a dead process left behind, in every tenant."""
        for principal in await self._product.runtime.in_thread(
            lambda: tenant_principals(self._product)
        ):
            await self._product.runtime.write_async(principal, self._product.coach.recover)

    async def close(self) -> None:
        """Cancel what still runs and wait a bounded time for its end."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_CLOSE_S)

    async def _run(self, principal: Principal, run_id: str) -> None:
        try:
            await self._product.coach.run(principal, run_id)
        except Exception:
            _log.exception("run.failed", run_id=run_id)
