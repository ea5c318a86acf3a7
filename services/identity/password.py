"""Owns password hashing: argon2id, with a dummy check so that unknown names take as long."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argon2

_LENGTH_MAX = 256
"""Longer passwords are refused before hashing; argon2 reads all of its input."""


def hash_password(password: str) -> str:
    """Return the argon2id hash of `password`, with a fresh salt; about 0.1 s of work."""
    return _hasher().hash(password)


def password_matches(stored: str | None, password: str) -> bool:
    """Return whether `password` has the hash `stored`; None takes the same time and is False.

    Call it in a thread and outside any transaction: one check costs about 0.1 s.
    """
    from argon2 import exceptions

    if len(password) > _LENGTH_MAX:
        return False
    try:
        _hasher().verify(stored or _dummy(), password)
    except (exceptions.VerificationError, exceptions.InvalidHashError):
        return False
    return stored is not None


@cache
def _hasher() -> argon2.PasswordHasher:
    import argon2

    return argon2.PasswordHasher()


@cache
def _dummy() -> str:
    return _hasher().hash("nobody has this password")
