"""Owns the decoder of Massive: its REST bodies and stream frames become records by kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import time
from typing import Any
from urllib.parse import urlsplit

from services.kit.errors import refuse
from services.market.decode import (
    EASTERN,
    Given,
    Page,
    Record,
    build_record,
    drop_empty_side,
    find_at,
    read_json,
    refuse_body,
    rows_of,
)
from services.market.massive_fields import FIELDS, OHLCV_PLACES
from services.market.massive_refusal import (
    PROVIDER,
    find_body_refusal,
    find_status_refusal,
    find_stream_refusal,
)
from services.market.osi import find_option

_OUTSIDE_FEEDS = ("crypto", "forex", "launchpad", "business")
_OUTSIDE_SYMBOLS = ("X:", "C:")
_EVENTS = {
    "bar": ("A", "AM"),
    "index_value": ("V",),
    "limit_band": ("LULD",),
    "quote": ("Q",),
    "stream_status": ("status",),
    "trade": ("T",),
}
_BARE = ("daily_summary", "market_status")
_LISTS = ("results", "result", "tickers", "ticker", "last")
_ENVELOPE = ("status", "request_id", "queryCount", "resultsCount", "count", *_LISTS)
_ROUND_LOT = 100


def decode_massive(kind: str, body: bytes, given: Given) -> list[Record]:
    """Return the records of one body or frame; none when it holds no data.

    Sizes of stock quotes become shares. Raises the edge's refusals: `PROVIDER_*`,
    `SYMBOL_UNKNOWN`; `PROVIDER_UNSUPPORTED` for feeds and kinds outside the product.
    """
    return decode_page(kind, body, given).records


def decode_page(kind: str, body: bytes, given: Given) -> Page:
    """Return what `decode_massive` returns, with what else the body says."""
    refusal = find_status_refusal(body, given)
    if refusal is not None:
        raise refusal
    document = read_json(body, PROVIDER)
    refusal = find_body_refusal(document, given)
    if refusal is not None:
        raise refusal
    if kind == "error":
        refuse_body(PROVIDER, "an error was due")
    if kind not in FIELDS or given.feed in _OUTSIDE_FEEDS:
        raise refuse("PROVIDER_UNSUPPORTED", what=given.feed or kind, provider=PROVIDER)
    rows = [row for row in _rows(kind, document) if _is_inside(kind, row)]
    records = _BUILDERS.get(kind, _plain)(kind, rows, _with_ticker(document, given))
    if not isinstance(document, dict):
        return Page(records)
    return Page(
        records,
        find_next_path(document),
        delayed=document.get("status") == "DELAYED",
        is_null="results" in document and document["results"] is None,
    )


def find_next_path(document: Any) -> str | None:
    """Return path and query of `next_url`, never its host; None on the last page."""
    address = find_at(document, "next_url")
    if not isinstance(address, str):
        return None
    parts = urlsplit(address)
    return f"{parts.path}?{parts.query}" if parts.path.startswith("/") and parts.query else None


def _rows(kind: str, document: Any) -> list[Mapping[str, Any]]:
    if isinstance(document, list):
        rows = rows_of(document, PROVIDER)
        events = _EVENTS.get(kind)
        if kind == "calendar_day":
            return rows
        return [row for row in rows if events is not None and row.get("ev") in events]
    if not isinstance(document, dict):
        refuse_body(PROVIDER, "neither an object nor a list")
    if kind in _BARE:
        return [document]
    if "ev" in document:
        return _rows(kind, [document])
    if not any(key in document for key in _ENVELOPE):
        refuse_body(PROVIDER, "no envelope")
    found = next(
        (document[key] for key in _LISTS if not isinstance(document.get(key), str | None)), None
    )
    if kind == "corporate_action" and isinstance(found, dict) and "events" in found:
        found = found["events"]
    return rows_of(found, PROVIDER)


def _is_inside(kind: str, row: Mapping[str, Any]) -> bool:
    """Return whether the row is data of the product: no error, no currency pair but for rates."""
    if isinstance(row.get("error"), str):
        return False
    name = row.get("sym") or row.get("ticker") or row.get("T") or ""
    return kind == "rate" or not str(name).startswith(_OUTSIDE_SYMBOLS)


def _with_ticker(document: Any, given: Given) -> str | None:
    named = find_at(document, "ticker")
    symbol = named if isinstance(named, str) else given.symbol
    return symbol or None


Rows = list[Mapping[str, Any]]


def _plain(kind: str, rows: Rows, symbol: str | None) -> list[Record]:
    records = [build_record(row, FIELDS[kind], PROVIDER) for row in rows]
    for record in records:
        if "symbol" in record and record["symbol"] is None:
            record["symbol"] = symbol
    return records


def _quotes(kind: str, rows: Rows, symbol: str | None) -> list[Record]:
    records = _plain(kind, rows, symbol)
    for record in records:
        _to_shares(record)
        drop_empty_side(record)
    return records


def _to_shares(record: Record) -> None:
    if str(record["symbol"] or "").startswith(("O:", "I:")):
        return
    for name in ("bid_size", "ask_size"):
        if record[name] is not None:
            record[name] *= _ROUND_LOT


def _bars(kind: str, rows: Rows, symbol: str | None) -> list[Record]:
    records = _plain(kind, rows, symbol)
    for record in records:
        local = record["t_open"].astimezone(EASTERN)
        record["date"] = local.date() if local.time() == time(0) else None
    return records


def _snapshots(kind: str, rows: Rows, symbol: str | None) -> list[Record]:
    records = _plain(kind, rows, symbol)
    for record, row in zip(records, rows, strict=True):
        for name, places in OHLCV_PLACES.items():
            record[name] = _part(row, places, name)
        _to_shares(record)
        drop_empty_side(record)
    return records


def _part(row: Mapping[str, Any], places: tuple[str, ...], name: str) -> Record:
    found = next((part for place in places if isinstance(part := find_at(row, place), dict)), {})
    part = build_record(found, FIELDS[f"snapshot.{name}"], PROVIDER)
    prices = [part[key] for key in ("o", "h", "l", "c")]
    if not any(price for price in prices):
        return dict.fromkeys(part)
    return part


def _options(kind: str, rows: Rows, symbol: str | None) -> list[Record]:
    records = _plain(kind, rows, symbol)
    for record, row in zip(records, rows, strict=True):
        option = find_option(find_at(row, "details.ticker") or find_at(row, "ticker"))
        if option is None:
            refuse_body(PROVIDER, "no option symbol")
        said = (option.osi, option.right, option.strike, option.expiry)
        for name, value in zip(("osi", "right", "strike", "expiry"), said, strict=True):
            record[name] = value if record.get(name) is None else record[name]
        if record["underlying"] is None:
            record["underlying"] = symbol or option.root
        if "bid" in record:
            drop_empty_side(record)
    return records


def _statuses(kind: str, rows: Rows, symbol: str | None) -> list[Record]:
    for row in rows:
        refusal = find_stream_refusal(row, Given(symbol=symbol or ""))
        if refusal is not None:
            raise refusal
    return _plain(kind, rows, symbol)


def _market_states(kind: str, rows: Rows, symbol: str | None) -> list[Record]:
    records = _plain(kind, rows, symbol)
    for record, row in zip(records, rows, strict=True):
        if record["state"] == "extended":
            early, late = row.get("earlyHours") is True, row.get("afterHours") is True
            record["state"] = "pre" if early else "post" if late else "unknown"
    return records


def _actions(kind: str, rows: Rows, symbol: str | None) -> list[Record]:
    records = []
    for row in rows:
        word = _action_type(row)
        if word is not None:
            record = build_record(row, FIELDS[kind], PROVIDER)
            records.append({"type": word, **record, "symbol": record["symbol"] or symbol})
    return records


def _action_type(row: Mapping[str, Any]) -> str | None:
    if row.get("split_from") is not None:
        return "split"
    if row.get("cash_amount") is not None:
        return "dividend"
    return "ticker_change" if isinstance(row.get("ticker_change"), dict) else None


def _earnings(kind: str, rows: Rows, symbol: str | None) -> list[Record]:
    """Keep earnings rows; before 09:30 Eastern is `bmo`, from 16:00 on `amc`."""
    kept = [row for row in rows if "earnings" in str(row.get("type", "earnings")).lower()]
    records = _plain(kind, kept, symbol)
    for record in records:
        clock = str(record["time"] or "")
        early = "00:00" < clock[:5] < "09:30"
        record["time"] = "bmo" if early else "amc" if clock[:5] >= "16:00" else "unknown"
        record["confirmed"] = record["confirmed"] == "confirmed"
    return records


_BUILDERS: dict[str, Callable[[str, Rows, str | None], list[Record]]] = {
    "bar": _bars,
    "chain_snapshot": _options,
    "corporate_action": _actions,
    "earnings_event": _earnings,
    "market_status": _market_states,
    "option_contract": _options,
    "quote": _quotes,
    "snapshot": _snapshots,
    "stream_status": _statuses,
}
