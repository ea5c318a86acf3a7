"""Owns the rule model's free words: the text of a note, and what help is asked about; pure."""

from __future__ import annotations


def note_of(text: str) -> str:
    """Return the note itself, without the words that ask for it. Worked: `note: x` is `x`."""
    said = text.strip()
    for lead in _NOTE_LEADS:
        if said.lower().startswith(lead):
            return said[len(lead) :].lstrip(" :,") or said
    return said


_NOTE_LEADS = (
    "note that", "note to", "note", "journal that", "journal", "remember that", "remember to",
    "remember", "log that", "log", "add to my journal", "add to the journal", "write in my journal",
    "put in my journal", "save to my journal",
)  # fmt: skip


def topic_of(text: str) -> str | None:
    """Return the word after `help`, which may name a tool."""
    words = text.lower().replace("?", " ").split()
    return words[1][:60] if len(words) > 1 and words[0] == "help" else None
