"""Owns reading Tradier's orders: every page of a listing, one order, and how often to ask."""

from __future__ import annotations

import threading
from collections.abc import Mapping

from services.kit.clock import Clock
from services.market.budget import Budget
from services.market.decode import Record, instant
from services.market.tradier_link import REQUESTS_MINUTE
from services.orders.broker import BrokerUnreachable
from services.orders.order_client import Exchange, OrderClient, Reply
from services.orders.tradier_answer import read_records
from services.orders.tradier_seat import TradierSeat

PAGES_MAX = 40
PAGE_LEAST = 25
"""Rows of the smallest page the provider makes; a page of fewer is the last one."""
_PAGE_WANTED = 100
_LIMITED_S = 12.0
_QUOTA = ("x-ratelimit-allowed", "x-ratelimit-used", "x-ratelimit-available")


class TradierReader:
    """Reads one account within its budget of requests; safe for many threads.

    Nothing is asked again here: the caller's next round is the retry. The budget is that of the
    environment unless `requests_minute` names another; the provider's own count may lower it.
    """

    def __init__(
        self, seat: TradierSeat, wire: OrderClient, clock: Clock, *, requests_minute: int = 0
    ) -> None:
        self._seat = seat
        self._wire = wire
        self._clock = clock
        self._lock = threading.Lock()
        self._budget = Budget(requests_minute or REQUESTS_MINUTE[seat.env])

    def listing(self, *, month: bool = False) -> list[Record]:
        """Return every order of today's session, or of the last month, from all its pages.

        The provider's first answer holds 25 rows whatever is asked for on some hosts, so the scan
        goes on until a page brings fewer than that or nothing new. Raises `BrokerUnreachable`
        when a page is missing: a part of the list proves no absence.
        """
        found: dict[str, Record] = {}
        for page in range(1, PAGES_MAX + 1):
            rows = self._page(page, month=month)
            fresh = [row for row in rows if row["broker_order_id"] not in found]
            found.update((row["broker_order_id"], row) for row in fresh)
            if not fresh or len(rows) < PAGE_LEAST:
                return list(found.values())
        raise BrokerUnreachable(f"more than {PAGES_MAX} pages of orders")

    def order(self, broker_order_id: str) -> Record | None:
        """Return one order by the broker's id, or None when the account does not know it.

        An unknown id is answered like a foreign account or a dead token; ask only after a listing
        was answered. Raises `BrokerUnreachable`.
        """
        exchange = self.ask(f"/orders/{broker_order_id}", "/orders/{id}", {"includeTags": "true"})
        if isinstance(exchange, Reply) and exchange.status in (401, 404):
            return None
        return next(iter(read_records("order", exchange)), None)

    def rows(self, kind: str, path: str, query: Mapping[str, str] | None = None) -> list[Record]:
        """Return the records of another page of the account. Raises `BrokerUnreachable`."""
        return read_records(kind, self.ask(path, path, query or {}))

    def ask(self, path: str, template: str, query: Mapping[str, str]) -> Exchange:
        """Ask for one page of the account. Raises `BrokerUnreachable` when the budget is spent."""
        return self._get(f"{self._seat.path}{path}", f"/v1/accounts/{{account}}{template}", query)

    def profile(self) -> list[Record]:
        """Return the accounts that the token may act for. Raises `BrokerUnreachable`."""
        return read_records("account", self._get("/v1/user/profile", "/v1/user/profile", {}))

    def _page(self, page: int, *, month: bool) -> list[Record]:
        query = {"page": str(page), "limit": str(_PAGE_WANTED), "includeTags": "true"}
        if month:
            query["filter"] = "all"
        return read_records("order", self.ask("/orders", "/orders", query))

    def _get(self, path: str, template: str, query: Mapping[str, str]) -> Exchange:
        now = self._clock.monotonic()
        with self._lock:
            wait_s = self._budget.wait_s(now)
            if wait_s:
                raise BrokerUnreachable(f"the limit of requests is reached for {round(wait_s)} s")
            self._budget.spend(now)
        asked = "&".join(f"{name}={value}" for name, value in query.items())
        exchange = self._wire.send("GET", f"{path}?{asked}" if asked else path, template=template)
        if isinstance(exchange, Reply):
            self._note_quota(exchange)
        return exchange

    def _note_quota(self, reply: Reply) -> None:
        """Take a 429 and the provider's own count; `Expiry` is an epoch in s or ms."""
        now = self._clock.monotonic()
        counts = [reply.headers.get(name, "") for name in _QUOTA]
        ends = instant(reply.headers.get("x-ratelimit-expiry"))
        with self._lock:
            if reply.status == 429:
                self._budget.limit(now + _LIMITED_S)
            if ends is None or not all(one.isascii() and one.isdecimal() for one in counts):
                return
            allowed, used, available = (int(one[:9]) for one in counts)
            left = min(120.0, (ends - self._clock.now()).total_seconds())
            self._budget.note_quota(
                allowed=allowed, used=used, available=available, until=now + left
            )
