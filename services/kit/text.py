"""Owns what a person's text must be before it is stored: NFC, no control characters, bounded."""

from __future__ import annotations

import unicodedata

from services.kit.errors import refuse

_LAYOUT = "\n\t"
_FORBIDDEN = ("Cc", "Cs", "Co", "Cn")
_BIDI = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def require_text(text: str, name: str, *, longest: int, lines: bool = False) -> str:
    """Return `text` NFC-normalised and trimmed, 1 to `longest` characters.

    Line breaks and tabs are allowed with `lines` only; CRLF becomes LF. Raises `PARAM_INVALID`
    for empty or long text, control characters, lone surrogates and direction overrides.
    """
    if len(text) > 4 * longest:
        raise _refusal(text, name, f"give at most {longest} characters")
    shown = unicodedata.normalize("NFC", text.replace("\r\n", "\n")).strip()
    if not shown:
        raise _refusal(text, name, "must not be empty")
    if len(shown) > longest:
        raise _refusal(text, name, f"give at most {longest} characters")
    for letter in shown:
        if lines and letter in _LAYOUT:
            continue
        if letter in _BIDI or unicodedata.category(letter) in _FORBIDDEN:
            raise _refusal(text, name, "must hold no control characters")
    return shown


def _refusal(text: str, name: str, rule: str) -> Exception:
    shown = text[:40].encode("ascii", "backslashreplace").decode()
    return refuse("PARAM_INVALID", field=name, name=name, value=shown, rule=rule)
