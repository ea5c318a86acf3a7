"""Owns the order rules of a coach stream: a validator for tests and for development runs."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from agent.events import TERMINAL, Envelope

_OUTSIDE = frozenset(
    {
        "proposal.pending",
        "proposal.changed",
        "alert",
        "narration",
        "risk",
        "state.snapshot",
        "resync",
    }
)
"""Types that may stand outside a run, and after its end."""
_PROPOSAL_ID = re.compile(r"\bprop_[0-9a-z]{8,40}\b", re.ASCII)


@dataclass(slots=True)
class _Run:
    ended: bool = False
    open_tools: set[str] = field(default_factory=set)
    open_texts: set[str] = field(default_factory=set)
    done_texts: set[str] = field(default_factory=set)


class OrderRules:
    """Reads the envelopes of one stream in order and collects every broken rule."""

    def __init__(self) -> None:
        self.faults: list[str] = []
        self._last: tuple[int, int] | None = None
        self._runs: dict[str, _Run] = {}
        self._mentioned: set[str] = set()

    def feed(self, envelope: Envelope) -> None:
        """Check one envelope against all before it."""
        self._numbered(envelope)
        self._announced(envelope)
        if envelope.type in _OUTSIDE and not envelope.run:
            return
        run = self._runs.get(envelope.run)
        if run is None:
            run = self._runs[envelope.run] = _Run()
            self._expect(
                envelope,
                envelope.run and envelope.type == "run.started",
                "a run begins with run.started",
            )
        elif envelope.type == "run.started":
            self._expect(envelope, False, "a run starts once")
        self._expect(
            envelope,
            not run.ended or envelope.type == "proposal.changed",
            "nothing of a run follows its end",
        )
        self._texts(envelope, run)
        self._tools(envelope, run)
        if envelope.type in TERMINAL:
            run.ended = True
            self._expect(envelope, not run.open_texts, "a run ends with its texts done")
            self._expect(envelope, not run.open_tools, "a run ends with its calls finished")

    def finish(self) -> None:
        """Check what must have happened by the end of the stream: every run has ended."""
        for name, run in self._runs.items():
            if not run.ended:
                self.faults.append(f"{name or 'no run'}: a run ends with run.finished or run.error")

    def _numbered(self, envelope: Envelope) -> None:
        here = (envelope.epoch, envelope.seq)
        if self._last is not None and self._last[0] == here[0]:
            self._expect(envelope, here[1] == self._last[1] + 1, "seq grows by one")
        self._last = here

    def _announced(self, envelope: Envelope) -> None:
        """A card is announced before the finished text that names it."""
        if envelope.type == "text.done":
            self._mentioned.update(_PROPOSAL_ID.findall(str(envelope.body.get("text", ""))))
        elif envelope.type == "proposal.pending":
            named = str(envelope.body.get("proposal_id", ""))
            self._expect(envelope, named not in self._mentioned, "a card precedes its mention")

    def _texts(self, envelope: Envelope, run: _Run) -> None:
        message = str(envelope.body.get("message_id", ""))
        match envelope.type:
            case "text.delta":
                self._expect(envelope, message not in run.done_texts, "no delta after text.done")
                run.open_texts.add(message)
            case "text.reset":
                self._expect(envelope, message in run.open_texts, "reset of an open text only")
            case "text.done":
                self._expect(envelope, message not in run.done_texts, "a text is done once")
                run.open_texts.discard(message)
                run.done_texts.add(message)
            case _:
                return

    def _tools(self, envelope: Envelope, run: _Run) -> None:
        call = str(envelope.body.get("call_id", ""))
        if envelope.type == "tool.started":
            self._expect(envelope, call not in run.open_tools, "a call starts once")
            run.open_tools.add(call)
        elif envelope.type == "tool.finished":
            self._expect(envelope, call in run.open_tools, "a call finishes after its start")
            run.open_tools.discard(call)

    def _expect(self, envelope: Envelope, holds: object, rule: str) -> None:
        if not holds:
            self.faults.append(f"{envelope.cursor} {envelope.type}: {rule}")


def broken_rules(envelopes: Iterable[Envelope], *, going_on: bool = False) -> list[str]:
    """Return every broken rule of one stream's envelopes; an empty list means in order.

    The stream is taken as whole, so each run in it must have ended; `going_on` allows open ones.
    """
    rules = OrderRules()
    for envelope in envelopes:
        rules.feed(envelope)
    if not going_on:
        rules.finish()
    return rules.faults
