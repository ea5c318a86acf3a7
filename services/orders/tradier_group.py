"""Owns groups at Tradier: one ticket for all its orders, one row read for each of its parts.

A group is one row of the broker with the tag of its first order and a list of legs. Our books know
an entry and its exits as two orders, so one row answers for two names: the entry's client id and
that of its exits (`bracket.exit_client_id`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import assert_never

from services.kit.errors import refuse
from services.kit.money import decimal_text, rounded
from services.market.decode import Record
from services.orders.bracket import build_exit, find_entry_client_id
from services.orders.broker import BrokerStatus, BrokerTotal, BrokerView
from services.orders.order import Order, OrderClass, OrderType, Side
from services.orders.tradier_answer import build_view, status_of
from services.orders.tradier_ticket import (
    Leg,
    build_oco,
    build_oto,
    build_otoco,
    build_single,
    leg_of,
)

_EXITS = {"oto": 1, "oco": 2, "otoco": 2}
"""How many exits a group of each class has."""
_ZERO = Decimal(0)
_PRICE_PLACES = 8
_WORDS_MAX = 280
_ENDS = (BrokerStatus.REJECTED, BrokerStatus.EXPIRED, BrokerStatus.CANCELLED)
"""How an order ends short; of several ends of one order the first counts."""


def build_ticket(order: Order) -> bytes:
    """Return the form of a confirmed order of any class, its client id as the tag.

    A group is one form: the entry, then exits that are good till cancelled. The provider takes no
    market entry into a group, and a market buy travels as a limit anyway (`leg_of`). Raises
    `PARAM_INVALID`. Worked: buy 10 at market, at most 192.01, target 210, stop 185 is class
    `otoco` with a limit at 192.01, a limit at 210 and a stop at 185.
    """
    first, tag = leg_of(order), order.client_order_id
    match order.order_class:
        case None:
            return build_single(first, tag)
        case OrderClass.OCO:
            return build_oco(first, _stop_of(order, first), tag)
        case OrderClass.OTO:
            (only,) = _exit_legs(order, first, 1)
            return build_oto(first, only, tag)
        case OrderClass.OTOCO:
            target, stop = _exit_legs(order, first, 2)
            return build_otoco(first, target, stop, tag)
        case _:
            assert_never(order.order_class)


def _exit_legs(order: Order, entry: Leg, count: int) -> list[Leg]:
    """Return the exits of an entry, the target first, exactly as our books will know them."""
    _require(order.side is Side.BUY, "side", order.side, "an entry with exits is a buy")
    named = [one for one in (order.take_profit, order.stop_loss) if one is not None]
    rule = f"an {order.order_class} entry names {'one exit' if count == 1 else 'both exits'}"
    _require(len(named) == count, "order_class", order.order_class, rule)
    at = entry.price or order.worst_price
    if order.take_profit is not None:
        rule = f"must lie above {decimal_text(at)}, the most that the entry may pay"
        _require(at < order.take_profit, "take_profit", order.take_profit, rule)
    if order.stop_loss is not None:
        below = min(at, entry.stop or at)
        rule = f"must lie below {decimal_text(below)}, where the entry trades"
        _require(order.stop_loss < below, "stop_loss", order.stop_loss, rule)
    exits = build_exit(order, order.quantity)
    first = leg_of(exits)
    return [first] if count == 1 else [first, _stop_of(exits, first)]


def _stop_of(order: Order, target: Leg) -> Leg:
    sells = order.side is Side.SELL and order.type is OrderType.LIMIT
    _require(sells, "order_class", order.order_class, "is a sale at a limit with a stop")
    stop, limit = order.stop_loss, order.limit_price
    _require(stop is not None, "stop_loss", stop, "is needed")
    below = stop is not None and limit is not None and stop < limit
    _require(below, "stop_loss", stop, "must lie below the target")
    return replace(target, type="stop", price=None, stop=stop)


def is_group(record: Record) -> bool:
    """Return True for a row whose legs trigger or exclude each other; a spread's do not."""
    return record["class"] in _EXITS


def is_waiting_exit(name: str, record: Record) -> bool:
    """Return True for the exits of an entry that still works: they can not go without it."""
    entry = _entry_of(record)
    return (
        find_entry_client_id(name) is not None
        and entry is not None
        and _ended_by(record, status_of(entry)) is BrokerStatus.OPEN
    )


