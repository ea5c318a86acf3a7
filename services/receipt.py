"""Owns receipts: the Ed25519 signature that every decision of the audit chain carries."""

from __future__ import annotations

import json
import re
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from services.audit_anchor import secret_file
from services.kit.errors import refuse

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (
        Ed25519PrivateKey,
        Ed25519PublicKey,
    )

KEY_FILE = "receipt.key"
"""The private key in the home folder: 32 bytes as hex, made at first use."""
MARK = "receipt"
"""The field of a hashed event that says: this one is signed."""
EVENT, EXPORT = "receipt/v1", "export/v1"
"""What is signed, so that one kind of signature never passes for another."""
_HEX = re.compile(r"[0-9a-f]{128}")
_DECISIONS = frozenset(
    {
        "proposed",
        "proposal_refused",
        "confirm_attempt",
        "confirmed",
        "declined",
        "expired",
        "superseded",
        "invalidated",
        "size.forced",
        "switch.changed",
    }
)


def is_decision(kind: str) -> bool:
    """Return whether an event of `kind` carries a receipt: decisions and the steps of orders."""
    return kind in _DECISIONS or kind.startswith("order.")


def sign(home: Path, tag: str, text: str) -> str:
    """Return the signature of `text` under `tag`: 64 bytes of Ed25519 as hex."""
    return _private(home).sign(_signed(tag, text)).hex()


def public_key(home: Path) -> str:
    """Return the public key that proves what this installation signs: 32 bytes as hex."""
    return _private(home).public_key().public_bytes_raw().hex()


def holds(key: str, tag: str, text: str, signature: object) -> bool:
    """Return whether `signature` is that of `text` under `tag` and the public `key`.

    Raises `PARAM_INVALID` when `key` is no public key.
    """
    from cryptography.exceptions import InvalidSignature

    public = _public(key)
    if not isinstance(signature, str) or not _HEX.fullmatch(signature):
        return False
    try:
        public.verify(bytes.fromhex(signature), _signed(tag, text))
    except InvalidSignature:
        return False
    return True


def fault(key: str, row: Any) -> str:
    """Return why the receipt of an audit row does not hold; empty when it does or none is due."""
    if json.loads(row.payload).get(MARK) is not True:
        return "" if row.receipt is None else "a receipt where none is due"
    if row.receipt is None:
        return "the receipt is missing"
    return "" if holds(key, EVENT, row.hash, row.receipt) else "the receipt does not hold"


def _signed(tag: str, text: str) -> bytes:
    return f"{tag}\n{text}".encode()


def _private(home: Path) -> Ed25519PrivateKey:
    return _key_of(secret_file(home / KEY_FILE))


@lru_cache(maxsize=4)
def _key_of(secret: bytes) -> Ed25519PrivateKey:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Ed25519PrivateKey.from_private_bytes(secret)


@lru_cache(maxsize=4)
def _public(key: str) -> Ed25519PublicKey:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        return Ed25519PublicKey.from_public_bytes(bytes.fromhex(key))
    except ValueError as error:
        raise refuse(
            "PARAM_INVALID", name="key", value=key[:80], rule="a public key is 64 hex digits"
        ) from error
