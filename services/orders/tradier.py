"""Owns the Tradier broker behind the port: it places once, and everything else is looked up."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

import structlog
from sqlalchemy import select

from services.kit.context import Context
from services.kit.errors import Refusal
from services.market.decode import EASTERN, Record
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
from services.orders.tables import order_intents
from services.orders.tradier_answer import (
    Preview,
    build_view,
    judge_cancel,
    judge_submit,
    read_preview,
)
from services.orders.tradier_scan import PAGE_LEAST, TradierReader
from services.orders.tradier_seat import BROKER, TRADABLE, TradierSeat
from services.orders.tradier_ticket import as_preview, build_change, build_single, leg_of

_log = structlog.get_logger("orders")
POLL_S = 2.0
"""How old a listing of one page may be that answers a poll: half of the 60 requests a minute."""
CANCEL_REST_S = 5.0
"""How long an acknowledged cancel is left to work before it is asked for again."""
_REMEMBERED_MAX = 1000


@dataclass(frozen=True, slots=True)
class _Known:
    """What our books know of an order: the broker's id, and the Eastern day it was sent on."""

    broker_order_id: str | None
    sent_on: date


@dataclass(frozen=True, slots=True)
class _Scan:
    """One complete listing of today, and the orders that were asked for one by one since."""

    taken_at: float
    listed: Mapping[str, Record]
    rows: int
    singles: dict[str, Record | None] = field(default_factory=dict)

    @property
    def requests(self) -> int:
        """Return about how many requests it took; a costly scan rests longer."""
        return 1 + self.rows // PAGE_LEAST + len(self.singles)

    def answers(self, name: str, asked: _Asked) -> bool:
        """Return True when nothing new has to be asked about this order."""
        return name in self.listed or asked.broker_id(name) in self.singles


