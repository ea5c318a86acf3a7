"""A Tradier brokerage on a loopback port: it keeps orders as the real one does, quirks included.

    with TradierBrokerage(clock) as house:
        house.answers = ["lost"]          # the next order is booked and its answer never comes
        ... OrderClient(house.base_url, house.headers, clock) ...
        house.fill("cm-1", "4", "190.00")

It pages at 25 whatever is asked for, lists only the orders of today's Eastern day, tags on demand
only, tells one row as an object and none as the text "null", says no with a 200, answers an
unknown order like a dead token, and takes equal orders twice. A plan of answers breaks it; what
it was asked is kept, so a test can count what was sent.
"""

from __future__ import annotations

import json
import re
import socket
import struct
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from http.server import BaseHTTPRequestHandler
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit
from zoneinfo import ZoneInfo

from services.kit.clock import Clock
from tests.fakes.tradier_groups import ENDED, build_group, end_group, follow, legs_told, tags_told
from tests.fakes.vendor_server import Loopback

TOKEN = "good-token"
ACCOUNT = "VA000001"
EASTERN = ZoneInfo("America/New_York")
HTML = b"<html><head><title>502 Bad Gateway</title></head><body></body></html>"
_TAG = re.compile(r"[A-Za-z0-9-]{1,255}", re.ASCII)
_RAW = re.compile(rb'"@@(-?[0-9.]+)@@"')
JSON, TEXT = "application/json", "text/plain"
EXPIRED = {"fault": {"faultstring": "Access Token expired", "detail": {"errorcode": "x"}}}
QUOTA = {"fault": {"faultstring": "Quota Violation", "detail": {"errorcode": "policies"}}}
ANSWERS: dict[str, tuple[int, str, bytes]] = {
    "errors": (200, JSON, b'{"errors":{"error":"Backoffice rejected override of the order."}}'),
    "errors_list": (200, JSON, b'{"errors":{"error":["InitialMargin","not enough cash"]}}'),
    "old_errors": (200, JSON, b'{"order":{"errors":"not enough buying power","result":false}}'),
    "backend_errors": (200, JSON, b'{"errors":{"error":"backend timeout, try again"}}'),
    "no_id": (200, JSON, b'{"order":{"status":"ok"}}'),
    "null_id": (200, JSON, b'{"order":{"id":"null","status":"ok"}}'),
    "empty": (200, JSON, b""),
    "not_json": (200, JSON, b"all good"),
    "half_json": (200, JSON, b'{"order":{"id":12'),
    "list_body": (200, JSON, b"[]"),
    "page_200": (200, "text/html", HTML),
    "fault_200": (200, JSON, json.dumps(QUOTA).encode()),
    "redirect": (302, TEXT, b""),
    "text_400": (400, TEXT, b"Invalid parameter, price: must be a multiple of 0.01"),
    "json_400": (400, JSON, b'{"errors":{"error":"SellShortOrderLastPriceBelow5"}}'),
    "fault_400": (400, JSON, json.dumps(QUOTA).encode()),
    "empty_400": (400, TEXT, b""),
    "page_400": (400, "text/html", HTML),
    "account_401": (401, TEXT, b"Unauthorized Account: VA000001"),
    "token_401": (401, JSON, json.dumps(EXPIRED).encode()),
    "page_401": (401, "text/html", HTML),
    "text_403": (403, TEXT, b"Forbidden"),
    "text_404": (404, TEXT, b"not found"),
    "text_408": (408, TEXT, b"Request Timeout"),
    "text_422": (422, TEXT, b"Unprocessable"),
    "limited_429": (429, JSON, json.dumps(QUOTA).encode()),
    "text_500": (500, TEXT, b"Internal Server Error"),
    "json_500": (500, JSON, b'{"errors":{"error":"Datastore Error"}}'),
    "page_502": (502, "text/html", HTML),
    "text_503": (503, TEXT, b"no healthy upstream"),
    "page_504": (504, "text/html", HTML),
}
"""What may be said in place of the usual answer. `booked:` before a name books the order first;
`lost`, `lost_before`, `late`, `cut` and `silent` say nothing, and `accept` is the usual one."""

Row = dict[str, Any]


def _opened() -> threading.Event:
    gate = threading.Event()
    gate.set()
    return gate


@dataclass
class Booked:
    """One order as the house keeps it; hidden from so many listings first."""

    row: Row
    day: str
    hidden: int = 0


