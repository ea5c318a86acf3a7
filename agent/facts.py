"""Owns the facts of a turn: every figure that a tool gave or the person said, with its field."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from agent.figures import figures_in, word_numbers
from agent.transcript import Result

_PLAIN = re.compile(r"[-+]?[0-9]{1,20}(?:\.[0-9]{1,18})?", re.ASCII)
_SENTENCE_MIN = 8
_FACTS_MAX = 4_000
"""Bound of figures per turn; a result is bounded too, so only a flood reaches it."""
_TEXT_FIELDS = re.compile(r"^(?:id|.*_id|ref|.*_ref|hash|.*_hash|ts|at|.*_at|as_of|date|code)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One figure: `field` is its last name, `entity` the symbol it belongs to, or empty."""

    value: Decimal
    field: str
    entity: str = ""
    ref: str = ""
    user: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """All facts that an answer may rest on."""

    facts: tuple[Fact, ...] = ()
    entities: frozenset[str] = frozenset()
    spoken: str = ""

    def says(self, sentence: str) -> bool:
        """Return True when a clean result holds this very sentence, blanks aside."""
        said = " ".join(sentence.split())
        return len(said) >= _SENTENCE_MIN and said in self.spoken

    def about(self, entity: str) -> list[Fact]:
        """Return the facts of one symbol."""
        return [fact for fact in self.facts if fact.entity == entity]


def facts_of(results: Iterable[Result], user_texts: Iterable[str]) -> Ledger:
    """Return the ledger of clean results and the person's words; failed results give no facts.

    Tainted results (news, notes) give none either: their numbers prove nothing.
    """
    found: list[Fact] = []
    spoken: list[str] = []
    for result in results:
        if result.tainted or not result.ok:
            continue
        spoken += _texts(result.payload)
        found += _flatten(result.payload, result.ref)
        found += [
            Fact(value=fact.value, field=fact.field, entity=fact.entity, ref=result.ref)
            for fact in _digest_facts(result)
        ]
    entities = frozenset(fact.entity for fact in found if fact.entity)
    for text in user_texts:
        found += [Fact(value=one.value, field="user", user=True) for one in figures_in(text)]
        found += [Fact(value=number, field="user", user=True) for number in word_numbers(text)]
    return Ledger(facts=tuple(found[:_FACTS_MAX]), entities=entities, spoken="\n".join(spoken))


def _texts(document: Any) -> list[str]:
    if isinstance(document, str):
        return [" ".join(document.split())]
    if isinstance(document, Mapping):
        document = list(document.values())
    if isinstance(document, (list, tuple)):
        return [text for item in document for text in _texts(item)]
    return []


def _digest_facts(result: Result) -> list[Fact]:
    return [Fact(value=one.value, field="digest") for one in figures_in(result.digest)]


def _flatten(document: Any, ref: str, entity: str = "", name: str = "") -> Iterator[Fact]:
    if isinstance(document, Mapping):
        own = document.get("symbol")
        entity = own.upper() if isinstance(own, str) else entity
        for key, value in document.items():
            yield from _flatten(value, ref, entity, str(key))
    elif isinstance(document, (list, tuple)):
        yield Fact(value=Decimal(len(document)), field="count", entity=entity, ref=ref)
        for item in document:
            yield from _flatten(item, ref, entity, name)
    elif not _TEXT_FIELDS.match(name):
        yield from _leaf(document, ref, entity, name)


def _leaf(value: Any, ref: str, entity: str, name: str) -> Iterator[Fact]:
    if isinstance(value, bool) or value is None:
        return
    if isinstance(value, (int, Decimal)) or (isinstance(value, str) and _PLAIN.fullmatch(value)):
        yield Fact(value=Decimal(value), field=name, entity=entity, ref=ref)
    elif isinstance(value, str):
        for one in figures_in(value):
            yield Fact(value=one.value, field=name, entity=entity, ref=ref)
