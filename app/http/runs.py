"""Owns the tie between runs and their readers: a run that nobody follows any more is cancelled."""

from __future__ import annotations

import asyncio
from collections import Counter

import structlog

from agent.loop import Coach
from services.kit.context import Principal
from services.kit.errors import Refusal

_log = structlog.get_logger()


class Runs:
    """The runs of this process by conversation, and how many screens follow each conversation.

    A run belongs to the server, so it starts and ends without any reader; only when the last
    reader of a conversation leaves and none comes back within the grace are the runs cancelled
    that were going on when it left.
    """

    def __init__(self, coach: Coach, *, grace_s: float) -> None:
        self._coach = coach
        self._grace_s = grace_s
        self._runs: dict[str, dict[str, Principal]] = {}
        self._readers: Counter[str] = Counter()
        self._waits: dict[str, asyncio.Task[None]] = {}

    def start(self, principal: Principal, conversation_id: str, run_id: str) -> None:
        """Start a run and remember it until it ends."""
        self._runs.setdefault(conversation_id, {})[run_id] = principal
        task = self._coach.start(principal, run_id)
        task.add_done_callback(lambda _: self._forget(conversation_id, run_id))

    def enter(self, conversation_id: str) -> None:
        """Count one more reader; a waiting cancellation is called off."""
        self._readers[conversation_id] += 1
        waiting = self._waits.pop(conversation_id, None)
        if waiting is not None:
            waiting.cancel()

    def leave(self, conversation_id: str) -> None:
        """Count one reader less; after the last one the grace begins."""
        self._readers[conversation_id] -= 1
        if self._readers[conversation_id] > 0:
            return
        del self._readers[conversation_id]
        left = dict(self._runs.get(conversation_id, {}))
        if left:
            task = asyncio.create_task(self._abandon(conversation_id, left), name="run grace")
            self._waits[conversation_id] = task

    async def close(self) -> None:
        """Call off every waiting cancellation, then end the runs themselves."""
        waits = list(self._waits.values())
        self._waits.clear()
        for task in waits:
            task.cancel()
        await asyncio.gather(*waits, return_exceptions=True)
        await self._coach.close()

    async def _abandon(self, conversation_id: str, left: dict[str, Principal]) -> None:
        await asyncio.sleep(self._grace_s)
        self._waits.pop(conversation_id, None)
        for run_id, principal in left.items():
            if run_id not in self._runs.get(conversation_id, {}):
                continue
            _log.info("run.abandoned", run_id=run_id, grace_s=self._grace_s)
            try:
                await self._coach.cancel(principal, run_id)
            except Refusal as refusal:
                _log.warning("run.not_cancelled", run_id=run_id, code=refusal.code)

    def _forget(self, conversation_id: str, run_id: str) -> None:
        mine = self._runs.get(conversation_id, {})
        mine.pop(run_id, None)
        if not mine:
            self._runs.pop(conversation_id, None)
