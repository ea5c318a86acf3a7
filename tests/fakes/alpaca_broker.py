"""An Alpaca brokerage on a loopback port: it keeps orders as the real one does, quirks included.

    with AlpacaBrokerage(clock) as house:
        house.answers = ["lost"]          # the next order is booked and its answer never comes
        ... OrderClient(house.base_url, house.headers, clock) ...
        house.fill("4", "190.00")

It takes a client id once and tells a second one so, writes numbers as text, makes a new order of
every change (over the whole quantity, also of one that has filled in part), keeps the legs of a
group out of its answer about a client id, and acknowledges a cancel without a body. A plan of
answers breaks it; what it was asked is kept, so a test can count what was sent.
"""

from __future__ import annotations

import json
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from http.server import BaseHTTPRequestHandler
from typing import Any, ClassVar, Self
from urllib.parse import parse_qsl, urlsplit

from services.kit.clock import Clock
from tests.fakes.alpaca_book import ENDED, Book, Booked, Row
from tests.fakes.vendor_server import PAGE, Loopback, cut_off, send

KEY, SECRET = "PKGOODKEYGOODKEY", "good-secret-good-secret"
ACCOUNT = "PA3GOODACC"
JSON, TEXT, HTML = "application/json", "text/plain", "text/html"


def error(number: int, message: str) -> bytes:
    return json.dumps({"code": number, "message": message}).encode()


UNKNOWN = error(40410000, "order not found")
TWICE = error(40010001, "client_order_id must be unique")
ANSWERS: dict[str, tuple[int, str, bytes]] = {
    "money_403": (403, JSON, error(40310000, "insufficient buying power")),
    "day_trade_403": (403, JSON, error(40310100, "denied due to pattern day trading protection")),
    "rule_422": (422, JSON, error(42210000, "invalid limit_price 190.105. sub-penny increment")),
    "field_422": (422, JSON, error(40010001, "qty is required")),
    "field_400": (400, JSON, error(40010000, "request body format is invalid")),
    "keys_401": (401, JSON, error(40110000, "request is not authorized")),
    "keys_403": (403, JSON, b'{"message":"forbidden."}'),
    "no_id": (200, JSON, b'{"status":"accepted"}'),
    "null_id": (200, JSON, b'{"id":null,"status":"accepted"}'),
    "no_status": (200, JSON, b'{"id":"61e69015-8549-4bfd-b9c3-01e75843f47d"}'),
    "empty": (200, JSON, b""),
    "not_json": (200, JSON, b"all good"),
    "half_json": (200, JSON, b'{"id":"61e6'),
    "list_body": (200, JSON, b"[]"),
    "page_200": (200, HTML, PAGE),
    "redirect": (302, TEXT, b""),
    "empty_400": (400, TEXT, b""),
    "text_400": (400, TEXT, b"Bad Request"),
    "page_400": (400, HTML, PAGE),
    "page_401": (401, HTML, PAGE),
    "text_403": (403, TEXT, b"Access denied"),
    "strange_403": (403, JSON, error(40399999, "something new")),
    "json_404": (404, JSON, error(40410000, "endpoint not found")),
    "text_404": (404, TEXT, b"Not Found"),
    "text_408": (408, TEXT, b"Request Timeout"),
    "twice_422": (422, JSON, TWICE),
    "text_422": (422, TEXT, b"Unprocessable"),
    "limited_429": (429, JSON, error(42910000, "rate limit exceeded")),
    "json_500": (500, JSON, error(50010000, "internal server error occurred")),
    "page_502": (502, HTML, PAGE),
    "text_503": (503, TEXT, b"no healthy upstream"),
    "page_504": (504, HTML, PAGE),
}
"""What may be said in place of the usual answer. `booked:` before a name books the order first;
`lost`, `lost_before`, `late`, `cut` and `silent` say nothing, and `accept` is the usual one."""
DEFINITE = (
    *("money_403", "day_trade_403", "rule_422", "field_422", "field_400"),
    *("keys_401", "keys_403"),
)