class TradierBroker:
    """One account of Tradier. It keeps no order of its own: what it knows was just read.

    Nothing identifies a repeated order there, so an order is posted at most once and one in doubt
    is only looked for: in today's listing, and once in the month's when the day has changed.
    """

    traits = BrokerTraits(name=BROKER, dedupes_client_id=False, replaces=True)

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
        self._poll_s = poll_s
        self._lock = threading.Lock()
        self._scan: _Scan | None = None
        self._changes = 0
        self._month_seen: dict[str, date] = {}
        self._cancels: dict[str, tuple[float, Accepted]] = {}

    def submit(self, _desk: Desk, order: Order) -> Outcome:
        """Post the order once, its client id as the tag; what may not leave is `Rejected` here."""
        try:
            form = build_single(leg_of(order), order.client_order_id)
        except Refusal as refusal:
            return Rejected(f"{refusal.code}: {refusal.message}")
        return self.post(order, form)

    def post(self, order: Order, form: bytes) -> Outcome:
        """Post a form that `order` stands for, exactly once; that of a group too."""
        why = self._why_not(order)
        if why:
            return Rejected(why)
        return build_outcome(self._change("POST", "/orders", form=form), judge_submit)

    def preview(self, form: bytes) -> Preview:
        """Return what the broker says an order would cost; nothing is placed.

        Raises `BROKER_REJECTED` and the other refusals of the edge, and `BrokerUnreachable`.
        """
        exchange = self._change(
            "POST", "/orders", form=as_preview(form), template="/orders?preview"
        )
        return read_preview(exchange)

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
                if len(self._cancels) > _REMEMBERED_MAX:
                    self._cancels.clear()
                self._cancels[client_order_id] = (now, outcome)
        return outcome

    def replace(self, desk: Desk, account_id: str, client_order_id: str, change: Change) -> Outcome:
        """Ask to change type, time and prices of a working order in place; its id stays."""
        try:
            form = build_change(change)
        except Refusal as refusal:
            return Rejected(f"{refusal.code}: {refusal.message}")
        return self._on_order(desk, account_id, client_order_id, method="PUT", form=form)

    def look(
        self, desk: Desk, account_id: str, client_order_ids: Sequence[str]
    ) -> list[BrokerView]:
        """Return what stands at the broker of these orders. Raises `BrokerUnreachable`.

        A listing younger than `poll_s` answers for what it holds. An absence always comes from a
        new and complete one, and from the broker's own answer about an id that was known.
        """
        if account_id != self.seat.account_id:
            raise BrokerUnreachable(f"connected to {self.seat.account_id}, not to {account_id}")
        known = desk.runtime.read(
            desk.principal, lambda ctx: _known(ctx, account_id, client_order_ids)
        )
        clock = desk.runtime.clock
        asked = _Asked(clock.now(), clock.monotonic(), known)
        records = self._records(client_order_ids, asked)
        return [
            build_view(records[name], now=asked.now, provenance=self.seat.provenance)
            for name in client_order_ids
            if name in records
        ]

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
            views = self.look(desk, account_id, [client_order_id])
        except BrokerUnreachable as error:
            return NotSent(str(error))
        if not views:
            return Rejected("unknown order")
        if rests is not None and views[0].status is BrokerStatus.OPEN:
            return rests
        path = f"/orders/{views[0].broker_order_id}"
        exchange = self._change(method, path, form=form, template="/orders/{id}")
        return build_outcome(exchange, judge_cancel)

    def _change(
        self, method: Method, path: str, *, form: bytes = b"", template: str = ""
    ) -> Exchange:
        """Send what may change an order; what was read before and meanwhile is forgotten."""
        try:
            return self._wire.send(
                method,
                f"{self.seat.path}{path}",
                template=f"/v1/accounts/{{account}}{template or path}",
                form=form,
            )
        finally:
            with self._lock:
                self._changes += 1
                self._scan = None

    def _records(self, names: Sequence[str], asked: _Asked) -> dict[str, Record]:
        scan = self._scan
        old = scan is None or asked.monotonic - scan.taken_at >= self._poll_s * scan.requests
        if scan is None or old or any(not scan.answers(name, asked) for name in names):
            scan = self._new_scan(asked)
        missing = [name for name in names if name not in scan.listed]
        found = {name: scan.listed[name] for name in names if name in scan.listed}
        for name in missing:
            broker_id = asked.broker_id(name)
            if broker_id is None:
                continue
            if broker_id not in scan.singles:
                scan.singles[broker_id] = self.reader.order(broker_id)
                if scan.singles[broker_id] is None:
                    _log.error("broker.order_vanished", tag=name, broker_order_id=broker_id)
            single = scan.singles[broker_id]
            if single is not None:
                found[name] = single | {"client_order_id": name}
        lost = [name for name in missing if asked.broker_id(name) is None]
        return found | self._from_month(lost, asked)

    def _new_scan(self, asked: _Asked) -> _Scan:
        with self._lock:
            changes = self._changes
        rows = self.reader.listing()
        scan = _Scan(asked.monotonic, _by_tag(rows), len(rows))
        with self._lock:
            if changes == self._changes:
                self._scan = scan
        return scan

    def _from_month(self, names: Sequence[str], asked: _Asked) -> dict[str, Record]:
        """Return orders that were sent on an earlier day; the month is read once a day for each."""
        today = asked.day
        due = [
            name
            for name in names
            if asked.sent_on(name) < today and self._month_seen.get(name) != today
        ]
        if not due:
            return {}
        listed = _by_tag(self.reader.listing(month=True))
        with self._lock:
            if len(self._month_seen) > _REMEMBERED_MAX:
                self._month_seen.clear()
            self._month_seen.update(dict.fromkeys(due, today))
        return {name: listed[name] for name in due if name in listed}


@dataclass(frozen=True, slots=True)
class _Asked:
    """One look: when it was asked, and what our books know of its orders."""

    now: datetime
    monotonic: float
    known: Mapping[str, _Known]

    @property
    def day(self) -> date:
        return self.now.astimezone(EASTERN).date()

    def broker_id(self, name: str) -> str | None:
        return self.known[name].broker_order_id if name in self.known else None

    def sent_on(self, name: str) -> date:
        return self.known[name].sent_on if name in self.known else self.day


def _known(ctx: Context, account_id: str, names: Sequence[str]) -> dict[str, _Known]:
    table = order_intents.c
    rows = ctx.db.rows(
        select(table.client_order_id, table.broker_order_id, table.claimed_at, table.confirmed_at)
        .where(table.account_id == account_id, table.client_order_id.in_(names))
        .order_by(table.client_order_id)
    )
    return {
        row.client_order_id: _Known(
            row.broker_order_id, (row.claimed_at or row.confirmed_at).astimezone(EASTERN).date()
        )
        for row in rows
    }


def _by_tag(records: Sequence[Record]) -> dict[str, Record]:
    """Return the orders that carry a tag; of two with one tag the first, and an alarm."""
    found: dict[str, Record] = {}
    for record in sorted(records, key=lambda row: row["broker_order_id"].rjust(24, "0")):
        tag = record["client_order_id"]
        if tag is None:
            continue
        if tag in found:
            _log.error(
                "broker.tag_stands_twice", tag=tag, broker_order_id=record["broker_order_id"]
            )
        found.setdefault(tag, record)
    return found
