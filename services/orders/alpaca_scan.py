"""Owns reading an Alpaca account: whose keys these are, its orders, and how often to ask."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

from services.kit.clock import Clock
from services.market.budget import Budget
from services.market.decode import Record, instant
from services.orders.alpaca_answer import is_unknown, read_records
from services.orders.alpaca_seat import REQUESTS_MINUTE, AlpacaSeat
from services.orders.broker import BrokerUnreachable
from services.orders.order_client import Exchange, OrderClient, Reply

PAGE_ROWS = 500
PAGES_MAX = 40
_KEPT_FREE = 50
"""Requests of a minute that reading leaves to orders, which count against the same limit."""
_LIMITED_S = 12.0
_QUOTA = ("x-ratelimit-limit", "x-ratelimit-remaining")


def _stamp(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class WrongAccount(Exception):
    """The broker answered, and these keys are those of another account, or of a closed one."""


class AlpacaReader:
    """Reads one account within its budget of requests; safe for many threads.

    Nothing is asked again here: the caller's next round is the retry. The provider's own count
    may lower the budget.
    """

    def __init__(
        self, seat: AlpacaSeat, wire: OrderClient, clock: Clock, *, requests_minute: int = 0
    ) -> None:
        self._seat = seat
        self._wire = wire
        self._clock = clock
        self._lock = threading.Lock()
        self._budget = Budget(requests_minute or REQUESTS_MINUTE - _KEPT_FREE)
        self._checked = False

    @property
    def clock(self) -> Clock:
        """Return the clock that the budget goes by."""
        return self._clock

    def require_account(self) -> None:
        """Raise `WrongAccount` unless the keys are those of the seat's account.

        No address names the account, so nothing is sent and no absence believed before this. Keys
        do not change in a process, so one good answer is enough. Raises `BrokerUnreachable`.
        """
        if self._checked:
            return
        facts = self.account()
        if facts["account"] != self._seat.number:
            raise WrongAccount(f"the keys are not those of account {self._seat.number}")
        self._checked = True

    def account(self) -> Record:
        """Return what the account is and has. Raises `BrokerUnreachable`."""
        rows = self.rows("balances", "/v2/account")
        if not rows:
            raise BrokerUnreachable("the account says nothing of itself")
        return rows[0]

    def recent(self, **between: str) -> list[Record]:
        """Return the newest orders with their legs, at most `PAGE_ROWS`; it proves no absence.

        `after` and `until` are instants in ISO form, both exclusive. Raises `BrokerUnreachable`.
        """
        query = {"status": "all", "limit": str(PAGE_ROWS), "nested": "true", "direction": "desc"}
        return self.rows("order", "/v2/orders", query | between)

    def since(self, start: datetime) -> list[Record]:
        """Return every order from `start` on, newest first. Raises `BrokerUnreachable`."""
        found: dict[str, Record] = {}
        between = {"after": _stamp(start - timedelta(milliseconds=1))}
        for _ in range(PAGES_MAX):
            rows = self.recent(**between)
            fresh = [row for row in rows if row["broker_order_id"] not in found]
            found.update((row["broker_order_id"], row) for row in fresh)
            if not fresh or len(rows) < PAGE_ROWS or rows[-1]["created_at"] is None:
                return list(found.values())
            between["until"] = _stamp(rows[-1]["created_at"] + timedelta(milliseconds=1))
        raise BrokerUnreachable(f"more than {PAGES_MAX} pages of orders")

    def by_client_id(self, client_order_id: str) -> Record | None:
        """Return the order of a client id, or None when the broker says that it has none.

        Raises `BrokerUnreachable`.
        """
        name = "/v2/orders:by_client_order_id"
        record = self._one(self.ask(name, name, {"client_order_id": client_order_id}))
        if record is None or record["class"] in ("equity", "option") or record["legs"]:
            return record
        return self.by_id(record["broker_order_id"])

    def by_id(self, broker_order_id: str) -> Record | None:
        """Return one order by the broker's id with its legs, or None when it is unknown.

        Raises `BrokerUnreachable`.
        """
        path = f"/v2/orders/{quote(broker_order_id, safe='')}"
        return self._one(self.ask(path, "/v2/orders/{id}", {"nested": "true"}))

    def rows(self, kind: str, path: str, query: Mapping[str, str] | None = None) -> list[Record]:
        """Return the records of a page of the account. Raises `BrokerUnreachable`."""
        return read_records(kind, self.ask(path, path, query or {}))

    def ask(self, path: str, template: str, query: Mapping[str, str]) -> Exchange:
        """Ask for one page. Raises `BrokerUnreachable` when the budget is spent."""
        now = self._clock.monotonic()
        with self._lock:
            wait_s = self._budget.wait_s(now)
            if wait_s:
                raise BrokerUnreachable(f"the limit of requests is reached for {round(wait_s)} s")
            self._budget.spend(now)
        asked = "&".join(f"{name}={quote(value, safe='')}" for name, value in query.items())
        exchange = self._wire.send("GET", f"{path}?{asked}" if asked else path, template=template)
        self._note_quota(exchange)
        return exchange

    def note_order(self, exchange: Exchange) -> None:
        """Count a request that changed an order: it is of the same limit, and is never held back.

        After a 429 nothing is read for a while, so what is in doubt waits and is not sent again.
        """
        with self._lock:
            self._budget.spend(self._clock.monotonic())
        self._note_quota(exchange)

    def _one(self, exchange: Exchange) -> Record | None:
        if is_unknown(exchange):
            return None
        return next(iter(read_records("order", exchange)), None)

    def _note_quota(self, reply: Exchange) -> None:
        """Take a 429 and the provider's own count; the end of its window is an epoch in s."""
        if not isinstance(reply, Reply):
            return
        now = self._clock.monotonic()
        counts = [reply.headers.get(name, "") for name in _QUOTA]
        ends = instant(reply.headers.get("x-ratelimit-reset"))
        with self._lock:
            if reply.status == 429:
                self._budget.limit(now + _LIMITED_S)
            if ends is None or not all(one.isascii() and one.isdecimal() for one in counts):
                return
            allowed, left = (int(one[:9]) for one in counts)
            until = now + min(120.0, (ends - self._clock.now()).total_seconds())
            self._budget.note_quota(
                allowed=max(1, allowed - _KEPT_FREE),
                used=max(0, allowed - left),
                available=left,
                until=until,
            )
