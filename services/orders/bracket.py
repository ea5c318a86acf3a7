"""Owns the exits of an entry: the exact order that an entry with exits stands for; pure."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from services.kit.errors import check
from services.orders.order import Order, OrderClass, OrderType, Side, Tif

_EXIT = "-x"


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
