"""A Tradier market-data server on a loopback port: the recorded wire, with faults to switch on.

    with TradierServer() as server:
        server.fault("/v1/markets/quotes", Fault.HTML_504, times=1)
        ... TradierFeed("good-token", clock, base_url=server.base_url) ...

Rows are plain JSON as the vendor sends them. One row travels as an object, several as a list,
none as the text "null", all as XML when the request does not ask for JSON.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

from tests.fakes.vendor_server import PAGE, VendorServer, cut_off, keep_silent, send

TOKEN = "good-token"
EASTERN = ZoneInfo("America/New_York")
FAULT = {
    "fault": {
        "faultstring": "Access Token expired",
        "detail": {"errorcode": "keymanagement.service.access_token_expired"},
    }
}


class Fault(Enum):
    """What goes wrong with an answer."""

    LIMITED_429 = "429 with Retry-After"
    QUOTA_FAULT = "429 whose text names the end of the window in ms"
    DENIED_403 = "the account does not include it"
    EXPIRED_401 = "a gateway fault about the token"
    TEXT_400 = "plain text"
    HTML_504 = "a gateway page"
    HALF_BODY = "half a JSON document"
    RESET = "the connection is cut"
    SILENCE = "nothing at all"
    NULL_TEXT = 'the envelope holds the text "null"'
    DEEP = "100,000 nested lists"
    OVERSIZE = "a body of 20 MB"


@dataclass
class TradierServer(VendorServer):
    """Serves what its fields hold; `requests` keeps path with query. Times are US Eastern."""

    allowed: int = 120
    used: int = 0
    quota_ends: float | None = None
    quota_in_ms: bool = True
    securities: dict[str, dict[str, Any]] = field(default_factory=dict)
    quotes: dict[str, dict[str, Any]] = field(default_factory=dict)
    days: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    series: dict[tuple[str, str], list[dict[str, Any]]] = field(default_factory=dict)
    options: dict[tuple[str, str], list[dict[str, Any]]] = field(default_factory=dict)
    calendar: dict[tuple[str, str], list[dict[str, Any]]] = field(default_factory=dict)
    state: str = "open"

    def list_security(self, symbol: str, *, kind: str = "stock", exchange: str = "Q") -> None:
        self.securities[symbol] = {
            "symbol": symbol,
            "exchange": exchange,
            "type": kind,
            "description": f"{symbol} Inc",
        }

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        self.used += 1
        fault = self.next_fault(handler.path)
        if handler.headers.get("Authorization") != f"Bearer {TOKEN}":
            self._send(handler, 401, b"Invalid Access Token", "text/plain")
        elif fault is not None:
            self._fail(handler, fault)
        elif "application/json" not in (handler.headers.get("Accept") or ""):
            self._send(handler, 200, b"<quotes><quote/></quotes>", "application/xml")
        else:
            status, document = self._document(handler.path)
            self._send(handler, status, document)

    def _fail(self, handler: BaseHTTPRequestHandler, fault: Fault) -> None:
        match fault:
            case Fault.LIMITED_429:
                self._send(handler, 429, b"Too Many Requests", "text/plain", retry_after="7")
            case Fault.QUOTA_FAULT:
                ends = round((self.quota_ends or 0) * 1000)
                said = {"fault": {"faultstring": f"Quota Violation. Resets at {ends}"}}
                self._send(handler, 429, said)
            case Fault.DENIED_403:
                self._send(handler, 403, b"Forbidden", "text/plain")
            case Fault.EXPIRED_401:
                self._send(handler, 401, FAULT)
            case Fault.TEXT_400:
                said_text = b"Invalid parameter, symbols: cannot be empty"
                self._send(handler, 400, said_text, "text/plain")
            case Fault.HTML_504:
                self._send(handler, 504, PAGE, "text/html")
            case Fault.HALF_BODY:
                self._send(handler, 200, b'{"quotes":{"quote":{"symbol":"AA')
            case Fault.NULL_TEXT:
                self._send(handler, 200, {"quotes": "null", "series": "null", "history": "null"})
            case Fault.RESET:
                cut_off(handler)
            case Fault.SILENCE:
                keep_silent(handler)
            case Fault.DEEP:
                self._send(handler, 200, b"[" * 100_000)
            case Fault.OVERSIZE:
                self._send(handler, 200, b" " * 20_000_000)

    def _document(self, address: str) -> tuple[int, Any]:
        parts = urlsplit(address)
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        match parts.path.removeprefix("/v1/markets/"):
            case "quotes":
                return 200, self._quotes(query["symbols"].split(","))
            case "lookup" | "search" as where:
                return 200, self._found(query["q"], where)
            case "history":
                found = [row for row in self.days.get(query["symbol"], ()) if _in_days(row, query)]
                return 200, {"history": _many("day", found)}
            case "timesales":
                rows = self.series.get((query["symbol"], query["interval"]), ())
                return 200, {"series": _many("data", [row for row in rows if _in_time(row, query)])}
            case "options/expirations":
                named = [day for symbol, day in sorted(self.options) if symbol == query["symbol"]]
                return 200, {"expirations": _many("date", named)}
            case "options/chains":
                rows = self.options.get((query["symbol"], query["expiration"]), [])
                if query.get("greeks") != "true":
                    rows = [{**row, "greeks": None} for row in rows]
                return 200, {"options": _many("option", rows)}
            case "clock":
                return 200, {"clock": {"date": "2027-01-12", "state": self.state, "timestamp": 1}}
            case "calendar":
                days = self.calendar.get((query["year"], query["month"]), [])
                return 200, {"calendar": {"days": _many("day", days)}}
        return 404, {"errors": {"error": "not found"}}

    def _quotes(self, symbols: list[str]) -> dict[str, Any]:
        found = [self.quotes[symbol] for symbol in symbols if symbol in self.quotes]
        unknown = [symbol for symbol in symbols if symbol not in self.quotes]
        body: dict[str, Any] = {}
        if found:
            body["quote"] = found[0] if len(found) == 1 else found
        if unknown:
            body["unmatched_symbols"] = {"symbol": unknown[0] if len(unknown) == 1 else unknown}
        return {"quotes": body}

    def _found(self, query: str, where: str) -> dict[str, Any]:
        names = [name for name in sorted(self.securities) if name.startswith(query)]
        if where == "search":
            names = [name for name in sorted(self.securities) if query[:1] in name]
        return {"securities": _many("security", [self.securities[name] for name in names])}

    def _send(
        self,
        handler: BaseHTTPRequestHandler,
        status: int,
        document: Any,
        content_type: str = "application/json",
        **headers: str,
    ) -> None:
        send(handler, status, document, content_type=content_type, **(self._quota() | headers))

    def _quota(self) -> dict[str, str]:
        if self.quota_ends is None:
            return {}
        scale = 1000 if self.quota_in_ms else 1
        return {
            "X-Ratelimit-Allowed": str(self.allowed),
            "X-Ratelimit-Used": str(self.used),
            "X-Ratelimit-Available": str(max(0, self.allowed - self.used)),
            "X-Ratelimit-Expiry": str(round(self.quota_ends * scale)),
        }


def _many(name: str, rows: list[Any]) -> Any:
    """Return no row as the text "null", one as an object, several as a list."""
    if not rows:
        return "null"
    return {name: rows[0] if len(rows) == 1 else rows}


def _in_days(row: dict[str, Any], query: dict[str, str]) -> bool:
    return query["start"] <= row["date"] <= query["end"]


def _in_time(row: dict[str, Any], query: dict[str, str]) -> bool:
    at = datetime.fromtimestamp(row["timestamp"], EASTERN).strftime("%Y-%m-%d %H:%M")
    return query["start"] <= at <= query["end"]
