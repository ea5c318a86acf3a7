"""Owns the proof that a person confirmed an order, and reading it anew from the rows it left."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Generic, TypeVar

from sqlalchemy import select
from sqlalchemy.engine import Row

from services.kit.context import Context
from services.kit.errors import check, refuse
from services.orders.bracket import build_exit
from services.orders.order import (
    Order,
    Status,
    order_from_json,
    order_hash,
    order_json,
    stored_hash,
)
from services.orders.proposal import proposal_row
from services.orders.store import order_row
from services.orders.tables import confirm_tokens

T = TypeVar("T")
SEAL = object()
"""Only the confirm gate and this room hold it: `Confirmed` can not be made without it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmed(Generic[T]):
    """Proof that a person confirmed exactly `value`; only `redeem` can make one."""

    value: T
    proposal_id: str
    order_id: str
    confirmed_by: str
    confirmed_at: datetime
    seal: object

    def __post_init__(self) -> None:
        check(self.seal is SEAL, "only redeem confirms an order", order=self.order_id)


def confirmed_order(ctx: Context, row: Row[Any]) -> Confirmed[Order]:
    """Return the proof of an order that `redeem` queued, read anew from the rows it left.

    The order's bytes, its hash, the proposal's hash and one burned token must all agree. Exits are
    confirmed with their entry, and must be exactly what it says of them, for no more than it
    filled. Raises `ORDER_HASH_MISMATCH` otherwise; then nothing may be sent.
    """
    if row.parent_id is not None:
        return _confirmed_exit(ctx, row)
    found = ctx.db.row(select(confirm_tokens).where(confirm_tokens.c.id == row.token_id))
    proposal = proposal_row(ctx, row.proposal_id)
    hashes = {
        row.order_hash,
        stored_hash(row.order_json),
        proposal.order_hash,
        found.order_hash if found else "",
    }
    burned = (
        found is not None
        and found.proposal_id == row.proposal_id
        and found.used_at is not None
        and found.outcome == "confirmed"
    )
    if len(hashes) != 1 or not burned or proposal.status != Status.CONFIRMED:
        raise refuse("ORDER_HASH_MISMATCH", order=row.id)
    return Confirmed(
        value=order_from_json(row.order_json),
        proposal_id=row.proposal_id,
        order_id=row.id,
        confirmed_by=row.confirmed_by,
        confirmed_at=row.confirmed_at,
        seal=SEAL,
    )


def _confirmed_exit(ctx: Context, row: Row[Any]) -> Confirmed[Order]:
    entry = order_row(ctx, row.parent_id)
    proof = confirmed_order(ctx, entry)
    same = (row.proposal_id, row.token_id) == (entry.proposal_id, entry.token_id)
    if not same or not proof.value.has_exits or not 0 < row.quantity <= entry.filled_quantity:
        raise refuse("ORDER_HASH_MISMATCH", order=row.id)
    order = build_exit(proof.value, row.quantity)
    if order_json(order) != row.order_json or order_hash(order) != row.order_hash:
        raise refuse("ORDER_HASH_MISMATCH", order=row.id)
    return replace(proof, value=order, order_id=row.id)
