"""Owns the broker's own reckoning of a proposed order: asked before a card opens, then stored.

The question is asked outside of every transaction, by the door that is about to show the card;
the card is drawn from what is stored. A preview places nothing and decides nothing: a refusal in
it is a warning, because the broker's own no to the order itself comes typed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Protocol

import structlog
from sqlalchemy import select

from services import audit
from services.kit.clock import instant_text
from services.kit.context import Context, Principal
from services.kit.errors import Refusal
from services.kit.money import rounded
from services.kit.work import Runtime
from services.orders import desk as desks
from services.orders.broker import BrokerUnreachable, Desk, broker_of
from services.orders.broker_routes import broker_for
from services.orders.order import Order, Status, order_from_json, order_hash
from services.orders.preview_tables import order_previews
from services.orders.tables import proposals

_log = structlog.get_logger("orders")
FRESH_FOR = timedelta(seconds=60)
"""How long a stored preview answers before the next card asks anew."""
_ABOUT_THE_ORDER = ("BROKER_REJECTED", "PARAM_INVALID", "SYMBOL_UNKNOWN")
"""Refusals that speak of the order; every other one is no answer."""
_PLACES = 6
_WORDS_MAX = 280


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerPreview:
    """What an order would cost by the broker's own reckoning, in the order's currency.

    `cost` is `order_cost` with commission and fees; `day_trades` counts those of the last days.
    """

    cost: Decimal
    order_cost: Decimal
    commission: Decimal
    fees: Decimal
    day_trades: int


class Previews(Protocol):
    """A broker that reckons an order without placing it (`BrokerTraits.previews`)."""

    def preview(self, desk: Desk, order: Order) -> BrokerPreview:
        """Return what the order would cost.

        Raises `BROKER_REJECTED` with the broker's words, and `BrokerUnreachable`.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPreview:
    """The newest answer on record for a proposal: `said`, or the words of a refusal."""

    broker: str
    at: datetime
    said: BrokerPreview | None
    refused: str

    def line(self, currency: str) -> tuple[str, str, str] | None:
        """Return label, value and note of its line on the card; None for a refusal."""
        if self.said is None:
            return None
        extra = f"with commission {_money(self.said.commission)} and fees {_money(self.said.fees)}"
        note = f"asked {instant_text(self.at)}; {extra}"
        return f"Preview of {self.broker.title()}", f"{_money(self.said.cost)} {currency}", note

    @property
    def warning(self) -> str:
        """Return what the card warns of; empty when the broker would take the order."""
        return f"{self.broker.title()} says: {self.refused}" if self.refused else ""


def ask_preview(runtime: Runtime, who: Principal, proposal_id: str) -> bool:
    """Ask the broker about a pending proposal of `who` and store the answer; True when stored.

    Nothing is asked where the broker has no previews or a fresh one is on record. A broker that
    does not answer leaves the card without one.
    """
    order = runtime.read(who, lambda ctx: _find_due(ctx, proposal_id))
    if order is None:
        return False
    broker = broker_for(broker_of(runtime), order.account_id)
    if not broker.traits.previews:
        return False
    desk, name = Desk(runtime, who.tenant_id), broker.traits.name
    try:
        said = broker.preview(desk, order)  # type: ignore[attr-defined]
    except BrokerUnreachable as error:
        _log.warning("preview.unanswered", broker=name, error=str(error)[:200])
        return False
    except Refusal as refusal:
        if refusal.code not in _ABOUT_THE_ORDER:
            _log.warning("preview.unanswered", broker=name, error=str(refusal)[:200])
            return False
        words = str(refusal.facts.get("reason") or refusal.message)[:_WORDS_MAX]
        runtime.write(desk.principal, lambda ctx: _store(ctx, proposal_id, name, order, words))
        return True
    runtime.write(desk.principal, lambda ctx: _store(ctx, proposal_id, name, order, said))
    return True


def find_preview(ctx: Context, proposal_id: str) -> StoredPreview | None:
    """Return the newest preview on record for a proposal, or None."""
    row = ctx.db.row(
        select(order_previews)
        .where(order_previews.c.proposal_id == proposal_id)
        .order_by(order_previews.c.number.desc())
        .limit(1)
    )
    if row is None:
        return None
    said = None
    if not row.refused:
        said = BrokerPreview(
            cost=row.cost,
            order_cost=row.order_cost,
            commission=row.commission,
            fees=row.fees,
            day_trades=row.day_trades,
        )
    return StoredPreview(broker=row.broker, at=row.at, said=said, refused=row.refused)


def _find_due(ctx: Context, proposal_id: str) -> Order | None:
    row = ctx.db.row(select(proposals).where(proposals.c.id == proposal_id))
    mine = row is not None and row.user_id == ctx.principal.user_id and row.kind == "order"
    if row is None or not mine or row.status != Status.PENDING:
        return None
    known, now = find_preview(ctx, proposal_id), desks.peek_now(ctx)
    if now >= row.expires_at or (known is not None and now - known.at < FRESH_FOR):
        return None
    return order_from_json(row.order_json)


def _store(
    ctx: Context, proposal_id: str, broker: str, order: Order, said: BrokerPreview | str
) -> None:
    ctx.db.lock(f"proposal:{proposal_id}")
    last = ctx.db.scalar(
        select(order_previews.c.number)
        .where(order_previews.c.proposal_id == proposal_id)
        .order_by(order_previews.c.number.desc())
        .limit(1)
    )
    reckoned = None if isinstance(said, str) else said
    names = ("cost", "order_cost", "commission", "fees")
    money = {
        name: None if reckoned is None else rounded(getattr(reckoned, name), _PLACES)
        for name in names
    }
    refused = said if isinstance(said, str) else ""
    ctx.db.insert(
        order_previews,
        {
            "proposal_id": proposal_id,
            "number": int(last or 0) + 1,
            "broker": broker,
            "order_hash": order_hash(order),
            "refused": refused,
            **money,
            "day_trades": None if reckoned is None else reckoned.day_trades,
            "at": ctx.now,
        },
    )
    audit.record(
        ctx, "order.previewed", proposal_id, broker=broker, refused=refused, cost=money["cost"]
    )


def _money(amount: Decimal) -> str:
    return f"{rounded(amount, 2):,f}"
