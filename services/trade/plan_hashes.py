"""Owns the hashes of a plan: the idea's, the plan's, and the id and address that follow from it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.kit.canonical import plain_hash
from services.trade.plan_document import hashed_plan

IDEA_FIELDS = (
    "symbol",
    "side",
    "style",
    "timeframe",
    "setup",
    "entry",
    "stop",
    "targets",
    "management",
    "invalidation",
    "time_stop",
    "confluence",
    "confidence",
)
"""What an idea is; when it was asked for, and whether a market is open, are none of it."""
_DIGITS = slice(7, 23)


def idea_hash(body: Mapping[str, Any]) -> str:
    """Return the tagged hash (`idea/v1`) of what a plain plan proposes, whenever it was made."""
    return plain_hash("idea/v1", {name: body[name] for name in IDEA_FIELDS if name in body})


def sealed(body: Mapping[str, Any], *, base_url: str = "") -> dict[str, Any]:
    """Return a plain plan with `idea_hash`, `plan_hash`, `plan_id` and `idea_url`.

    `plan_hash` covers everything but itself, the id, the address and when inputs were fetched.
    """
    whole = {**body, "idea_hash": idea_hash(body)}
    digest = plain_hash("plan/v1", hashed_plan(whole))
    plan_id = f"plan_{digest[_DIGITS]}"
    return {
        **whole,
        "plan_hash": digest,
        "plan_id": plan_id,
        "idea_url": f"{base_url}/ideas/{plan_id}",
    }
