"""Owns the tidy end of a run that was cut off: what its open texts and calls still need."""

from __future__ import annotations

from collections.abc import Iterable

from agent.events import Envelope, Event, Fault, TextDone, ToolFinished
from agent.log import append_many, events_of_run
from agent.transcript import Entry, append_entries
from services.kit.context import Context


def closing_events(envelopes: Iterable[Envelope]) -> list[Event]:
    """Return the events that close every open text and tool call of one run's envelopes.

    A text keeps what was released of it; a call without a result is marked as interrupted.
    """
    texts: dict[str, str] = {}
    calls: dict[str, str] = {}
    for envelope in envelopes:
        body = envelope.body
        match envelope.type:
            case "text.delta":
                texts[body["message_id"]] = texts.get(body["message_id"], "") + body["text"]
            case "text.reset":
                texts[body["message_id"]] = ""
            case "text.done":
                texts.pop(body["message_id"], None)
            case "tool.started":
                calls[body["call_id"]] = body["name"]
            case "tool.finished":
                calls.pop(body["call_id"], None)
            case _:
                continue
    fault = Fault(code="RUN_INTERRUPTED", message="the run was cut off", hint="Ask again.")
    closed: list[Event] = [TextDone(message_id=at, text=text) for at, text in texts.items()]
    closed += [
        ToolFinished(call_id=at, name=name, ok=False, digest="interrupted", ref="", error=fault)
        for at, name in calls.items()
    ]
    return closed


def close_open(ctx: Context, conversation_id: str, run_id: str) -> None:
    """Close what a run left open: events in its stream, and its partial texts in the transcript."""
    closing = closing_events(events_of_run(ctx, conversation_id, run_id))
    if not closing:
        return
    append_many(ctx, conversation_id, closing, run=run_id)
    partial = [
        Entry(role="assistant", id=event.message_id, text=event.text, run_id=run_id)
        for event in closing
        if isinstance(event, TextDone) and event.text
    ]
    if partial:
        append_entries(ctx, conversation_id, partial)
