"""Owns the trade log: one row per closed trade with its fills, sealed by the row before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from decimal import Decimal

from services.kit.canonical import tagged_hash

GENESIS = "sha256:" + "0" * 64
TAG = "backtest_trade/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class LegFill:
    """One fill: what it did, when, how many units at which price, and its fee."""

    act: str
    ts: datetime
    quantity: Decimal
    price: Decimal
    fee: Decimal
    lot: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Trade:
    """One closed trade. `r` is its P&L after all costs over what the fill risked, 6 decimals.

    `gross_r` is before costs, as are the moves. `exit` is the average price of the exits, `bars`
    counts from the entry bar, which is 1. `hash` seals the row and the hash of the row before it.
    """

    n: int
    setup_id: str
    version: int
    symbol: str
    side: str
    trigger_ts: datetime
    entry_ts: datetime
    entry: Decimal
    exit_ts: datetime
    exit: Decimal
    stop: Decimal
    targets: tuple[Decimal, ...]
    quantity: Decimal
    fills: tuple[LegFill, ...]
    fees: Decimal
    pnl: Decimal
    r: Decimal
    gross_r: Decimal
    bars: int
    reason: str
    legs_filled: int
    ambiguous: bool
    resolution: str | None
    mfe_r: Decimal | None
    mae_r: Decimal | None
    mfe_free_r: Decimal | None
    at_target_r: Decimal | None
    score: Decimal | None
    features: Mapping[str, Decimal]
    prev_hash: str = GENESIS
    hash: str = ""


_SEALED = tuple(one.name for one in fields(Trade) if one.name not in ("hash", "fills", "features"))


def seal_of(trade: Trade) -> str:
    """Return the tagged hash (`backtest_trade/v1`) of a row: every field as text, but its hash."""
    row: dict[str, object] = {name: _text(getattr(trade, name)) for name in _SEALED}
    row["fills"] = [
        f"{one.act} {one.quantity} at {one.price} fee {one.fee} lot {one.lot} {_text(one.ts)}"
        for one in trade.fills
    ]
    row["features"] = {name: str(value) for name, value in trade.features.items()}
    return tagged_hash(TAG, row)


def _text(value: object) -> str:
    """Return a value's own text; Decimals keep their decimals, instants are ISO 8601 in UTC."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, tuple):
        return " ".join(map(str, value))
    return str(value)


def find_break(trades: Sequence[Trade]) -> int | None:
    """Return the number of the first row whose seal or link does not hold; None when all do."""
    before = GENESIS
    for trade in trades:
        if trade.prev_hash != before or seal_of(trade) != trade.hash:
            return trade.n
        before = trade.hash
    return None