@dataclass
class AlpacaBrokerage(Loopback):
    """The house. `answers`, `cancel_answers` and `list_answers` are consumed one per request."""

    verbs: ClassVar = ("GET", "POST", "PATCH", "DELETE")
    clock: Clock
    account: str = ACCOUNT
    answers: list[str] = field(default_factory=list)
    cancel_answers: list[str] = field(default_factory=list)
    list_answers: list[str] = field(default_factory=list)
    lag: int = 0
    down: bool = False
    posts: list[dict[str, Any]] = field(default_factory=list)
    changes: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    reads: list[str] = field(default_factory=list)
    late: list[dict[str, Any]] = field(default_factory=list)
    documents: dict[str, Any] = field(default_factory=dict)
    cash: str = "100000"
    facts: dict[str, Any] = field(default_factory=dict)
    silence_s: float = 0.7
    quota: dict[str, str] = field(default_factory=dict)

    def __enter__(self) -> Self:
        self._lock = threading.Lock()
        self.book = Book(self.clock)
        self.owns(self.cash)
        return super().__enter__()

    @property
    def headers(self) -> dict[str, str]:
        return {"apca-api-key-id": KEY, "apca-api-secret-key": SECRET}

    # What happens at the house, told by a test.

    @property
    def booked(self) -> dict[str, Booked]:
        return self.book.orders

    @property
    def only(self) -> Row:
        (one,) = [one.row for one in self.booked.values() if not one.parent]
        return one

    def of(self, client_order_id: str) -> Row:
        return self.book.by_name[client_order_id].row

    def fill(self, quantity: str, price: str, row: Row | None = None) -> None:
        """Execute part of an order, by default of the only one."""
        with self._lock:
            self.book.fill(self.only if row is None else row, Decimal(quantity), Decimal(price))

    def end(self, status: str, row: Row | None = None, reason: str = "") -> None:
        """End an order; `reason` is what a late reject says."""
        with self._lock:
            self.book.end(self.only if row is None else row, status, reason=reason)

    def legs(self, row: Row | None = None) -> list[Row]:
        """Return the legs of a group, the target first."""
        return self.book.legs_of(self.only if row is None else row)

    def arrive(self) -> None:
        """Book now what a slow gateway held back; a client id that stands there is refused."""
        with self._lock:
            waiting, self.late = self.late, []
            for document in waiting:
                if self.book.find_fault(document) is None:
                    self.book.add(document, hidden=self.lag)

    def place_by_hand(self, symbol: str = "IBM", quantity: str = "5", **fields: Any) -> Row:
        """Book an order of a person at the broker's own page: its client id is the broker's."""
        usual = {"symbol": symbol, "qty": quantity, "side": "buy", "type": "market"}
        with self._lock:
            return self.book.add({**usual, "time_in_force": "day", **fields}).row

    def owns(self, cash: str, **units: str) -> None:
        """Say what the account owns: cash, and units by symbol."""
        self.documents["/v2/account"] = {
            "account_number": self.account,
            "status": "ACTIVE",
            "currency": "USD",
            "cash": cash,
            "equity": cash,
            "buying_power": cash,
            "multiplier": "2",
            "trading_blocked": False,
            "account_blocked": False,
            "trade_suspended_by_user": False,
            **self.facts,
        }
        self.documents["/v2/positions"] = [
            {
                "symbol": name,
                "qty": count,
                "side": "short" if count.startswith("-") else "long",
                "asset_class": "us_equity",
                "cost_basis": "100.0",
                "avg_entry_price": "10.0",
            }
            for name, count in sorted(units.items())
        ]

    # The wire.

    def serve(self, handler: BaseHTTPRequestHandler, verb: str) -> None:
        handler.close_connection = True
        length = int(handler.headers.get("Content-Length") or 0)
        body = handler.rfile.read(length)
        keys = [handler.headers.get(name) for name in ("APCA-API-KEY-ID", "APCA-API-SECRET-KEY")]
        with suppress(ConnectionError):
            if self.down:
                cut_off(handler)
            elif keys != [KEY, SECRET]:
                self._say(handler, 403, b'{"message":"forbidden."}')
            else:
                self._route(handler, verb, body)

    def _route(self, handler: BaseHTTPRequestHandler, verb: str, body: bytes) -> None:
        parts = urlsplit(handler.path)
        query = dict(parse_qsl(parts.query))
        if verb == "GET":
            self.reads.append(handler.path)
        if verb == "GET" and parts.path in self.documents:
            self._say(handler, 200, self.documents[parts.path])
            return
        match verb, parts.path.split("/")[1:]:
            case "POST", ["v2", "orders"]:
                self._place(handler, json.loads(body))
            case "GET", ["v2", *rest]:
                self._read(handler, rest, query)
            case (("PATCH" | "DELETE"), ["v2", "orders", number]):
                document = json.loads(body) if body else {}
                self.changes.append((verb, number, document))
                self._alter(handler, verb, number, document)
            case _:
                self._say(handler, 404, error(40410000, "endpoint not found"))

    def _place(self, handler: BaseHTTPRequestHandler, document: dict[str, Any]) -> None:
        self.posts.append(document)
        plan = self.answers.pop(0) if self.answers else "accept"
        booked, _, name = plan.rpartition(":")
        refused: tuple[int, bytes] | None = None
        said: Any = None
        with self._lock:
            if booked or plan in ("accept", "lost", "cut", "silent"):
                refused = self.book.find_fault(document)
                if refused is None:
                    made = self.book.add(document, hidden=self.lag)
                    said = {**self.book.shown(made, nested=True), "status": "pending_new"}
            elif plan == "late":
                self.late.append(document)
        if name in ANSWERS:
            self._plan(handler, name)
        elif plan == "silent":
            time.sleep(self.silence_s)
        elif plan == "cut":
            handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\n{")
            handler.wfile.flush()
            cut_off(handler)
        elif plan != "accept":
            cut_off(handler)
        elif refused is not None:
            self._say(handler, *refused)
        else:
            self._say(handler, 200, said)

    def _read(
        self, handler: BaseHTTPRequestHandler, rest: list[str], query: dict[str, str]
    ) -> None:
        plan = self.list_answers.pop(0) if self.list_answers else ""
        if plan in ANSWERS:
            self._plan(handler, plan)
            return
        if plan:
            cut_off(handler)
            return
        nested = query.get("nested") == "true"
        with self._lock:
            match rest:
                case ["orders"]:
                    span = (query.get("after", ""), query.get("until", "~"))
                    rows = self.book.listing(*span)[: int(query["limit"])]
                    said: Any = [self.book.shown(one, nested=nested) for one in rows]
                case ["orders:by_client_order_id"]:
                    found = self.book.see(query["client_order_id"])
                    said = None if found is None else self.book.shown(found, nested=False)
                case ["orders", number]:
                    one = self.booked.get(number)
                    said = None if one is None else self.book.shown(one, nested=nested)
                case _:
                    said = None
        if said is None:
            self._say(handler, 404, UNKNOWN)
        else:
            self._say(handler, 200, said)

    def _alter(
        self, handler: BaseHTTPRequestHandler, verb: str, number: str, document: dict[str, Any]
    ) -> None:
        plan = self.cancel_answers.pop(0) if self.cancel_answers else "accept"
        said: Any = b""
        with self._lock:
            found = self.booked.get(number)
            fault = self.book.find_change_fault(found, document if verb == "PATCH" else None)
            if found is not None and fault is None and plan in ("accept", "lost"):
                if verb == "DELETE":
                    self.book.end(found.row, "canceled")
                else:
                    said = self.book.shown(self.book.change(found, document), nested=True)
            if plan == "ack" and found is not None and found.row["status"] not in ENDED:
                found.row["status"] = "pending_cancel"
        if plan in ANSWERS:
            self._plan(handler, plan)
        elif plan in ("lost", "lost_before"):
            cut_off(handler)
        elif fault is not None:
            self._say(handler, *fault)
        else:
            self._say(handler, 204 if verb == "DELETE" else 200, said)

    def _plan(self, handler: BaseHTTPRequestHandler, name: str) -> None:
        status, kind, body = ANSWERS[name]
        moved = {"Location": self.base_url + handler.path} if status == 302 else {}
        send(handler, status, body, content_type=kind, **self.quota, **moved)

    def _say(self, handler: BaseHTTPRequestHandler, status: int, document: Any) -> None:
        send(handler, status, document, content_type=JSON, **self.quota)
