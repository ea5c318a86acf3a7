"""Owns why a list of market facts is empty: no provider, a plan without them, a refused key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from services.kit.errors import Refusal


@dataclass(frozen=True, slots=True)
class Absence:
    """Why there is nothing, in a word and in a sentence, and what would change that."""

    reason: Literal["provider_disabled", "not_entitled", "key_refused"]
    why: str
    todo: str


def no_provider(what: str, keys: str = "MASSIVE_API_KEY") -> Absence:
    """Return the absence of an installation without a provider of `what`.

    Nothing stands in for it: neither a replay nor a guess. Worked: `no_provider("news").why` is
    `no configured provider gives news`.
    """
    return Absence("provider_disabled", f"no configured provider gives {what}", f"Set {keys}.")


def find_absence(refusal: Refusal, what: str) -> Absence | None:
    """Return the absence that a provider's refusal means, or None for one that may pass."""
    match refusal.code:
        case "PROVIDER_NOT_ENTITLED":
            why = f"the provider's plan does not include {what}"
            return Absence("not_entitled", why, "Upgrade the plan at the provider.")
        case "PROVIDER_UNAUTHORIZED":
            return Absence("key_refused", "the provider refused the key", refusal.hint)
    return None
