"""Owns the decoder of Tradier: market, account and stream bodies become records by kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, time
from typing import Any

from services.kit.errors import refuse
from services.market.decode import (
    EASTERN,
    Given,
    Record,
    as_list,
    build_record,
    drop_empty_side,
    find_at,
    instant,
    number,
    read_json,
    refuse_body,
    rows_of,
    text,
)
from services.market.osi import find_option
from services.market.tradier_fields import ACTIVITY_FIELDS, EXPIRATION_FIELDS, FIELDS
from services.market.tradier_refusal import (
    PROVIDER,
    build_refusal,
    find_body_refusal,
    find_status_refusal,
)

_ROUND_LOT = 100
_CLOSE = time(16)
_PLACES = {
    "account": ("profile.account",),
    "account_activity": ("history.event",),
    "balances": ("balances",),
    "bar": ("history.day", "series.data"),
    "calendar_day": ("calendar.days.day",),
    "chain_snapshot": ("options.option", "quotes.quote"),
    "closed_position": ("gainloss.closed_position",),
    "expiration": ("expirations.expiration", "expirations.date"),
    "instrument": ("securities.security",),
    "market_status": ("clock",),
    "option_contract": ("symbols",),
    "order": ("orders.order", "order"),
    "order_ack": ("order",),
    "order_preview": ("order",),
    "position": ("positions.position",),
    "quote": ("quotes.quote",),
    "stream_session": ("stream",),
    "strike": ("strikes.strike",),
    "trade": ("series.data",),
}
_EVENTS = {
    "daily_summary": ("summary",),
    "quote": ("quote",),
    "trade": ("trade", "tradex", "timesale"),
}
_ACCOUNT_EVENTS = ("heartbeat", "order")
_UNMATCHED = "quotes.unmatched_symbols.symbol"
Rows = list[Any]


def decode_tradier(kind: str, body: bytes, given: Given) -> list[Record]:
    """Return the records of one body or event; none when it holds no data.

    Sizes of stock quotes become shares. Raises the edge's refusals: `PROVIDER_*`, `BROKER_*`,
    `SYMBOL_UNKNOWN`; `PROVIDER_UNSUPPORTED` for kinds and events outside the product.
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
    return builder(kind, _rows(kind, document, given), given)


def _rows(kind: str, document: Any, given: Given) -> Rows:
    if not isinstance(document, dict):
        refuse_body(PROVIDER, "no object")
    if kind == "account_event":
        return [document] if document.get("event") in _ACCOUNT_EVENTS else []
    if isinstance(document.get("type"), str) and kind in _EVENTS:
        return [document] if document["type"] in _EVENTS[kind] else []
    places = _PLACES.get(kind, ())
    roots = [place for place in places if place.partition(".")[0] in document]
    if not roots:
        refuse_body(PROVIDER, f"no {places[0] if places else kind}")
    rows = next((found for place in roots if (found := as_list(find_at(document, place)))), [])
    if not rows and find_at(document, "quotes.unmatched_symbols") is not None:
        raise build_refusal("SYMBOL_UNKNOWN", "unmatched symbols", _unmatched(document, given))
    return rows


def _unmatched(document: Any, given: Given) -> Given:
    names = [text(name) or "" for name in as_list(find_at(document, _UNMATCHED))]
    return Given(symbol=given.symbol or ", ".join(names)[:80])


def _plain(kind: str, rows: Rows, given: Given) -> list[Record]:
    records = [build_record(row, FIELDS[kind], PROVIDER) for row in rows_of(rows, PROVIDER)]
    for record in records:
        if "symbol" in record and record["symbol"] is None:
            record["symbol"] = given.symbol or None
    return records


def _quotes(kind: str, rows: Rows, given: Given) -> list[Record]:
    records = _plain(kind, rows, given)
    for record, row in zip(records, rows, strict=True):
        record["ts"] = _newer_side(row)
        _to_shares(record, row)
        drop_empty_side(record)
    return records


def _newer_side(row: Mapping[str, Any]) -> datetime | None:
    sides = (instant(find_at(row, key)) for key in ("bid_date", "ask_date", "biddate", "askdate"))
    return max((moment for moment in sides if moment is not None), default=None)


def _to_shares(record: Record, row: Mapping[str, Any]) -> None:
    """Turn `bidsize` and `asksize`, hundreds of shares, into shares; contracts stay."""
    if row.get("type") == "option" or find_option(record["symbol"]) is not None:
        return
    for name, key in (("bid_size", "bidsize"), ("ask_size", "asksize")):
        if record[name] is not None and key in row:
            record[name] *= _ROUND_LOT


