"""Owns the calls of a step: reads side by side, lasting effects one by one, every call answered."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from dataclasses import replace
from typing import Any

from agent import relay
from agent.events import Fault, Source, StopReason, ToolFinished
from agent.model.port import AssistantStep, ToolCall
from agent.run_state import RunState
from agent.toolbox import Rejected, canonical_arguments, failed, kept
from agent.transcript import Entry, Result, append_entries
from services.kit.context import Context
from services.kit.errors import Refusal, refuse
from services.orders.refused import record_refused
from tools.registry import Effect, ToolResult

STOPPED = {
    "step_limit": "I stopped here: this request has used all its steps.",
    "call_limit": "I stopped here: this request has used all its tool calls.",
    "token_budget": "I stopped here: this request has used all its model tokens.",
    "deadline": "I stopped here: the time for this request is over.",
    "repeated_calls": "I stopped here: the same call came up again and again.",
}
_CUT = frozenset({"length", "content_filter"})


class Calls:
    """Runs the calls of one run, step by step."""

    def __init__(self, state: RunState) -> None:
        self.state = state

    async def work(self, step: AssistantStep, *, last: bool) -> StopReason | None:
        """Run the calls of a step: reads side by side, then lasting effects one by one."""
        calls = [*step.calls, *(one.call for one in step.withheld)]
        refused: dict[str, ToolResult] = {
            one.call.id: failed(
                one.call.name, refuse("ARGS_INVALID", name=one.call.name[:60], reason=one.reason)
            )
            for one in step.withheld
        }
        stop: StopReason | None = None
        if last:
            stop = (
                "call_limit"
                if self.state.budget.calls >= self.state.budget.limits.calls
                else "step_limit"
            )
        for place, call in enumerate(step.calls):
            bound = stop or self.state.budget.admit(
                call.name, canonical_arguments(call.arguments), place
            )
            lasting = self.state.parts.toolbox.leaves_something(call.name)
            if bound == "repeated_calls":
                stop = bound
            if bound or (lasting and step.finish in _CUT):
                what = STOPPED.get(bound or "", "the model's answer was cut off")
                refused[call.id] = failed(call.name, refuse("CALL_LIMIT", what=what))
        results = await self._run_all(calls, refused)
        await self.state.write(
            lambda ctx: append_entries(
                ctx,
                self.state.run.conversation_id,
                [Entry(role="tool", run_id=self.state.run.id, result=one) for one in results],
            )
        )
        self.state.entries += [
            Entry(role="tool", run_id=self.state.run.id, result=one) for one in results
        ]
        return stop

    async def _run_all(
        self, calls: Sequence[ToolCall], refused: dict[str, ToolResult]
    ) -> list[Result]:
        done: dict[str, Result] = {}

        async def one(call: ToolCall) -> None:
            done[call.id] = await self._run_one(call, refused.get(call.id))

        lasting = [call for call in calls if self.state.parts.toolbox.leaves_something(call.name)]
        async with asyncio.TaskGroup() as group:
            for call in calls:
                if call not in lasting:
                    group.create_task(one(call))
        self.state.turn.results += [done[call.id] for call in calls if call.id in done]
        for call in lasting:
            await _unbroken(one(call))
            self.state.turn.results.append(done[call.id])
        return [done[call.id] for call in calls]

    async def _run_one(self, call: ToolCall, refused: ToolResult | None) -> Result:
        clock = self.state.parts.runtime.clock
        began = clock.monotonic()
        tool = self.state.parts.toolbox.find(call.name)
        try:
            if refused is not None:
                raise Rejected(refused)  # noqa: TRY301 - one way out for every error result
            writes = tool is not None and tool.writes
            lasting = self.state.parts.toolbox.leaves_something(call.name)
            limit = None if lasting else self.state.parts.limits.tool_s
            async with asyncio.timeout(limit):
                result, kept_result = await self._perform(call, writes=writes, lasting=lasting)
        except Rejected as rejected:
            result = rejected.result
        except TimeoutError:
            result = failed(call.name, refuse("TOOL_TIMEOUT", name=call.name[:60]))
        except Refusal as refusal:
            result = failed(call.name, refusal)
        if not result.ok:
            kept_result = kept(call, result, self.state.turn, self.state.reality)
            await self._record_refusal(call, kept_result)
        await self.state.emit([self._finished(kept_result, clock.monotonic() - began)])
        if result.ok and self.state.parts.toolbox.leaves_something(call.name):
            self.state.changed.add(call.name)
        return kept_result

    async def _perform(
        self, call: ToolCall, *, writes: bool, lasting: bool
    ) -> tuple[ToolResult, Result]:
        def act(ctx: Context) -> tuple[ToolResult, Result]:
            reality = self.state.parts.look(ctx) if lasting else self.state.reality
            ctx = replace(
                ctx,
                origin={
                    "conversation_id": self.state.run.conversation_id,
                    "run_id": self.state.run.id,
                    "call_id": call.id,
                },
            )
            result = self.state.parts.toolbox.perform(ctx, call, self.state.turn, reality)
            if not result.ok:
                raise Rejected(result)
            if lasting:
                relay.deliver(ctx)
            return result, kept(call, result, self.state.turn, reality)

        if writes:
            return await self.state.write(act)
        try:
            return await self.state.read(act)
        except Refusal as refusal:
            if refusal.code != "DATABASE_BUSY":
                raise
            return await self.state.write(act)

    async def _record_refusal(self, call: ToolCall, refused: Result) -> None:
        """Audit a proposal that was refused; its own transaction was rolled back."""
        tool = self.state.parts.toolbox.find(call.name)
        if tool is None or tool.effect is not Effect.PROPOSE:
            return
        code, wanted = str(refused.payload.get("code", "")), call.arguments
        origin = {"run": self.state.run.id, "call": call.id}

        def act(ctx: Context) -> None:
            record_refused(ctx, call.name, code, wanted, **origin)

        await self.state.write(act)

    def _finished(self, result: Result, seconds: float) -> ToolFinished:
        error = None
        if not result.ok:
            error = Fault(
                code=str(result.payload.get("code", "")),
                message=self.state.parts.egress.to_person(str(result.payload["message"])),
                hint=str(result.payload.get("hint", "")),
            )
        return ToolFinished(
            call_id=result.call_id,
            name=result.name,
            ok=result.ok,
            ref=result.ref,
            error=error,
            digest=self.state.parts.egress.to_person(result.digest),
            duration_ms=int(seconds * 1000),
            source=tuple(_source(item) for item in result.source),
        )


def _source(item: Any) -> Source:
    return Source(
        provider=str(item.get("provider", "")),
        dataset=str(item.get("dataset", "")),
        as_of=str(item.get("as_of", "")),
        provenance=str(item.get("provenance") or ""),
        symbol=item.get("symbol"),
    )


async def _unbroken(work: Coroutine[Any, Any, None]) -> None:
    """Run to the end even when the run is cancelled meanwhile; the cancellation follows."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await task
        raise
