"""Owns the company names that a person may say instead of a symbol."""

from __future__ import annotations

import re
from collections.abc import Mapping

from services.kit.context import Context
from services.kit.errors import Refusal
from services.market.feed import Feed

_FIRST = re.compile(r"[A-Za-z]{4,20}")
_NO_NAMES = frozenset(
    [
        "sell",
        "hold",
        "stop",
        "limit",
        "market",
        "order",
        "shares",
        "stock",
        "position",
        "target",
        "entry",
        "card",
        "trade",
        "plan",
        "size",
        "cancel",
        "confirm",
        "close",
        "exit",
        "short",
        "long",
        "with",
        "from",
        "that",
        "this",
        "them",
        "everything",
        "half",
        "next",
        "last",
        "price",
        "risk",
        "after",
        "before",
        "news",
        "alert",
        "note",
        "international",
        "general",
        "american",
        "united",
        "national",
        "first",
        "global",
    ]
)
"""Words of orders and of many companies: they never name one company."""


def company_names(ctx: Context) -> dict[str, str]:
    """Return the first word of each instrument's name by symbol, where it can name nothing else.

    A feed that is off knows no names. Worked: `Apple Inc.` gives `apple` for `AAPL`.
    """
    feed = ctx.ports.get(Feed)
    if feed is None:
        return {}
    try:
        listed = ctx.port(Feed).instruments(ctx)
    except Refusal:
        return {}
    return build_names({one.symbol: one.name for one in listed})


def build_names(full: Mapping[str, str]) -> dict[str, str]:
    """Return the usable first words of full names; a word that two companies share names none."""
    words: dict[str, list[str]] = {}
    symbols = {symbol.lower() for symbol in full}
    for symbol, name in sorted(full.items()):
        found = _FIRST.match(name.strip())
        word = found[0].lower() if found else ""
        if word and word not in _NO_NAMES and word not in symbols:
            words.setdefault(word, []).append(symbol)
    return {owners[0]: word for word, owners in words.items() if len(owners) == 1}
