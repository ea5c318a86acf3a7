"""Owns the reading of prompts: versioned Markdown files with a hash that every run records."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib.resources import files

LINES_MAX = 150


@dataclass(frozen=True, slots=True)
class Prompt:
    """One prompt: its words without the front matter, its version, and the hash of the file."""

    name: str
    version: int
    text: str
    hash: str


@cache
def prompt(name: str) -> Prompt:
    """Return the prompt `prompts/<name>.md`; its first line is `version: N`."""
    raw = (files("prompts") / f"{name}.md").read_text(encoding="utf-8")
    first, _, text = raw.partition("\n")
    label, _, number = first.partition(": ")
    if label != "version" or not number.strip().isdigit():
        raise RuntimeError(f"prompt {name} does not begin with its version")
    if raw.count("\n") > LINES_MAX:
        raise RuntimeError(f"prompt {name} has more than {LINES_MAX} lines")
    return Prompt(name, int(number), text.strip(), "sha256:" + sha256(raw.encode()).hexdigest())
