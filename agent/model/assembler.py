"""Owns the assembly of a step from chunks: a pure state machine over untrusted fragments."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from agent.model.call import CallIds, OpenCall, read_arguments
from agent.model.chunk import Chunk, Fragment
from agent.model.port import (
    AssistantStep,
    ModelEvent,
    TextDelta,
    TextReset,
    ToolCall,
    Usage,
    WithheldCall,
)
from agent.model.text import AnswerText, mended

ERROR_FRAME, NO_END, BROKEN_ARGUMENTS = "Q32", "Q17", "Q15"
NAME_MISSING, ARGUMENTS_MISSING, INDEX_DRIFT = "Q09", "Q13", "index_drift"
CHARS_PER_TOKEN = 4


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much of one answer is read; beyond it the stream counts as cut off."""

    event_bytes_max: int = 16_777_216
    text_chars_max: int = 4_194_304
    arguments_chars_max: int = 1_048_576
    calls_max: int = 256


_BOUNDS = Bounds()


class Assembler:
    """Takes chunks in, gives deltas out, and closes with exactly one step.

    Which call a fragment belongs to is decided by index, id, name and the state of the open
    calls together; none of them is trusted alone.
    """

    def __init__(
        self,
        ids: CallIds,
        *,
        bounds: Bounds = _BOUNDS,
        accepts_empty: Callable[[str], bool] = lambda _name: True,
    ) -> None:
        self._ids = ids
        self._bounds = bounds
        self._accepts_empty = accepts_empty
        self._answer = AnswerText()
        self._text: list[str] = []
        self._text_chars = 0
        self._reasoning: list[str] = []
        self._reasoning_chars = 0
        self._calls: list[OpenCall] = []
        self._arguments_chars = 0
        self._finish = ""
        self._usage: Usage | None = None
        self._ended = False
        self._fault = ""
        self._quirks: dict[str, None] = {}
        self.reason = ""
        self.error_status: int | None = None

    @property
    def stopped(self) -> bool:
        """True when nothing that still arrives can change the step."""
        return self._ended or bool(self._fault)

    @property
    def finish_seen(self) -> bool:
        """True when the step would be complete if the stream ended here."""
        return not self._fault and (self._ended or bool(self._finish))

    def accept(self, chunk: Chunk) -> list[ModelEvent]:
        """Take one chunk and return the text events that follow from it."""
        if self.stopped:
            return []
        if chunk.error is not None:
            self.error_status = chunk.error.status
            self._stop(ERROR_FRAME, chunk.error.message)
            return []
        if chunk.broken:
            self._ended = self.finish_seen
            if not self._ended:
                self._stop(NO_END, chunk.broken)
            return []
        return self._accept_content(chunk)

    def finish(self) -> tuple[list[ModelEvent], AssistantStep]:
        """Return the last text events and the step; call it once, at the end of the bytes."""
        events = self._publish(self._answer.close())
        if not self._fault and not self.finish_seen:
            self._stop(NO_END, "the stream ended without a finish")
        step = AssistantStep(
            text="".join(self._text),
            usage=self._closing_usage(),
            quirks=tuple(self._quirks),
            reasoning="".join((*self._reasoning, *self._answer.reasoning)),
        )
        if self._fault:
            return events, replace(step, complete=False, faults=(self._fault,), reason=self.reason)
        calls, withheld = self._close_calls()
        faults = tuple(dict.fromkeys(call.fault for call in withheld))
        return events, replace(
            step, calls=calls, withheld=withheld, faults=faults, finish=self._finish or None
        )

    def _accept_content(self, chunk: Chunk) -> list[ModelEvent]:
        if chunk.usage is not None:
            self._usage = _larger(self._usage, chunk.usage)
        self._finish = chunk.finish or self._finish
        self._ended = chunk.ended
        if chunk.whole and (self._text or self._calls):
            return []
        self._reasoning_chars += len(chunk.reasoning)
        if chunk.reasoning and self._reasoning_chars <= self._bounds.text_chars_max:
            self._reasoning.append(mended(chunk.reasoning))
        for fragment in chunk.fragments:
            self._take(fragment)
        return self._publish(self._answer.feed(chunk.text)) if chunk.text else []

    def _stop(self, fault: str, reason: str) -> None:
        self._fault, self.reason = fault, reason

    def _publish(self, text: str) -> list[ModelEvent]:
        events: list[ModelEvent] = []
        if self._answer.void_before:
            self._answer.void_before = False
            if self._text:
                self._reasoning.extend(self._text)
                self._text, self._text_chars = [], 0
                events.append(TextReset())
        if text:
            self._text_chars += len(text)
            if self._text_chars > self._bounds.text_chars_max:
                self._stop(NO_END, "the text is longer than its bound")
                return events
            self._text.append(text)
            events.append(TextDelta(text))
        return events

    def _take(self, piece: Fragment) -> None:
        self._arguments_chars += len(piece.arguments)
        if (
            self._arguments_chars > self._bounds.arguments_chars_max
            or len(self._calls) >= self._bounds.calls_max
        ):
            self._stop(NO_END, "the tool calls are longer than their bound")
            return
        call = None if piece.whole else self._find_call(piece)
        if call is None:
            call = OpenCall(piece.index, piece.call_id)
            self._calls.append(call)
        elif call.repeats(piece):
            call.name_again = call.name_again or bool(piece.name)
            return
        elif call.whole and call.name_again and piece.arguments.lstrip().startswith("{"):
            call = OpenCall(piece.index, piece.call_id, call.name)
            self._calls.append(call)
        call.call_id = call.call_id or piece.call_id
        call.add_name(piece.name)
        call.add_arguments(piece)

    def _find_call(self, piece: Fragment) -> OpenCall | None:
        """Return the call that this fragment continues; None when it opens a new one."""
        call = self._by_index(piece) if piece.index is not None else self._by_id(piece)
        if call is None or not call.whole or not piece.name or call.repeats(piece):
            return call
        is_late_name = not call.name and not piece.arguments
        return call if is_late_name else None

    def _by_index(self, piece: Fragment) -> OpenCall | None:
        at_index = [call for call in self._calls if call.index == piece.index]
        if at_index and not piece.call_id:
            return at_index[-1]
        for call in reversed(at_index):
            if call.call_id in ("", piece.call_id):
                return call
        if at_index:
            return None
        last = self._calls[-1] if self._calls else None
        if piece.name or last is None:
            return None
        if piece.call_id:
            last = self._open_with_id(piece.call_id)
        if last is None or last.whole:
            return last if last is not None and last.repeats(piece) else None
        self._quirks[INDEX_DRIFT] = None
        return last

    def _by_id(self, piece: Fragment) -> OpenCall | None:
        if piece.call_id:
            return next(
                (call for call in reversed(self._calls) if call.call_id == piece.call_id), None
            )
        last = self._calls[-1] if self._calls else None
        opens_beside = piece.name and piece.place > 0
        return None if last is None or opens_beside else last

    def _open_with_id(self, call_id: str) -> OpenCall | None:
        return next(
            (call for call in reversed(self._calls) if call.call_id == call_id and not call.whole),
            None,
        )

    def _closing_usage(self) -> Usage:
        if self._usage is not None:
            return self._usage
        chars = self._text_chars + self._arguments_chars
        return Usage(completion_tokens=-(-chars // CHARS_PER_TOKEN), estimated=True)

    def _close_calls(self) -> tuple[tuple[ToolCall, ...], tuple[WithheldCall, ...]]:
        calls: list[ToolCall] = []
        withheld: list[WithheldCall] = []
        for call in self._calls:
            made = ToolCall(self._ids.new(), call.name, call.arguments)
            fault, reason = self._judge(call)
            if fault:
                withheld.append(WithheldCall(made, fault, reason))
            elif call.arguments in ("", "null"):
                calls.append(replace(made, arguments="{}"))
            else:
                calls.append(made)
        return tuple(calls), tuple(withheld)

    def _judge(self, call: OpenCall) -> tuple[str, str]:
        if not call.name.strip():
            return NAME_MISSING, "the call has no name"
        if call.arguments in ("", "null"):
            if self._accepts_empty(call.name):
                return "", ""
            return ARGUMENTS_MISSING, "the call has no arguments"
        try:
            read_arguments(call.arguments)
        except ValueError as broken:
            return BROKEN_ARGUMENTS, f"the arguments are no JSON object: {broken}"
        return "", ""


def _larger(old: Usage | None, new: Usage) -> Usage:
    """Return the larger count of each field: usage may come once, or cumulated on every chunk."""
    if old is None:
        return new
    return Usage(
        max(old.prompt_tokens, new.prompt_tokens),
        max(old.completion_tokens, new.completion_tokens),
        max(old.cached_tokens, new.cached_tokens),
        max(old.reasoning_tokens, new.reasoning_tokens),
    )
