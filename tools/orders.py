"""Owns the tool `orders`: the newest orders and where they stand."""

from __future__ import annotations

from services.kit.clock import instant_text
from services.kit.context import Context
from services.kit.money import decimal_text
from services.orders.store import OrderView, list_orders
from services.trade.wording import price_words
from tools.registry import Args, Effect, Result, tool
from tools.wording.figures import Exact, Row


class OrdersArgs(Args):
    """No arguments."""


class OrderRow(Row):
    """One order."""

    id: str
    symbol: str
    side: str
    quantity: Exact
    type: str
    limit_price: Exact | None
    stop_price: Exact | None
    tif: str
    state: str
    open: bool
    filled_quantity: Exact
    avg_price: Exact | None
    reason: str
    updated_at: str


class OrdersResult(Result):
    """The orders, newest first."""

    orders: tuple[OrderRow, ...]


@tool(effect=Effect.READ)
def orders(ctx: Context, args: OrdersArgs) -> OrdersResult:  # noqa: ARG001 - the shape of a tool
    """Return the newest twenty orders with state, fills and average price."""
    rows = tuple(_row(view) for view in list_orders(ctx, limit=20))
    working = [row for row in rows if row.open]
    if not rows:
        return OrdersResult(orders=(), summary="There are no orders yet.")
    head = f"{len(working)} open of the newest {len(rows)} orders." if working else "None is open."
    lines = [_line(row) for row in (working or rows[:5])]
    return OrdersResult(orders=rows, summary="\n".join([head, "", *lines]))


def _row(view: OrderView) -> OrderRow:
    shown = {name: getattr(view, name) for name in ("id", "filled_quantity", "avg_price", "reason")}
    kept = ("symbol", "side", "quantity", "type", "limit_price", "stop_price", "tif")
    shown |= {name: getattr(view.order, name) for name in kept}
    moment = instant_text(view.updated_at)
    return OrderRow(**shown, state=view.state.value, open=view.is_open, updated_at=moment)


def _line(row: OrderRow) -> str:
    price = f" at {price_words(row.limit_price)}" if row.limit_price else ""
    trigger = f" trigger {price_words(row.stop_price)}" if row.stop_price else ""
    filled = f", {decimal_text(row.filled_quantity)} filled" if row.avg_price else ""
    at = f" at {price_words(row.avg_price)}" if row.avg_price else ""
    said = f"{row.side} {decimal_text(row.quantity)} {row.symbol} {row.type}{price}{trigger}"
    state = row.state.lower().replace("_", " ")
    return f"- {said}, {row.tif}: {state}{filled}{at} (`{row.id}`)"
