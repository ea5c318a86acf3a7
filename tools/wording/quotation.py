"""Owns quotations: stored words inside quotes that stay one piece, so they are nobody's claim."""

from __future__ import annotations

import re

_BREAK = re.compile(r"([.!?\u2026][\"')\]]*)\s+")
_UNBROKEN = "\u00a0"


def quotation(text: str, longest: int = 300) -> str:
    """Return `text` in one line inside double quotes, at most `longest` characters of it.

    Inner double quotes become single ones, and a full stop is followed by a space that does not
    break. Worked: `I "won". Twice` is `"I 'won'. Twice"`.
    """
    line = " ".join(text.split())[:longest].replace('"', "'")
    return f'"{_BREAK.sub(lambda found: found[1] + _UNBROKEN, line)}"'
