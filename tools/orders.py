"""Owns the tool `orders`: the newest orders and where they stand."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from services.kit.clock import instant_text
from services.kit.context import Context
from services.kit.money import decimal_text
from services.orders.store import OrderView, list_orders
from tools.registry import Args, Effect, Result, tool


class OrdersArgs(Args):
    """No arguments."""


class OrderRow(BaseModel):
    """One order."""

    model_config = ConfigDict(frozen=True)

    id: str
    symbol: str
    side: str
    quantity: str
    type: str
    limit_price: str | None
    stop_price: str | None
    tif: str
    state: str
    open: bool
    filled_quantity: str
    avg_price: str | None
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
    head = f"{len(working)} open of the newest {len(rows)} orders." if working else \
        "No order is open."
    lines = [_line(row) for row in (working or rows[:5])]
    return OrdersResult(orders=rows, summary="\n".join([head, "", *lines]))


def _row(view: OrderView) -> OrderRow:
    order = view.order
    return OrderRow(
        id=view.id, symbol=view.symbol, side=view.side, quantity=decimal_text(view.quantity),
        type=order.type.value, tif=order.tif.value, state=view.state.value, open=view.is_open,
        limit_price=decimal_text(order.limit_price) if order.limit_price else None,
        stop_price=decimal_text(order.stop_price) if order.stop_price else None,
        filled_quantity=decimal_text(view.filled_quantity), reason=view.reason,
        avg_price=decimal_text(view.avg_price) if view.avg_price else None,
        updated_at=instant_text(view.updated_at))


def _line(row: OrderRow) -> str:
    price = f" at {row.limit_price}" if row.limit_price else ""
    trigger = f" trigger {row.stop_price}" if row.stop_price else ""
    filled = f", {row.filled_quantity} filled at {row.avg_price}" if row.avg_price else ""
    return (f"- {row.side} {row.quantity} {row.symbol} {row.type}{price}{trigger}, {row.tif}: "
            f"{row.state.lower().replace('_', ' ')}{filled} (`{row.id}`)")
