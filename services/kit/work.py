"""Owns the unit of work: one transaction and one stamped time, here or in a worker thread."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from services.kit.clock import Clock
from services.kit.context import Context, Principal
from services.kit.db import Database, Db
from services.kit.errors import Refusal
from services.kit.ids import Ids
from services.kit.money import use_context
from services.kit.policy import DEFAULT_POLICY, Policy
from services.kit.settings import Settings

T = TypeVar("T")
_THREADS = 8
"""Bound of units of work in flight; SQLite has one writer, PostgreSQL a pool of sixteen."""


@dataclass(frozen=True)
class Runtime:
    """Everything a unit of work is made from; built once in `app/wiring.py`, or by a test."""

    database: Database
    clock: Clock
    ids: Ids
    settings: Settings
    policy: Policy = DEFAULT_POLICY
    ports: Mapping[type, object] = field(default_factory=dict)
    threads: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(_THREADS, thread_name_prefix="unit")
    )

    def write(self, principal: Principal, act: Callable[[Context], T], *, trace: str = "") -> T:
        """Run `act` in one writing transaction and return its result after the commit.

        What it left in `ctx.afterwards` runs then, also when `act` was refused and rolled back.
        """
        use_context()
        left: list[Callable[[Context], object]] = []
        try:
            with self.database.write(principal.tenant_id) as db:
                ctx = self.context(db, principal, trace)
                left = ctx.afterwards
                return act(ctx)
        finally:
            self._finish(principal, left, trace)

    def _finish(
        self, principal: Principal, left: list[Callable[[Context], object]], trace: str
    ) -> None:
        """Run what a unit of work left behind; a database that refuses it loses only that."""
        for later in left:
            with contextlib.suppress(Refusal), self.database.write(principal.tenant_id) as db:
                later(self.context(db, principal, trace))

    def read(self, principal: Principal, act: Callable[[Context], T], *, trace: str = "") -> T:
        """Run `act` in one reading transaction."""
        use_context()
        with self.database.read(principal.tenant_id) as db:
            return act(self.context(db, principal, trace))

    async def write_async(
        self, principal: Principal, act: Callable[[Context], T], *, trace: str = ""
    ) -> T:
        """Run `write` in a worker thread; a cancelled caller does not stop a begun transaction."""
        return await self.in_thread(partial(self.write, principal, act, trace=trace))

    async def read_async(
        self, principal: Principal, act: Callable[[Context], T], *, trace: str = ""
    ) -> T:
        """Run `read` in a worker thread."""
        return await self.in_thread(partial(self.read, principal, act, trace=trace))

    async def in_thread(self, act: Callable[[], T]) -> T:
        """Run a blocking call in the product's own thread pool, with the caller's log context."""
        loop = asyncio.get_running_loop()
        caller = contextvars.copy_context()
        return await loop.run_in_executor(self.threads, caller.run, act)

    def context(self, db: Db, principal: Principal, trace: str = "") -> Context:
        """Return the context of an open transaction, its time stamped now."""
        return Context(
            db=db,
            now=self.clock.now(),
            ids=self.ids,
            settings=self.settings,
            policy=self.policy,
            principal=principal,
            trace=trace,
            ports=self.ports,
        )

    def close(self) -> None:
        """Wait for running units of work and close the database."""
        self.threads.shutdown(wait=True)
        self.database.close()
