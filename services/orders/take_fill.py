"""Owns taking one fill into the books: its row, posting, reservation and journal; or a dispute."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import select
from sqlalchemy.engine import Row

from services import audit, journal
from services.kit.context import Context
from services.kit.failpoint import reach
from services.kit.money import parse_decimal, rounded, tick_round
from services.kit.outbox import put
from services.ledger.book import release
from services.ledger.fill_posting import FillFacts, post_fill
from services.ledger.tables import reservations
from services.market.round import round_at
from services.orders.broker import BrokerFill
from services.orders.freeze import freeze
from services.orders.order import ENDED, Event, Order, State, order_from_json
from services.orders.store import change_order
from services.orders.tables import disputed_fills, fills, proposals
from services.trade import advice

LATE_WATCH = timedelta(seconds=120)
"""An ended order is asked about until a look after this time, for fills that come late."""


def take_fill(ctx: Context, row: Row[Any], made: BrokerFill) -> Row[Any]:
    """Record and post one execution of an order; one that can not be true becomes a dispute.

    Run it under the order's lock. Returns the order's new row. Raises what the ledger refuses.
    """
    order = order_from_json(row.order_json)
    total = row.filled_quantity + made.quantity
    if (
        row.state == State.DISPUTED
        or made.quantity <= 0
        or made.price <= 0
        or total > order.quantity
    ):
        return dispute(ctx, row, made, "more was filled than was ordered")
    values = {**_fill_values(ctx, row, order, made), "round": round_at(ctx, made.at)}
    ctx.db.insert(fills, {"id": ctx.ids.new("fill"), **values})
    posted = post_fill(
        ctx,
        FillFacts(
            order_id=row.id,
            portfolio_id=row.portfolio_id,
            exec_id=made.exec_id,
            listing=order.instrument_id,
            symbol=order.symbol,
            side=order.side.value,
            quantity=made.quantity,
            price=made.price,
            commission=made.commission,
            currency=order.currency,
            at=made.at,
            provenance=made.provenance,
        ),
    )
    reach("settle.after_post")
    remaining = order.quantity - total
    _shrink_reservation(ctx, row, remaining)
    row = change_order(
        ctx,
        row,
        Event.PART_FILL if remaining else Event.FILL,
        reason="" if remaining else "filled",
        filled_quantity=total,
        avg_price=_average(ctx, row.id),
        watch_until=ctx.now + LATE_WATCH if State(row.state) in ENDED else row.watch_until,
    )
    _write_journal(ctx, row, order, made, pnl=posted.pnl)
    put(
        ctx,
        "position.changed",
        row.portfolio_id,
        {
            "portfolio_id": row.portfolio_id,
            "symbol": order.symbol,
            "order_id": row.id,
            "exec_id": made.exec_id,
            "batch_seq": posted.seq,
        },
        dedupe=f"fill:{made.exec_id}",
    )
    return row


def _write_journal(
    ctx: Context, row: Row[Any], order: Order, made: BrokerFill, *, pnl: Decimal | None
) -> None:
    journal.record_execution(
        ctx,
        order_id=row.id,
        exec_id=made.exec_id,
        symbol=order.symbol,
        side=order.side.value,
        quantity=made.quantity,
        price=made.price,
        commission=made.commission,
        currency=order.currency,
        at=made.at,
        provenance=made.provenance,
        portfolio_id=row.portfolio_id,
        pnl=pnl,
        source=row.broker,
        proposal_id=row.proposal_id,
        run_id=row.run_id,
        conversation_id=row.conversation_id,
        plan=order.basis_ref or "",
        **_planned(ctx, row, order),
    )


def _planned(ctx: Context, row: Row[Any], order: Order) -> dict[str, Decimal]:
    """Return the plan that the order was measured against: entry, stop and risk in money."""
    if order.protective_stop is None:
        return {}
    planned = {"planned_stop": order.protective_stop}
    basis = advice.find(ctx, order.basis_ref) if order.basis_ref else None
    entry = basis.number("entry") if basis is not None else None
    if entry is not None:
        planned["planned_entry"] = entry
    risk = json.loads(
        ctx.db.scalar(select(proposals.c.risk_json).where(proposals.c.id == row.proposal_id))
        or "{}"
    )
    if "money" in risk:
        planned["planned_risk"] = parse_decimal(risk["money"], "risk")
    return planned


def _fill_values(ctx: Context, row: Row[Any], order: Order, made: BrokerFill) -> dict[str, Any]:
    return {
        "order_id": row.id,
        "portfolio_id": row.portfolio_id,
        "broker": row.broker,
        "account_id": row.account_id,
        "exec_id": made.exec_id,
        "listing": order.instrument_id,
        "symbol": order.symbol,
        "side": order.side.value,
        "quantity": made.quantity,
        "price": made.price,
        "commission": made.commission,
        "currency": order.currency,
        "provenance": made.provenance,
        "at": made.at,
        "received_at": ctx.now,
    }


def _average(ctx: Context, order_id: str) -> Decimal:
    rows = ctx.db.rows(
        select(fills.c.quantity, fills.c.price)
        .where(fills.c.order_id == order_id)
        .order_by(fills.c.id)
    )
    units = sum((row.quantity for row in rows), Decimal(0))
    return rounded(sum((row.quantity * row.price for row in rows), Decimal(0)) / units, 8)


def _shrink_reservation(ctx: Context, row: Row[Any], remaining: Decimal) -> None:
    """Give back what a fill leaves over; the row's worst price covers a change on its way too."""
    held = ctx.db.row(
        select(reservations.c.cash, reservations.c.quantity).where(
            reservations.c.order_id == row.id
        )
    )
    if held is None:
        return
    worst = tick_round(remaining * row.worst_price, Decimal("0.01"), "ceil")
    release(
        ctx, row.id, keep_cash=min(held.cash, worst), keep_quantity=min(held.quantity, remaining)
    )


def dispute(ctx: Context, row: Row[Any], made: BrokerFill, reason: str) -> Row[Any]:
    """Record a fill that can not be true, post nothing, and freeze everything."""
    order = order_from_json(row.order_json)
    ctx.db.insert(
        disputed_fills,
        {"id": ctx.ids.new("dsp"), "reason": reason, **_fill_values(ctx, row, order, made)},
    )
    audit.record(
        ctx,
        "order.disputed_fill",
        row.id,
        exec_id=made.exec_id,
        reason=reason,
        quantity=made.quantity,
        price=made.price,
    )
    if State(row.state) not in (State.FILLED, State.DISPUTED):
        row = change_order(ctx, row, Event.DISPUTE, reason=reason)
    freeze(ctx, f"order {row.id}: {reason}", subject=row.id)
    return row
