"""Owns the reading of prompts: versioned Markdown files with a hash that every run records."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib.resources import files

from services.kit.errors import check

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
    check(
        label == "version" and number.strip().isdigit(),
        "a prompt begins with its version",
        name=name,
    )
    check(raw.count("\n") <= LINES_MAX, "a prompt has at most 150 lines", name=name)
    return Prompt(name, int(number), text.strip(), "sha256:" + sha256(raw.encode()).hexdigest())
