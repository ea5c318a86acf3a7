"""Owns the rule model's words about composed plans: the plan, its parts, and why there is none."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from tools.wording.quotation import quotation

_FLAGS = re.IGNORECASE | re.ASCII
_PART = re.compile(
    r"\b(stop|targets?|entry|score|confluence|confidence|confident|sure|setup|plan|trade)\b", _FLAGS
)
_LEADS: dict[str, tuple[str, ...]] = {
    "stop": ("Stop",),
    "target": ("Targets", "Reward", "A runner"),
    "entry": ("Entry",),
    "score": ("Confluence", "No confluence"),
    "confluence": ("Confluence", "No confluence"),
    "confidence": ("Confidence",),
    "confident": ("Confidence",),
    "sure": ("Confidence",),
}
"""How the sentences about each part of a plan begin; any other question gets them all."""


def asks_part(text: str) -> str | None:
    """Return the part of a plan that a question is about. Worked: `why this stop?` is `stop`."""
    found = _PART.search(text)
    return found[1].lower().removesuffix("s") if found else None


def part_words(text: str, body: Mapping[str, Any]) -> str:
    """Return what the last plan says about the part that was asked for, in its own sentences."""
    leads = _LEADS.get(asks_part(text) or "")
    said = [str(one) for one in body["why"]]
    told = [one for one in said if leads is None or one.startswith(leads)] or said
    return f"On the {body['symbol']} plan: " + " ".join(told)


def no_setup_words(facts: Mapping[str, Any], example: str) -> str:
    """Return why there is no plan: the rule that comes nearest, and what the person may do."""
    nearest = str(facts.get("nearest", ""))
    near = f" The nearest is {quotation(nearest)}." if nearest else ""
    return (
        f"I see no setup on {facts.get('symbol', 'it')} now, so I make no plan.{near} With your "
        f"own entry and stop I check yours, for example: {example}."
    )
