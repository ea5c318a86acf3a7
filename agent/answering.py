"""Owns one run: ask the model, run its calls, ask again, until there is an answer or a bound."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any

from agent import log, relay, runs
from agent.budget import Budget, Limits, day_is_spent
from agent.egress import Egress
from agent.events import (
    Event,
    Fault,
    Source,
    StepStarted,
    StopReason,
    TextDone,
    TextPart,
    TextReset,
    ToolFinished,
    ToolStarted,
    UsageReported,
)
from agent.facts import Ledger, facts_of
from agent.model.port import (
    AssistantStep,
    Model,
    ModelRequest,
    StepDone,
    TextDelta,
    ToolCall,
)
from agent.model.port import TextReset as ModelReset
from agent.pinned import pinned
from agent.projection import WHOLE_TURNS, project
from agent.provenance import BASIS_TOOLS, arguments_of
from agent.reality import Look, Reality
from agent.record import Asked, append_record
from agent.runs import Run
from agent.speech import Speech
from agent.toolbox import Rejected, Toolbox, Turn, canonical_arguments, failed, kept
from agent.transcript import Entry, Result, append_entries, read_entries
from prompts.loader import prompt
from services.kit.context import Context, Principal
from services.kit.errors import Refusal, refuse
from services.kit.failpoint import reach
from services.kit.work import Runtime
from tools.registry import ToolResult

_DIGEST_MAX = 120
_LASTING = BASIS_TOOLS | {"propose_order", "cancel_order", "journal_add", "audit_trail", "help"}
"""Tools whose older results still count as facts; market and book figures go stale."""
_STOPPED = {
    "step_limit": "I stopped here: this request has used all its steps.",
    "call_limit": "I stopped here: this request has used all its tool calls.",
    "token_budget": "I stopped here: this request has used all its model tokens.",
    "deadline": "I stopped here: the time for this request is over.",
    "repeated_calls": "I stopped here: the same call came up again and again.",
}
_CUT = frozenset({"length", "content_filter"})


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


class Answering:
    """The state of one run while it lives."""

    def __init__(self, parts: Parts, principal: Principal, run: Run) -> None:
        self.parts = parts
        self.agent = principal.as_agent()
        self.run = run
        self.model = parts.model
        self.budget = Budget(parts.limits, parts.runtime.clock.monotonic() + parts.limits.wall_s)
        self.entries: list[Entry] = []
        self.turn = Turn("")
        self.reality = Reality()
        self.system = ""
        self.changed: set[str] = set()
        self.unverified: list[str] = []
        self._why = ""

    async def go(self) -> StopReason:
        """Run to the end and return why it ended. Raises a `MODEL_*` refusal of the last model."""
        await self._prepare()
        while True:
            if await self._read(lambda ctx: runs.cancel_wanted(ctx, self.run.id)):
                return "cancelled"
            stop = self.budget.open_step(self.parts.runtime.clock.monotonic())
            if stop is None:
                await self.emit([StepStarted(step=self.budget.steps)])
                last = self.budget.last_step
                step = await self._ask()
                if not step.calls and not step.withheld:
                    return "final"
                stop = await self._work(step, last=last)
            if stop is not None:
                await self.say_stop(stop)
                return stop

    async def _prepare(self) -> None:
        def load(ctx: Context) -> tuple[list[Entry], Reality, bool]:
            return (read_entries(ctx, self.run.conversation_id), self.parts.look(ctx),
                    day_is_spent(ctx, self.agent.user_id))

        self.entries, self.reality, spent = await self._read(load)
        words = next((entry.text for entry in reversed(self.entries)
                      if entry.id == self.run.message_id), "")
        history = [entry for entry in self.entries if entry.run_id != self.run.id]
        self.turn = Turn(words, history)
        self.system = await self._read(lambda ctx: pinned(ctx, self.reality, self.turn.intent))
        if spent and self.model is not self.parts.fallback:
            self._fall_back("your model tokens of the day are used up")

    def _fall_back(self, reason: str) -> None:
        self.model = self.parts.fallback
        self._why = f"The language model is not used: {reason}. The built-in rules answer.\n\n"

    async def _ask(self) -> AssistantStep:
        """Ask for one step and store it; a dead endpoint hands over to the built-in rules."""
        message_id = self.parts.runtime.ids.new("m")
        speech = Speech(self.parts.egress, self._ledger, self._look)
        while True:
            try:
                return await self._one_step(message_id, speech)
            except Refusal as refusal:
                if not refusal.code.startswith("MODEL_") or self.model is self.parts.fallback:
                    raise
                await self._reset(message_id, speech)
                self._fall_back(refusal.message)

    async def _one_step(self, message_id: str, speech: Speech) -> AssistantStep:
        clock = self.parts.runtime.clock
        began = clock.monotonic()
        await self._say_own(message_id, speech)
        narrated = not self.model.calls_tools
        model = self.parts.fallback if narrated else self.model
        request = self._request(flat=False)
        step = await self._stream(model, request, message_id, None if narrated else speech)
        if narrated and not step.calls:
            model, request = self.model, self._request(flat=True)
            step = await self._stream(model, request, message_id, speech)
            step = replace(step, calls=(), withheld=())
        asked = Asked(run_id=self.run.id, step=self.budget.steps, model=model.name,
                      request=request, answer=step, prompt_hash=self._prompt(flat=narrated).hash,
                      duration_ms=int((clock.monotonic() - began) * 1000))
        await self._conclude(message_id, speech, asked)
        return step

    async def _say_own(self, message_id: str, speech: Speech) -> None:
        """Say why the built-in rules answer, before their first words."""
        if self._why:
            text, self._why = self.parts.egress.to_person(self._why), ""
            speech.released += text
            await self.emit([TextPart(message_id=message_id, text=text)])

    def _prompt(self, *, flat: bool) -> Any:
        return prompt("narrate" if flat else "coach")

    def _request(self, *, flat: bool) -> ModelRequest:
        system = f"{self._prompt(flat=flat).text}\n\n{self.system}"
        messages = project(self.entries, system=system, egress=self.parts.egress,
                           limits=self.parts.limits, flat=flat)
        return ModelRequest(
            messages=messages, tools=() if flat else self.parts.toolbox.specs(self.turn.intent),
            tool_choice="none" if self.budget.last_step else "auto",
            max_tokens=self.budget.tokens_left)

    async def _stream(self, model: Model, request: ModelRequest, message_id: str,
                      speech: Speech | None) -> AssistantStep:
        """Read one answer to its end. Raises `MODEL_STREAM_FAULT` for an incomplete one."""
        step: AssistantStep | None = None
        stream = model.stream(request, deadline=self.budget.deadline)
        async with aclosing(stream) as answer:  # type: ignore[type-var]
            async for event in answer:
                match event:
                    case TextDelta(text) if speech is not None:
                        await self._show(message_id, await speech.feed(text))
                    case ModelReset() if speech is not None:
                        await self._reset(message_id, speech)
                    case StepDone(done):
                        step = done
                    case _:
                        continue
        if step is None or not step.complete:
            raise refuse("MODEL_STREAM_FAULT", reason=step.reason if step else "no end was seen")
        return step

    async def _show(self, message_id: str, text: str) -> None:
        if text:
            await self.emit([TextPart(message_id=message_id, text=text)])

    async def _reset(self, message_id: str, speech: Speech) -> None:
        if speech.released:
            await self.emit([TextReset(message_id=message_id)])
        speech.reset()

    async def _conclude(self, message_id: str, speech: Speech, asked: Asked) -> None:
        """Store the end of a step: its last text, its entry, its cost, and the request itself."""
        rest = await speech.close()
        step, usage = asked.answer, asked.answer.usage
        self.budget.spend(usage.prompt_tokens, usage.completion_tokens)
        self.unverified += [mark.text for mark in speech.marks if mark.kind == "unverified"]
        calls = (*step.calls, *(one.call for one in step.withheld))
        batch: list[Event] = [TextPart(message_id=message_id, text=rest)] if rest else []
        if speech.released:
            batch.append(TextDone(message_id=message_id, text=speech.released,
                                  marks=tuple(speech.marks)))
        batch.append(UsageReported(prompt_tokens=usage.prompt_tokens, estimated=usage.estimated,
                                   completion_tokens=usage.completion_tokens))
        batch += [ToolStarted(call_id=call.id, name=call.name[:60], args_digest=self._digest(call),
                              label=call.name[:60].replace("_", " ")) for call in calls]
        entry = Entry(role="assistant", id=message_id, text=speech.released, calls=calls,
                      run_id=self.run.id,
                      marks=tuple({"kind": mark.kind, "text": mark.text} for mark in speech.marks))

        def store(ctx: Context) -> None:
            log.append_many(ctx, self.run.conversation_id, batch, run=self.run.id)
            if entry.text or entry.calls:
                append_entries(ctx, self.run.conversation_id, [entry])
            append_record(ctx, asked, self.parts.egress)

        await self._write(store)
        reach("coach.after_step")
        if entry.text or entry.calls:
            self.entries.append(entry)

    def _digest(self, call: ToolCall) -> str:
        parts = [f"{name}={value}" for name, value in arguments_of(call.arguments).items()]
        return self.parts.egress.to_person(", ".join(parts))[:_DIGEST_MAX]

    async def _work(self, step: AssistantStep, *, last: bool) -> StopReason | None:
        """Run the calls of a step: reads side by side, then lasting effects one by one."""
        calls = [*step.calls, *(one.call for one in step.withheld)]
        refused: dict[str, ToolResult] = {
            one.call.id: failed(one.call.name, refuse("ARGS_INVALID", name=one.call.name[:60],
                                                      reason=one.reason))
            for one in step.withheld}
        stop: StopReason | None = None
        if last:
            stop = "call_limit" if self.budget.calls >= self.budget.limits.calls else "step_limit"
        for place, call in enumerate(step.calls):
            bound = stop or self.budget.admit(call.name, canonical_arguments(call.arguments), place)
            lasting = self.parts.toolbox.leaves_something(call.name)
            if bound == "repeated_calls":
                stop = bound
            if bound or (lasting and step.finish in _CUT):
                what = _STOPPED.get(bound or "", "the model's answer was cut off")
                refused[call.id] = failed(call.name, refuse("CALL_LIMIT", what=what))
        results = await self._run_all(calls, refused)
        await self._write(lambda ctx: append_entries(
            ctx, self.run.conversation_id, [Entry(role="tool", run_id=self.run.id, result=one)
                                            for one in results]))
        self.entries += [Entry(role="tool", run_id=self.run.id, result=one) for one in results]
        return stop

    async def _run_all(self, calls: Sequence[ToolCall],
                       refused: dict[str, ToolResult]) -> list[Result]:
        done: dict[str, Result] = {}

        async def one(call: ToolCall) -> None:
            done[call.id] = await self._run_one(call, refused.get(call.id))

        lasting = [call for call in calls if self.parts.toolbox.leaves_something(call.name)]
        async with asyncio.TaskGroup() as group:
            for call in calls:
                if call not in lasting:
                    group.create_task(one(call))
        self.turn.results += [done[call.id] for call in calls if call.id in done]
        for call in lasting:
            await _unbroken(one(call))
            self.turn.results.append(done[call.id])
        return [done[call.id] for call in calls]

    async def _run_one(self, call: ToolCall, refused: ToolResult | None) -> Result:
        clock = self.parts.runtime.clock
        began = clock.monotonic()
        tool = self.parts.toolbox.find(call.name)
        try:
            if refused is not None:
                raise Rejected(refused)  # noqa: TRY301 - one way out for every error result
            writes = tool is not None and tool.writes
            lasting = self.parts.toolbox.leaves_something(call.name)
            limit = None if lasting else self.parts.limits.tool_s
            async with asyncio.timeout(limit):
                result, kept_result = await self._perform(call, writes=writes, lasting=lasting)
        except Rejected as rejected:
            result = rejected.result
        except TimeoutError:
            result = failed(call.name, refuse("TOOL_TIMEOUT", name=call.name[:60]))
        except Refusal as refusal:
            result = failed(call.name, refusal)
        if not result.ok:
            kept_result = kept(call, result, self.turn, self.reality)
        await self.emit([self._finished(kept_result, clock.monotonic() - began)])
        if result.ok and self.parts.toolbox.leaves_something(call.name):
            self.changed.add(call.name)
        return kept_result

    async def _perform(self, call: ToolCall, *, writes: bool,
                       lasting: bool) -> tuple[ToolResult, Result]:
        def act(ctx: Context) -> tuple[ToolResult, Result]:
            reality = self.parts.look(ctx) if lasting else self.reality
            result = self.parts.toolbox.perform(ctx, call, self.turn, reality)
            if not result.ok:
                raise Rejected(result)
            if lasting:
                relay.deliver(ctx)
            return result, kept(call, result, self.turn, reality)

        if writes:
            return await self._write(act)
        try:
            return await self._read(act)
        except Refusal as refusal:
            if refusal.code != "DATABASE_BUSY":
                raise
            return await self._write(act)

    def _finished(self, result: Result, seconds: float) -> ToolFinished:
        error = None
        if not result.ok:
            error = Fault(code=str(result.payload.get("code", "")),
                          message=self.parts.egress.to_person(str(result.payload["message"])),
                          hint=str(result.payload.get("hint", "")))
        return ToolFinished(
            call_id=result.call_id, name=result.name, ok=result.ok, ref=result.ref, error=error,
            digest=self.parts.egress.to_person(result.digest), duration_ms=int(seconds * 1000),
            source=tuple(_source(item) for item in result.source))

    def _ledger(self) -> Ledger:
        starts = [at for at, entry in enumerate(self.entries) if entry.role == "user"]
        recent = self.entries[starts[-WHOLE_TURNS] if len(starts) >= WHOLE_TURNS else 0:]
        older = [entry.result for entry in recent if entry.result is not None
                 and entry.run_id != self.run.id and entry.result.name in _LASTING]
        words = [entry.text for entry in recent if entry.role == "user"]
        return facts_of([*older, *self.turn.results], words)

    async def _look(self) -> Reality:
        reality = await self._read(self.parts.look)
        return replace(reality, changed=frozenset(self.changed))

    async def say_stop(self, stop: StopReason) -> None:
        """Say in plain words why there is no full answer, with what the tools gave."""
        if stop not in _STOPPED:
            return
        given = [result.digest for result in self.turn.results if result.ok and not result.tainted]
        text = "\n\n".join([_STOPPED[stop], *given[-3:]])
        shown = self.parts.egress.to_person(text)
        entry = Entry(role="assistant", id=self.parts.runtime.ids.new("m"), text=shown,
                      run_id=self.run.id)

        def store(ctx: Context) -> None:
            log.append_many(ctx, self.run.conversation_id, [
                TextPart(message_id=entry.id, text=shown),
                TextDone(message_id=entry.id, text=shown)], run=self.run.id)
            append_entries(ctx, self.run.conversation_id, [entry])

        await self._write(store)

    async def emit(self, batch: list[Event]) -> None:
        """Store events of this run; readers are woken after the commit."""
        await self._write(lambda ctx: log.append_many(ctx, self.run.conversation_id, batch,
                                                      run=self.run.id))

    async def _write(self, act: Any) -> Any:
        return await self.parts.runtime.write_async(self.agent, act, trace=self.run.id)

    async def _read(self, act: Any) -> Any:
        return await self.parts.runtime.read_async(self.agent, act, trace=self.run.id)


def _source(item: Any) -> Source:
    return Source(provider=str(item.get("provider", "")), dataset=str(item.get("dataset", "")),
                  as_of=str(item.get("as_of", "")), provenance=str(item.get("provenance") or ""),
                  symbol=item.get("symbol"))


async def _unbroken(work: Any) -> None:
    """Run to the end even when the run is cancelled meanwhile; the cancellation follows."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await task
        raise