def find_view(name: str, record: Record, *, now: datetime, provenance: str) -> BrokerView | None:
    """Return what a row says about one of its names, or None when it has no such part; pure.

    The entry is the leg that buys, or the row itself where the broker tells it there. The exits
    are one view: open while one of them is, filled when their units in all reach the quantity,
    else ended as they did. Exits that sleep although their entry ended short protect nothing, so
    they do not stand. A group's own cancel, end or reject outranks what its legs still say; its
    `filled` says nothing, because it does not say of what.
    """
    exits_asked = find_entry_client_id(name) is not None
    whole = build_view(record, now=now, provenance=provenance)
    if not is_group(record):
        return None if exits_asked else replace(whole, client_order_id=name)
    parts = _parts(record, exits_asked=exits_asked)
    if exits_asked and not parts:
        return None
    number = record["broker_order_id"]
    if exits_asked:
        number = min((one["broker_order_id"] for one in parts), key=_by_number)
    fault = find_fault(record) if exits_asked or record["class"] == "oco" else ""
    return replace(
        whole,
        client_order_id=name,
        broker_order_id=number,
        status=_ended_by(record, _status(parts)),
        reason=(_reasons([record, *parts]) or fault)[:_WORDS_MAX],
        total=_total(parts, now=now, provenance=provenance),
        terms=None,
    )


def _parts(record: Record, *, exits_asked: bool) -> list[Record]:
    """Return the orders of a row that one name stands for; none where it has no such part."""
    alone = record["class"] == "oco"
    if exits_asked:
        return [] if alone or _sleeps(record) else exits_of(record)
    if alone:
        return exits_of(record)
    entry = _entry_of(record)
    return [] if entry is None else [entry]


def find_fault(record: Record) -> str:
    """Return what is broken of a group that should stand whole; empty when nothing is."""
    if not is_group(record) or status_of(record) in _ENDS:
        return ""
    exits = exits_of(record)
    if record["class"] != "oco" and _entry_of(record) is None:
        return "the group stands without its entry"
    if len(exits) < _EXITS[record["class"]]:
        return f"the group stands with {len(exits)} of {_EXITS[record['class']]} exits"
    working = [one for one in exits if status_of(one) is BrokerStatus.OPEN]
    refused = [one for one in exits if status_of(one) is BrokerStatus.REJECTED]
    if working and refused:
        return f"the {refused[0]['type']} of the exits was refused: {refused[0]['reason'] or '-'}"
    return ""


def exits_of(record: Record) -> list[Record]:
    """Return the legs of a group that sell, in the broker's order."""
    return [one for one in record["legs"] if not _buys(one)]


def _entry_of(record: Record) -> Record | None:
    if record["class"] not in ("oto", "otoco"):
        return None
    return next((one for one in [*record["legs"], record] if _buys(one)), None)


def _buys(record: Record) -> bool:
    return str(record["side"] or "").startswith("buy")


def _sleeps(record: Record) -> bool:
    """Return True when the entry ended short and no exit has been woken."""
    entry = _entry_of(record)
    if entry is None or status_of(entry) not in _ENDS:
        return False
    return all(
        one["status"] == "pending" and not one["filled_quantity"] for one in exits_of(record)
    )


def _ended_by(record: Record, status: BrokerStatus) -> BrokerStatus:
    group = status_of(record)
    return group if status is BrokerStatus.OPEN and group in _ENDS else status


def _status(parts: Sequence[Record]) -> BrokerStatus:
    """Return how the parts stand as one order; open also while their row names none of them."""
    wanted = max((one["quantity"] or _ZERO for one in parts), default=_ZERO)
    filled = sum((one["filled_quantity"] or _ZERO for one in parts), _ZERO)
    if 0 < wanted <= filled:
        return BrokerStatus.FILLED
    said = [status_of(one) for one in parts]
    if not said or any(one not in _ENDS for one in said):
        return BrokerStatus.OPEN
    return next(one for one in _ENDS if one in said)


def _total(parts: Sequence[Record], *, now: datetime, provenance: str) -> BrokerTotal | None:
    """Return the sum of the fills of the parts at their weighted average, 8 decimals half-even.

    Worked: 4 at 210.00 and 6 at 185.00 are 10 at 195.00.
    """
    made = [one for one in parts if (one["filled_quantity"] or _ZERO) > 0]
    if not made:
        return None
    quantity = sum((one["filled_quantity"] for one in made), _ZERO)
    spent = sum((one["filled_quantity"] * (one["avg_fill_price"] or _ZERO) for one in made), _ZERO)
    return BrokerTotal(
        quantity=quantity,
        price=rounded(spent / quantity, _PRICE_PLACES),
        at=max(one["updated_at"] or one["created_at"] or now for one in made),
        provenance=provenance,
    )


def _reasons(records: Sequence[Record]) -> str:
    said = [str(one["reason"]) for one in records if one["reason"]]
    return "; ".join(dict.fromkeys(said))


def _by_number(broker_order_id: str) -> str:
    return broker_order_id.rjust(24, "0")


def _require(condition: object, name: str, value: object, rule: str) -> None:
    if not condition:
        raise refuse("PARAM_INVALID", field=name, name=name, value=str(value)[:40], rule=rule)