@dataclass
class TradierBrokerage(Loopback):
    """The house. `answers`, `cancel_answers` and `list_answers` are consumed one per request."""

    clock: Clock
    account: str = ACCOUNT
    answers: list[str] = field(default_factory=list)
    cancel_answers: list[str] = field(default_factory=list)
    list_answers: list[str] = field(default_factory=list)
    lag: int = 0
    page_rows: int = 25
    down: bool = False
    posts: list[dict[str, str]] = field(default_factory=list)
    previews: list[dict[str, str]] = field(default_factory=list)
    changes: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    reads: list[str] = field(default_factory=list)
    connections: int = 0
    booked: dict[int, Booked] = field(default_factory=dict)
    late: list[dict[str, str]] = field(default_factory=list)
    documents: dict[str, Any] = field(default_factory=dict)
    silence_s: float = 0.7
    preview_errors: str = ""
    preview_plan: str = ""
    preview_gate: threading.Event = field(default_factory=lambda: _opened())
    quota: dict[str, str] = field(default_factory=dict)
    legs: str = "all"
    slow_oco: bool = False
    group_tags: str = "row"

    def __enter__(self) -> Self:
        self._lock = threading.Lock()
        return super().__enter__()

    @property
    def headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {TOKEN}"}

    # What happens at the house, told by a test.

    def of(self, tag: str) -> Row:
        """Return the one order of a tag; two of them are the fault that must never be."""
        (row,) = [one.row for one in self.booked.values() if one.row.get("tag") == tag]
        return row

    @property
    def only(self) -> Row:
        (one,) = self.booked.values()
        return one.row

    def fill(self, quantity: str, price: str, row: Row | None = None) -> None:
        """Execute part of an order, by default of the only one; averages have 24 decimals."""
        with self._lock:
            row = self.only if row is None else row
            done, more = Decimal(row["exec_quantity"]), Decimal(quantity)
            spent = done * Decimal(row["avg_fill_price"]) + more * Decimal(price)
            total = done + more
            row |= {
                "exec_quantity": str(total),
                "avg_fill_price": str(spent / total),
                "last_fill_price": price,
                "last_fill_quantity": quantity,
                "remaining_quantity": str(Decimal(row["quantity"]) - total),
                "transaction_date": self._stamp(),
            }
            if row["status"] not in ENDED:
                row["status"] = "partially_filled"
            if total >= Decimal(row["quantity"]):
                row["status"] = "filled"
            self._follow(row)

    def end(self, status: str, row: Row | None = None, reason: str = "") -> None:
        """End an order; `reason` is what a downstream reject says."""
        with self._lock:
            row = self.only if row is None else row
            row |= {"status": status, "transaction_date": self._stamp()}
            if reason:
                row["reason_description"] = reason
            end_group(row, status)
            self._follow(row)

    def fill_leg(
        self, index: int, price: str, row: Row | None = None, *, quantity: str = ""
    ) -> None:
        """Fill one order of a group, whole unless a quantity is named."""
        leg = (self.only if row is None else row)["leg"][index]
        self.fill(quantity or leg["remaining_quantity"], price, leg)

    def working(self) -> list[Row]:
        """Return every order that may trade now, those of groups one by one."""
        rows = [leg for one in self.booked.values() for leg in one.row.get("leg", [one.row])]
        return [row for row in rows if row["status"] in ("open", "partially_filled")]

    def _follow(self, row: Row) -> None:
        for one in self.booked.values():
            if one.row is row or any(leg is row for leg in one.row.get("leg", [])):
                follow(one.row, slow=self.slow_oco)

    def arrive(self) -> None:
        """Book now what a slow gateway held back."""
        with self._lock:
            waiting, self.late = self.late, []
            for form in waiting:
                self._book(form)

    def place_by_hand(self, symbol: str = "IBM", quantity: str = "5", **form: str) -> Row:
        """Book an order of a person at the broker's own page: it has no tag."""
        usual = {"class": "equity", "symbol": symbol, "side": "buy", "type": "market"}
        with self._lock:
            return self._book({**usual, "quantity": quantity, "duration": "day", **form})

    def owns(self, cash: str, **units: str) -> None:
        """Say what the account owns: cash, and units by symbol."""
        rows = [
            {"symbol": name, "quantity": f"@@{count}@@", "cost_basis": "@@100.0@@", "id": number}
            for number, (name, count) in enumerate(sorted(units.items()), 1)
        ]
        held = {"position": rows[0] if len(rows) == 1 else rows} if rows else "null"
        path = f"/v1/accounts/{self.account}"
        facts = {"account_number": self.account, "account_type": "cash", "total_equity": "@@1.0@@"}
        money = {"total_cash": f"@@{cash}@@", "cash": {"cash_available": f"@@{cash}@@"}}
        self.documents |= {
            f"{path}/balances": {"balances": facts | money},
            f"{path}/positions": {"positions": held},
        }

    def speaks_for(self, *numbers: str, status: str = "active") -> None:
        """Say which accounts the token may act for."""
        rows = [{"account_number": one, "type": "cash", "status": status} for one in numbers]
        found = rows[0] if len(rows) == 1 else rows
        self.documents["/v1/user/profile"] = {"profile": {"account": found, "id": "id-x"}}

    # The wire.

    def serve(self, handler: BaseHTTPRequestHandler, verb: str) -> None:
        handler.close_connection = True
        length = int(handler.headers.get("Content-Length") or 0)
        form = dict(parse_qsl(handler.rfile.read(length).decode(), keep_blank_values=True))
        with suppress(ConnectionError):
            if self.down:
                self._cut(handler)
            elif handler.headers.get("Authorization") != f"Bearer {TOKEN}":
                self._send(handler, 401, TEXT, b"Invalid Access Token")
            elif "application/json" not in (handler.headers.get("Accept") or ""):
                self._send(handler, 200, "application/xml", b"<order><id>1</id></order>")
            else:
                self._route(handler, verb, form)

    def _route(self, handler: BaseHTTPRequestHandler, verb: str, form: dict[str, str]) -> None:
        parts = urlsplit(handler.path)
        query = dict(parse_qsl(parts.query))
        if verb == "GET":
            self.reads.append(handler.path)
        if parts.path in self.documents:
            told = self.documents[parts.path]
            self._answer(handler, 200, told() if callable(told) else told)
            return
        house, _, rest = parts.path.removeprefix("/v1/accounts/").partition("/")
        if house != self.account:
            self._send(handler, 401, TEXT, f"Unauthorized Account: {house}".encode())
            return
        match verb, rest.split("/"):
            case "POST", ["orders"] if form.get("preview") == "true":
                self.previews.append(form)
                self.preview_gate.wait(5)
                if self.preview_plan:
                    self._send(handler, *ANSWERS[self.preview_plan])
                else:
                    self._answer(handler, 200, self._preview(form))
            case "POST", ["orders"]:
                self.posts.append(form)
                self._place(handler, form)
            case "GET", ["orders"]:
                self._list(handler, query)
            case "GET", ["orders", number]:
                with self._lock:
                    found = self.booked.get(int(number))
                    row = None if found is None else self._shown(found.row, query)
                self._unknown(handler) if row is None else self._answer(
                    handler, 200, {"order": row}
                )
            case (("PUT" | "DELETE"), ["orders", number]):
                self.changes.append((verb, number, form))
                self._alter(handler, verb, int(number), form)
            case _:
                self._send(handler, 404, TEXT, b"not found")

    def _place(self, handler: BaseHTTPRequestHandler, form: dict[str, str]) -> None:
        plan = self.answers.pop(0) if self.answers else "accept"
        booked, _, name = plan.rpartition(":")
        with self._lock:
            if booked or plan in ("accept", "lost", "cut", "silent"):
                refused = self._refusal(form)
                row = self._book(form) if refused is None else {}
            elif plan == "late":
                self.late.append(form)
        if name in ANSWERS:
            self._send(handler, *ANSWERS[name])
        elif plan == "silent":
            time.sleep(self.silence_s)
        elif plan == "cut":
            handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\n{")
            handler.wfile.flush()
            self._cut(handler)
        elif plan != "accept":
            self._cut(handler)
        elif refused is not None:
            self._send(handler, *refused)
        else:
            self._answer(handler, 200, {"order": {"id": row["id"], "status": "ok"}})

    def _refusal(self, form: dict[str, str]) -> tuple[int, str, bytes] | None:
        tag = form.get("tag", "")
        if tag and not _TAG.fullmatch(tag):
            return 400, TEXT, b"Invalid parameter, tag: contains invalid characters."
        if form.get("type") == "market" and form.get("duration") == "gtc":
            return 200, JSON, b'{"errors":{"error":"MarketOrderIsGtc"}}'
        if form["class"] in ("oto", "otoco") and form["type[0]"] == "market":
            return 200, JSON, b'{"errors":{"error":"OtoFirstLesIsMarketNotAllowed"}}'
        return None

    def _book(self, form: dict[str, str]) -> Row:
        number = 38_000_000 + len(self.booked) + 1
        row = self._row(number, form)
        row = build_group(row, form, self._row)
        self.booked[number] = Booked(row, self._today(), self.lag)
        return row

    def _row(self, number: int, form: dict[str, str]) -> Row:
        keys = ("class", "symbol", "option_symbol", "side", "type", "duration", "price", "tag")
        given = {key: form[key] for key in keys if key in form}
        stop = {"stop_price": form["stop"]} if "stop" in form else {}
        quantity = form.get("quantity", "0")
        return {
            "id": number,
            **given,
            **stop,
            "quantity": quantity,
            "status": "open",
            "exec_quantity": "0",
            "avg_fill_price": "0",
            "last_fill_price": "0",
            "last_fill_quantity": "0",
            "remaining_quantity": quantity,
            "create_date": self._stamp(),
            "transaction_date": self._stamp(),
        }

    def _list(self, handler: BaseHTTPRequestHandler, query: dict[str, str]) -> None:
        plan = self.list_answers.pop(0) if self.list_answers else ""
        if plan in ANSWERS:
            self._send(handler, *ANSWERS[plan])
            return
        if plan:
            self._cut(handler)
            return
        page = int(query.get("page", "1"))
        with self._lock:
            month, shown = query.get("filter") == "all", []
            for one in self.booked.values():
                if page == 1 and one.hidden > 0:
                    one.hidden -= 1
                    continue
                if one.hidden == 0 and (month or one.day == self._today()):
                    shown.append(self._shown(one.row, query))
        rows = shown[(page - 1) * self.page_rows : page * self.page_rows]
        body = {"order": rows[0] if len(rows) == 1 else rows} if rows else "null"
        self._answer(handler, 200, {"orders": body})

    def _alter(
        self, handler: BaseHTTPRequestHandler, verb: str, number: int, form: dict[str, str]
    ) -> None:
        plan = self.cancel_answers.pop(0) if self.cancel_answers else "accept"
        with self._lock:
            found = self.booked.get(number)
            done = found is not None and found.row["status"] in ENDED
            if found is not None and not done and plan in ("accept", "lost"):
                if verb == "DELETE":
                    found.row |= {"status": "canceled", "transaction_date": self._stamp()}
                    end_group(found.row, "canceled")
                else:
                    stop = {"stop_price": form["stop"]} if "stop" in form else {}
                    kept = {key: form[key] for key in ("type", "duration", "price") if key in form}
                    found.row |= {**kept, **stop}
        if plan in ANSWERS:
            self._send(handler, *ANSWERS[plan])
        elif plan in ("lost", "lost_before"):
            self._cut(handler)
        elif found is None:
            self._unknown(handler)
        elif done:
            said = f"order already in finalized state: {found.row['status']}"
            self._send(handler, 400, TEXT, said.encode())
        else:
            self._answer(handler, 200, {"order": {"id": number, "status": "ok"}})

    def _preview(self, form: dict[str, str]) -> Row:
        if self.preview_errors:
            return {"errors": {"error": self.preview_errors}}
        cost = Decimal(form.get("quantity", "0")) * Decimal(form.get("price", "100"))
        return {
            "order": {
                "status": "ok",
                "result": True,
                "commission": "@@3.49@@",
                "fees": 0,
                "cost": f"@@{cost + Decimal('3.49')}@@",
                "order_cost": f"@@{cost}@@",
                "symbol": form.get("symbol"),
                "quantity": 1,
                "day_trades": 2,
                **{key: form[key] for key in ("side", "type", "duration") if key in form},
            }
        }

    def _shown(self, row: Row, query: dict[str, str]) -> Row:
        row = tags_told(legs_told(row, self.legs), self.group_tags)
        numbers = ("quantity", "price", "stop_price", "avg_fill_price")
        said = {
            key: f"@@{Decimal(value):.24f}@@" if key == "avg_fill_price" else f"@@{value}@@"
            for key, value in row.items()
            if key in numbers or key.endswith("_quantity") or key == "last_fill_price"
        }
        told = row.get("leg", [])
        shown = [self._shown(leg, query) for leg in (told if isinstance(told, list) else [told])]
        legs = {"leg": shown if isinstance(told, list) else shown[0]} if shown else {}
        hidden = () if query.get("includeTags") == "true" else ("tag",)
        return {key: value for key, value in (row | said | legs).items() if key not in hidden}

    def _today(self) -> str:
        return self.clock.now().astimezone(EASTERN).date().isoformat()

    def _stamp(self) -> str:
        return self.clock.now().strftime("%Y-%m-%dT%H:%M:%S.000Z")

    def _unknown(self, handler: BaseHTTPRequestHandler) -> None:
        self._send(handler, 401, TEXT, f"Unauthorized Account: {self.account}".encode())

    def _answer(self, handler: BaseHTTPRequestHandler, status: int, document: Any) -> None:
        body = json.dumps(document).encode()
        self._send(handler, status, JSON, _RAW.sub(rb"\1", body))

    def _send(self, handler: BaseHTTPRequestHandler, status: int, kind: str, body: bytes) -> None:
        handler.send_response(status)
        handler.send_header("Content-Type", kind)
        handler.send_header("Content-Length", str(len(body)))
        for name, value in self.quota.items():
            handler.send_header(name, value)
        if status == 302:
            handler.send_header("Location", self.base_url + handler.path)
        handler.end_headers()
        handler.wfile.write(body)

    def _cut(self, handler: BaseHTTPRequestHandler) -> None:
        linger = struct.pack("ii", 1, 0)
        handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        handler.connection.close()
