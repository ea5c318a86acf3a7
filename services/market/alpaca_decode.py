"""Owns the decoder of Alpaca: trading, market and stream bodies become records by kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, time
from decimal import Decimal
from typing import Any

from services.kit.errors import refuse
from services.market.alpaca_fields import FIELDS
from services.market.alpaca_refusal import PROVIDER, find_body_refusal, find_status_refusal
from services.market.decode import (
    EASTERN,
    Given,
    Record,
    build_record,
    drop_empty_side,
    find_at,
    read_json,
    refuse_body,
    rows_of,
    text,
)
from services.market.osi import find_option

_CLOSE = time(16)
_PLACES = {
    "bar": ("bars", "bar"),
    "chain_snapshot": ("snapshots", "snapshot"),
    "corporate_action": ("corporate_actions",),
    "news_item": ("news",),
    "option_contract": ("option_contracts",),
    "quote": ("quotes", "quote"),
    "snapshot": ("snapshots", "snapshot"),
    "trade": ("trades", "trade"),
}
"""Where the rows of a body stand; the other kinds are the body itself, one or many."""
_BY_SYMBOL = frozenset({"bar", "chain_snapshot", "quote", "snapshot", "trade"})
_SNAPSHOT_PARTS = ("latestTrade", "latestQuote", "minuteBar", "dailyBar", "prevDailyBar", "greeks")
_ALONE = ("ca_type", "underlying_symbol")
"""Marks of a body that is one row itself, where usually many stand under a name."""
_PARTS = {"day": "dailyBar", "prev": "prevDailyBar", "minute": "minuteBar"}
_STREAM_WORDS = {"bar": "b", "quote": "q", "trade": "t"}
_OUTSIDE = ("crypto", "crypto_perp")
_ACTIONS = {
    "cash_dividends": "dividend",
    "dividend": "dividend",
    "forward_splits": "split",
    "name_changes": "ticker_change",
    "reverse_splits": "split",
    "split": "split",
}
Rows = list[Mapping[str, Any]]


def decode_alpaca(kind: str, body: bytes, given: Given) -> list[Record]:
    """Return the records of one body or event; none when it holds no data.

    Raises the edge's refusals: `PROVIDER_*`, `BROKER_*`, `SYMBOL_UNKNOWN`;
    `PROVIDER_UNSUPPORTED` for kinds and markets outside the product.
    """
    refusal = find_status_refusal(body, given)
    if refusal is not None:
        raise refusal
    document = read_json(body, PROVIDER)
    refusal = find_body_refusal(document, given)
    if refusal is not None:
        raise refusal
    if kind == "error":
        refuse_body(PROVIDER, "an error was due")
    builder = _BUILDERS.get(kind)
    if builder is None:
        raise refuse("PROVIDER_UNSUPPORTED", what=kind, provider=PROVIDER)
    return builder(kind, _rows(kind, document), given)


def _rows(kind: str, document: Any) -> Rows:
    places = _PLACES.get(kind, ())
    if isinstance(document, list):
        streamed = _STREAM_WORDS.get(kind)
        found = rows_of(document, PROVIDER)
        return [row for row in found if row.get("T") == streamed] if streamed else found
    if not isinstance(document, dict):
        refuse_body(PROVIDER, "no object")
    if kind == "snapshot" and not any(place in document for place in places):
        return [document] if _has_parts(document) else _spread(document)
    if not places or any(mark in document for mark in _ALONE):
        return [document]
    place = next((one for one in places if one in document), None)
    if place is None:
        refuse_body(PROVIDER, f"no {places[0]}")
    found = document[place]
    if kind == "corporate_action":
        return _announced(found)
    if kind in _BY_SYMBOL and isinstance(found, dict) and (place == places[0] or _is_named(found)):
        return _spread(found)
    named = {"symbol": document["symbol"]} if "symbol" in document else {}
    return [{**named, **row} for row in rows_of(found, PROVIDER)]


def _is_named(found: Mapping[str, Any]) -> bool:
    """Return True where even a single row stands under its symbol."""
    return all(isinstance(row, dict) for row in found.values()) and not _has_parts(found)


def _has_parts(row: Mapping[str, Any]) -> bool:
    return any(part in row for part in _SNAPSHOT_PARTS)


def _spread(by_symbol: Mapping[str, Any]) -> Rows:
    """Return the rows under each symbol with it; pairs of currencies and coins are outside."""
    if any("/" in name for name in by_symbol):
        raise refuse("PROVIDER_UNSUPPORTED", what="crypto", provider=PROVIDER)
    return [
        {**row, "symbol": name}
        for name, found in by_symbol.items()
        for row in rows_of(found, PROVIDER)
    ]


def _announced(found: Any) -> Rows:
    if isinstance(found, list):
        return rows_of(found, PROVIDER)
    if found is not None and not isinstance(found, dict):
        refuse_body(PROVIDER, "corporate actions that are no object")
    return [
        {**row, "kind": word}
        for word, rows in (found or {}).items()
        for row in rows_of(rows, PROVIDER)
    ]


def _plain(kind: str, rows: Rows, given: Given) -> list[Record]:
    records = [build_record(row, FIELDS[kind], PROVIDER) for row in rows]
    for record in records:
        if "symbol" in record and record["symbol"] is None:
            record["symbol"] = given.symbol or None
    return records


def _quotes(kind: str, rows: Rows, given: Given) -> list[Record]:
    records = _plain(kind, rows, given)
    for record in records:
        drop_empty_side(record)
    return records


def _bars(kind: str, rows: Rows, given: Given) -> list[Record]:
    """Add the session's date: a daily bar starts at midnight in New York."""
    records = _plain(kind, rows, given)
    for record in records:
        local = record["t_open"].astimezone(EASTERN)
        record["date"] = local.date() if local.time() == time(0) else None
    return records


