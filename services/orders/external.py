"""Owns orders at the broker that are not ours: told once as facts, never adopted or touched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol

from sqlalchemy import bindparam, or_, select
from sqlalchemy.engine import Row

from services import audit
from services.audit import audit_events
from services.kit.context import Context
from services.kit.money import decimal_text
from services.kit.outbox import put
from services.ledger import portfolio
from services.orders.broker import Desk
from services.orders.order import ENDED, State
from services.orders.tables import order_intents

_EVENT = "order.external"
_PART = 500
"""Orders that are looked for at once: a statement may hold some thousands of values."""
_OURS = (
    select(order_intents.c.client_order_id, order_intents.c.broker_order_id, order_intents.c.state)
    .where(
        order_intents.c.account_id == bindparam("of_account"),
        or_(
            order_intents.c.broker_order_id.in_(bindparam("ids", expanding=True)),
            order_intents.c.client_order_id.in_(bindparam("with_tags", expanding=True)),
        ),
    )
    .order_by(order_intents.c.id)
)
_TOLD = select(audit_events.c.subject).where(
    audit_events.c.kind == _EVENT, audit_events.c.subject.in_(bindparam("subjects", expanding=True))
)


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderFact:
    """One order as an account outside lists it; `tag` is ours, somebody else's or empty."""

    broker_order_id: str
    tag: str
    symbol: str
    side: str
    type: str
    quantity: Decimal
    status: str


class Listed(Protocol):
    """An account outside whose orders can be listed."""

    account_id: str

    def orders(self) -> Sequence[OrderFact]:
        """Return every order of the day. Raises `BrokerUnreachable`."""
        ...


def tell_external(desk: Desk, account: Listed) -> int:
    """Put every order that nobody confirmed here on record, with an alert; return how many.

    So is one of ours that the broker refused in words and has all the same.
    What such an order does to the account shows as drift, which a person settles by a posting of
    their own. Each is told once. Raises `BrokerUnreachable`.
    """
    listed = account.orders()
    if not listed:
        return 0
    fresh = desk.runtime.read(desk.principal, lambda ctx: _untold(ctx, account.account_id, listed))
    if not fresh:
        return 0

    def act(ctx: Context) -> int:
        untold = _untold(ctx, account.account_id, listed)
        for one in untold:
            _tell(ctx, account.account_id, one)
        return len(untold)

    return desk.runtime.write(desk.principal, act)


def _untold(ctx: Context, account_id: str, listed: Sequence[OrderFact]) -> list[OrderFact]:
    if portfolio.find_seat(ctx, account_id) is None:
        return []
    parts = (listed[at : at + _PART] for at in range(0, len(listed), _PART))
    return [one for part in parts for one in _untold_of(ctx, account_id, part)]


def _untold_of(ctx: Context, account_id: str, listed: Sequence[OrderFact]) -> list[OrderFact]:
    rows = ctx.db.rows(
        _OURS,
        of_account=account_id,
        ids=[one.broker_order_id for one in listed],
        with_tags=[one.tag for one in listed],
    )
    ours = frozenset(row.broker_order_id for row in rows)
    tags = frozenset(row.client_order_id for row in rows if not _is_refused(row))
    found = {
        _subject(account_id, one): one
        for one in listed
        if one.broker_order_id not in ours and one.tag not in tags
    }
    told = ctx.db.rows(_TOLD, subjects=list(found)) if found else ()
    known = frozenset(row.subject for row in told)
    return [one for subject, one in found.items() if subject not in known]


def _is_refused(row: Row[Any]) -> bool:
    """Return True for an order that never reached the broker, as far as we know."""
    return row.broker_order_id is None and State(row.state) in ENDED


def _tell(ctx: Context, account_id: str, one: OrderFact) -> None:
    subject = _subject(account_id, one)
    audit.record(
        ctx,
        _EVENT,
        subject,
        account=account_id,
        broker_order_id=one.broker_order_id,
        tag=one.tag,
        symbol=one.symbol,
        side=one.side,
        type=one.type,
        quantity=one.quantity,
        status=one.status,
    )
    said = (
        f"{account_id} has an order that is not on its way from here: {one.side} "
        f"{decimal_text(one.quantity)} {one.symbol} ({one.status})"
    )
    put(
        ctx,
        "alert",
        subject,
        {"level": "warning", "message": said, "code": "ORDER_EXTERNAL", "subject": subject},
        dedupe=f"external:{subject}",
    )


def _subject(account_id: str, one: OrderFact) -> str:
    return f"{account_id}/{one.broker_order_id}"
