"""Owns what a reader gets after a gap: the whole state that its stream goes on from."""

from __future__ import annotations

from agent.conversation import messages
from agent.events import StateSnapshot
from app.http.shape import order_body, proposal_body
from app.http.wire import document
from services.kit.context import Context
from services.orders import store, switch
from services.orders.order import Status
from services.orders.proposal import list_proposals


def conversation_state(ctx: Context, conversation_id: str) -> StateSnapshot:
    """Return a conversation's `messages` and its open `proposals` with their cards."""
    waiting = [
        proposal_body(ctx, one)
        for one in list_proposals(ctx, Status.PENDING)
        if one.conversation_id == conversation_id
    ]
    state = {"messages": messages(ctx, conversation_id), "proposals": waiting}
    return StateSnapshot(state=document(state), changed=("messages", "proposals"))


def desk_state(ctx: Context) -> StateSnapshot:
    """Return the desk: open `proposals`, open `orders` and the `switch`.

    Positions are not in it, because their values move with the market; `changed` names them, so a
    reader asks for them anew.
    """
    state = {
        "proposals": [proposal_body(ctx, one) for one in list_proposals(ctx, Status.PENDING)],
        "orders": [order_body(one) for one in store.list_orders(ctx, open_only=True)],
        "switch": switch.state(ctx),
    }
    return StateSnapshot(
        state=document(state), changed=("proposals", "orders", "positions", "switch")
    )
