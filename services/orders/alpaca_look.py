"""Owns finding our tickets at Alpaca: one listing for many questions, each absence proved."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from services.kit.clock import Clock
from services.market.decode import Record
from services.orders.alpaca_scan import AlpacaReader
from services.orders.alpaca_view import Chain, Ticket
from services.orders.bracket import find_entry_client_id
from services.orders.broker import BrokerUnreachable

CHANGES_MAX = 40
"""The most changes of one order that are followed; more than that is no answer."""


@dataclass(slots=True)
class _Scan:
    """One listing by client id and by number, and what was asked for one by one since."""

    taken_at: float
    by_name: dict[str, Record] = field(default_factory=dict)
    by_number: dict[str, Record] = field(default_factory=dict)
    requests: int = 1

    def add(self, record: Record) -> None:
        """Keep one more order with its legs."""
        for one in (record, *record["legs"]):
            self.by_number[one["broker_order_id"]] = one
        if record["client_order_id"] is not None:
            self.by_name[record["client_order_id"]] = record


class AlpacaLook:
    """Finds the tickets of our client ids. It keeps a listing as long as it may answer a poll."""

    def __init__(self, reader: AlpacaReader, *, poll_s: float) -> None:
        self._reader = reader
        self._poll_s = poll_s
        self._lock = threading.Lock()
        self._scan: _Scan | None = None
        self._changes = 0

    def forget(self) -> None:
        """Forget what was read, also what is being read: an order may have changed since."""
        with self._lock:
            self._changes += 1
            self._scan = None

    def tickets(self, clock: Clock, names: Sequence[str]) -> dict[str, Ticket]:
        """Return the tickets of these names. Raises `BrokerUnreachable`.

        The exits that went with an entry stand in the ticket of the entry. A listing younger than
        `poll_s` answers for what it holds. An absence always is the broker's own answer of now
        about that client id.
        """
        if not names:
            return {}
        scan = self._listing(clock)
        found: dict[str, Ticket] = {}
        for name in names:
            ticket = self._find(scan, name)
            if ticket is not None:
                found[name] = ticket
        return found

    def _find(self, scan: _Scan, name: str) -> Ticket | None:
        entry = find_entry_client_id(name)
        if entry is not None:
            ticket = self._ticket(scan, entry)
            if ticket is not None and ticket.has_exits:
                return ticket
        return self._ticket(scan, name)

    def _ticket(self, scan: _Scan, name: str) -> Ticket | None:
        record = scan.by_name.get(name)
        if record is None:
            record = self._reader.by_client_id(name)
            scan.requests += 1
        if record is None:
            return None
        scan.add(record)
        first = self._chain(scan, record)
        legs: list[Record] = next((one["legs"] for one in reversed(first) if one["legs"]), [])
        return Ticket(first, tuple(self._chain(scan, leg) for leg in legs))

    def _chain(self, scan: _Scan, record: Record) -> Chain:
        """Follow an order through its changes to the one that works now."""
        chain = [record]
        while chain[-1]["status"] == "replaced" and chain[-1]["replaced_by"] is not None:
            number = chain[-1]["replaced_by"]
            following = scan.by_number.get(number)
            if following is None:
                following = self._reader.by_id(number)
                scan.requests += 1
            if following is None or len(chain) > CHANGES_MAX:
                raise BrokerUnreachable(f"order {record['broker_order_id']} leads nowhere")
            scan.add(following)
            chain.append(following)
        return tuple(chain)

    def _listing(self, clock: Clock) -> _Scan:
        now, scan = clock.monotonic(), self._scan
        if scan is not None and now - scan.taken_at < self._poll_s * scan.requests:
            return scan
        with self._lock:
            changes = self._changes
        fresh = _Scan(now)
        for record in self._reader.recent():
            fresh.add(record)
        with self._lock:
            if changes == self._changes:
                self._scan = fresh
        return fresh


def roots_of(records: Sequence[Record]) -> Mapping[str, Record]:
    """Return by number the order that each one goes back to; pure.

    A changed order goes back to the one that was placed, a leg to its group.
    """
    rows = {one["broker_order_id"]: one for one in records}
    parents: dict[str, Record] = {}
    for record in records:
        for leg in record["legs"]:
            rows.setdefault(leg["broker_order_id"], leg)
            parents[leg["broker_order_id"]] = record
    return {number: _root(number, rows, parents) for number in rows}


def _root(number: str, rows: Mapping[str, Record], parents: Mapping[str, Record]) -> Record:
    record = rows[number]
    for _ in range(CHANGES_MAX):
        before = rows.get(record["replaces"] or "") or parents.get(record["broker_order_id"])
        if before is None:
            break
        record = before
    return record
