"""Owns the split of streamed content into answer text and reasoning, and the mending of text."""

from __future__ import annotations

import re

_OPEN, _CLOSE = "<think>", "</think>"
_SURROGATE = re.compile("[\ud800-\udfff]")


def mended(text: str) -> str:
    r"""Return `text` with surrogate pairs joined and lone surrogates replaced by U+FFFD.

    Worked: `"\ud83d" + "\ude00"` becomes one U+1F600.
    """
    if text.isascii() or not _SURROGATE.search(text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


class AnswerText:
    """Reads content piece by piece; tags and surrogate pairs may be cut anywhere."""

    def __init__(self) -> None:
        self._held = ""
        self._inside = False
        self.reasoning: list[str] = []
        self.void_before = False

    def feed(self, piece: str) -> str:
        """Return the answer text that is certain now.

        `void_before` turns true when a closing tag without an opening one shows that all
        earlier text was reasoning; the caller clears it.
        """
        return self._split(self._held + piece, last=False)

    def close(self) -> str:
        """Return the answer text that was held back."""
        return self._split(self._held, last=True)

    def _split(self, text: str, *, last: bool) -> str:
        out: list[str] = []
        while True:
            at, tag = self._next_tag(text)
            if at < 0:
                break
            self._put(text[:at], out)
            if tag == _CLOSE and not self._inside:
                self.reasoning.extend(out)
                out.clear()
                self.void_before = True
            self._inside = tag == _OPEN
            text = text[at + len(tag) :]
        keep = 0 if last else self._uncertain(text)
        self._held = text[len(text) - keep :]
        self._put(text[: len(text) - keep], out)
        return "".join(out)

    def _next_tag(self, text: str) -> tuple[int, str]:
        found = [(text.find(tag), tag) for tag in (_OPEN, _CLOSE)]
        if self._inside:
            found = found[1:]
        return min((hit for hit in found if hit[0] >= 0), default=(-1, ""))

    def _put(self, text: str, out: list[str]) -> None:
        if text:
            (self.reasoning if self._inside else out).append(mended(text))

    @staticmethod
    def _uncertain(text: str) -> int:
        if text and "\ud800" <= text[-1] <= "\udbff":
            return 1
        tail = text[-len(_CLOSE) :]
        at = tail.rfind("<")
        if at >= 0 and (_OPEN.startswith(tail[at:]) or _CLOSE.startswith(tail[at:])):
            return len(tail) - at
        return 0
