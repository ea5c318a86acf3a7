"""Owns what screens are told of an order: where it stands, and what became of an entry's exits."""

from __future__ import annotations

from typing import Any

from sqlalchemy.engine import Row

from services.kit.context import Context
from services.kit.errors import Refusal
from services.kit.money import decimal_text
from services.kit.outbox import put
from services.orders.order import ENDED, State
from services.trade.wording import price_words


def announce_order(ctx: Context, row: Row[Any], dedupe: str) -> None:
    """Tell every screen where an order stands now; that of an entry moves its card as well."""
    facts = {
        "proposal_id": row.proposal_id,
        "version": row.version,
        "status": "confirmed",
        "reason": row.state_reason,
        "order_id": row.id,
        "order_state": row.state,
        "filled_quantity": row.filled_quantity,
        "avg_price": row.avg_price,
        "symbol": row.symbol,
        "side": row.side,
        "quantity": row.quantity,
        "conversation_id": row.conversation_id,
        "run_id": row.run_id,
        "expires_at": row.valid_until,
    }
    if row.parent_id is None:
        put(ctx, "proposal.changed", row.proposal_id, facts, dedupe=f"order:{dedupe}")
    else:
        put(ctx, "order.changed", row.id, facts, dedupe=f"order:{dedupe}")


def tell_exit(ctx: Context, row: Row[Any]) -> None:
    """Tell the person when an entry's exits have sold, and when units are left without them."""
    state = State(row.state)
    left = row.quantity - row.filled_quantity
    if state is State.FILLED:
        said = f"{row.symbol}: the exits sold {decimal_text(row.quantity)} at "
        tell_owner(ctx, row, "info", said + price_words(row.avg_price))
    elif state in ENDED and left > 0:
        why = f": {row.state_reason}" if row.state_reason else ""
        warn_unprotected(ctx, row, f"the exits ended as {state.value}{why}", left)


def warn_unprotected(ctx: Context, row: Row[Any], why: str, left: Any) -> None:
    """Raise the alarm that `left` units of an order stand without the exits that were confirmed."""
    units = decimal_text(left)
    said = f"{row.symbol}: {units} units stand without their exits ({why}). Place a stop yourself."
    tell_owner(ctx, row, "critical", said)


def tell_waiting(ctx: Context, row: Row[Any], refusal: Refusal) -> bool:
    """Tell once, for each reason, that exits wait to be sent; return False: nothing has moved."""
    if row.parent_id is not None:
        said = f"{row.symbol}: the exits wait to be placed ({refusal.code}: {refusal.message})"
        tell_owner(ctx, row, "warning", said, why=refusal.code)
    return False


def tell_owner(ctx: Context, row: Row[Any], level: str, message: str, *, why: str = "") -> None:
    """Put one message about an order into the owner's notices, once for each state and `why`."""
    facts = {"level": level, "message": message[:500], "code": "EXITS", "subject": row.id}
    facts |= {"conversation_id": row.conversation_id, "run_id": row.run_id}
    key = f"exits:{row.id}:{row.state}:{row.filled_quantity}:{why}"
    put(ctx, "alert", row.id, facts, dedupe=key)
