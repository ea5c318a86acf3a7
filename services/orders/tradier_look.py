"""Owns finding our orders in Tradier's lists: one scan for many questions, absences proved anew."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TypeVar

import structlog
from sqlalchemy import select

from services.kit.context import Context
from services.market.decode import EASTERN, Record
from services.orders.broker import Desk
from services.orders.tables import order_intents
from services.orders.tradier_scan import PAGE_LEAST, TradierReader

_log = structlog.get_logger("orders")
_REMEMBERED_MAX = 1000
V = TypeVar("V")


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


class TradierLook:
    """Finds the rows of our tags. It keeps the last listing for as long as it may answer a poll."""

    def __init__(self, reader: TradierReader, *, poll_s: float) -> None:
        self._reader = reader
        self._poll_s = poll_s
        self._lock = threading.Lock()
        self._scan: _Scan | None = None
        self._changes = 0
        self._month_seen: dict[str, date] = {}

    def forget(self) -> None:
        """Forget what was read, also what is being read: an order may have changed since."""
        with self._lock:
            self._changes += 1
            self._scan = None

    def rows(self, desk: Desk, account_id: str, tags: Sequence[str]) -> dict[str, Record]:
        """Return the rows of these tags. Raises `BrokerUnreachable`.

        A listing younger than `poll_s` answers for what it holds. An absence always comes from a
        new and complete one, and from the broker's own answer about an id that was known.
        """
        known = desk.runtime.read(desk.principal, lambda ctx: _known(ctx, account_id, tags))
        clock = desk.runtime.clock
        return self._records(tags, _Asked(clock.now(), clock.monotonic(), known))

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
                scan.singles[broker_id] = self._reader.order(broker_id)
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
        rows = self._reader.listing()
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
        listed = _by_tag(self._reader.listing(month=True))
        with self._lock:
            remember(self._month_seen, dict.fromkeys(due, today))
        return {name: listed[name] for name in due if name in listed}


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
    """Return the orders that carry a tag; of two with one tag the first, and an alarm.

    A group may carry it on its legs only: where it stands in such a row is not documented.
    """
    found: dict[str, Record] = {}
    for record in sorted(records, key=lambda row: row["broker_order_id"].rjust(24, "0")):
        tags = (one["client_order_id"] for one in (record, *record["legs"]))
        tag = next((one for one in tags if one is not None), None)
        if tag is None:
            continue
        if tag in found:
            _log.error(
                "broker.tag_stands_twice", tag=tag, broker_order_id=record["broker_order_id"]
            )
        found.setdefault(tag, record)
    return found


def remember(known: dict[str, V], fresh: Mapping[str, V]) -> None:
    """Add to what is kept for a while; when it has grown too large, begin anew."""
    if len(known) > _REMEMBERED_MAX:
        known.clear()
    known.update(fresh)
