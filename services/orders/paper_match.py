"""Owns matching a paper order against the tape: pure, print by print, by the fill model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Literal

from services.market.feed import Tick
from services.orders.fill import (
    FillPrice,
    TradedRange,
    fill_quantity,
    find_limit_fill,
    find_stop_fill,
    market_fill,
    market_fill_without_quote,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Working:
    """What matching needs to know of an order, and how far it got.

    `volume_seen` counts what traded while the order could trade; fills never exceed the policy's
    share of it. `triggered` says that a stop was touched and now trades at market. A limit with a
    stop price beside it trades at whichever is reached first; after the stop the limit is over.
    """

    side: Literal["buy", "sell"]
    type: str
    quantity: Decimal
    limit_price: Decimal | None
    stop_price: Decimal | None
    worst_price: Decimal
    live_at: datetime
    filled: Decimal
    triggered: bool
    volume_seen: Decimal

    @property
    def remaining(self) -> Decimal:
        """Return what is still to fill."""
        return self.quantity - self.filled


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchRules:
    """Numbers of the fill model: tick and lot of the instrument, the rest from the policy."""

    tick: Decimal
    lot: Decimal
    slippage_bps: Decimal
    half_spread_bps: Decimal
    max_volume_pct: Decimal
    partial_fills: bool


@dataclass(frozen=True, slots=True)
class Match:
    """One execution that the tape gives."""

    quantity: Decimal
    price: Decimal
    at: datetime
    flags: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """The market when an order arrives: the quote, whether it is fresh, and the last volume.

    `volume` None means that no volume is known; then nothing limits the first fill.
    """

    at: datetime
    bid: Decimal
    ask: Decimal
    last: Decimal
    fresh: bool
    volume: Decimal | None


def arrive(order: Working, market: Arrival, rules: MatchRules) -> tuple[Working, list[Match]]:
    """Return the order after its arrival in an open market, and what filled at once.

    A market order takes the far side; a limit beyond it takes the far side too, unslipped; a stop
    waits for the tape.
    """
    volume = market.volume
    if volume is None:
        volume = order.quantity / rules.max_volume_pct
    order = replace(order, volume_seen=order.volume_seen + volume)
    price = _arrival_price(order, market, rules)
    return _take(order, price, market.at, rules)


def _arrival_price(order: Working, market: Arrival, rules: MatchRules) -> FillPrice | None:
    if order.type == "market":
        return _at_market(order, market, rules)
    far = market.ask if order.side == "buy" else market.bid
    if order.type == "limit" and order.limit_price is not None:
        return find_limit_fill(
            order.side,
            order.limit_price,
            tick=rules.tick,
            traded=TradedRange(open=far, high=far, low=far),
        )
    return None


def _at_market(order: Working, market: Arrival, rules: MatchRules) -> FillPrice:
    if market.fresh:
        return market_fill(
            order.side, market.bid, ask=market.ask, slippage_bps=rules.slippage_bps, tick=rules.tick
        )
    return market_fill_without_quote(
        order.side,
        market.last,
        half_spread_bps=rules.half_spread_bps,
        slippage_bps=rules.slippage_bps,
        tick=rules.tick,
    )


def consume(
    order: Working, ticks: Sequence[Tick], rules: MatchRules
) -> tuple[Working, list[Match]]:
    """Return the order after these prints, ascending, and its executions in order.

    Splitting the tape in any batches gives the same executions.
    """
    matches: list[Match] = []
    for tick in ticks:
        if order.remaining <= 0:
            break
        if tick.ts < order.live_at:
            continue
        order = replace(order, volume_seen=order.volume_seen + tick.size)
        order, price = _tape_price(order, tick, rules)
        order, made = _take(order, price, tick.ts, rules)
        matches += made
    return order, matches


def _tape_price(order: Working, tick: Tick, rules: MatchRules) -> tuple[Working, FillPrice | None]:
    print_range = TradedRange(open=tick.price, high=tick.price, low=tick.price)
    if order.type == "limit" and order.limit_price is not None and not order.triggered:
        through = find_limit_fill(
            order.side, order.limit_price, traded=print_range, tick=rules.tick
        )
        if through is not None or order.stop_price is None:
            return order, None if through is None else FillPrice(order.limit_price, through.flags)
    if order.stop_price is not None and not order.triggered:
        touched = find_stop_fill(
            order.side,
            order.stop_price,
            traded=print_range,
            slippage_bps=rules.slippage_bps,
            tick=rules.tick,
        )
        return (order, None) if touched is None else (replace(order, triggered=True), touched)
    market = Arrival(
        at=tick.ts,
        bid=tick.bid,
        ask=tick.ask,
        last=tick.price,
        fresh=0 < tick.bid <= tick.ask,
        volume=None,
    )
    return order, _at_market(order, market, rules)


def _take(
    order: Working, price: FillPrice | None, at: datetime, rules: MatchRules
) -> tuple[Working, list[Match]]:
    if price is None or (order.side == "buy" and price.price > order.worst_price):
        return order, []
    quantity = order.remaining
    if rules.partial_fills:
        share = fill_quantity(
            order.quantity, order.volume_seen, max_volume_pct=rules.max_volume_pct, lot=rules.lot
        )
        quantity = max(share.quantity - order.filled, Decimal(0))
    if quantity <= 0:
        return order, []
    flags = price.flags + (("PARTIAL",) if quantity < order.remaining else ())
    filled = replace(order, filled=order.filled + quantity)
    return filled, [Match(quantity, price.price, at, flags)]
