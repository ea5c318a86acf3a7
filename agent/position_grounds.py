"""Owns where the values of an action on a position must come from: the person's own words."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from services.kit.errors import refuse

_EVERY = re.compile(r"\b(?:all|everything|every|whole|entire)\b", re.IGNORECASE)


def check_action(arguments: Mapping[str, Any], said: str, *, named: Sequence[str]) -> None:
    """Raise `PROVENANCE_REFUSED` for an action that the words of this turn do not hold.

    `named` are the held symbols that the person named: then none but these may be acted on. A
    share must stand in the words as it is, and closing all needs a word for all.
    """
    action, symbol = str(arguments.get("action")), str(arguments.get("symbol") or "").upper()
    if action == "close_all" and (named or not _EVERY.search(said)):
        raise refuse("PROVENANCE_REFUSED", field="action", value=action)
    if symbol and named and symbol not in named:
        raise refuse("PROVENANCE_REFUSED", field="symbol", value=symbol)
    share = str(arguments.get("share") or "")
    if share and not re.search(_shape(share), said, re.IGNORECASE):
        raise refuse("PROVENANCE_REFUSED", field="share", value=share[:20])


def _shape(share: str) -> str:
    number = share.removesuffix("%")
    if number == share:
        return rf"\b{re.escape(share)}\b"
    return rf"(?<![\d.]){re.escape(number)}\s*(?:%|percent\b)"
