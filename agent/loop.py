"""Owns the coach: runs as server tasks, each with one end, cancellable, outliving its reader."""

from __future__ import annotations

import asyncio

import structlog

from agent import runs
from agent.answering import Answering
from agent.budget import CHAT, Limits
from agent.egress import Egress
from agent.events import RunError, RunFinished
from agent.model.port import Model
from agent.reality import Look
from agent.run_state import Parts
from agent.toolbox import Toolbox
from services.kit.context import Context, Principal
from services.kit.errors import Refusal
from services.kit.work import Runtime

_log = structlog.get_logger("coach")
_CLOSE_S = 5.0
End = RunFinished | RunError


class Coach:
    """Answers queued messages. A run belongs to the server, not to the request that started it."""

    def __init__(
        self,
        runtime: Runtime,
        *,
        model: Model,
        fallback: Model,
        toolbox: Toolbox,
        look: Look,
        limits: Limits = CHAT,
    ) -> None:
        self._runtime = runtime
        self._parts = Parts(
            runtime=runtime,
            model=model,
            fallback=fallback,
            toolbox=toolbox,
            look=look,
            egress=Egress(runtime.settings),
            limits=limits,
        )
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def start(self, principal: Principal, run_id: str) -> asyncio.Task[None]:
        """Run in the background and return the task; starting a run twice gives the same task."""
        task = self._tasks.get(run_id)
        if task is None:
            task = asyncio.create_task(self.run(principal, run_id), name=f"run {run_id}")
            self._tasks[run_id] = task
            task.add_done_callback(lambda done: self._forget(run_id, done))
        return task

    def _forget(self, run_id: str, task: asyncio.Task[None]) -> None:
        self._tasks.pop(run_id, None)
        if not task.cancelled() and task.exception() is not None:
            _log.error("run.failed", run_id=run_id, exc_info=task.exception())

    async def run(self, principal: Principal, run_id: str) -> None:
        """Claim a queued run and bring it to its one terminal event.

        A defect ends the run with `INTERNAL` and is raised; a cancelled run ends `cancelled`.
        """
        claimed = await self._runtime.write_async(
            principal, lambda ctx: runs.claim(ctx, run_id), trace=run_id
        )
        if claimed is None:
            return
        answering = Answering(self._parts, principal, claimed)
        end: End = RunError(code="INTERNAL", message="the run failed by a defect", retryable=True)
        try:
            end = await self._bounded(answering)
        except asyncio.CancelledError:
            end = RunFinished(stop_reason="cancelled", unverified=tuple(answering.state.unverified))
        finally:
            await asyncio.shield(self._end(answering, principal, end))

    async def _bounded(self, answering: Answering) -> End:
        try:
            async with asyncio.timeout(self._parts.limits.wall_s):
                stop = await answering.go()
        except TimeoutError:
            stop = "deadline"
            await answering.say_stop(stop)
        except Refusal as refusal:
            _log.warning("run.refused", run_id=answering.state.run.id, code=refusal.code)
            return RunError(code=refusal.code, message=refusal.message, retryable=refusal.retryable)
        return RunFinished(stop_reason=stop, unverified=tuple(answering.state.unverified))

    async def _end(self, answering: Answering, principal: Principal, end: End) -> None:
        run_id = answering.state.run.id
        await answering.state.come_to_rest()
        await self._runtime.write_async(
            principal, lambda ctx: runs.end(ctx, run_id, end), trace=run_id
        )
        _log.info("run.ended", run_id=run_id, reason=getattr(end, "stop_reason", end.type))

    async def cancel(self, principal: Principal, run_id: str) -> None:
        """Stop a run: at once here, at its next step elsewhere. Raises `RUN_UNKNOWN`."""
        await self._runtime.write_async(principal, lambda ctx: runs.request_cancel(ctx, run_id))
        task = self._tasks.get(run_id)
        if task is not None:
            task.cancel()

    @property
    def active(self) -> tuple[str, ...]:
        """Return the ids of the runs of this process."""
        return tuple(self._tasks)

    async def close(self) -> None:
        """Cancel every run of this process and wait for their ends."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=_CLOSE_S)


def recover(ctx: Context, *, everything: bool = True) -> list[str]:
    """End the runs that a dead process left behind; see `agent.runs.recover`."""
    return runs.recover(ctx, everything=everything)
