"""A Massive server on a loopback port: the recorded wire formats, with faults to switch on.

    with MassiveServer() as server:
        server.fault("/v2/aggs", Fault.HTML_504, times=1)
        ... MassiveFeed(server.base_url, "good-key", ...) ...

Rows are plain JSON as the vendor sends them; a test edits `server.quotes`, `server.bars` and so on.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.fakes.vendor_server import PAGE, VendorServer, cut_off, keep_silent, send

KEY = "good-key"
LIMITED = {"status": "ERROR", "request_id": "r", "error": "You've exceeded the maximum requests"}
DENIED = {
    "status": "NOT_AUTHORIZED",
    "request_id": "r",
    "message": "You are not entitled to this data. Please upgrade your plan",
}
UNKNOWN_KEY = {"status": "ERROR", "request_id": "r", "error": "Unknown API Key"}
NOT_FOUND = {"status": "NOT_FOUND", "request_id": "r", "message": "Ticker not found."}
CONDITIONS = [
    {
        "id": number,
        "name": name,
        "update_rules": {"consolidated": {"updates_high_low": counts, "updates_volume": True}},
    }
    for number, name, counts in ((1, "Regular", True), (2, "Average Price Trade", False))
]


class Fault(Enum):
    """What goes wrong with an answer."""

    LIMITED_429 = "429 with the vendor's text"
    EMPTY_429 = "429 without a body"
    DENIED_403 = "the plan does not include it"
    HTML_504 = "a gateway page"
    HTML_200 = "a page with status 200"
    HALF_BODY = "half a JSON document"
    NULL_RESULTS = "results: null"
    RESET = "the connection is cut"
    SILENCE = "nothing at all"
    REDIRECT = "a redirect to another host"
    OVERSIZE = "a body of 20 MB"
    DEEP = "100,000 nested lists"


@dataclass
class MassiveServer(VendorServer):
    """Serves what its fields hold; `requests` keeps path with query."""

    delayed: bool = False
    page_size: int = 2
    tickers: dict[str, dict[str, Any]] = field(default_factory=dict)
    snapshots: dict[str, dict[str, Any]] = field(default_factory=dict)
    bars: dict[tuple[str, str], list[dict[str, Any]]] = field(default_factory=dict)
    trades: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    quotes: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    splits: list[dict[str, Any]] = field(default_factory=list)
    news: list[dict[str, Any]] = field(default_factory=list)
    earnings: list[dict[str, Any]] = field(default_factory=list)
    corporate_events: list[dict[str, Any]] = field(default_factory=list)
    contracts: list[dict[str, Any]] = field(default_factory=list)
    chains: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    rates: dict[str, dict[str, Any]] = field(default_factory=dict)

    def list_ticker(self, symbol: str, **extra: Any) -> None:
        self.tickers[symbol] = {
            "ticker": symbol,
            "name": f"{symbol} Inc.",
            "market": "stocks",
            "locale": "us",
            "primary_exchange": "XNAS",
            "type": "CS",
            "active": True,
            "currency_name": "usd",
            **extra,
        }

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        fault = self.next_fault(handler.path)
        if handler.headers.get("Authorization") != f"Bearer {KEY}":
            send(handler, 401, UNKNOWN_KEY)
        elif fault is None:
            status, document = self._document(handler.path)
            if self.delayed and isinstance(document, dict) and document.get("status") == "OK":
                document["status"] = "DELAYED"
            send(handler, status, document)
        else:
            self._fail(handler, fault)

    def _fail(self, handler: BaseHTTPRequestHandler, fault: Fault) -> None:
        match fault:
            case Fault.LIMITED_429:
                send(handler, 429, LIMITED, retry_after="12")
            case Fault.EMPTY_429:
                send(handler, 429, b"")
            case Fault.DENIED_403:
                send(handler, 403, DENIED)
            case Fault.HTML_504:
                send(handler, 504, PAGE, content_type="text/html")
            case Fault.HTML_200:
                send(handler, 200, PAGE, content_type="text/html")
            case Fault.HALF_BODY:
                send(handler, 200, b'{"status":"OK","results":[{"c":1')
            case Fault.NULL_RESULTS:
                send(handler, 200, {"status": "OK", "resultsCount": 0, "results": None})
            case Fault.RESET:
                cut_off(handler)
            case Fault.SILENCE:
                keep_silent(handler)
            case Fault.REDIRECT:
                send(handler, 302, b"", location="http://203.0.113.1/")
            case Fault.OVERSIZE:
                send(handler, 200, b" " * 20_000_000)
            case Fault.DEEP:
                send(handler, 200, b"[" * 100_000)

    def _document(self, address: str) -> tuple[int, Any]:
        parts = urlsplit(address)
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        if "cursor" in query:
            query = json.loads(base64.urlsafe_b64decode(query["cursor"]))
        words = [unquote(word) for word in parts.path.strip("/").split("/")]
        match words:
            case ["v3", "reference", "tickers"]:
                rows = [self.tickers[name] for name in sorted(self.tickers)]
                return 200, self._paged(parts.path, rows, query)
            case ["v3", "reference", "tickers", symbol]:
                row = self.tickers.get(symbol)
                return (404, NOT_FOUND) if row is None else (200, _body(row))
            case ["v2", "snapshot", "locale", "us", "markets", "stocks", "tickers", symbol]:
                row = self.snapshots.get(symbol)
                found = {
                    "status": "OK",
                    "request_id": "r",
                    "ticker": {"ticker": symbol, **(row or {})},
                }
                return (404, NOT_FOUND) if row is None else (200, found)
            case ["v2", "aggs", "ticker", symbol, "range", count, unit, first, last]:
                rows = self.bars.get((symbol, count + unit), [])
                low, high = _millis(first), _millis(last) + 30 * 3_600_000
                rows = [row for row in rows if low <= row["t"] <= high]
                rows = sorted(rows, key=lambda row: row["t"], reverse=query.get("sort") == "desc")
                return 200, {
                    "ticker": symbol,
                    "adjusted": True,
                    **self._paged(parts.path, rows, query),
                }
            case ["v2", "aggs", "ticker", symbol, "prev"]:
                row = self.rates.get(symbol)
                rows = [] if row is None else [{"T": symbol, **row}]
                return 200, {"ticker": symbol, "adjusted": True, **_body(rows)}
            case ["v3", "trades" | "quotes" as kind, symbol]:
                rows = (self.trades if kind == "trades" else self.quotes).get(symbol, [])
                return 200, self._paged(parts.path, _between(rows, query), query)
            case ["v3", "reference", "splits"]:
                rows = [row for row in self.splits if row["ticker"] == query.get("ticker")]
                return 200, self._paged(parts.path, rows, query)
            case ["v2", "reference", "news"]:
                wanted = query.get("ticker")
                rows = [row for row in self.news if wanted in (None, *row["tickers"])]
                rows = sorted(rows, key=lambda row: row["published_utc"], reverse=True)
                return 200, _body(rows[: int(query.get("limit", "10"))])
            case ["benzinga", "v1", "earnings"] | ["tmx", "v1", "corporate-events"]:
                rows = self.earnings if words[0] == "benzinga" else self.corporate_events
                first, last = query["date.gte"], query["date.lte"]
                wanted = query["ticker.any_of"].split(",")
                rows = [row for row in rows if row["ticker"] in wanted]
                rows = [row for row in rows if first <= row["date"] <= last]
                return 200, self._paged(parts.path, rows, query)
            case ["v3", "reference", "options", "contracts"]:
                wanted, first = query["underlying_ticker"], query["expiration_date.gte"]
                rows = [row for row in self.contracts if row["underlying_ticker"] == wanted]
                rows = [row for row in rows if row["expiration_date"] >= first]
                return 200, self._paged(parts.path, rows, query)
            case ["v3", "snapshot", "options", symbol]:
                day = query["expiration_date"]
                rows = self.chains.get(symbol, [])
                rows = [row for row in rows if row["details"]["expiration_date"] == day]
                return 200, self._paged(parts.path, rows, query)
            case ["v3", "reference", "conditions"]:
                return 200, self._paged(parts.path, CONDITIONS, query)
        return 404, {"status": "NOT_FOUND", "request_id": "r"}

    def _paged(
        self, path: str, rows: list[dict[str, Any]], query: dict[str, str]
    ) -> dict[str, Any]:
        """Return one page; the cursor is opaque, and `next_url` names a host of the vendor's."""
        at = int(query.get("at", "0"))
        body = _body(rows[at : at + self.page_size])
        if at + self.page_size < len(rows):
            kept = json.dumps({**query, "at": str(at + self.page_size)}).encode()
            cursor = base64.urlsafe_b64encode(kept).decode()
            body["next_url"] = f"https://api.polygon.io:443{path}?cursor={cursor}"
        return body


def _body(results: Any) -> dict[str, Any]:
    return {"status": "OK", "request_id": "r", "results": results}


def _millis(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def _between(rows: list[dict[str, Any]], query: dict[str, str]) -> list[dict[str, Any]]:
    low, high = int(query.get("timestamp.gte", "0")), int(query.get("timestamp.lt", str(2**63)))
    found = [row for row in rows if low <= row["sip_timestamp"] < high]
    return sorted(found, key=lambda row: row["sip_timestamp"])
