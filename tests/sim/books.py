"""Owns comparing the product's books with the venue: after every step, and when all has healed."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from sqlalchemy import select

from services.audit import audit_events
from services.kit.context import Context
from services.ledger.book import cash
from services.ledger.holding import positions
from services.orders.broker import BrokerFill, BrokerStatus
from services.orders.change import change_of
from services.orders.order import ENDED, State, order_from_json
from services.orders.tables import disputed_fills, fills, order_intents
from tests.sim.auditor import Auditor, Violation
from tests.sim.venue import Held, Venue

START_CASH, START_UNITS = Decimal(100_000), Decimal(60)
LATEST_SIGHT_S = 118
"""An order that is listed within this time of its sending may not be thought lost."""
_MOVING = (
    State.QUEUED,
    State.CLAIMED,
    State.SUBMITTING,
    State.UNKNOWN,
    State.CANCEL_PENDING,
    State.CANCEL_UNKNOWN,
)
_ABSENT = (
    State.DENIED,
    State.EXPIRED,
    State.CANCELLED,
    State.REJECTED,
    State.PRESUMED_NOT_ACCEPTED,
)
_NEVER_LEFT = (State.FILLED, State.DENIED, State.DISPUTED)


_TOLD = select(audit_events.c.subject).where(audit_events.c.kind == "order.exits_missing")


@dataclass(frozen=True)
class Rows:
    """What one tenant's books say."""

    intents: list[Any]
    fills: list[Any]
    disputed: list[Any]
    cash: Decimal
    units: dict[str, Decimal]
    told: set[str]


def read_rows(ctx: Context, portfolio_id: str) -> Rows:
    """Return the rows that are compared."""
    return Rows(
        ctx.db.rows(select(order_intents).order_by(order_intents.c.id)),
        ctx.db.rows(select(fills).order_by(fills.c.id)),
        ctx.db.rows(select(disputed_fills).order_by(disputed_fills.c.id)),
        cash(ctx, portfolio_id).posted.amount,
        {one.symbol: one.quantity for one in positions(ctx, portfolio_id)},
        {one.subject for one in ctx.db.rows(_TOLD)},
    )


