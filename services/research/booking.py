"""Owns the books of a backtest: sizes, fills, fees, lots and cash, in the order of time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from services.kit.errors import Refusal, refuse
from services.kit.money import floor_to, rounded
from services.ledger.position import FLAT, Position, Terms, acquire, relieve
from services.research.config import BacktestConfig, ListingTerms
from services.research.costs import ZERO, commission, fill_price, round_trip_cost
from services.research.outcome import PLACES, WHOLE, Leave, Outcome
from services.research.trade_log import GENESIS, LegFill, Trade, seal_of

_TERMS = Terms("fifo", "USD", 2)
_CENTS = 2
_EXIT, _ENTRY = 0, 1


@dataclass(slots=True)
class OpenTrade:
    """A filled idea with its lot; `units` are what is still held, in the terms of the entry."""

    outcome: Outcome
    lot: Position
    seq: int
    quantity: Decimal
    units: Decimal
    price: Decimal
    fills: list[LegFill] = field(default_factory=list)
    pnl: Decimal = ZERO

    def open_pnl(self, mark: Decimal) -> Decimal:
        """Return what the units still held have made at a mark, before their exit fee."""
        return self.outcome.sign * self.units * (mark - self.price)


@dataclass(slots=True)
class Book:
    """Cash that is realised, what is open by symbol, and the sealed rows so far.

    Sizes stand on realised equity: the start and every P&L booked before the entry.
    """

    config: BacktestConfig
    cash: Decimal = ZERO
    open: dict[str, OpenTrade] = field(default_factory=dict)
    trades: list[Trade] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    _seq: int = 0

    def __post_init__(self) -> None:
        self.cash = self.config.size.start_cash

    def enter(self, outcome: Outcome) -> None:
        """Size and fill an entry; what can not be bought is counted under its code."""
        try:
            quantity = self._quantity(outcome)
        except Refusal as refusal:
            self.left_out[refusal.code] += 1
            return
        listing = self.config.listing(outcome.symbol)
        price = outcome.entry
        if not outcome.entry_limit:
            buys = outcome.sign > 0
            price = fill_price(price, self.config.costs, buys=buys, tick=listing.tick)
        fee = commission(quantity, self.config.costs)
        self._seq += 1
        worth = quantity * price
        cost = worth + fee if outcome.sign > 0 else max(worth - fee, ZERO)
        at = outcome.entry_ts
        lot = acquire(FLAT, quantity, cost, seq=self._seq, at=at, method="fifo")
        held = OpenTrade(outcome, lot, self._seq, quantity, quantity, price)
        act = "buy" if outcome.sign > 0 else "sell_short"
        held.fills.append(_fill(act, at, (quantity, price, fee), lot=lot.lots[0].id))
        self.open[outcome.symbol] = held

    def leave(self, outcome: Outcome, leg: int) -> None:
        """Fill one exit of an open trade and book what it realised; the last one ends the row."""
        held = self.open.get(outcome.symbol)
        if held is None or held.outcome is not outcome:
            return
        leave = outcome.leaves[leg]
        last = leg == len(outcome.leaves) - 1
        quantity = held.units if last else self._share(held, leave)
        if quantity > 0:
            self._exit(held, leave, quantity)
        if last:
            del self.open[outcome.symbol]
            self._end(held)

    def _exit(self, held: OpenTrade, leave: Leave, quantity: Decimal) -> None:
        listing, costs, sign = self._listing(held), self.config.costs, held.outcome.sign
        price = leave.price
        if not leave.limit:
            price = fill_price(price, costs, buys=sign < 0, tick=listing.tick)
        units = quantity
        if leave.factor is not WHOLE:
            top, bottom = leave.factor.as_integer_ratio()
            units = quantity * top / bottom
        fee = commission(units, costs)
        lot_id = held.lot.lots[0].id
        held.lot, carried = relieve(held.lot, quantity, _TERMS)
        worth = quantity * price
        pnl = worth - fee - carried if sign > 0 else carried - worth - fee
        held.units -= quantity
        held.pnl += pnl
        self.cash += pnl
        act = "sell" if sign > 0 else "buy_to_cover"
        held.fills.append(_fill(act, leave.ts, (quantity, price, fee), lot=lot_id))

    def _share(self, held: OpenTrade, leave: Leave) -> Decimal:
        return min(floor_to(held.quantity * leave.share, self._listing(held).lot), held.units)

    def _listing(self, held: OpenTrade) -> ListingTerms:
        return self.config.listing(held.outcome.symbol)

    def _quantity(self, outcome: Outcome) -> Decimal:
        """Return the whole lots whose loss at the stop, costs included, is the risk asked for.

        The core formula of `services.trade.position_size` with its caps `risk` and `notional`,
        whose inputs the config has checked. Raises `SIZE_BELOW_MIN_LOT`.
        """
        terms, listing = self.config.size, self.config.listing(outcome.symbol)
        if terms.units is not None:
            return terms.units
        lost = outcome.risk + round_trip_cost(outcome.entry, self.config.costs)
        allowed = min(
            self.cash * terms.risk_pct / lost, self.cash * terms.max_notional_pct / outcome.entry
        )
        quantity = floor_to(allowed, listing.lot)
        if quantity <= 0:
            raise refuse("SIZE_BELOW_MIN_LOT", x=str(allowed), lot=str(listing.lot))
        return quantity

    def _end(self, held: OpenTrade) -> None:
        before = self.trades[-1].hash if self.trades else GENESIS
        row = _row(held, len(self.trades) + 1, before)
        object.__setattr__(row, "hash", seal_of(row))
        self.trades.append(row)


def _fill(act: str, ts: datetime, made: tuple[Decimal, Decimal, Decimal], *, lot: str) -> LegFill:
    return LegFill(act=act, ts=ts, quantity=made[0], price=made[1], fee=made[2], lot=lot)


def _row(held: OpenTrade, number: int, before: str) -> Trade:
    done, exits = held.outcome, held.fills[1:]
    last = done.leaves[-1]
    average, gross = exits[0].price, done.sign * (last.price - done.entry)
    if len(done.leaves) > 1:
        average = sum((one.quantity * one.price for one in exits), ZERO) / held.quantity
        gross = done.sign * (_shared(done.leaves) - done.entry)
    risked = held.quantity * abs(held.price - done.stop)
    return Trade(
        n=number,
        setup_id=done.setup_id,
        version=done.version,
        symbol=done.symbol,
        side="long" if done.sign > 0 else "short",
        trigger_ts=done.trigger_ts,
        entry_ts=done.entry_ts,
        entry=held.price,
        exit_ts=last.ts,
        exit=rounded(average, PLACES),
        stop=done.stop,
        targets=done.targets,
        quantity=held.quantity,
        fills=tuple(held.fills),
        fees=sum((one.fee for one in held.fills), ZERO),
        pnl=rounded(held.pnl, _CENTS),
        r=rounded(held.pnl / risked, PLACES),
        gross_r=rounded(gross / done.risk, PLACES),
        bars=last.bar - done.entry_bar + 1,
        reason=last.reason,
        legs_filled=sum(one.reason.startswith("target") for one in done.leaves),
        ambiguous=done.ambiguous,
        resolution="1m" if done.drilled else None,
        mfe_r=done.mfe_r,
        mae_r=done.mae_r,
        mfe_free_r=done.mfe_free_r,
        at_target_r=None if done.at_target_r is None else rounded(done.at_target_r, PLACES),
        score=done.score,
        features=done.features,
        confidence=done.confidence,
        confidence_tier=done.confidence_tier,
        prev_hash=before,
    )


def _shared(leaves: Sequence[Leave]) -> Decimal:
    """Return the price of several exits before costs, each by its share; the last has the rest."""
    parts = leaves[:-1]
    left = 1 - sum((one.share for one in parts), ZERO)
    return sum((one.share * one.price for one in parts), ZERO) + left * leaves[-1].price


def in_order(outcomes: Sequence[Outcome]) -> list[tuple[datetime, int, int, int]]:
    """Return every entry and exit as (instant, exit before entry, outcome, leg), ascending."""
    events = []
    for at, one in enumerate(outcomes):
        events.append((one.entry_ts, _ENTRY, at, 0))
        events += [(leave.ts, _EXIT, at, leg) for leg, leave in enumerate(one.leaves)]
    return sorted(events)
