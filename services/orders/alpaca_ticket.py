"""Owns what an order is called at Alpaca: tickets of every class, as deterministic JSON bytes.

A ticket that breaks a rule of the provider is refused here, before anything is sent.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Any, assert_never

from services.kit.errors import refuse
from services.kit.money import decimal_text
from services.orders.broker import Change
from services.orders.order import Order, OrderClass, OrderType, Side, Tif

_CLIENT_ID = re.compile(r"[A-Za-z0-9-]{1,48}", re.ASCII)
_SYMBOL = re.compile(r"[A-Z][A-Z0-9]{0,9}(\.[A-Z]{1,3})?", re.ASCII)
_QUANTITY_MAX = 9_999_999
_CENT, _TENTH = Decimal("0.01"), Decimal("0.0001")
_CLASSES = {OrderClass.OTO: "oto", OrderClass.OTOCO: "bracket", OrderClass.OCO: "oco"}
Fields = dict[str, Any]


def travels_whole(order: Order) -> bool:
    """Return True for a group that leaves as one ticket.

    A group here lasts one time for all of its orders, and exits are good till cancelled. So an
    entry for the day leaves alone, and our books order its exits when it has filled.
    """
    return order.order_class is OrderClass.OCO or (order.has_exits and order.tif is Tif.GTC)


def build_ticket(order: Order) -> bytes:
    """Return the ticket of a confirmed order of any class; pure. Raises `PARAM_INVALID`.

    The band that the person confirmed goes with it: a buy never pays more than `worst_price`, so
    a market buy travels as a limit at that price and a stop buy as a stop-limit. A sale has no
    such bound. Worked: buy 10 at market, at most 192.01, is `limit` at 192.01.
    """
    _require_order(order)
    fields: Fields = {
        "symbol": order.symbol,
        "qty": decimal_text(order.quantity),
        "side": order.side.value,
        **_prices(order),
        "time_in_force": order.tif.value,
        "client_order_id": order.client_order_id,
    }
    if order.order_class is not None:
        exits = _exits(order)
        if travels_whole(order):
            fields |= {"order_class": _CLASSES[order.order_class], **exits}
    return _document(fields)


def build_change(change: Change, *, kind: str, client_order_id: str) -> bytes:
    """Return the change of a working order whose type is `kind` at the broker.

    It becomes a new order with this client id; its type stays. Raises `PARAM_INVALID`.
    """
    fields: Fields = {"time_in_force": change.tif.value}
    stops = kind in ("stop", "stop_limit")
    given = (("limit_price", change.limit_price), ("stop_price", change.stop_price))
    wanted = ("limit_price",) if kind == "limit" else ("stop_price",)
    allowed = (*wanted, "limit_price") if kind == "stop_limit" else wanted
    same = change.type is (OrderType.STOP if stops else OrderType.LIMIT)
    rule = f"a {kind} order keeps its type here: cancel it and propose the other"
    _require(same and kind != "market", "type", change.type, rule)
    for name, value in given:
        _require(value is not None or name not in wanted, name, value, f"a {kind} order needs it")
        _require(value is None or name in allowed, name, value, f"a {kind} order has none")
        _require_price(name, value)
        if value is not None:
            fields[name] = decimal_text(value)
    _require(_CLIENT_ID.fullmatch(client_order_id), "client_order_id", client_order_id, "too long")
    return _document({**fields, "client_order_id": client_order_id})


def _prices(order: Order) -> Fields:
    buys, kind = order.side is Side.BUY, order.type
    if order.order_class is OrderClass.OCO:
        return {"type": "limit"}
    match kind:
        case OrderType.LIMIT:
            return {"type": "limit", "limit_price": _text(order.limit_price)}
        case OrderType.MARKET if buys:
            return {"type": "limit", "limit_price": _text(order.worst_price)}
        case OrderType.MARKET:
            return {"type": "market"}
        case OrderType.STOP:
            bound = {"limit_price": _text(order.worst_price)} if buys else {}
            named = {"type": "stop_limit" if buys else "stop"}
            return {**named, **bound, "stop_price": _text(order.stop_price)}
        case _:
            assert_never(kind)


def _exits(order: Order) -> Fields:
    """Return the exits of a group, each on its side of the entry."""
    target, stop = order.take_profit, order.stop_loss
    if order.order_class is OrderClass.OCO:
        target = order.limit_price
        sells = order.side is Side.SELL and order.type is OrderType.LIMIT
        _require(sells, "order_class", order.order_class, "is a sale at a limit with a stop")
        low = high = None
    else:
        _require(order.side is Side.BUY, "side", order.side, "an entry with exits is a buy")
        high = order.limit_price or order.worst_price
        low = min(high, order.stop_price or high)
    named = sum(1 for one in (target, stop) if one is not None)
    count = 1 if order.order_class is OrderClass.OTO else 2
    rule = "a group with one exit names one, every other both"
    _require(named == count, "order_class", order.order_class, rule)
    above = high if stop is None or high is not None else stop
    _require(
        target is None or above is None or target > above,
        "take_profit",
        target,
        "lies above the most that the entry may pay, and above the stop",
    )
    below = stop is None or low is None or stop < low
    _require(below, "stop_loss", stop, "lies below where the entry trades")
    places = (("take_profit.limit_price", target), ("stop_loss.stop_price", stop))
    for name, price in places:
        _require_price(name, price)
    sold = {} if target is None else {"take_profit": {"limit_price": _text(target)}}
    return {**sold, **({} if stop is None else {"stop_loss": {"stop_price": _text(stop)}})}


def _require_order(order: Order) -> None:
    _require(_SYMBOL.fullmatch(order.symbol), "symbol", order.symbol, "must be one such as AAPL")
    quantity, name = order.quantity, order.client_order_id
    whole = quantity == quantity.to_integral_value() and 1 <= quantity <= _QUANTITY_MAX
    _require(whole, "quantity", quantity, f"must be whole, 1 to {_QUANTITY_MAX}")
    rule = "letters, digits and - only, 1 to 48 of them"
    _require(_CLIENT_ID.fullmatch(name), "client_order_id", name, rule)
    for key, value in (("limit_price", order.limit_price), ("stop_price", order.stop_price)):
        due = order.type is (OrderType.LIMIT if key == "limit_price" else OrderType.STOP)
        rule = f"a {order.type} order {'needs it' if due else 'has none'}"
        _require((value is not None) == due, key, value, rule)
        _require_price(key, value)
    if order.side is Side.BUY:
        _require_price("worst_price", order.worst_price)


def _require_price(name: str, price: Decimal | None) -> None:
    if price is None:
        return
    step = _CENT if price >= 1 else _TENTH
    _require(price > 0, name, price, "must be above 0")
    _require(price % step == 0, name, price, f"must be a multiple of {decimal_text(step)}")


def _text(price: Decimal | None) -> str:
    return "" if price is None else decimal_text(price)


def _document(fields: Fields) -> bytes:
    return json.dumps(fields, separators=(",", ":")).encode("ascii")


def _require(condition: object, name: str, value: object, rule: str) -> None:
    if not condition:
        said = decimal_text(value) if isinstance(value, Decimal) else str(value)
        raise refuse("PARAM_INVALID", field=name, name=name, value=said[:40], rule=rule)
