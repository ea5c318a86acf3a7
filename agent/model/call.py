"""Owns one tool call while it is being streamed, the ids we give it, and reading its arguments."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Container
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, NoReturn

from agent.model.chunk import Fragment
from agent.model.text import mended

_ID_LENGTH = 9
_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


class CallIds:
    """Gives out ids of nine letters and digits, unique in a conversation, from a seed."""

    def __init__(self, seed: str, taken: Container[str] = frozenset()) -> None:
        self._seed = seed
        self._taken = taken
        self._given: dict[str, None] = {}
        self._count = 0

    def new(self) -> str:
        """Return the next id: base 62 of SHA-256 over seed and count, skipping taken ones."""
        while True:
            self._count += 1
            digest = hashlib.sha256(f"{self._seed}:{self._count}".encode()).digest()
            made = "".join(_ALPHABET[byte % len(_ALPHABET)] for byte in digest[:_ID_LENGTH])
            if made not in self._taken and made not in self._given:
                self._given[made] = None
                return made


@dataclass(slots=True)
class _Balance:
    """Follows brackets and strings, so that the end of an object is known without parsing."""

    depth: int = 0
    in_string: bool = False
    escaped: bool = False
    begun: bool = False
    closed: bool = False
    beyond: bool = False

    def advance(self, text: str) -> None:
        for char in text:
            if self.in_string:
                self._in_string(char)
            elif not char.isspace():
                self._outside(char)

    def _in_string(self, char: str) -> None:
        if self.escaped:
            self.escaped = False
        elif char == "\\":
            self.escaped = True
        elif char == '"':
            self.in_string = False

    def _outside(self, char: str) -> None:
        if self.closed or (not self.begun and char != "{"):
            self.beyond = True
        self.begun = True
        if char == '"':
            self.in_string = True
        elif char in "{[":
            self.depth += 1
        elif char in "}]":
            self.depth -= 1
            self.closed = self.closed or self.depth <= 0


@dataclass(slots=True)
class OpenCall:
    """One call under construction."""

    index: int | None
    call_id: str
    name: str = ""
    name_again: bool = False
    _pieces: list[str] = field(default_factory=list)
    _balance: _Balance = field(default_factory=_Balance)
    _empty_object: bool = False

    @property
    def arguments(self) -> str:
        """Return the argument text so far, trimmed."""
        if len(self._pieces) > 1:
            self._pieces = ["".join(self._pieces)]
        joined = mended(self._pieces[0]).strip() if self._pieces else ""
        return joined or ("{}" if self._empty_object else "")

    @property
    def whole(self) -> bool:
        """True when the arguments form one closed object already."""
        if not self._pieces:
            return self._empty_object
        return self._balance.closed and not self._balance.beyond

    def repeats(self, piece: Fragment) -> bool:
        """True when the call is whole and the fragment says nothing new about it.

        A named fragment with the same arguments is a repetition only under the same id:
        without one it is a second call that happens to be equal.
        """
        if not self.whole or piece.name not in ("", self.name):
            return False
        text = piece.arguments.strip()
        is_same_call = not piece.name or (piece.call_id != "" and piece.call_id == self.call_id)
        return not text or (is_same_call and text == self.arguments)

    def add_name(self, name: str) -> None:
        """Take the first name; append a different piece only while no arguments were seen."""
        if not self.name:
            self.name = name
        elif name not in ("", self.name) and not self._pieces and not self._empty_object:
            self.name += name

    def add_arguments(self, piece: Fragment) -> None:
        """Append text; an empty object is only a placeholder until text follows."""
        if piece.is_object and piece.arguments == "{}":
            self._empty_object = True
        elif piece.arguments:
            self._pieces.append(piece.arguments)
            self._balance.advance(piece.arguments)


def read_arguments(text: str) -> dict[str, Any]:
    """Return the object of a call's JSON arguments, numbers with a point as Decimal.

    Raises ValueError for anything but one whole object: broken JSON, a key that stands twice,
    NaN or Infinity, nesting too deep to read.
    """
    try:
        value = json.loads(
            text,
            parse_float=Decimal,
            parse_constant=_refuse_constant,
            object_pairs_hook=_unique_pairs,
        )
    except RecursionError as deep:
        raise ValueError("nested too deeply") from deep
    if not isinstance(value, dict):
        raise ValueError("not an object")  # noqa: TRY004 - one kind of failure for the caller
    return value


def _refuse_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is no JSON number")


def _unique_pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice")
    return found
