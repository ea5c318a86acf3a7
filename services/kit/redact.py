"""Owns redaction: what must never leave is replaced wherever text leaves."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

TOKEN = re.compile(r"ct_[A-Za-z0-9_-]{20,}")
"""A confirmation token in clear."""
_SHAPES = (
    TOKEN,
    re.compile(r"ck_[A-Za-z0-9]{4,40}_[A-Za-z0-9_-]{20,}"),
    re.compile(r"\bsk-[A-Za-z0-9_-]{16,}"),
    re.compile(r"(?i)\bbearer\s+[A-Za-z0-9._~+/-]{12,}=*"),
    re.compile(r"(?<=://)[^/\s:@]{1,80}:[^@\s/]{1,200}(?=@)"),
)
MARK = "[redacted]"
_MIN_SECRET = 6


class Redactor:
    """Replaces known secret values and everything that is shaped like one."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets = sorted({s for s in secrets if len(s) >= _MIN_SECRET}, key=len, reverse=True)

    def text(self, text: str) -> str:
        """Return `text` with every secret replaced by a mark."""
        for secret in self._secrets:
            text = text.replace(secret, MARK)
        for shape in _SHAPES:
            text = shape.sub(MARK, text)
        return text

    def document(self, value: Any) -> Any:
        """Return a document of mappings, lists and text with every secret replaced."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {key: self.document(item) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.document(item) for item in value]
        return value


def holds_token(text: str) -> bool:
    """Return True when `text` holds a confirmation token; egress stops on it."""
    return TOKEN.search(text) is not None
