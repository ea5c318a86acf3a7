"""Owns what may leave: hidden characters, special tokens, secrets, images, links and markup."""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import urlsplit

from services.kit.redact import Redactor
from services.kit.settings import Settings

_HIDDEN = re.compile(
    "[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\ufe00-\ufe0f\ufeff\ufff9-\ufffb\U000e0000-\U000e0fff\ud800-\udfff]"
)
_SPECIAL = (
    (re.compile(r"<\s*\|"), "\u2039\u00a6"),
    (re.compile(r"\|\s*>"), "\u00a6\u203a"),
    (re.compile(r"(?i)<(/?)(tool_?\w*|system|assistant|user|s)>"), "\u2039\\1\\2\u203a"),
    (re.compile(r"(?i)\[(/?)(system|inst|assistant)\]"), "(\\1\\2)"),
)
_IMAGE = re.compile(r"!\[([^\]\n]{0,300})\]\s?(?:\([^)\n]*\)|\[[^\]\n]*\])")
_LINK = re.compile(r"\[([^\]\n]{0,300})\]\(\s*<?([^)\s>]*)[^)\n]*\)")
_BARE = re.compile(r"(?i)\b(?:[a-z][a-z0-9+.-]{1,20}://|www\.)[^\s<>)\]\"']+")
_SCHEME = re.compile(r"(?i)\b(?:javascript|data|vbscript|file):(?=\S)")
_SHORT = 300
_HARMLESS_MAX = 512
"""Names, roles and descriptions come again in every request; they are cleaned once and kept."""
_TAG = re.compile(r"<(?=[a-zA-Z!/?])")


def neutralise(text: str) -> str:
    """Return NFC text without hidden characters, model control tokens in a harmless form.

    Worked: `<|im_end|>` comes out in other brackets; line breaks and tabs stay.
    """
    shown = _HIDDEN.sub("", unicodedata.normalize("NFC", text.replace("\r\n", "\n")))
    for pattern, harmless in _SPECIAL:
        shown = pattern.sub(harmless, shown)
    return shown


class Egress:
    """The last filter before text reaches a model or a person."""

    def __init__(self, settings: Settings) -> None:
        values = (getattr(settings, name) for name in type(settings).model_fields)
        self._redactor = Redactor(
            value.get_secret_value() for value in values if hasattr(value, "get_secret_value")
        )
        base = urlsplit(settings.public_base_url).hostname
        self._harmless: dict[str, None] = {}
        self._hosts = frozenset(host for host in (base,) if host)

    def to_model(self, text: str) -> str:
        """Return text as a model may see it: neutral, without any secret."""
        if text in self._harmless:
            return text
        cleaned = self._redactor.text(neutralise(text))
        if cleaned == text and len(text) <= _SHORT:
            self._remember(text)
        return cleaned

    def _remember(self, text: str) -> None:
        """Keep a text that needed no change, so that no secret is ever kept; oldest ones go."""
        self._harmless[text] = None
        if len(self._harmless) > _HARMLESS_MAX:
            self._harmless.pop(next(iter(self._harmless)), None)

    def to_person(self, text: str) -> str:
        """Return text as a person may see it: also without images, markup and foreign links."""
        shown = self.to_model(text)
        shown = _IMAGE.sub(lambda found: f"{found[1]} (image removed)".strip(), shown)
        shown = _LINK.sub(self._link, shown)
        shown = _BARE.sub(lambda found: self._bare(found[0]), shown)
        return _TAG.sub("\u2039", _SCHEME.sub("(removed) ", shown))

    def _link(self, found: re.Match[str]) -> str:
        return found[0] if self._allowed(found[2]) else f"{found[1]} (link removed)"

    def _bare(self, address: str) -> str:
        return address if self._allowed(address) else "(link removed)"

    def _allowed(self, address: str) -> bool:
        parts = urlsplit(address)
        return parts.scheme == "https" and parts.hostname in self._hosts
