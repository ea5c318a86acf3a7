"""Owns the mutants that change nothing a test could see, each with the reason."""

from __future__ import annotations

_NULL = "a column that is left out of a new row is NULL, as it was said to be"
_TWICE = "the row was found by this very digest; the comparison in constant time is a second lock"
_NEVER = "whatever it is, it is neither the phrase nor a hash, so the refusal is the same"
_PENDING = "only a pending card gives out tokens, and a pending card has no used one"

EQUIVALENT: dict[str, str] = {
    "confirm._plain: '' becomes another text": _NEVER,
    "confirmed.confirmed_order: '' becomes another text": _NEVER,
    "tokens.issue_token: where forgets confirm_tokens.c.used_at.is_(None)": _PENDING,
    "tokens.issue_token: 'used_at' becomes another text": _NULL,
    "tokens.issue_token: 'revoked_at' becomes another text": _NULL,
    "tokens.find_token: found is None or not hmac.compare_digest(found.token_sha256, digest) "
    "forgets not hmac.compare_digest(found.token_sha256, digest)": _TWICE,
    "tokens.find_token: if found is None or not hmac.compare_digest(found.token_sha256, digest) "
    "never": _TWICE,
}