@dataclass
class Books:
    """Remembers how each order stood, so that nothing goes back."""

    auditor: Auditor
    venue: Venue
    was: dict[str, tuple[str, Decimal]] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def compare(self, tenant: str, rows: Rows) -> None:
        """Raise `Violation` when the books say what can not be, whatever is under way."""
        made = {fill.exec_id: (one, fill) for one in self._mine(tenant) for fill in one.fills}
        for row in rows.intents:
            self._intent(row)
        self._executions(tenant, rows, made)
        self._money(rows, made)
        self._venue(tenant)

    def _mine(self, tenant: str) -> list[Held]:
        found = []
        for one in self.venue.held:
            card = self.auditor.card_of(one.order.client_order_id)
            if card is None:
                raise Violation("the broker holds an order that nobody proposed")
            if card.tenant == tenant:
                found.append(one)
        return found

    def _intent(self, row: Any) -> None:
        card = self.auditor.card_of(row.client_order_id)
        if card is None or card.id != row.proposal_id:
            raise Violation("an order of no proposal", row.id)
        if not (card.confirmed or card.asked):
            raise Violation("an order without a confirmation", row.id)
        self.auditor.took(card)
        state, filled = self.was.get(row.id, ("", Decimal(0)))
        if row.filled_quantity < filled:
            raise Violation("filled less than before", row.id)
        if state in _NEVER_LEFT and row.state != state:
            raise Violation("an order left its end", f"{state} to {row.state}")
        if row.state == State.PRESUMED_NOT_ACCEPTED and state != row.state:
            self._presumed(row.client_order_id)
        self.was[row.id] = (row.state, row.filled_quantity)
        self.counts[row.state] = self.counts.get(row.state, 0) + (state != row.state)

    def _presumed(self, client_order_id: str) -> None:
        """An order that the broker lists in good time is not lost, unless a clock has jumped."""
        lag = self.venue.lag_s
        sights = [(one.sent_at, one.seen_from) for one in self.venue.of(client_order_id)]
        sights += [
            (sent_at, arrives + lag)
            for arrives, sent_at, order in self.venue.travelling
            if order.client_order_id == client_order_id
        ]
        for sent_at, seen_from in sights:
            in_time = seen_from - sent_at < LATEST_SIGHT_S
            if in_time and self.auditor.jumped_at < sent_at:
                raise Violation("presumed lost while at the broker", client_order_id)

    def _surprised(self, tenant: str, one: Held) -> bool:
        """Return True when units that came after a cancel were sold a second time meanwhile."""
        symbol = one.order.symbol
        return any(other.late and other.order.symbol == symbol for other in self._mine(tenant))

    def _executions(
        self, tenant: str, rows: Rows, made: dict[str, tuple[Held, BrokerFill]]
    ) -> None:
        client_ids = {row.id: row.client_order_id for row in rows.intents}
        taken: set[str] = set()
        for row in (*rows.fills, *rows.disputed):
            one, fill = made.get(row.exec_id, (None, None))
            if one is None or fill is None:
                raise Violation("a fill that the broker never made", row.exec_id)
            if row.exec_id in taken:
                raise Violation("a fill was taken twice", row.exec_id)
            taken.add(row.exec_id)
            if client_ids.get(row.order_id) != one.order.client_order_id:
                raise Violation("a fill of another order", row.exec_id)
            facts = (row.quantity, row.price, row.commission)
            if facts != (fill.quantity, fill.price, fill.commission):
                raise Violation("a fill with other numbers", row.exec_id)
        for row in rows.disputed:
            one, _ = made[row.exec_id]
            if one.filled <= one.order.quantity and not self._surprised(tenant, one):
                raise Violation("a dispute without a cause", f"{row.exec_id} {row.reason}")

    def _money(self, rows: Rows, made: dict[str, tuple[Held, BrokerFill]]) -> None:
        expected, units = START_CASH, {}
        for row in rows.fills:
            one, fill = made[row.exec_id]
            sign = one.order.sign
            expected -= sign * fill.quantity * fill.price + fill.commission
            units[one.order.symbol] = units.get(one.order.symbol, 0) + sign * fill.quantity
        if rows.cash != expected:
            raise Violation("cash is not conserved", f"{rows.cash}, not {expected}")
        for symbol, moved in units.items():
            if rows.units.get(symbol, Decimal(0)) != START_UNITS + moved:
                raise Violation("units are not conserved", symbol)
        if expected < 0:
            raise Violation("spent more than there was", str(expected))

    def _venue(self, tenant: str) -> None:
        units: dict[str, Decimal] = {}
        for one in self._mine(tenant):
            if len(self.venue.of(one.order.client_order_id)) > 1:
                raise Violation("two orders at the broker for one intent", one.id)
            whole = min(one.filled, one.order.quantity) - one.late
            units[one.order.symbol] = (
                units.get(one.order.symbol, START_UNITS) + whole * one.order.sign
            )
        if any(left < 0 for left in units.values()):
            raise Violation("sold more than was held", str(units))

    def unsettled(self, tenant: str, rows: Rows) -> str:
        """Return what does not yet stand as the venue says; empty when all does."""
        held = {one.order.client_order_id: one for one in self._mine(tenant)}
        recorded = {row.exec_id for row in (*rows.fills, *rows.disputed)}
        disputed = {row.client_order_id for row in rows.intents if row.state == State.DISPUTED}
        for row in rows.intents:
            one = held.get(row.client_order_id)
            excused = row.state == State.DISPUTED and one and self._surprised(tenant, one)
            said = _difference(State(row.state), one) or _other_terms(row, one)
            if said and not excused:
                return f"{row.id} {said}"
        unprotected = self._unprotected(rows)
        if unprotected:
            return unprotected
        for one in held.values():
            missing = [fill.exec_id for fill in one.fills if fill.exec_id not in recorded]
            if missing and one.order.client_order_id not in disputed:
                return f"{one.id} ({one.status}): {missing} never posted"
        return ""

    def _unprotected(self, rows: Rows) -> str:
        """Return the entry that has bought, ended, and has neither exits nor a word about them."""
        cared = {row.parent_id for row in rows.intents} | rows.told
        for row in rows.intents:
            card = self.auditor.by_client_id.get(row.client_order_id)
            wanted = card is not None and card.order.has_exits and row.filled_quantity > 0
            if (
                wanted
                and row.state in ENDED
                and row.state != State.DISPUTED
                and row.id not in cared
            ):
                return f"{row.id} has bought and stands without its exits"
        return ""


def _other_terms(row: Any, one: Held | None) -> str:
    """Return whether an open order stands on other terms here than at the venue."""
    if one is None or not one.open:
        return ""
    same = change_of(order_from_json(row.order_json)) == change_of(one.order)
    return "" if same else "stands on other terms than at the broker"


def _difference(state: State, one: Held | None) -> str:
    if state in _MOVING:
        return f"is still {state}"
    if one is None:
        return "" if state in _ABSENT else f"is {state}, and the broker has nothing"
    if one.filled > one.order.quantity:
        return "" if state in (State.DISPUTED, State.FILLED) else f"is {state}, and overfilled"
    if one.open:
        told = f"is {state}, the broker says open"
        return "" if state in (State.WORKING, State.PARTIALLY_FILLED) else told
    wanted = {
        BrokerStatus.FILLED: State.FILLED,
        BrokerStatus.CANCELLED: State.CANCELLED,
        BrokerStatus.EXPIRED: State.EXPIRED,
        BrokerStatus.REJECTED: State.REJECTED,
    }[one.status]
    return "" if state is wanted else f"is {state}, the broker says {one.status}"
