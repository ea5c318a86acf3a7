"""Owns the trade log: one row per closed trade with its fills, sealed by the row before."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

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
    counts from the entry bar, which is 1. `confidence` is the chance of target 1 as the record in
    force at the trigger stated it; its tier is `uncalibrated` without one. `hash` seals the row
    and the hash of the row before it.
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
    confidence: Decimal | None = None
    confidence_tier: str | None = None
    prev_hash: str = GENESIS
    hash: str = ""


def seal_of(trade: Trade) -> str:
    """Return `sha256:` and the hash of `backtest_trade/v1` and every field but the hash itself.

    One line of text per field in their order, one per fill; no field holds a line break, and
    instants are seconds since 1970.
    """
    one = trade
    features = " ".join(f"{name}={value}" for name, value in one.features.items())
    fills = "\n".join(
        f"{fill.act} {fill.quantity} at {fill.price} fee {fill.fee} lot {fill.lot} "
        f"{fill.ts.timestamp()}"
        for fill in one.fills
    )
    text = (
        f"{TAG}\n{one.prev_hash}\n{one.n}\n{one.setup_id}\n{one.version}\n{one.symbol}\n{one.side}\n"
        f"{one.trigger_ts.timestamp()}\n{one.entry_ts.timestamp()}\n{one.entry}\n"
        f"{one.exit_ts.timestamp()}\n{one.exit}\n{one.stop}\n"
        f"{' '.join(map(str, one.targets))}\n{one.quantity}\n{one.fees}\n{one.pnl}\n{one.r}\n"
        f"{one.gross_r}\n{one.bars}\n{one.reason}\n{one.legs_filled}\n{one.ambiguous}\n"
        f"{one.resolution}\n{one.mfe_r}\n{one.mae_r}\n{one.mfe_free_r}\n{one.at_target_r}\n"
        f"{one.score}\n{features}\n{one.confidence} {one.confidence_tier}\n{fills}"
    )
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def find_break(trades: Sequence[Trade]) -> int | None:
    """Return the number of the first row whose seal or link does not hold; None when all do."""
    before = GENESIS
    for trade in trades:
        if trade.prev_hash != before or seal_of(trade) != trade.hash:
            return trade.n
        before = trade.hash
    return None
