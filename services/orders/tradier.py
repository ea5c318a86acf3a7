"""Owns the Tradier broker behind the port: it places once, and everything else is looked up."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import structlog

from services.kit.errors import Refusal, refuse
from services.market.decode import Record
from services.orders.bracket import find_entry_client_id
from services.orders.broker import (
    Accepted,
    BrokerStatus,
    BrokerTraits,
    BrokerUnreachable,
    BrokerView,
    Change,
    Desk,
    NotSent,
    Outcome,
    Rejected,
)
from services.orders.order import Order
from services.orders.order_client import Exchange, Method, OrderClient, build_outcome
from services.orders.preview import BrokerPreview
from services.orders.tradier_answer import judge_cancel, judge_submit, read_preview
from services.orders.tradier_group import (
    build_ticket,
    find_fault,
    find_view,
    is_group,
    is_waiting_exit,
)
from services.orders.tradier_look import TradierLook, remember
from services.orders.tradier_scan import TradierReader
from services.orders.tradier_seat import BROKER, TRADABLE, TradierSeat
from services.orders.tradier_ticket import as_preview, build_change, build_single, leg_of

_log = structlog.get_logger("orders")
POLL_S = 2.0
"""How old a listing of one page may be that answers a poll: half of the 60 requests a minute."""
CANCEL_REST_S = 5.0
"""How long an acknowledged cancel is left to work before it is asked for again."""


class TradierBroker:
    """One account of Tradier. It keeps no order of its own: what it knows was just read.

    Nothing identifies a repeated order there, so an order is posted at most once and one in doubt
    is only looked for: in today's listing, and once in the month's when the day has changed.
    """

    traits = BrokerTraits(
        name=BROKER, dedupes_client_id=False, replaces=True, groups=True, previews=True
    )

    def __init__(
        self,
        seat: TradierSeat,
        wire: OrderClient,
        reader: TradierReader,
        *,
        live_allowed: bool = False,
        poll_s: float = POLL_S,
    ) -> None:
        self.seat = seat
        self.reader = reader
        self._wire = wire
        self._live_allowed = live_allowed
        self._rows = TradierLook(reader, poll_s=poll_s)
        self._lock = threading.Lock()
        self._cancels: dict[str, tuple[float, Accepted]] = {}
        self._faults: dict[str, str] = {}

    def submit(self, _desk: Desk, order: Order) -> Outcome:
        """Post the order once, its client id as the tag; what may not leave is `Rejected` here.

        An entry with its exits is one ticket as well.
        """
        try:
            form = build_ticket(order)
        except Refusal as refusal:
            return Rejected(f"{refusal.code}: {refusal.message}")
        return self.post(order, form)

    def post(self, order: Order, form: bytes) -> Outcome:
        """Post a form that `order` stands for, exactly once; that of a group too."""
        why = self._why_not(order)
        if why:
            return Rejected(why)
        return build_outcome(self._change("POST", "/orders", form=form), judge_submit)

    def preview(self, _desk: Desk, order: Order) -> BrokerPreview:
        """Return what the broker says an order would cost; nothing is placed.

        Of a group its first order is asked about, which is what costs. Raises `PARAM_INVALID` for
        what would not leave, `BROKER_REJECTED` and the other refusals of the edge, and
        `BrokerUnreachable`.
        """
        why = self._why_not(order)
        if why:
            raise refuse("BROKER_REJECTED", reason=why)
        build_ticket(order)
        form = as_preview(build_single(leg_of(order), order.client_order_id))
        return read_preview(self._send("POST", "/orders", form, "/orders?preview"))

    def cancel(self, desk: Desk, account_id: str, client_order_id: str) -> Outcome:
        """Ask for the end of an order; an acknowledgement is none, so look afterwards.

        While the order still stands, one that was acknowledged less than `CANCEL_REST_S` ago is
        not asked for again.
        """
        now = desk.runtime.clock.monotonic()
        at, acknowledged = self._cancels.get(client_order_id, (now - CANCEL_REST_S, None))
        rests = acknowledged if now - at < CANCEL_REST_S else None
        outcome = self._on_order(desk, account_id, client_order_id, method="DELETE", rests=rests)
        if isinstance(outcome, Accepted) and rests is None:
            with self._lock:
                remember(self._cancels, {client_order_id: (now, outcome)})
        return outcome

    def replace(self, desk: Desk, account_id: str, client_order_id: str, change: Change) -> Outcome:
        """Ask to change type, time and prices of a working order in place; its id stays."""
        try:
            form = build_change(change)
        except Refusal as refusal:
            return Rejected(f"{refusal.code}: {refusal.message}")
        return self._on_order(desk, account_id, client_order_id, method="PUT", form=form)

    def forget(self) -> None:
        """Forget what was read, so that the next look asks: something may have happened."""
        self._rows.forget()

    def look(
        self, desk: Desk, account_id: str, client_order_ids: Sequence[str]
    ) -> list[BrokerView]:
        """Return what stands at the broker of these orders. Raises `BrokerUnreachable`.

        An absence always comes from a new and complete listing. What is broken of a group is
        logged once.
        """
        found = self._look(desk, account_id, client_order_ids)
        for name, (_, record) in found.items():
            self._tell_fault(name, record)
        return [found[name][0] for name in client_order_ids if name in found]

    def _look(
        self, desk: Desk, account_id: str, names: Sequence[str]
    ) -> dict[str, tuple[BrokerView, Record]]:
        """Return view and row by name; the exits of an entry stand in the row of the entry."""
        if account_id != self.seat.account_id:
            raise BrokerUnreachable(f"connected to {self.seat.account_id}, not to {account_id}")
        tags = list(dict.fromkeys(_tag_of(name) for name in names))
        records, now = self._rows.rows(desk, account_id, tags), desk.runtime.clock.now()
        found: dict[str, tuple[BrokerView, Record]] = {}
        for name in names:
            record = records.get(_tag_of(name))
            if record is not None:
                view = find_view(name, record, now=now, provenance=self.seat.provenance)
                found |= {} if view is None else {name: (view, record)}
        return found

    def _tell_fault(self, name: str, record: Record) -> None:
        """Log once what is broken of a group."""
        fault = find_fault(record)
        with self._lock:
            if self._faults.get(name, "") == fault:
                return
            remember(self._faults, {name: fault})
        if fault:
            _log.error("broker.group_broken", tag=name, fault=fault)

    def _why_not(self, order: Order) -> str:
        """Return why an order may not leave for this account; empty when it may."""
        seat = self.seat
        if order.account_id != seat.account_id:
            return f"the order is for {order.account_id}, this broker for {seat.account_id}"
        if order.mode != seat.mode:
            return f"a {order.mode} order can not go to the {seat.env} of Tradier"
        if order.provenance not in TRADABLE[seat.env]:
            return f"{order.provenance} prices can not trade at the {seat.env} of Tradier"
        if order.mode == "live" and not self._live_allowed:
            return "LIVE_TRADING is off"
        return ""

    def _on_order(
        self,
        desk: Desk,
        account_id: str,
        client_order_id: str,
        *,
        method: Method,
        form: bytes = b"",
        rests: Accepted | None = None,
    ) -> Outcome:
        try:
            found = self._look(desk, account_id, [client_order_id]).get(client_order_id)
            if found is None:
                return Rejected("unknown order")
            if rests is not None and found[0].status is BrokerStatus.OPEN:
                return rests
            if is_group(found[1]):
                self._rows.forget()
                found = self._look(desk, account_id, [client_order_id]).get(client_order_id)
        except BrokerUnreachable as error:
            return NotSent(str(error))
        held = None if found is None else _hold(method, found[0], found[1])
        if found is None or held is not None:
            return held or NotSent("the group is not listed at the moment")
        path = f"/orders/{found[1]['broker_order_id']}"
        exchange = self._change(method, path, form=form, template="/orders/{id}")
        return build_outcome(exchange, judge_cancel)

    def _change(
        self, method: Method, path: str, *, form: bytes = b"", template: str = ""
    ) -> Exchange:
        """Send what may change an order; what was read before and meanwhile is forgotten."""
        try:
            return self._send(method, path, form, template or path)
        finally:
            self._rows.forget()

    def _send(self, method: Method, path: str, form: bytes, template: str) -> Exchange:
        named = f"/v1/accounts/{{account}}{template}"
        return self._wire.send(method, f"{self.seat.path}{path}", template=named, form=form)


def _tag_of(name: str) -> str:
    """Return the tag that an order's row carries: exits stand in the row of their entry."""
    return find_entry_client_id(name) or name


def _hold(method: Method, view: BrokerView, record: Record) -> Outcome | None:
    """Return why a change of a part of a group is not asked for; None when it is.

    The broker ends a group as a whole, so the end of one part must never take the other with it.
    """
    if not is_group(record):
        return None
    if method == "PUT":
        return Rejected("a group can not be changed in place: cancel it and place a new one")
    if view.status is not BrokerStatus.OPEN:
        return Rejected(f"it has ended: {view.status.value}")
    if is_waiting_exit(view.client_order_id, record):
        return NotSent("exits can not go before their entry has ended")
    return None
