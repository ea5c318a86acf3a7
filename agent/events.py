"""Owns the typed event union of the coach streams and the envelope that carries an event."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, ClassVar, Literal

from services.kit.canonical import document
from services.kit.clock import instant_text

VERSION = 1
StopReason = Literal[
    "final",
    "step_limit",
    "call_limit",
    "token_budget",
    "deadline",
    "repeated_calls",
    "cancelled",
    "model_error",
    "blocked",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A note on a released text: a figure without a source, or a sentence that was replaced."""

    kind: Literal["unverified", "replaced"]
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where a result came from, and when it was true in the market."""

    provider: str
    dataset: str
    as_of: str
    provenance: str
    symbol: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Why a tool call failed, in the words of its refusal."""

    code: str
    message: str
    hint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted:
    """A run begins; the first event of its run."""

    type: ClassVar[str] = "run.started"


@dataclass(frozen=True, slots=True, kw_only=True)
class StepStarted:
    """One question to the model begins; steps count from 1."""

    type: ClassVar[str] = "step.started"
    step: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TextPart:
    """Checked text to append to a message."""

    type: ClassVar[str] = "text.delta"
    message_id: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TextReset:
    """All text of this message so far is void."""

    type: ClassVar[str] = "text.reset"
    message_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TextDone:
    """The whole text of a message, with its marks."""

    type: ClassVar[str] = "text.done"
    message_id: str
    text: str
    marks: tuple[Mark, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolStarted:
    """A tool call begins; `args_digest` is for display only."""

    type: ClassVar[str] = "tool.started"
    call_id: str
    name: str
    label: str
    args_digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolFinished:
    """A tool call has its result; `ref` finds the whole of it."""

    type: ClassVar[str] = "tool.finished"
    call_id: str
    name: str
    ok: bool
    digest: str
    ref: str
    source: tuple[Source, ...] = ()
    duration_ms: int = 0
    error: Fault | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceCited:
    """A source that the answer rests on without a tool call of its own."""

    type: ClassVar[str] = "source"
    source: Source


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposalPending:
    """A card waits for the person."""

    type: ClassVar[str] = "proposal.pending"
    proposal_id: str
    version: int
    expires_at: str
    summary: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposalChanged:
    """A card, or the order that came from it, changed its state."""

    type: ClassVar[str] = "proposal.changed"
    proposal_id: str
    version: int
    status: str
    reason: str | None = None
    order_id: str | None = None
    order_state: str | None = None
    symbol: str | None = None
    side: str | None = None
    quantity: str | None = None
    filled_quantity: str | None = None
    avg_price: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """Something the person should know now; `notification_id` finds it in the feed."""

    type: ClassVar[str] = "alert"
    level: Literal["info", "warning", "critical"]
    message: str
    topic: str | None = None
    subject: str | None = None
    code: str | None = None
    notification_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Narration:
    """A sentence of the narrator about a significant change."""

    type: ClassVar[str] = "narration"
    key: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskChanged:
    """The state of the switch or of the account's risk."""

    type: ClassVar[str] = "risk"
    state: str
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StateSnapshot:
    """Everything a screen shows, after a gap; also tells that `changed` is worth reading anew."""

    type: ClassVar[str] = "state.snapshot"
    state: Mapping[str, Any] = field(default_factory=dict)
    changed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageReported:
    """Tokens of one model step."""

    type: ClassVar[str] = "usage"
    prompt_tokens: int
    completion_tokens: int
    estimated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFinished:
    """A run ended in order; `unverified` lists figures without a source."""

    type: ClassVar[str] = "run.finished"
    stop_reason: StopReason
    unverified: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RunError:
    """A run ended in a fault; `retryable` means the same message may succeed later."""

    type: ClassVar[str] = "run.error"
    code: str
    message: str
    retryable: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Resync:
    """The asked-for events are gone; a `state.snapshot` follows."""

    type: ClassVar[str] = "resync"


Event = (
    RunStarted
    | StepStarted
    | TextPart
    | TextReset
    | TextDone
    | ToolStarted
    | ToolFinished
    | SourceCited
    | ProposalPending
    | ProposalChanged
    | Alert
    | Narration
    | RiskChanged
    | StateSnapshot
    | UsageReported
    | RunFinished
    | RunError
    | Resync
)
EVENTS: tuple[type[Event], ...] = (
    RunStarted,
    StepStarted,
    TextPart,
    TextReset,
    TextDone,
    ToolStarted,
    ToolFinished,
    SourceCited,
    ProposalPending,
    ProposalChanged,
    Alert,
    Narration,
    RiskChanged,
    StateSnapshot,
    UsageReported,
    RunFinished,
    RunError,
    Resync,
)
"""Every event class; the wire knows no other type."""
TERMINAL = frozenset({RunFinished.type, RunError.type})


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """One stored event: its stream, its place there, its time, its run, and its fields."""

    stream: str
    epoch: int
    seq: int
    at: datetime
    type: str
    run: str
    body: Mapping[str, Any]

    @property
    def cursor(self) -> str:
        """Return `<epoch>.<seq>`, the SSE id and the value of `Last-Event-ID`."""
        return f"{self.epoch}.{self.seq}"

    def wire(self) -> dict[str, Any]:
        """Return the one JSON object that every screen gets."""
        head: dict[str, Any] = {
            "v": VERSION,
            "stream": self.stream,
            "seq": self.seq,
            "ts": instant_text(self.at),
        }
        if self.run:
            head["run"] = self.run
        return {**head, "type": self.type, **self.body}


def body_of(event: Event) -> dict[str, Any]:
    """Return the event's fields as a plain document; fields that are None are left out."""
    body = {item.name: getattr(event, item.name) for item in fields(event)}
    plain: dict[str, Any] = document(body)
    return plain
