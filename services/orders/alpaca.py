"""Owns the Alpaca broker behind the port: keyed by client id, asked once, and always looked up."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import structlog

from services.kit.errors import Refusal
from services.orders.alpaca_answer import judge_change, judge_submit
from services.orders.alpaca_look import AlpacaLook
from services.orders.alpaca_scan import AlpacaReader, WrongAccount
from services.orders.alpaca_seat import BROKER, TRADABLE, AlpacaSeat
from services.orders.alpaca_ticket import build_change, build_ticket
from services.orders.alpaca_view import (
    Chain,
    Ticket,
    build_view,
    chains_of,
    find_fault,
    is_exit,
    is_open,
)
from services.orders.broker import (
    Accepted,
    Ambiguous,
    BrokerTraits,
    BrokerUnreachable,
    BrokerView,
    Change,
    Desk,
    NotSent,
    Outcome,
    Rejected,
)
from services.orders.order import Order, Tif
from services.orders.order_client import Exchange, Method, OrderClient, build_outcome

_log = structlog.get_logger("orders")
POLL_S = 2.0
"""How old a listing may be that answers a poll: 30 of the 200 requests a minute."""
_CANCELLING = "pending_cancel"
_TOLD_MAX = 1000


class AlpacaBroker:
    """One account of Alpaca. It keeps no order of its own: what it knows was just read.

    The client id is unique there, so a request that is sent again never makes a second order. An
    entry that is good till cancelled takes its exits along in one ticket.
    """

    traits = BrokerTraits(
        name=BROKER,
        dedupes_client_id=True,
        replaces=True,
        changes_anew=True,
        groups=True,
        group_tifs=(Tif.GTC,),
    )

    def __init__(
        self,
        seat: AlpacaSeat,
        wire: OrderClient,
        reader: AlpacaReader,
        *,
        live_allowed: bool = False,
        poll_s: float = POLL_S,
    ) -> None:
        self.seat = seat
        self.reader = reader
        self._wire = wire
        self._live_allowed = live_allowed
        self._rows = AlpacaLook(reader, poll_s=poll_s)
        self._lock = threading.Lock()
        self._faults: dict[str, str] = {}

    def submit(self, _desk: Desk, order: Order) -> Outcome:
        """Post the order once under its client id; what may not leave is `Rejected` here."""
        why = self._why_not(order)
        if why:
            return Rejected(why)
        try:
            ticket = build_ticket(order)
            self.reader.require_account()
        except Refusal as refusal:
            return Rejected(f"{refusal.code}: {refusal.message}")
        except WrongAccount as wrong:
            return Rejected(str(wrong))
        except BrokerUnreachable as error:
            return NotSent(f"the account could not be checked: {error}")
        return build_outcome(self._change("POST", "/v2/orders", document=ticket), judge_submit)

    def cancel(self, desk: Desk, account_id: str, client_order_id: str) -> Outcome:
        """Ask for the end of an order; an acknowledgement is none, so look afterwards.

        An entry takes its sleeping exits along. Exits end together, and not before their entry.
        """
        try:
            ticket = self._find(desk, account_id, client_order_id)
        except BrokerUnreachable as error:
            return NotSent(str(error))
        if ticket is None:
            return Rejected("unknown order")
        if is_exit(client_order_id, ticket) and is_open(ticket.first):
            return Rejected("the entry still works; its exits go with it")
        chains = chains_of(client_order_id, ticket)
        targets = [chain for chain in chains if is_open(chain)] or list(chains[:1])
        number = chains[0][0]["broker_order_id"]
        if client_order_id == ticket.first[0]["client_order_id"]:
            targets = targets[:1]
        return _together([self._cancel_one(chain) for chain in targets], number)

    def replace(self, desk: Desk, account_id: str, client_order_id: str, change: Change) -> Outcome:
        """Ask once for a change of time and prices of a working order.

        The provider makes it a new order over the whole quantity, also where the old one has
        filled in part. So one that has is not changed.
        """
        try:
            ticket = self._find(desk, account_id, client_order_id)
        except BrokerUnreachable as error:
            return NotSent(str(error))
        if ticket is None:
            return Rejected("unknown order")
        chains = chains_of(client_order_id, ticket)
        fault = _fault(client_order_id, ticket, chains)
        if fault:
            return Rejected(fault)
        (chain,) = chains
        name = f"{client_order_id}-r{len(chain)}"
        try:
            document = build_change(change, kind=chain[-1]["type"], client_order_id=name)
        except Refusal as refusal:
            return Rejected(f"{refusal.code}: {refusal.message}")
        path = f"/v2/orders/{chain[-1]['broker_order_id']}"
        exchange = self._change("PATCH", path, document=document)
        number = chain[0]["broker_order_id"]
        return build_outcome(exchange, lambda reply: judge_change(reply, number))

    def look(
        self, desk: Desk, account_id: str, client_order_ids: Sequence[str]
    ) -> list[BrokerView]:
        """Return what stands at the broker of these orders. Raises `BrokerUnreachable`."""
        tickets = self._tickets(desk, account_id, client_order_ids)
        now, label = desk.runtime.clock.now(), self.seat.provenance
        for name, ticket in tickets.items():
            self._tell_fault(name, find_fault(ticket))
        return [
            build_view(name, tickets[name], now=now, provenance=label)
            for name in client_order_ids
            if name in tickets
        ]

    def _tell_fault(self, name: str, fault: str) -> None:
        """Log what is broken of a group, once for as long as it stays so."""
        with self._lock:
            known = self._faults.pop(name, "")
            if len(self._faults) >= _TOLD_MAX:
                self._faults.clear()
            if fault:
                self._faults[name] = fault
        if fault not in ("", known):
            _log.error("broker.group_broken", tag=name, fault=fault)

    def _why_not(self, order: Order) -> str:
        """Return why an order may not leave for this account; empty when it may."""
        seat = self.seat
        if order.account_id != seat.account_id:
            return f"the order is for {order.account_id}, this broker for {seat.account_id}"
        if order.mode != seat.mode:
            return f"a {order.mode} order can not go to the {seat.env} account of Alpaca"
        if order.provenance not in TRADABLE[seat.env]:
            return f"{order.provenance} prices can not trade at the {seat.env} account of Alpaca"
        if order.mode == "live" and not self._live_allowed:
            return "LIVE_TRADING is off"
        return ""

    def _find(self, desk: Desk, account_id: str, name: str) -> Ticket | None:
        return self._tickets(desk, account_id, [name]).get(name)

    def _tickets(self, desk: Desk, account_id: str, names: Sequence[str]) -> dict[str, Ticket]:
        if account_id != self.seat.account_id:
            raise BrokerUnreachable(f"connected to {self.seat.account_id}, not to {account_id}")
        try:
            self.reader.require_account()
        except WrongAccount as wrong:
            raise BrokerUnreachable(str(wrong)) from wrong
        return self._rows.tickets(desk.runtime.clock, names)

    def _cancel_one(self, chain: Chain) -> Outcome:
        number = chain[-1]["broker_order_id"]
        if chain[-1]["word"] == _CANCELLING:
            return Accepted(number)
        exchange = self._change("DELETE", f"/v2/orders/{number}")
        return build_outcome(exchange, lambda reply: judge_change(reply, number))

    def _change(self, method: Method, path: str, *, document: bytes = b"") -> Exchange:
        """Send what may change an order; what was read before and meanwhile is forgotten."""
        template = "/v2/orders" if method == "POST" else "/v2/orders/{id}"
        try:
            exchange = self._wire.send(method, path, template=template, document=document)
        finally:
            self._rows.forget()
        self.reader.note_order(exchange)
        return exchange


def _fault(name: str, ticket: Ticket, chains: Sequence[Chain]) -> str:
    """Return why a ticket can not be changed in place; empty when it can."""
    if len(chains) > 1 or (ticket.has_exits and not is_exit(name, ticket)):
        return "a group is not changed as a whole: cancel it and propose it anew"
    if not is_open(chains[0]):
        return "the order has ended"
    if any(one["filled_quantity"] for one in chains[0]):
        return "it has filled in part: cancel the rest and propose a new order"
    return ""


def _together(outcomes: Sequence[Outcome], broker_order_id: str) -> Outcome:
    """Return the one answer of several cancels: a doubt outranks a yes, and a yes a no."""
    doubts = [one for one in outcomes if isinstance(one, (Ambiguous, NotSent))]
    if doubts:
        return next((one for one in doubts if isinstance(one, Ambiguous)), doubts[0])
    if any(isinstance(one, Accepted) for one in outcomes):
        return Accepted(broker_order_id)
    return outcomes[0]
