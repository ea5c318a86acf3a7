"""Owns the hash of a plan document: what is left out of it, and its canonical text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import rfc8785

from services.kit.canonical import bytes_hash
from services.kit.errors import refuse

EXCLUDED = ("plan_id", "plan_hash", "idea_url")
_SAFE_INTEGER = 2**53


def hashed_plan(plan: Mapping[str, Any]) -> dict[str, Any]:
    """Return the plan without `plan_id`, `plan_hash`, `idea_url`, `citations[].retrieved_at`."""
    kept = {key: value for key, value in plan.items() if key not in EXCLUDED}
    citations = kept.get("citations")
    if isinstance(citations, list):
        kept["citations"] = [_without_retrieval(item) for item in citations]
    return kept


def _without_retrieval(citation: Any) -> Any:
    if not isinstance(citation, Mapping):
        return citation
    return {key: value for key, value in citation.items() if key != "retrieved_at"}


def canonical_text(document: Any) -> bytes:
    """Return the RFC 8785 bytes of a plain JSON document as it stands, nulls kept.

    Raises `CANON_FLOAT` with the path for a float or an integer of 2^53 or more,
    `PARAM_INVALID` for text that is not Unicode.
    """
    _require_exact(document, "$")
    try:
        return rfc8785.dumps(document)
    except (rfc8785.CanonicalizationError, UnicodeEncodeError):
        raise refuse(
            "PARAM_INVALID", name="document", value="text", rule="must be valid Unicode"
        ) from None


def _require_exact(value: Any, path: str) -> None:
    if isinstance(value, bool):
        return
    if isinstance(value, float) or (isinstance(value, int) and abs(value) >= _SAFE_INTEGER):
        raise refuse("CANON_FLOAT", path=path)
    if isinstance(value, Mapping):
        for key, item in value.items():
            _require_exact(item, f"{path}.{key}")
    elif isinstance(value, (list, tuple)):
        for at, item in enumerate(value):
            _require_exact(item, f"{path}[{at}]")


def plan_hash(plan: Mapping[str, Any]) -> str:
    """Return the tagged hash (`plan/v1`) of the plan without its excluded fields."""
    return bytes_hash("plan/v1", canonical_text(hashed_plan(plan)))
