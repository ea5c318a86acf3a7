"""Owns the model port: what a language model is asked, and what it answers, step by step."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias

Role = Literal["system", "user", "assistant", "tool"]
ToolChoice = Literal["auto", "none"]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One call that a model asks for; `arguments` is the JSON text of an object."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Message:
    """One message of the projected history; a `tool` message answers the call `call_id`.

    `reasoning` is a model's own thinking, kept only for endpoints that want it back.
    """

    role: Role
    content: str
    calls: tuple[ToolCall, ...] = ()
    call_id: str | None = None
    reasoning: str = ""


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """One tool as a model sees it: `parameters` in the plain dialect of JSON schema.

    `strict_parameters` is the strict dialect; left out, it is derived from the plain one.
    """

    name: str
    description: str
    parameters: Mapping[str, Any]
    strict_parameters: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """Everything one step of a model depends on.

    `id_seed` (run id and step number, say) makes the ids of the step's calls unique beyond the
    messages that are sent; the same request and seed give the same ids.
    """

    messages: tuple[Message, ...]
    tools: tuple[ToolSpec, ...] = ()
    tool_choice: ToolChoice = "auto"
    max_tokens: int = 4000
    temperature: float | None = None
    seed: int | None = None
    id_seed: str = ""


@dataclass(frozen=True, slots=True)
class TextDelta:
    """Answer text to append; never reasoning."""

    text: str


@dataclass(frozen=True, slots=True)
class TextReset:
    """All text deltas of this step so far are void; the step starts its text again."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one step; `estimated` when the endpoint reported none."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    estimated: bool = False


@dataclass(frozen=True, slots=True)
class WithheldCall:
    """A call that must not run: `fault` is its id in the conformance table, `reason` says why.

    A loop answers it with an error result; `call.arguments` is the model's text, maybe no JSON.
    """

    call: ToolCall
    fault: str
    reason: str


@dataclass(frozen=True, slots=True)
class AssistantStep:
    """One whole answer of a model.

    `complete` is false when the stream ended in a fault: then `calls` and `withheld` are empty
    and nothing may run. `faults` are those that ended the step or withhold a call, `quirks` the
    oddities that were absorbed. `finish` is advisory: presence of calls decides, except that
    after `length` and `content_filter` only reading calls may run.
    """

    text: str
    calls: tuple[ToolCall, ...] = ()
    finish: str | None = None
    usage: Usage = Usage()
    faults: tuple[str, ...] = ()
    complete: bool = True
    withheld: tuple[WithheldCall, ...] = ()
    quirks: tuple[str, ...] = ()
    reason: str = ""
    reasoning: str = ""


@dataclass(frozen=True, slots=True)
class StepDone:
    """The last event of a stream."""

    step: AssistantStep


ModelEvent: TypeAlias = TextDelta | TextReset | StepDone


class Model(Protocol):
    """Anything that answers a request: an endpoint, the rule model, a script, a cassette."""

    @property
    def name(self) -> str:
        """The model's name, for records and logs."""
        ...

    @property
    def calls_tools(self) -> bool:
        """False when it only narrates and another part chooses the tools."""
        ...

    def stream(
        self, request: ModelRequest, *, deadline: float | None = None
    ) -> AsyncIterator[ModelEvent]:
        """Answer one request: text as it comes, then exactly one `StepDone` with a whole step.

        `deadline` is a reading of the injected clock's `monotonic()`. Raises a `MODEL_*` refusal
        when no whole step came; text sent before it is void. Close the iterator
        (`contextlib.aclosing`) when leaving early, so that the endpoint stops generating.
        """
        ...
