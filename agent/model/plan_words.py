"""Owns the rule model's words about composed plans: the plan, its parts, and why there is none."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from tools.wording.quotation import quotation

_FLAGS = re.IGNORECASE | re.ASCII
_PART = re.compile(
    r"\b(stop|targets?|entry|score|confluence|confidence|confident|sure|mind|wrong|setup|plan|trade)\b",
    _FLAGS,
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
    part = asks_part(text) or ""
    if part in ("mind", "wrong"):
        return _mind_words(body)
    leads = _LEADS.get(part)
    said = [str(one) for one in body["why"]]
    told = [one for one in said if leads is None or one.startswith(leads)] or said
    return f"On the {body['symbol']} plan: " + " ".join(told)


def _mind_words(body: Mapping[str, Any]) -> str:
    ends = "; ".join(str(one) for one in body["would_end"])
    return (
        f"On the {body['symbol']} plan this would change my mind: {ends}. It is void after "
        f"{body['expires_at'][:16].replace('T', ' ')} UTC without an entry, and the trade ends by "
        f"{body['ends_at'][:16].replace('T', ' ')} UTC."
    )


def no_plan_words(example: str) -> str:
    """Return the answer to a question about a part of a plan when there is no plan yet."""
    return (
        "There is no plan in this talk yet that I could answer for. Ask for one, such as "
        f"`plan IBM`, or give yours: {example}."
    )


def no_setup_words(facts: Mapping[str, Any], example: str) -> str:
    """Return why there is no plan: the rule that comes nearest, and what the person may do."""
    nearest = str(facts.get("nearest", ""))
    near = f" The nearest is {quotation(nearest)}." if nearest else ""
    return (
        f"I see no setup on {facts.get('symbol', 'it')} now, so I make no plan.{near} With your "
        f"own entry and stop I check yours, for example: {example}."
    )
