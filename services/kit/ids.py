"""Owns identifiers and secrets: the only place that draws random bytes."""

from __future__ import annotations

import base64
import hashlib
import secrets
from typing import Protocol

from services.kit.clock import Clock, to_micros

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


class Ids(Protocol):
    """Where new identifiers come from; injected, so that a run can be repeated."""

    def new(self, prefix: str) -> str:
        """Return a new id such as `ord_01jd…`, ascending in time within one source."""
        ...

    def secret(self) -> str:
        """Return 256 unguessable bits as 43 characters of base64url."""
        ...


class RandomIds:
    """Time-ordered ids (48 bits of milliseconds, 80 random bits) and real secrets."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def new(self, prefix: str) -> str:
        """Return `prefix_` and 26 characters of Crockford base32, lower case."""
        millis = to_micros(self._clock.now()) // 1000
        return f"{prefix}_{_base32(millis << 80 | secrets.randbits(80))}"

    def secret(self) -> str:
        """Return 256 random bits as base64url without padding."""
        return secrets.token_urlsafe(32)


class CountedIds:
    """Repeatable ids for tests and replays: the same calls give the same ids."""

    def __init__(self, seed: str = "seed") -> None:
        self._seed = seed
        self._count = 0

    def new(self, prefix: str) -> str:
        """Return `prefix_` and 26 characters that count up."""
        self._count += 1
        return f"{prefix}_{_base32(self._count)}"

    def secret(self) -> str:
        """Return 43 characters derived from the seed and a count; never for production."""
        self._count += 1
        digest = hashlib.sha256(f"{self._seed}:{self._count}".encode()).digest()
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _base32(number: int) -> str:
    return "".join(_ALPHABET[number >> shift & 31] for shift in range(125, -1, -5))


def sha256_hex(text: str) -> str:
    """Return the SHA-256 of the UTF-8 text as 64 hex digits; how secrets are stored."""
    return hashlib.sha256(text.encode()).hexdigest()


def new_key() -> str:
    """Return a fresh 256-bit key as hex; for the installation's signing key."""
    return secrets.token_hex(32)
