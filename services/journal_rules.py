"""Owns what the journal accepts from a person: text, tags, symbols and ranges."""

from __future__ import annotations

import re
from collections.abc import Sequence

from services.kit.errors import refuse
from services.kit.text import require_text

TEXT_MAX = 4000
TAGS_MAX = 10
_TAG = re.compile(r"[a-z0-9][a-z0-9_-]{0,29}", re.ASCII)
_SYMBOL = re.compile(r"[A-Z0-9][A-Z0-9.:_-]{0,23}", re.ASCII)


def require_note(text: str, tags: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    """Return a note's text and its tags, sorted and each once. Raises `PARAM_INVALID`."""
    text = require_text(text, "text", longest=TEXT_MAX, lines=True)
    if len(tags) > TAGS_MAX:
        raise refuse(
            "PARAM_INVALID",
            field="tags",
            name="tags",
            value=len(tags),
            rule=f"give at most {TAGS_MAX}",
        )
    for tag in tags:
        if not _TAG.fullmatch(tag):
            raise refuse(
                "PARAM_INVALID",
                field="tags",
                name="tags",
                value=ascii(tag[:40]),
                rule="a tag is 1 to 30 of a-z 0-9 _ -",
            )
    return text, tuple(sorted(set(tags)))


def require_entry_symbol(symbol: str | None) -> str:
    """Return the symbol in capitals, empty when none is given. Raises `PARAM_INVALID`."""
    if not symbol:
        return ""
    if not _SYMBOL.fullmatch(symbol.upper()):
        raise refuse(
            "PARAM_INVALID",
            field="symbol",
            name="symbol",
            value=ascii(symbol[:40]),
            rule="give a symbol such as AAPL",
        )
    return symbol.upper()


def require_range(name: str, value: int, most: int) -> None:
    """Refuse a number outside 1 to `most`, both inclusive. Raises `PARAM_INVALID`."""
    if not 1 <= value <= most:
        raise refuse(
            "PARAM_INVALID",
            field=name,
            name=name,
            value=str(value)[:40],
            rule=f"must be 1 to {most}",
        )
