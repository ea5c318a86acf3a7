"""Owns the table of Tradier's fields: for every record kind the places its values stand in."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from services.market.decode import Field, day, field, flag, instant, number, numbers, text, word_of
from services.market.osi import osi_text

_MICS = {"q": "XNAS", "n": "XNYS", "a": "XASE", "p": "ARCX", "z": "BATS"}
_CLASSES = {name: name for name in ("equity", "option", "multileg", "combo", "oto", "oco", "otoco")}
_SIDES = {
    name: name
    for name in (
        *("buy", "sell", "buy_to_cover", "sell_short"),
        *("buy_to_open", "buy_to_close", "sell_to_open", "sell_to_close"),
    )
}
_TYPES = {
    name: name for name in ("market", "limit", "stop", "stop_limit", "debit", "credit", "even")
}
_TIFS = {name: name for name in ("day", "gtc", "pre", "post")}
_ORDER_STATES = {
    "accepted": "pending",
    "accepted_for_bidding": "pending",
    "calculated": "filled",
    "canceled": "cancelled",
    "cancelled": "cancelled",
    "error": "rejected",
    "expired": "expired",
    "filled": "filled",
    "held": "pending",
    "new": "open",
    "ok": "pending",
    "open": "open",
    "partially_filled": "partially_filled",
    "pending": "pending",
    "pending_new": "pending",
    "rejected": "rejected",
    "replaced": "replaced",
}
_RIGHTS = {"call": "call", "put": "put"}
_STATES = {
    "open": "open",
    "closed": "closed",
    "premarket": "pre",
    "pre": "pre",
    "postmarket": "post",
    "post": "post",
}


def _mic(value: Any) -> str | None:
    found = text(value)
    if found is None:
        return None
    return found.upper() if len(found) == 4 else _MICS.get(found.lower())


def _universal(value: Any) -> datetime | None:
    """Return the instant of a text without a zone as UTC: the one clock here that is not Eastern.

    Recorded greeks of `15:59:03` stand beside a trade of 16:14 UTC, which is 11:14 in New York.
    """
    found = text(value)
    return instant(value) if found is None else instant(f"{found}Z") or instant(value)


def _accepted(value: Any) -> bool | None:
    found = text(value)
    return None if found is None else found.lower() == "ok"


_BARS = (
    field("o", "open", number, required=True),
    field("h", "high", number, required=True),
    field("l", "low", number, required=True),
    field("c", "close", number, required=True),
    field("v", "volume", number),
    field("vw", "vwap", number),
    field("n", "", number),
)
_SIDES_OF_QUOTE = (
    field("bid", "bid", number),
    field("ask", "ask", number),
    field("bid_size", "bidsize bidsz", number),
    field("ask_size", "asksize asksz", number),
    field("last", "last", number),
)

# A field without a place is one that this provider never sends.
FIELDS: dict[str, tuple[Field, ...]] = {
    "quote": (
        field("symbol", "symbol", text, required=True),
        *_SIDES_OF_QUOTE,
        *(field(name, name, number) for name in ("open", "high", "low")),
        field("prev_close", "prevclose", number),
        field("volume", "volume", number),
        field("last_ts", "trade_date", instant),
    ),
    "trade": (
        field("symbol", "symbol", text),
        field("price", "price last", number, required=True),
        field("size", "size volume", number),
        field("ts", "timestamp date time", instant, required=True),
        field("trade_id", "", text),
        field("bid", "bid", number),
        field("ask", "ask", number),
    ),
    "bar": (
        field("symbol", "symbol", text),
        field("t_open", "timestamp time", instant),
        field("date", "date", day),
        *_BARS,
    ),
    "daily_summary": (
        field("symbol", "symbol", text, required=True),
        field("date", "date", day),
        field("o", "open", number),
        field("h", "high", number),
        field("l", "low", number),
        field("c", "close", number),
        field("v", "volume", number),
        field("premarket", "", number),
        field("afterhours", "", number),
        field("prev_close", "prevClose prevclose", number),
    ),
    "chain_snapshot": (
        field("osi", "symbol", osi_text, required=True),
        field("underlying", "underlying root_symbol", text),
        field("right", "option_type", word_of(_RIGHTS)),
        field("strike", "strike", number),
        field("expiry", "expiration_date", day),
        field("style", "", text),
        field("multiplier", "contract_size", number),
        *_SIDES_OF_QUOTE,
        field("last_ts", "trade_date", instant),
        field("volume", "volume", number),
        field("open_interest", "open_interest", number),
        field("iv", "greeks.mid_iv", number),
        *(field(name, f"greeks.{name}", number) for name in ("delta", "gamma", "theta", "vega")),
        field("greeks_ts", "greeks.updated_at", _universal),
    ),
    "calendar_day": (
        field("date", "date", day, required=True),
        field("exchange", "", text),
        field("status", "status", word_of({"open": "open", "closed": "closed"}), required=True),
    ),
    "market_status": (
        field("state", "state", word_of(_STATES), required=True),
        field("ts", "timestamp", instant),
    ),
    "instrument": (
        field("symbol", "symbol", text, required=True),
        field("name", "description", text),
        field("mic", "exchange", _mic),
        field("type", "type", text),
        field("currency", "", text),
        field("active", "", flag),
        field("tradable", "", flag),
    ),
    "stream_session": (
        field("session_id", "sessionid", text, required=True),
        field("url", "url", text),
    ),
    "order": (
        field("broker_order_id", "id", text, required=True),
        field("client_order_id", "tag", text),
        field("symbol", "symbol", text),
        field("osi", "option_symbol", osi_text),
        field("class", "class", word_of(_CLASSES)),
        field("side", "side", word_of(_SIDES)),
        field("type", "type", word_of(_TYPES)),
        field("tif", "duration", word_of(_TIFS)),
        field("quantity", "quantity", number),
        field("notional", "", number),
        field("limit_price", "price", number),
        field("stop_price", "stop_price stop", number),
        field("status", "status", word_of(_ORDER_STATES), required=True),
        field("filled_quantity", "exec_quantity executed_quantity", number),
        field("remaining_quantity", "remaining_quantity", number),
        field("avg_fill_price", "avg_fill_price", number),
        field("created_at", "create_date", instant),
        field("updated_at", "transaction_date", instant),
        field("reason", "reason_description", text),
    ),
    "order_ack": (
        field("broker_order_id", "id", text, required=True),
        field("accepted", "status", _accepted, required=True),
    ),
    "order_preview": (
        field("symbol", "symbol", text),
        field("side", "side", word_of(_SIDES)),
        field("quantity", "quantity", number),
        field("type", "type", word_of(_TYPES)),
        field("tif", "duration time_in_force", word_of(_TIFS)),
        *(field(name, name, number) for name in ("commission", "fees", "cost", "order_cost")),
        field("day_trades", "day_trades", number),
        field("accepted", "result", flag),
    ),
    "position": (
        field("symbol", "symbol", text, required=True),
        field("quantity", "quantity", number, required=True),
        field("cost_basis", "cost_basis", number),
        field("market_value", "market_value", number),
        field("acquired_at", "date_acquired", instant),
    ),
    "balances": (
        field("account", "account_number", text, required=True),
        field("account_type", "account_type", text),
        field("equity", "total_equity", number),
        field("cash", "total_cash", number),
        field(
            "buying_power",
            "margin.stock_buying_power pdt.stock_buying_power cash.cash_available",
            number,
        ),
        field("option_buying_power", "margin.option_buying_power pdt.option_buying_power", number),
        field("unsettled_funds", "cash.unsettled_funds", number),
        field("maintenance_call", "margin.maintenance_call pdt.maintenance_call", number),
        field("currency", "", text),
        field("status", "", text),
        field("trading_blocked", "", flag),
    ),
    "account": (
        field("account", "account_number", text, required=True),
        field("account_type", "type", text),
        field("status", "status", text),
        field("option_level", "option_level", number),
        field("day_trader", "day_trader", flag),
    ),
    "account_event": (
        field("type", "event", text, required=True),
        field("broker_order_id", "id", text),
        field("status", "status", word_of(_ORDER_STATES)),
        field("filled_quantity", "exec_quantity executed_quantity", number),
        field("remaining_quantity", "remaining_quantity", number),
        field("avg_fill_price", "avg_fill_price", number),
        field("limit_price", "price", number),
        field("account", "account", text),
        field("ts", "timestamp transaction_date", instant),
    ),
    "account_activity": (
        field("type", "type", text, required=True),
        field("date", "date", day),
        field("amount", "amount", number),
    ),
    "closed_position": (
        field("symbol", "symbol", text, required=True),
        *(field(name, name, number) for name in ("quantity", "cost", "proceeds", "gain_loss")),
        field("open_date", "open_date", day),
        field("close_date", "close_date", day),
    ),
}
"""The places by record kind."""

ACTIVITY_FIELDS = tuple(
    field(name, name, read)
    for name, read in (("symbol", text), ("quantity", number), ("price", number))
)
"""What the inner object of an account activity adds."""

EXPIRATION_FIELDS = (
    field("date", "date", day, required=True),
    field("strikes", "strikes.strike", numbers),
)
