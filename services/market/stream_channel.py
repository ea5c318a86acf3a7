"""Owns which channels of Massive's stream are asked for: per cluster, symbol and plan."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Literal

Cluster = Literal["stocks", "options", "indices"]
_KINDS: dict[str, tuple[str, ...]] = {
    "stocks": ("T", "Q", "AM"),
    "options": ("T", "Q", "AM"),
    "indices": ("V", "AM"),
}
HALTS = "LULD"
"""The events of price limits, halts and resumptions of stocks."""
_CANARY = {"stocks": "A.SPY", "indices": "V.I:SPX"}
_PREFIX = {"options": "O:", "indices": "I:"}
_CHANNEL = re.compile(r"\b(AM|LULD|FMV|A|T|Q|V)\.(\*|[A-Z0-9:.\-]+)", re.ASCII)
_DENIED = ("not authorized", "not entitled", "don't have access", "do not have access", "upgrade")


def belongs(symbol: str, cluster: Cluster) -> bool:
    """Return whether a cluster carries a symbol: `O:` options, `I:` indices, the rest stocks."""
    prefix = _PREFIX.get(cluster)
    return symbol.startswith(prefix) if prefix else ":" not in symbol


def channels_of(
    symbols: Iterable[str], cluster: Cluster, denied: frozenset[str], *, halts: bool = False
) -> list[str]:
    """Return the channels of the symbols, by symbol, without the kinds that the plan denies.

    With `halts` those of stocks too that tell of halts, which few plans include. Worked: `AAPL`
    on stocks with `Q` denied is `T.AAPL` and `AM.AAPL`.
    """
    asked = (*_KINDS[cluster], HALTS) if halts and cluster == "stocks" else _KINDS[cluster]
    kinds = [kind for kind in asked if kind not in denied]
    return [f"{kind}.{symbol}" for symbol in sorted(symbols) for kind in kinds]


def find_canary(cluster: Cluster, denied: frozenset[str]) -> str | None:
    """Return a channel that never rests in a session, so that silence proves a fault; or None.

    The symbols a person watches may well not trade for minutes.
    """
    canary = _CANARY.get(cluster)
    return None if canary is None or canary.partition(".")[0] in denied else canary


def batches(channels: list[str], size: int) -> Iterator[str]:
    """Yield the channels as parameters of one request each, at most `size` in one."""
    for at in range(0, len(channels), size):
        yield ",".join(channels[at : at + size])


def find_denied(message: str, cluster: Cluster) -> frozenset[str]:
    """Return the kinds that an error of the server denies; none when it is about something else.

    The vendor's wording is not documented: a message that denies without naming a channel
    denies the finest kinds (trades and quotes), which plans leave out first.
    """
    if not any(word in message.lower() for word in _DENIED):
        return frozenset()
    named = frozenset(found[1] for found in _CHANNEL.finditer(message))
    finest = {"T", "Q"} if cluster != "indices" else {"V"}
    return named or frozenset(finest)