def _bars(kind: str, rows: Rows, given: Given) -> list[Record]:
    records = _plain(kind, rows, given)
    if any(record["t_open"] is None and record["date"] is None for record in records):
        refuse_body(PROVIDER, "a bar without a time")
    return records


def _chain(kind: str, rows: Rows, given: Given) -> list[Record]:
    records = _plain(kind, rows, given)
    for record, row in zip(records, rows, strict=True):
        option = find_option(record["osi"])
        if option is not None:
            said = (option.right, option.strike, option.expiry)
            for name, value in zip(("right", "strike", "expiry"), said, strict=True):
                record[name] = value if record[name] is None else record[name]
            record["underlying"] = record["underlying"] or given.symbol or option.root
        record["quote_ts"] = _newer_side(row)
        drop_empty_side(record)
    return records


def _contracts(_kind: str, rows: Rows, _given: Given) -> list[Record]:
    records = []
    for row in rows_of(rows, PROVIDER):
        for name in as_list(row.get("options")):
            option = find_option(name)
            if option is None:
                refuse_body(PROVIDER, "no option symbol")
            records.append(
                {
                    "osi": option.osi,
                    "underlying": text(row.get("rootSymbol")) or option.root,
                    "right": option.right,
                    "strike": option.strike,
                    "expiry": option.expiry,
                    "style": None,
                    "multiplier": None,
                }
            )
    return records


def _expirations(_kind: str, rows: Rows, _given: Given) -> list[Record]:
    named = [{"date": row} if isinstance(row, str) else row for row in rows]
    return [build_record(row, EXPIRATION_FIELDS, PROVIDER) for row in rows_of(named, PROVIDER)]


def _strikes(_kind: str, rows: Rows, _given: Given) -> list[Record]:
    found = [number(row) for row in rows]
    if None in found:
        refuse_body(PROVIDER, "a strike that is no number")
    return [{"strike": strike} for strike in found]


def _calendar(kind: str, rows: Rows, given: Given) -> list[Record]:
    records = _plain(kind, rows, given)
    for record, row in zip(records, rows, strict=True):
        for name, place in (("open", "open.start"), ("close", "open.end")):
            record[name] = _eastern(record, find_at(row, place))
        closes = record["close"]
        early = closes is not None and closes.astimezone(EASTERN).time() < _CLOSE
        if early and record["status"] == "open":
            record["status"] = "early_close"
    return records


def _eastern(record: Record, clock: Any) -> datetime | None:
    try:
        at = time.fromisoformat(clock) if isinstance(clock, str) else None
    except ValueError:
        at = None
    if at is None:
        return None
    return datetime.combine(record["date"], at, EASTERN).astimezone(UTC)


def _orders(kind: str, rows: Rows, given: Given) -> list[Record]:
    records = _plain(kind, rows, given)
    for record, row in zip(records, rows, strict=True):
        record["legs"] = _orders(kind, rows_of(row.get("leg"), PROVIDER), given)
    return records


def _previews(kind: str, rows: Rows, given: Given) -> list[Record]:
    records = _plain(kind, rows, given)
    for record, row in zip(records, rows, strict=True):
        record["accepted"] = record["accepted"] is True and row.get("status") == "ok"
    return records


def _positions(kind: str, rows: Rows, given: Given) -> list[Record]:
    """Add the average price: cost / quantity, for options / 100 more, never negative."""
    records = _plain(kind, rows, given)
    for record in records:
        cost, quantity = record["cost_basis"], record["quantity"]
        record["avg_price"] = None
        if cost is not None and quantity:
            units = 1 if find_option(record["symbol"]) is None else _ROUND_LOT
            record["avg_price"] = abs(cost / quantity / units)
    return records


def _activities(kind: str, rows: Rows, given: Given) -> list[Record]:
    records = _plain(kind, rows, given)
    for record, row in zip(records, rows, strict=True):
        inner = row.get(record["type"])
        found = inner if isinstance(inner, dict) else {}
        record.update(build_record(found, ACTIVITY_FIELDS, PROVIDER))
    return records


_BUILDERS: dict[str, Callable[[str, Rows, Given], list[Record]]] = {
    "account": _plain,
    "account_activity": _activities,
    "account_event": _plain,
    "balances": _plain,
    "bar": _bars,
    "calendar_day": _calendar,
    "chain_snapshot": _chain,
    "closed_position": _plain,
    "daily_summary": _plain,
    "expiration": _expirations,
    "instrument": _plain,
    "market_status": _plain,
    "option_contract": _contracts,
    "order": _orders,
    "order_ack": _plain,
    "order_preview": _previews,
    "position": _positions,
    "quote": _quotes,
    "stream_session": _plain,
    "strike": _strikes,
    "trade": _plain,
}
