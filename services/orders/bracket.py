"""Owns the exits of an entry: what they may be, and the exact order that they stand for; pure."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from services.kit.errors import Refusal, check, refuse
from services.kit.money import decimal_text
from services.market.quote import Quote
from services.orders.order import Order, OrderClass, OrderType, Side, Tif

_EXIT = "-x"


def choose_class(
    side: Side, kind: OrderType, *, take_profit: Decimal | None, stop_loss: Decimal | None
) -> OrderClass | None:
    """Return the class of an order with these exits, None without any.

    A buy with one exit is `OTO`, with both `OTOCO`. A sale names its target as its limit, so a
    limit sale with a `stop_loss` is `OCO`. Raises `PARAM_INVALID` for anything else.
    """
    if take_profit is None and stop_loss is None:
        return None
    if side is Side.BUY:
        both = take_profit is not None and stop_loss is not None
        return OrderClass.OTOCO if both else OrderClass.OTO
    if take_profit is not None:
        raise _refusal("take_profit", take_profit, "a sale names its target as its limit price")
    if kind is not OrderType.LIMIT:
        raise _refusal("stop_loss", stop_loss, "only a limit sale can have a stop beside it")
    return OrderClass.OCO


def require_exit_sides(order: Order, quote: Quote) -> None:
    """Refuse exits that lie on the wrong side of the entry, or of the market for an `OCO`.

    A buy at market is measured at the bid for its stop and at the ask for its target. Raises
    `PRICE_NON_POSITIVE`, `STOP_WRONG_SIDE` and `PARAM_INVALID`.
    """
    if order.order_class is None:
        return
    named = None if order.order_class is OrderClass.OCO else order.limit_price or order.stop_price
    low, high = (named, named) if named is not None else (quote.bid, quote.ask)
    target = order.limit_price if order.order_class is OrderClass.OCO else order.take_profit
    stop = order.stop_loss
    for name, price in (("take_profit", target), ("stop_loss", stop)):
        if price is not None and price <= 0:
            raise refuse("PRICE_NON_POSITIVE", field=name, px=decimal_text(price))
    if stop is not None and stop >= low:
        facts = {"stop": decimal_text(stop), "entry": decimal_text(low), "side": "long"}
        raise refuse("STOP_WRONG_SIDE", field="stop_loss", **facts)
    if target is not None and target <= high:
        field = "limit_price" if order.order_class is OrderClass.OCO else "take_profit"
        raise _refusal(field, target, f"a target lies above {decimal_text(high)}")


def _refusal(name: str, value: Decimal | None, rule: str) -> Refusal:
    said = "nothing" if value is None else decimal_text(value)
    return refuse("PARAM_INVALID", field=name, name=name, value=said, rule=rule)


def exit_client_id(entry_client_id: str) -> str:
    """Return the client id of an entry's exits. Worked: `cm-1` gives `cm-1-x`."""
    return f"{entry_client_id}{_EXIT}"


def find_entry_client_id(client_order_id: str) -> str | None:
    """Return the entry's client id that an exit's belongs to, or None when it is no exit's."""
    entry = client_order_id.removesuffix(_EXIT)
    return entry if entry and entry != client_order_id else None


def build_exit(entry: Order, quantity: Decimal) -> Order:
    """Return the sale that protects `quantity` units of a filled entry.

    With both exits it is one order (`OCO`) at the target or at the stop; with one exit it is a
    plain limit or stop. It is good till cancelled, and everything in it was part of the entry that
    the person confirmed. Its expected price is the stop when there is one, else the target.
    Worked: an entry of 10 with `take_profit` 210 and `stop_loss` 190, filled, gives a sale of 10
    at 210 or at market once 190 trades.
    """
    check(entry.has_exits and entry.side is Side.BUY, "only an entry with exits has exits")
    check(0 < quantity <= entry.quantity, "exits close what was filled", quantity=quantity)
    target, stop = entry.take_profit, entry.stop_loss
    both = target is not None and stop is not None
    check(target is not None or stop is not None, "an entry with exits names one")
    return replace(
        entry,
        side=Side.SELL,
        quantity=quantity,
        type=OrderType.LIMIT if target is not None else OrderType.STOP,
        tif=Tif.GTC,
        limit_price=target,
        stop_price=None if target is not None else stop,
        worst_price=stop or target or entry.worst_price,
        protective_stop=None,
        client_order_id=exit_client_id(entry.client_order_id),
        order_class=OrderClass.OCO if both else None,
        take_profit=None,
        stop_loss=stop if both else None,
    )
