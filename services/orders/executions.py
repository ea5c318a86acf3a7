"""Owns which executions a broker's view holds: those it names, or one made of its totals."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from sqlalchemy import bindparam, select
from sqlalchemy.engine import Row

from services.kit.canonical import tagged_hash
from services.kit.context import Context
from services.kit.money import rounded
from services.orders.broker import BrokerFill, BrokerTotal, BrokerView
from services.orders.tables import disputed_fills, fills

_ZERO = Decimal(0)
_PLACES = 8
_RECORDED = tuple(
    select(table.c.exec_id, table.c.quantity, table.c.price)
    .where(table.c.order_id == bindparam("of_order"))
    .order_by(table.c.exec_id)
    for table in (fills, disputed_fills)
)


def new_executions(ctx: Context, row: Row[Any], view: BrokerView) -> tuple[BrokerFill, ...]:
    """Return the executions of a view that our books lack, in order.

    Run it under the order's lock: what a total adds depends on what is on record.
    """
    recorded = _recorded(ctx, row.id)
    known = frozenset(one.exec_id for one in recorded)
    made = view.fills
    if not made and view.total is not None:
        quantity = sum((one.quantity for one in recorded), _ZERO)
        notional = sum((one.quantity * one.price for one in recorded), _ZERO)
        one = build_execution(
            view.broker_order_id, view.total, known_quantity=quantity, known_notional=notional
        )
        made = () if one is None else (one,)
    return tuple(one for one in made if one.exec_id not in known)


def build_execution(
    broker_order_id: str, total: BrokerTotal, *, known_quantity: Decimal, known_notional: Decimal
) -> BrokerFill | None:
    """Return the execution that leads from what is known to a total, or None; pure.

    Its id is a hash of order, cumulative quantity and cumulative notional, so whoever reads the
    same numbers makes the same execution (`safety.md` 1.2 J). The price is the added notional over
    the added quantity, 8 decimals half-even; where the broker's rounding makes that nothing, the
    average. A total below what is known is an older answer and adds nothing. The broker names no
    commission, so none is charged here. Worked: 4 at 190.00 known, total 10 at 190.06 adds 6 at
    190.10.
    """
    added = total.quantity - known_quantity
    if added <= 0:
        return None
    notional = total.quantity * total.price
    price = rounded((notional - known_notional) / added, _PLACES)
    name = tagged_hash(
        "fill/v1",
        {"order": broker_order_id, "quantity": total.quantity, "notional": rounded(notional, 8)},
    )
    return BrokerFill(
        exec_id=f"sum-{name[-32:]}",
        quantity=added,
        price=price if price > 0 else total.price,
        commission=_ZERO,
        at=total.at,
        provenance=total.provenance,
    )


def _recorded(ctx: Context, order_id: str) -> list[Row[Any]]:
    return [row for statement in _RECORDED for row in ctx.db.rows(statement, of_order=order_id)]
