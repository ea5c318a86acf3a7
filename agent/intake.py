"""Owns the way a person's words come in: limits, cleaning, and tokens pasted by mistake."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from services import audit
from services.kit.context import Context
from services.kit.errors import refuse
from services.kit.redact import TOKEN

TEXT_MAX = 8_000
"""Characters of one message, after cleaning."""
PASTES_MAX = 8
_HIDDEN = re.compile(
    "[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    "\U000e0000-\U000e007f]"
)
_SURROGATE = re.compile("[\ud800-\udfff]")
REDACTED = "[confirmation token removed]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """What a person said, cleaned; `pastes` are attached blocks that are not their own words."""

    text: str
    pastes: tuple[str, ...] = ()
    tokens_removed: int = 0


def clean(text: str, *, field: str = "text") -> str:
    """Return NFC text without control and invisible characters; line breaks and tabs stay.

    Raises `PARAM_INVALID` for a lone surrogate, for nothing but blanks, and above 8,000 characters.
    """
    if _SURROGATE.search(text):
        raise _invalid(field, "must be valid Unicode text")
    shown = unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n"))
    shown = _HIDDEN.sub("", shown)
    if len(shown) > TEXT_MAX:
        raise _invalid(field, f"at most {TEXT_MAX} characters")
    if not shown.strip():
        raise _invalid(field, "must say something")
    return shown


def _invalid(field: str, rule: str) -> Exception:
    return refuse("PARAM_INVALID", field=field, name=field, value="(not shown)", rule=rule)


def take_in(ctx: Context, text: str, pastes: tuple[str, ...] = ()) -> Words:
    """Return the person's words with confirmation tokens removed; each removal is audited.

    A token in the chat authorises nothing. Raises `PARAM_INVALID`.
    """
    if len(pastes) > PASTES_MAX:
        raise _invalid("pastes", f"at most {PASTES_MAX} blocks")
    said, count = TOKEN.subn(REDACTED, clean(text))
    blocks = []
    for paste in pastes:
        block, more = TOKEN.subn(REDACTED, clean(paste, field="pastes"))
        blocks.append(block)
        count += more
    if count:
        audit.record(ctx, "alarm.token_in_chat", ctx.principal.user_id, count=count)
    return Words(text=said, pastes=tuple(blocks), tokens_removed=count)
