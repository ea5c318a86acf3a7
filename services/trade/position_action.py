"""Owns the rules of acting on a position: how much is trimmed, where a stop may go, a hedge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Literal

from services.kit.errors import refuse
from services.kit.money import decimal_text, floor_to, parse_decimal, rounded, tick_round
from services.trade.param import ONE, ZERO, Side, require, require_side
from services.trade.stop import require_ratchet

Action = Literal["trim", "close", "move_stop"]
_CENTS = 2
_SHARES = {"half": Fraction(1, 2), "third": Fraction(1, 3), "quarter": Fraction(1, 4)}


@dataclass(frozen=True, slots=True)
class Working:
    """An open order that would close units of the position; `stop` is its trigger, if any.

    `target` is the limit of an order that has both, which ends with it.
    """

    id: str
    units: Decimal
    stop: Decimal | None
    target: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionFacts:
    """A position and what the rules look at. Prices are quoted ones, units unsigned.

    `worth` turns units times price into account money. `stop` is the nearest stop known and
    `stop_source` says from where; `planned_stop` and `target` are those it was opened with.
    `account_state` is the risk engine's, `symbol_limit` the fraction of equity in one symbol.
    """

    symbol: str
    side: Side
    quantity: Decimal
    entry: Decimal
    bid: Decimal
    ask: Decimal
    last: Decimal
    tick: Decimal
    lot_step: Decimal
    min_quantity: Decimal
    worth: Decimal = ONE
    currency: str = "USD"
    equity: Decimal = ZERO
    one_r: Decimal = ZERO
    symbol_limit: Decimal = ONE
    working: tuple[Working, ...] = ()
    stop: Decimal | None = None
    stop_source: str = ""
    planned_stop: Decimal | None = None
    target: Decimal | None = None
    basis: str = ""
    account_state: str = "ok"
    account_reason: str = ""
    quote_age_s: Decimal = ZERO
    quote_age_max_s: Decimal = ZERO
    provenance: str = ""
    source: str = ""

    @property
    def sign(self) -> int:
        """Return 1 for a long position, -1 for a short one."""
        return require_side(self.side)

    @property
    def promised(self) -> Decimal:
        """Return the units that open orders would close already."""
        return sum((one.units for one in self.working), ZERO)

    @property
    def stops(self) -> tuple[Working, ...]:
        """Return the stop orders that work, the one that triggers first in front."""
        found = [one for one in self.working if one.stop is not None]
        return tuple(sorted(found, key=lambda one: -self.sign * (one.stop or ZERO)))

    @property
    def exit_price(self) -> Decimal:
        """Return the side of the market that closes the position: the bid of a long."""
        return self.bid if self.side == "long" else self.ask

    @property
    def r_now(self) -> Decimal | None:
        """Return how far the price stands from the entry in R of the planned stop; None without.

        Worked: long from 100, planned stop 95, last 107.5 is 1.5 R.
        """
        if self.planned_stop is None or self.planned_stop == self.entry:
            return None
        distance = abs(self.entry - self.planned_stop)
        return rounded(self.sign * (self.last - self.entry) / distance, _CENTS) + 0


@dataclass(frozen=True, slots=True)
class Change:
    """What an action does: `units` are closed; `stop` is the stop afterwards, where it moves."""

    action: Action
    units: Decimal = ZERO
    stop: Decimal | None = None


def part_units(
    held: PositionFacts, *, units: Decimal | None = None, share: Fraction | None = None
) -> Decimal:
    """Return the units of a part: as given, or a share of what is held cut down to the lot.

    Raises `PARAM_INVALID` for neither or both or a share outside 0 to 1, `QTY_INVALID` when
    nothing is left of it or it is off the lot, `INSUFFICIENT_POSITION` for more than is held.
    Worked: half of 25 with a lot of 1 is 12.
    """
    require(
        (units is None) != (share is None),
        "quantity",
        value="neither" if units is None else "both",
        rule="say how much: units, or a share such as half or 25%",
    )
    if share is not None:
        require(0 < share <= 1, "share", value=str(share), rule="must be above 0 and at most 1")
        units = floor_to(held.quantity * share.numerator / share.denominator, held.lot_step)
    found = units or ZERO
    if found > held.quantity:
        raise refuse(
            "INSUFFICIENT_POSITION", need=decimal_text(found), have=decimal_text(held.quantity)
        )
    if found < held.min_quantity or found <= 0 or found % held.lot_step:
        rule = f"must be a multiple of {decimal_text(held.lot_step)} and above 0"
        raise refuse("QTY_INVALID", qty=decimal_text(found), rule=rule)
    return found


def share_of(text: str) -> Fraction:
    """Return a share in words or percent, exactly. Raises `PARAM_INVALID`.

    Worked: `third` is 1/3 and `25%` is 1/4.
    """
    if text in _SHARES:
        return _SHARES[text]
    return Fraction(parse_decimal(text.removesuffix("%"), "share")) / 100


def moved_stop(held: PositionFacts, price: Decimal) -> Decimal:
    """Return the new stop when it is on tick, beyond the market, and nearer than the one before.

    Raises `PRICE_NON_POSITIVE`, `PRICE_OFF_TICK`, `STOP_AT_MARKET` when it would trigger at once,
    `STOP_LOOSENED` when it gives the trade more room, and `STOP_STANDS` when an order with
    exactly this stop covers the position already.
    """
    if price <= 0:
        raise refuse("PRICE_NON_POSITIVE", field="stop_price", px=decimal_text(price))
    if price % held.tick:
        raise refuse(
            "PRICE_OFF_TICK",
            field="stop_price",
            px=decimal_text(price),
            tick=decimal_text(held.tick),
            lo=decimal_text(tick_round(price, held.tick, "floor")),
            hi=decimal_text(tick_round(price, held.tick, "ceil")),
        )
    if held.sign * (held.exit_price - price) <= 0:
        raise refuse(
            "STOP_AT_MARKET",
            stop=decimal_text(price),
            px=decimal_text(held.exit_price),
            side=held.side,
            where="below" if held.side == "long" else "above",
        )
    if held.stop is not None:
        require_ratchet(held.side, old=held.stop, new=price)
    covered = sum((one.units for one in held.stops if one.stop == price), ZERO)
    if covered >= held.quantity:
        raise refuse("STOP_STANDS", symbol=held.symbol, stop=decimal_text(price))
    return price


@dataclass(frozen=True, slots=True, kw_only=True)
class Hedge:
    """A protective put for whole contracts of the units; money in account currency.

    `cost` is the ask for all contracts, `floor_loss` the most that the covered units can then lose
    from the last price, cost included; `uncovered` units stay without protection.
    """

    contracts: Decimal
    covered: Decimal
    uncovered: Decimal
    cost: Decimal
    floor_loss: Decimal
    cost_pct: Decimal


def build_hedge(
    held: PositionFacts, *, strike: Decimal, ask: Decimal, multiplier: Decimal
) -> Hedge | None:
    """Return the put that covers the position's whole contracts, or None for less than one.

    Worked: 250 long at 190, put 180 asked 3.20, 100 a contract: 2 contracts for 640, which can
    lose at most 2000 + 640 = 2640; 50 units stay uncovered; the cost is 1.68 % of 38000.
    """
    contracts = floor_to(held.quantity / multiplier, ONE)
    if contracts < 1 or held.side != "long":
        return None
    covered = contracts * multiplier
    cost = rounded(covered * ask * held.worth, _CENTS)
    below = max(ZERO, held.last - strike) * covered * held.worth
    return Hedge(
        contracts=contracts,
        covered=covered,
        uncovered=held.quantity - covered,
        cost=cost,
        floor_loss=rounded(below, _CENTS) + cost,
        cost_pct=rounded(100 * cost / (covered * held.last * held.worth), _CENTS),
    )


def nearest_stop(side: Side, stops: Sequence[Decimal]) -> Decimal | None:
    """Return the stop that protects most: the highest of a long, the lowest of a short."""
    chosen = max if require_side(side) > 0 else min
    return chosen(stops, default=None)
