"""Owns speaking: text is held back to whole sentences, checked, and only then released."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from agent.claims import false_claim
from agent.egress import Egress
from agent.events import Mark
from agent.facts import Fact, Ledger
from agent.grounding import Judged, Verdict, judge
from agent.reality import Reality, true_sentence
from services.kit.money import decimal_text

_END = re.compile(r"(?:[.!?\u2026][\"'\u201d)\]]*[ \t]+|[ \t]*\n+)")
_NO_END = re.compile(r"(?:^|\s)(?:[0-9]{1,2}|e\.g|i\.e|vs|approx|no|Mr|Mrs|Dr|[A-Z])\.\s+$")
_SENTENCE_MAX = 2_000
"""Text without an end of a sentence is checked in pieces of this many characters."""
_NAMES = {"last": "last price", "avg_price": "average price"}
WITHHELD = "A figure here did not match its source and was withheld."


@dataclass(slots=True)
class Speech:
    """One message in the making. `look` reads what is really so, and is asked only on a claim."""

    egress: Egress
    ledger: Callable[[], Ledger]
    look: Callable[[], Awaitable[Reality]]
    released: str = ""
    marks: list[Mark] = field(default_factory=list)
    _held: str = ""

    async def feed(self, text: str) -> str:
        """Take model text; return what may be shown now."""
        self._held += text
        out = ""
        while (sentence := self._next_sentence()) is not None:
            out += await self._check(sentence)
        self.released += out
        return out

    async def close(self) -> str:
        """Check and return what was held back."""
        rest, self._held = self._held, ""
        out = await self._check(rest) if rest.strip() else ""
        self.released += out
        return out

    def reset(self) -> None:
        """Forget everything that was said in this message."""
        self.released, self._held = "", ""
        self.marks.clear()

    def _next_sentence(self) -> str | None:
        for found in _END.finditer(self._held):
            sentence = self._held[: found.end()]
            if not _NO_END.search(sentence) or "\n" in found[0]:
                self._held = self._held[found.end() :]
                return sentence
        if len(self._held) <= _SENTENCE_MAX:
            return None
        sentence, self._held = self._held[:_SENTENCE_MAX], self._held[_SENTENCE_MAX:]
        return sentence

    async def _check(self, sentence: str) -> str:
        """Return the sentence as it may be shown, or what replaces it."""
        shown = self.egress.to_person(sentence)
        blank = shown[len(shown.rstrip()) :]
        if false_claim(shown, Reality()):
            reality = await self.look()
            if false_claim(shown, reality):
                return self._replace(true_sentence(reality), blank)
        judged = judge(shown, self.ledger(), before=self.released[-400:])
        wrong = next((one for one in judged if one.verdict is Verdict.CONTRADICTED), None)
        if wrong is not None:
            return self._replace(_correction(wrong), blank)
        self.marks += [
            Mark(kind="unverified", text=one.figure.text.strip())
            for one in judged
            if one.verdict is Verdict.UNVERIFIED
        ]
        return shown

    def _replace(self, text: str, blank: str) -> str:
        if self.released.rstrip().endswith(text) or any(mark.text == text for mark in self.marks):
            return ""
        self.marks.append(Mark(kind="replaced", text=text))
        return text + (blank or " ")


def _correction(wrong: Judged) -> str:
    """Return the template sentence that stands for a contradicted one."""
    fact = wrong.fact
    if fact is None or not _tellable(fact):
        return WITHHELD
    name = _NAMES.get(fact.field, fact.field.replace("_", " "))
    return f"By the records, {fact.entity} {name} is {decimal_text(fact.value)}."


def _tellable(fact: Fact) -> bool:
    return bool(fact.entity) and re.fullmatch(r"[a-z][a-z_]{2,30}", fact.field) is not None
