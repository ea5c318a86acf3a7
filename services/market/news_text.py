"""Owns making text of strangers plain: one line, nothing hidden, bounded; it is never obeyed."""

from __future__ import annotations

import html
import re
import unicodedata

_TERMINAL = re.compile(
    "(?:\x1b\\[|\x9b)[0-?]*[ -/]*[@-~]"
    "|(?:\x1b[\\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\\\|\x9c)"
    "|\x1b[ -/]*[0-~]"
)
"""Sequences that move or colour a terminal, such as ESC [31m, and those that name its window."""
_ESCAPE = re.compile("&#(?:0*27|x0*1b);?", re.IGNORECASE)
"""The escape letter as an entity, which HTML reads as nothing."""
_DROPPED = ("Cf", "Cs", "Co", "Cn")
_SELECTORS = (range(0xFE00, 0xFE10), range(0xE0100, 0xE01F0), (0x034F, 0x115F, 0x1160, 0x3164))
"""Letters that are none: variation selectors, the joiner of graphemes, blank fillers."""


def plain_line(text: str, longest: int) -> str:
    """Return `text` as one NFC line of at most `longest` characters.

    Entities become their letters; whole terminal sequences go, other controls become blanks;
    direction marks, zero widths, tag letters and whatever else shows nothing go.
    Worked: `A&amp;B` + U+200B + newline + `up` is `A&B up`.
    """
    head = html.unescape(_ESCAPE.sub("\x1b", text[: 4 * longest]))
    head = _TERMINAL.sub("", head)
    shown = "".join(_shown(letter) for letter in unicodedata.normalize("NFC", head))
    line = " ".join(shown.split())
    return line if len(line) <= longest else line[: longest - 1].rstrip() + "\u2026"


def _shown(letter: str) -> str:
    category = unicodedata.category(letter)
    if category in ("Cc", "Zl", "Zp"):
        return " "
    hidden = category in _DROPPED or any(ord(letter) in part for part in _SELECTORS)
    return "" if hidden else letter
