"""Owns one run: ask the model, run its calls, ask again, until there is an answer or a bound."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import replace

from agent import log, runs
from agent.budget import day_is_spent
from agent.calling import STOPPED, Calls
from agent.events import (
    StepStarted,
    StopReason,
    TextDone,
    TextPart,
    TextReset,
    ToolStarted,
    UsageReported,
)
from agent.model.port import AssistantStep, Model, ModelRequest, StepDone, TextDelta, ToolCall
from agent.model.port import TextReset as ModelReset
from agent.names import company_names
from agent.pinned import pinned
from agent.projection import project
from agent.provenance import arguments_of
from agent.reality import Reality
from agent.record import Asked, append_record
from agent.run_state import Parts, RunState
from agent.runs import Run
from agent.speech import Speech
from agent.toolbox import Turn
from agent.transcript import Entry, append_entries, read_entries
from prompts.loader import Prompt, prompt
from services.kit.context import Context, Principal
from services.kit.errors import Refusal, refuse
from services.kit.failpoint import reach
from services.kit.ids import sha256_hex

_DIGEST_MAX = 120


class Answering:
    """One run from its first question to the model to its last word."""

    def __init__(self, parts: Parts, principal: Principal, run: Run) -> None:
        self.state = RunState(parts, principal, run)
        self._calls = Calls(self.state)
        self._model = parts.model
        self._system = ""
        self._why = ""

    async def go(self) -> StopReason:
        """Run to the end and return why it ended. Raises a `MODEL_*` refusal of the last model."""
        await self._prepare()
        while True:
            if await self.state.read(lambda ctx: runs.cancel_wanted(ctx, self.state.run.id)):
                return "cancelled"
            stop = self.state.budget.open_step(self.state.parts.runtime.clock.monotonic())
            if stop is None:
                self.state.tell([StepStarted(step=self.state.budget.steps)])
                last = self.state.budget.last_step
                step = await self._ask()
                if not step.calls and not step.withheld:
                    return "final"
                stop = await self._calls.work(step, last=last)
            if stop is not None:
                await self.say_stop(stop)
                return stop

    async def _prepare(self) -> None:
        def load(ctx: Context) -> tuple[list[Entry], Reality, bool, dict[str, str]]:
            return (
                read_entries(ctx, self.state.run.conversation_id),
                self.state.parts.look(ctx),
                day_is_spent(ctx, self.state.agent.user_id),
                company_names(ctx),
            )

        self.state.entries, self.state.reality, spent, names = await self.state.read(load)
        words = next(
            (
                entry.text
                for entry in reversed(self.state.entries)
                if entry.id == self.state.run.message_id
            ),
            "",
        )
        history = [entry for entry in self.state.entries if entry.run_id != self.state.run.id]
        self.state.turn = Turn(words, history, names=names)
        self._system = await self.state.read(
            lambda ctx: pinned(ctx, self.state.reality, self.state.turn.intent)
        )
        if spent and self._model is not self.state.parts.fallback:
            self._fall_back("your model tokens of the day are used up")

    def _fall_back(self, reason: str) -> None:
        self._model = self.state.parts.fallback
        self._why = f"The language model is not used: {reason}. The built-in rules answer.\n\n"

    async def _ask(self) -> AssistantStep:
        """Ask for one step and store it; a dead endpoint hands over to the built-in rules."""
        message_id = self.state.parts.runtime.ids.new("m")
        speech = Speech(self.state.parts.egress, self.state.ledger, self.state.look)
        while True:
            try:
                return await self._one_step(message_id, speech)
            except Refusal as refusal:
                if (
                    not refusal.code.startswith("MODEL_")
                    or self._model is self.state.parts.fallback
                ):
                    raise
                await self._reset(message_id, speech)
                self._fall_back(refusal.message)

    async def _one_step(self, message_id: str, speech: Speech) -> AssistantStep:
        clock = self.state.parts.runtime.clock
        began = clock.monotonic()
        await self._say_own(message_id, speech)
        narrated = not self._model.calls_tools
        model = self.state.parts.fallback if narrated else self._model
        request = self._request(flat=False)
        step = await self._stream(model, request, message_id, None if narrated else speech)
        if narrated and not step.calls:
            model, request = self._model, self._request(flat=True)
            step = await self._stream(model, request, message_id, speech)
            step = replace(step, calls=(), withheld=())
        step = self._with_own_ids(step)
        asked = Asked(
            run_id=self.state.run.id,
            step=self.state.budget.steps,
            model=model.name,
            request=request,
            answer=step,
            prompt_hash=self._prompt(flat=narrated).hash,
            duration_ms=int((clock.monotonic() - began) * 1000),
        )
        await self._conclude(message_id, speech, asked)
        return step

    def _with_own_ids(self, step: AssistantStep) -> AssistantStep:
        """Return the step with call ids that are new in this conversation."""
        used = {call.id for entry in self.state.entries for call in entry.calls}
        calls = []
        for place, call in enumerate(step.calls):
            fresh = call
            if call.id in used:
                place_text = f"{self.state.run.id}:{self.state.budget.steps}:{place}"
                fresh = replace(call, id=sha256_hex(place_text)[:9])
            used.add(fresh.id)
            calls.append(fresh)
        return replace(step, calls=tuple(calls))

    async def _say_own(self, message_id: str, speech: Speech) -> None:
        """Say why the built-in rules answer, before their first words."""
        if self._why:
            text, self._why = self.state.parts.egress.to_person(self._why), ""
            speech.released += text
            await self.state.emit([TextPart(message_id=message_id, text=text)])

    def _prompt(self, *, flat: bool) -> Prompt:
        return prompt("narrate" if flat else "coach")

    def _request(self, *, flat: bool) -> ModelRequest:
        system = f"{self._prompt(flat=flat).text}\n\n{self._system}"
        messages = project(
            self.state.entries,
            system=system,
            egress=self.state.parts.egress,
            limits=self.state.parts.limits,
            flat=flat,
        )
        return ModelRequest(
            messages=messages,
            tools=() if flat else self.state.parts.toolbox.specs(self.state.turn.intent),
            tool_choice="none" if self.state.budget.last_step else "auto",
            max_tokens=self.state.budget.tokens_left,
        )

    async def _stream(
        self, model: Model, request: ModelRequest, message_id: str, speech: Speech | None
    ) -> AssistantStep:
        """Read one answer to its end. Raises `MODEL_STREAM_FAULT` for an incomplete one."""
        step: AssistantStep | None = None
        stream = model.stream(request, deadline=self.state.budget.deadline)
        async with aclosing(stream) as answer:  # type: ignore[type-var]
            async for event in answer:
                match event:
                    case TextDelta(text) if speech is not None:
                        self._show(message_id, await speech.feed(text))
                    case ModelReset() if speech is not None:
                        await self._reset(message_id, speech)
                    case StepDone(done):
                        step = done
                    case _:
                        continue
        if step is None or not step.complete:
            raise refuse("MODEL_STREAM_FAULT", reason=step.reason if step else "no end was seen")
        return step

    def _show(self, message_id: str, text: str) -> None:
        if text:
            self.state.tell([TextPart(message_id=message_id, text=text)])

    async def _reset(self, message_id: str, speech: Speech) -> None:
        if speech.released:
            await self.state.emit([TextReset(message_id=message_id)])
        speech.reset()

    async def _conclude(self, message_id: str, speech: Speech, asked: Asked) -> None:
        """Store the end of a step: its last text, its entry, its cost, and the request itself."""
        rest = await speech.close()
        step, usage = asked.answer, asked.answer.usage
        self.state.budget.spend(usage.prompt_tokens, usage.completion_tokens)
        self.state.unverified += [mark.text for mark in speech.marks if mark.kind == "unverified"]
        calls = (*step.calls, *(one.call for one in step.withheld))
        batch = await self.state.take_told()
        if rest:
            batch.append(TextPart(message_id=message_id, text=rest))
        if speech.released:
            batch.append(
                TextDone(message_id=message_id, text=speech.released, marks=tuple(speech.marks))
            )
        batch.append(
            UsageReported(
                prompt_tokens=usage.prompt_tokens,
                estimated=usage.estimated,
                completion_tokens=usage.completion_tokens,
            )
        )
        batch += [
            ToolStarted(
                call_id=call.id,
                name=call.name[:60],
                args_digest=self._digest(call),
                label=call.name[:60].replace("_", " "),
            )
            for call in calls
        ]
        entry = Entry(
            role="assistant",
            id=message_id,
            text=speech.released,
            calls=calls,
            run_id=self.state.run.id,
            marks=tuple({"kind": mark.kind, "text": mark.text} for mark in speech.marks),
        )

        def store(ctx: Context) -> None:
            log.append_many(ctx, self.state.run.conversation_id, batch, run=self.state.run.id)
            if entry.text or entry.calls:
                append_entries(ctx, self.state.run.conversation_id, [entry])
            append_record(ctx, asked, self.state.parts.egress)

        await self.state.write(store)
        reach("coach.after_step")
        if entry.text or entry.calls:
            self.state.entries.append(entry)

    def _digest(self, call: ToolCall) -> str:
        parts = [f"{name}={value}" for name, value in arguments_of(call.arguments).items()]
        return self.state.parts.egress.to_person(", ".join(parts))[:_DIGEST_MAX]

    async def say_stop(self, stop: StopReason) -> None:
        """Say in plain words why there is no full answer, with what the tools gave."""
        if stop not in STOPPED:
            return
        given = [
            result.digest for result in self.state.turn.results if result.ok and not result.tainted
        ]
        text = "\n\n".join([STOPPED[stop], *given[-3:]])
        shown = self.state.parts.egress.to_person(text)
        entry = Entry(
            role="assistant",
            id=self.state.parts.runtime.ids.new("m"),
            text=shown,
            run_id=self.state.run.id,
        )
        await self.state.settle()

        def store(ctx: Context) -> None:
            log.append_many(
                ctx,
                self.state.run.conversation_id,
                [
                    TextPart(message_id=entry.id, text=shown),
                    TextDone(message_id=entry.id, text=shown),
                ],
                run=self.state.run.id,
            )
            append_entries(ctx, self.state.run.conversation_id, [entry])

        await self.state.write(store)
