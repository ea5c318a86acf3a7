"""Owns the state of one run while it lives: its parts, its transcript, its way to the database."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

from agent import log
from agent.budget import Budget, Limits
from agent.egress import Egress
from agent.events import Event
from agent.facts import Ledger, facts_of
from agent.model.port import Model
from agent.projection import WHOLE_TURNS
from agent.provenance import BASIS_TOOLS
from agent.reality import Look, Reality
from agent.runs import Run
from agent.toolbox import Toolbox, Turn
from agent.transcript import Entry
from services.kit.context import Context, Principal
from services.kit.work import Runtime

T = TypeVar("T")
_CARDS = {"propose_order", "propose_bracket", "replace_order", "cancel_order", "position_action"}
_LASTING = BASIS_TOOLS | _CARDS | {"journal_add", "audit_trail", "help"}
"""Tools whose older results still count as facts; market and book figures go stale."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What every run is made from; built once where the product is wired."""

    runtime: Runtime
    model: Model
    fallback: Model
    toolbox: Toolbox
    look: Look
    egress: Egress
    limits: Limits


class RunState:
    """What one run knows; the person acts through it as the coach, never more."""

    def __init__(self, parts: Parts, principal: Principal, run: Run) -> None:
        self.parts = parts
        self.agent = principal.as_agent()
        self.run = run
        self.budget = Budget(parts.limits, parts.runtime.clock.monotonic() + parts.limits.wall_s)
        self.entries: list[Entry] = []
        self.turn = Turn("")
        self.reality = Reality()
        self.changed: set[str] = set()
        self.unverified: list[str] = []
        self._facts: tuple[tuple[int, int], Ledger] | None = None
        self._told: list[Event] = []
        self._telling: asyncio.Task[None] | None = None

    def ledger(self) -> Ledger:
        """Return the facts of this run, of lasting older results, and of the person's words.

        Entries and results only grow, so the facts hold until there is another one.
        """
        grown = (len(self.entries), len(self.turn.results))
        if self._facts is None or self._facts[0] != grown:
            self._facts = (grown, self._facts_now())
        return self._facts[1]

    def _facts_now(self) -> Ledger:
        starts = [at for at, entry in enumerate(self.entries) if entry.role == "user"]
        recent = self.entries[starts[-WHOLE_TURNS] if len(starts) >= WHOLE_TURNS else 0 :]
        older = [
            entry.result
            for entry in recent
            if entry.result is not None
            and entry.run_id != self.run.id
            and entry.result.name in _LASTING
        ]
        words = [entry.text for entry in recent if entry.role == "user"]
        return facts_of([*older, *self.turn.results], words)

    async def look(self) -> Reality:
        """Return what is really so now, with what this run itself changed."""
        reality = await self.read(self.parts.look)
        return replace(reality, changed=frozenset(self.changed))

    async def emit(self, batch: list[Event]) -> None:
        """Store events of this run; readers are woken after the commit."""
        self.tell(batch)
        await self.settle()

    def tell(self, batch: list[Event]) -> None:
        """Start to store events and do not wait; the order stays.

        What is told while a store is under way goes together into the next one. A fault is raised
        by the next `settle`.
        """
        self._told += batch
        if self._telling is None or (self._telling.done() and not _fault(self._telling)):
            self._telling = asyncio.create_task(self._store_told())

    async def _store_told(self) -> None:
        while self._told:
            batch, self._told = self._told, []
            await self._append(batch)

    async def _append(self, batch: list[Event]) -> None:
        await self.write(
            lambda ctx: log.append_many(ctx, self.run.conversation_id, batch, run=self.run.id)
        )

    async def settle(self) -> None:
        """Wait until everything that was told is stored; raises what kept it from being so."""
        if self._telling is not None:
            await asyncio.shield(self._telling)

    async def take_told(self) -> list[Event]:
        """Wait for the store under way; return the events behind it for the caller to store."""
        rest, self._told = self._told, []
        await self.settle()
        return rest

    async def come_to_rest(self) -> None:
        """Wait for the store under way, whatever comes of it; nothing is stored afterwards."""
        if self._telling is not None:
            await asyncio.wait((self._telling,))
            _fault(self._telling)

    async def write(self, act: Callable[[Context], T]) -> T:
        """Run one writing unit of work as the coach, traced by the run."""
        return await self.parts.runtime.write_async(self.agent, act, trace=self.run.id)

    async def read(self, act: Callable[[Context], T]) -> T:
        """Run one reading unit of work as the coach."""
        return await self.parts.runtime.read_async(self.agent, act, trace=self.run.id)


def _fault(done: asyncio.Task[None]) -> bool:
    """Return True when the task did not do its work; its exception counts as seen."""
    return done.cancelled() or done.exception() is not None
