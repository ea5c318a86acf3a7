"""Owns the cost rules of one holding: average pool and first-in-first-out lots, pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import ROUND_DOWN, Decimal
from typing import Literal

from services.kit.errors import check, refuse
from services.kit.money import rounded

CostMethod = Literal["average", "fifo"]
ZERO = Decimal(0)
_UNIT = Decimal("0.00000001")
"""The finest quantity that is stored."""


@dataclass(frozen=True, slots=True)
class OpenLot:
    """Units that were acquired together and are still held; `id` is `<batch seq>.<number>`."""

    id: str
    quantity: Decimal
    cost: Decimal
    acquired_at: datetime


@dataclass(frozen=True, slots=True)
class Position:
    """What is held of one listing and what it cost in the base currency.

    `opened_seq` is the batch that opened it from flat; it names the round trip. `lots` is empty
    under the average method.
    """

    quantity: Decimal = ZERO
    cost: Decimal = ZERO
    lots: tuple[OpenLot, ...] = ()
    opened_seq: int = 0
    opened_at: datetime | None = None


FLAT = Position()


@dataclass(frozen=True, slots=True)
class Terms:
    """How a portfolio counts: cost method, base currency, decimals of its minor unit."""

    method: CostMethod
    base: str
    places: int


def acquire(
    position: Position,
    quantity: Decimal,
    cost: Decimal,
    *,
    seq: int,
    at: datetime,
    method: CostMethod,
) -> Position:
    """Return the position with `quantity` more units that cost `cost`, fees included."""
    check(quantity > 0 and cost >= 0, "an acquisition adds units and cost", quantity=quantity)
    lots = position.lots
    if method == "fifo":
        lots = (*lots, OpenLot(f"{seq}.1", quantity, cost, at))
    opened = position.quantity == 0
    return Position(
        position.quantity + quantity,
        position.cost + cost,
        lots,
        seq if opened else position.opened_seq,
        at if opened else position.opened_at,
    )


def relieve(position: Position, quantity: Decimal, terms: Terms) -> tuple[Position, Decimal]:
    """Return the position without `quantity` units, and the cost they carried.

    Average: `round(cost * q / Q)`, all of it when q == Q; a rest keeps at least one minor unit of
    its cost. First in, first out: whole lots, then the same share of the next.
    Raises `INSUFFICIENT_POSITION`. Worked: 120 of 150 units that cost 30302 relieve 24241.60.
    """
    check(quantity > 0, "a relief takes units", quantity=quantity)
    if quantity > position.quantity:
        raise refuse("INSUFFICIENT_POSITION", need=str(quantity), have=str(position.quantity))
    if terms.method == "average":
        relief = _share(position.cost, quantity, position.quantity, terms.places)
        return _less(position, quantity, relief, ()), relief
    lots, relief = _relieve_lots(position.lots, quantity, terms.places)
    return _less(position, quantity, relief, lots), relief


def _less(
    position: Position, quantity: Decimal, cost: Decimal, lots: tuple[OpenLot, ...]
) -> Position:
    if quantity == position.quantity:
        return FLAT
    return replace(
        position, quantity=position.quantity - quantity, cost=position.cost - cost, lots=lots
    )


def _share(cost: Decimal, part: Decimal, whole: Decimal, places: int) -> Decimal:
    if part == whole:
        return cost
    least = Decimal(1).scaleb(-places)
    return min(rounded(cost * part / whole, places), max(ZERO, cost - least))


def _relieve_lots(
    lots: tuple[OpenLot, ...], quantity: Decimal, places: int
) -> tuple[tuple[OpenLot, ...], Decimal]:
    rest, relief = quantity, ZERO
    kept: list[OpenLot] = []
    for lot in lots:
        take = min(rest, lot.quantity)
        if take == 0:
            kept.append(lot)
            continue
        share = _share(lot.cost, take, lot.quantity, places)
        rest, relief = rest - take, relief + share
        if take < lot.quantity:
            kept.append(replace(lot, quantity=lot.quantity - take, cost=lot.cost - share))
    check(rest == 0, "the lots hold what the position holds", short=rest)
    return tuple(kept), relief


def split(position: Position, become: Decimal, *, seq: int) -> tuple[Position, Decimal]:
    """Return the position with `become` units at unchanged cost, and the cost that was relieved.

    Cost is relieved only when nothing is left, for then all of it left with the cash in lieu.
    Lots keep their dates and costs; their units are cut at 8 decimals and add up to `become`.
    """
    check(become >= 0, "a split leaves no negative units", become=become)
    if become == 0:
        return FLAT, position.cost
    return replace(
        position, quantity=become, lots=_split_lots(position.lots, become, position.quantity, seq)
    ), ZERO


def _split_lots(
    lots: tuple[OpenLot, ...], become: Decimal, held: Decimal, seq: int
) -> tuple[OpenLot, ...]:
    made: list[OpenLot] = []
    before = done = carried = ZERO
    for number, lot in enumerate(lots, start=1):
        before += lot.quantity
        upto = (become * before / held).quantize(_UNIT, rounding=ROUND_DOWN)
        quantity, done = upto - done, upto
        if quantity == 0:
            carried += lot.cost
            continue
        made.append(OpenLot(f"{seq}.{number}", quantity, lot.cost + carried, lot.acquired_at))
        carried = ZERO
    if carried:
        made[-1] = replace(made[-1], cost=made[-1].cost + carried)
    return tuple(made)


def require_sound(position: Position) -> None:
    """Check what holds of every position: no negative part, flat costs nothing, lots add up."""
    check(
        position.quantity >= 0 and position.cost >= 0,
        "a position is not negative",
        quantity=position.quantity,
        cost=position.cost,
    )
    check(
        position.quantity > 0 or position.cost == 0,
        "a flat position costs nothing",
        cost=position.cost,
    )
    if position.lots:
        check(
            sum(lot.quantity for lot in position.lots) == position.quantity
            and sum(lot.cost for lot in position.lots) == position.cost,
            "lots add up to their position",
            quantity=position.quantity,
        )