def _snapshots(kind: str, rows: Rows, given: Given) -> list[Record]:
    if not all(_has_parts(row) for row in rows):
        refuse_body(PROVIDER, "a snapshot without its parts")
    records = _plain(kind, rows, given)
    for record, row in zip(records, rows, strict=True):
        for name, place in _PARTS.items():
            found = find_at(row, place)
            part = found if isinstance(found, dict) else {}
            record[name] = build_record(part, FIELDS[f"snapshot.{name}"], PROVIDER)
        drop_empty_side(record)
    return records


def _chain(kind: str, rows: Rows, given: Given) -> list[Record]:
    records = []
    for row in rows:
        option = find_option(text(row.get("symbol")) or given.symbol)
        if option is None:
            refuse_body(PROVIDER, "no option symbol")
        record = {
            **build_record(row, FIELDS[kind], PROVIDER),
            "osi": option.osi,
            "underlying": option.root,
            "right": option.right,
            "strike": option.strike,
            "expiry": option.expiry,
        }
        drop_empty_side(record)
        records.append(record)
    return records


def _actions(kind: str, rows: Rows, given: Given) -> list[Record]:
    records = []
    for row in rows:
        word = _ACTIONS.get(str(row.get("kind") or row.get("ca_type")))
        if word is not None:
            (record,) = _plain(kind, [row], given)
            if word != "dividend":
                record["cash_amount"] = None
            records.append({"type": word, **record})
    return records


def _calendar(kind: str, rows: Rows, given: Given) -> list[Record]:
    """Return days with their sessions as instants; a day that is not listed is a holiday."""
    records = _plain(kind, rows, given)
    for record, row in zip(records, rows, strict=True):
        for name in ("open", "close"):
            record[name] = _eastern(record, row.get(name))
        closes = record["close"]
        early = closes is not None and closes.astimezone(EASTERN).time() < _CLOSE
        record["status"] = "early_close" if early else "open"
    return records


