"""Owns the rule model: ordinary phrases drive the same loop and tools without a key."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import AsyncIterator, Iterable, Sequence

from agent.model.answers import answer
from agent.model.errands import Known, Outcome, next_calls
from agent.model.phrases import read
from agent.model.port import (
    AssistantStep,
    Message,
    ModelEvent,
    ModelRequest,
    StepDone,
    TextDelta,
    ToolCall,
    Usage,
)

_SENTENCE = re.compile(r"(?<=[.!?\n])(?=\s)|(?<=\n)")
_COMPANY = re.compile(r"[A-Za-z]{3,}")
_GENERIC = frozenset(
    {
        "inc",
        "corp",
        "corporation",
        "company",
        "the",
        "group",
        "holdings",
        "plc",
        "international",
        "business",
        "machines",
        "platforms",
        "class",
    }
)


class RuleModel:
    """A model without a network: it reads the last message, calls tools, speaks from templates."""

    name = "rules"
    calls_tools = True

    def __init__(self, instruments: Iterable[tuple[str, str]] = ()) -> None:
        """Take `(symbol, company name)` pairs; both are understood in phrases."""
        self._names: dict[str, str] = {}
        for symbol, company in instruments:
            self._names[symbol.lower()] = symbol
            for word in _COMPANY.findall(company):
                if word.lower() not in _GENERIC:
                    self._names.setdefault(word.lower(), symbol)

    async def stream(
        self,
        request: ModelRequest,
        *,
        deadline: float | None = None,  # noqa: ARG002 - at once
    ) -> AsyncIterator[ModelEvent]:
        """Answer at once: the next calls of the errand, or its closing words by sentence."""
        wish = read(_last_words(request.messages), self._names)
        known = _known(request.messages, frozenset(tool.name for tool in request.tools))
        calls = next_calls(wish, known)
        if calls and request.tool_choice != "none":
            made = tuple(
                _tool_call(request, at, name, arguments)
                for at, (name, arguments) in enumerate(calls)
            )
            yield StepDone(AssistantStep("", made, "tool_calls", Usage(estimated=True)))
            return
        text = answer(wish, known)
        for sentence in _SENTENCE.split(text):
            if sentence:
                yield TextDelta(sentence)
        yield StepDone(AssistantStep(text, (), "stop", Usage(estimated=True)))


def _tool_call(request: ModelRequest, at: int, name: str, arguments: object) -> ToolCall:
    seed = f"{len(request.messages)}:{at}:{name}:{_last_words(request.messages)}"
    digest = hashlib.sha256(seed.encode("utf-8", "replace")).hexdigest()[:9]
    return ToolCall(digest, name, json.dumps(arguments))


def _last_words(messages: Sequence[Message]) -> str:
    return next((item.content for item in reversed(messages) if item.role == "user"), "")


def _known(messages: Sequence[Message], offered: frozenset[str]) -> Known:
    last_user = max((at for at, item in enumerate(messages) if item.role == "user"), default=0)
    names: dict[str, str] = {}
    now: list[Outcome] = []
    before: list[Outcome] = []
    for at, message in enumerate(messages):
        names.update({call.id: call.name for call in message.calls})
        if message.role == "tool" and message.call_id in names:
            outcome = _outcome(names[message.call_id], message.content)
            if outcome is not None:
                (now if at > last_user else before).append(outcome)
    return Known(now, before, offered)


def _outcome(name: str, content: str) -> Outcome | None:
    """Return a tool message as an outcome; a shortened one is unreadable and left out."""
    try:
        body = json.loads(content)
    except ValueError:
        return None
    if not isinstance(body, dict) or "ok" not in body or body.get("cut"):
        return None
    part = body.get("result" if body["ok"] else "error")
    return Outcome(name, bool(body["ok"]), str(body.get("ref", "")), part) if part else None