def _eastern(record: Record, clock: Any) -> datetime | None:
    try:
        at = time.fromisoformat(clock) if isinstance(clock, str) else None
    except ValueError:
        at = None
    if at is None:
        return None
    return datetime.combine(record["date"], at, EASTERN).astimezone(UTC)


def _market_states(kind: str, rows: Rows, given: Given) -> list[Record]:
    records = _plain(kind, rows, given)
    for record in records:
        record["state"] = "open" if record["is_open"] else "closed"
    return records


def _instruments(kind: str, rows: Rows, given: Given) -> list[Record]:
    return _plain(kind, _inside(rows, "class"), given)


def _inside(rows: Rows, key: str) -> Rows:
    """Return the rows of markets that are inside the product."""
    return [row for row in rows if row.get(key) not in _OUTSIDE]


def _orders(kind: str, rows: Rows, given: Given) -> list[Record]:
    """Add what remains, the legs, and the class that the kind of asset says."""
    kept = _inside(rows, "asset_class")
    records = _plain(kind, kept, given)
    for record, row in zip(records, kept, strict=True):
        if record["class"] is None:
            record["class"] = "option" if row.get("asset_class") == "us_option" else "equity"
        wanted, filled = record["quantity"], record["filled_quantity"]
        known = wanted is not None and filled is not None
        record["remaining_quantity"] = wanted - filled if known else None
        record["legs"] = _orders(kind, rows_of(row.get("legs"), PROVIDER), given)
    return records


def _positions(kind: str, rows: Rows, given: Given) -> list[Record]:
    """Give quantity and cost the sign of their side."""
    records = _plain(kind, _inside(rows, "asset_class"), given)
    for record in records:
        short = record.pop("side") == "short" or record["quantity"] < 0
        for name in ("quantity", "cost_basis"):
            if record[name] is not None:
                record[name] = -abs(record[name]) if short else abs(record[name])
    return records


def _balances(kind: str, rows: Rows, given: Given) -> list[Record]:
    """Add the kind of account: four times the equity is a day trader's, else it is margin."""
    records = _plain(kind, rows, given)
    for record, row in zip(records, rows, strict=True):
        many = text(row.get("multiplier"))
        record["account_type"] = None if many is None else "pdt" if many == "4" else "margin"
    return records


def _activities(kind: str, rows: Rows, given: Given) -> list[Record]:
    """Give a fill its amount: what it moved in cash, negative for a purchase."""
    records = _plain(kind, rows, given)
    for record in records:
        price, units = record["price"], record["quantity"]
        if record["amount"] is None and record["type"] == "fill" and price and units:
            bought = (record["side"] or "").startswith("buy")
            record["amount"] = price * units * Decimal(-1 if bought else 1)
    return records


def _events(kind: str, rows: Rows, given: Given) -> list[Record]:
    """Return the order that an update of the account's stream speaks of."""
    found = [
        row["data"]
        for row in rows
        if row.get("stream") == "trade_updates" and isinstance(row.get("data"), dict)
    ]
    records = _plain(kind, found, given)
    for record, row in zip(records, found, strict=True):
        (order,) = _orders("order", rows_of(row.get("order"), PROVIDER)[:1], given) or ({},)
        record["type"] = "order"
        record["remaining_quantity"] = order.get("remaining_quantity")
    return records


_BUILDERS: dict[str, Callable[[str, Rows, Given], list[Record]]] = {
    "account": _plain,
    "account_activity": _activities,
    "account_config": _plain,
    "account_event": _events,
    "balances": _balances,
    "bar": _bars,
    "calendar_day": _calendar,
    "chain_snapshot": _chain,
    "corporate_action": _actions,
    "instrument": _instruments,
    "market_status": _market_states,
    "news_item": _plain,
    "option_contract": _plain,
    "order": _orders,
    "order_ack": _plain,
    "position": _positions,
    "quote": _quotes,
    "snapshot": _snapshots,
    "stream_status": _plain,
    "trade": _plain,
}
