"""Owns the table of Alpaca's fields: for every record kind the places its values stand in."""

from __future__ import annotations

from typing import Any

from services.kit.errors import Refusal
from services.market.decode import (
    Field,
    currency,
    day,
    field,
    flag,
    instant,
    number,
    text,
    upper,
    word_of,
    words,
)
from services.market.news_url import canonical_url
from services.market.osi import osi_text

_MICS = {
    "AMEX": "XASE",
    "ARCA": "ARCX",
    "BATS": "BATS",
    "IEX": "IEXG",
    "NASDAQ": "XNAS",
    "NYSE": "XNYS",
    "NYSEARCA": "ARCX",
}
_SIDES = {name: name for name in ("buy", "sell")}
_TYPES = {name: name for name in ("market", "limit", "stop", "stop_limit", "trailing_stop")}
_TIFS = {name: name for name in ("day", "gtc", "opg", "cls", "ioc", "fok")}
_CLASSES = {"bracket": "otoco", "mleg": "multileg", "oco": "oco", "oto": "oto"}
_ORDER_STATES = {
    "accepted": "pending",
    "accepted_for_bidding": "pending",
    "calculated": "open",
    "canceled": "cancelled",
    "cancelled": "cancelled",
    "done_for_day": "open",
    "expired": "expired",
    "filled": "filled",
    "held": "pending",
    "new": "open",
    "open": "open",
    "partially_filled": "partially_filled",
    "pending_cancel": "open",
    "pending_new": "pending",
    "pending_replace": "open",
    "pending_review": "pending",
    "rejected": "rejected",
    "replaced": "replaced",
    "stopped": "open",
    "suspended": "pending",
}
"""What is done for the day or asked to end may still trade; only a final word is an end."""
_RIGHTS = {"call": "call", "put": "put"}


def _mic(value: Any) -> str | None:
    found = upper(value)
    return None if found is None else _MICS.get(found)


def _class(value: Any) -> str | None:
    found = text(value)
    return None if found is None else _CLASSES.get(found.lower())


def _lower(value: Any) -> str | None:
    found = text(value)
    return None if found is None else found.lower()


def _active(value: Any) -> bool | None:
    found = text(value)
    return None if found is None else found.lower() == "active"


def _taken(value: Any) -> bool | None:
    found = number(value)
    return None if found is None else 200 <= found < 300


def _link(value: Any) -> str | None:
    found = text(value)
    try:
        return None if found is None else canonical_url(found)
    except Refusal:
        return None


def bar_part() -> tuple[Field, ...]:
    """Return the fields of one bar without its time."""
    return tuple(field(name, name, number) for name in ("o", "h", "l", "c", "v", "vw"))


_QUOTE = (
    field("bid", "bp", number),
    field("ask", "ap", number),
    field("bid_size", "bs", number),
    field("ask_size", "as", number),
)
_SNAPSHOT_SIDES = (
    field("bid", "latestQuote.bp", number),
    field("ask", "latestQuote.ap", number),
    field("bid_size", "latestQuote.bs", number),
    field("ask_size", "latestQuote.as", number),
    field("last", "latestTrade.p", number),
    field("last_ts", "latestTrade.t", instant),
)

# A field without a place is one that this provider never sends.
FIELDS: dict[str, tuple[Field, ...]] = {
    "quote": (
        field("symbol", "symbol S", text),
        *_QUOTE,
        field("last", "", number),
        *(field(name, "", number) for name in ("open", "high", "low", "prev_close", "volume")),
        field("ts", "t", instant, required=True),
        field("last_ts", "", instant),
    ),
    "trade": (
        field("symbol", "symbol S", text),
        field("price", "p", number, required=True),
        field("size", "s", number),
        field("ts", "t", instant, required=True),
        field("trade_id", "i", text),
        field("bid", "", number),
        field("ask", "", number),
    ),
    "bar": (
        field("symbol", "symbol S", text),
        field("t_open", "t", instant, required=True),
        *(field(name, name, number, required=True) for name in ("o", "h", "l", "c")),
        *(field(name, name, number) for name in ("v", "vw", "n")),
    ),
    "snapshot": (
        field("symbol", "symbol", text),
        *_SNAPSHOT_SIDES,
        field("ts", "latestQuote.t latestTrade.t minuteBar.t", instant),
    ),
    "snapshot.day": bar_part(),
    "snapshot.prev": bar_part(),
    "snapshot.minute": (field("t_open", "t", instant), *bar_part()),
    "chain_snapshot": (
        field("underlying", "", text),
        field("style", "", text),
        field("multiplier", "", number),
        *_SNAPSHOT_SIDES,
        field("quote_ts", "latestQuote.t", instant),
        field("volume", "dailyBar.v", number),
        field("open_interest", "openInterest", number),
        field("iv", "impliedVolatility", number),
        *(field(name, f"greeks.{name}", number) for name in ("delta", "gamma", "theta", "vega")),
    ),
    "option_contract": (
        field("osi", "symbol", osi_text, required=True),
        field("underlying", "underlying_symbol root_symbol", text),
        field("right", "type", word_of(_RIGHTS)),
        field("strike", "strike_price", number),
        field("expiry", "expiration_date", day),
        field("style", "style", _lower),
        field("multiplier", "multiplier size", number),
    ),
    "news_item": (
        field("provider_id", "id", text, required=True),
        field("title", "headline", text, required=True),
        field("publisher", "source author", text),
        field("url_raw", "url", text),
        field("url_canonical", "url", _link),
        field("published_at", "created_at updated_at", instant),
        field("symbols", "symbols", words),
        field("summary", "summary", text),
    ),
    "calendar_day": (field("date", "date", day, required=True), field("exchange", "", text)),
    "market_status": (
        field("is_open", "is_open", flag, required=True),
        field("ts", "timestamp", instant),
    ),
    "instrument": (
        field("symbol", "symbol", text, required=True),
        field("name", "name", text),
        field("mic", "exchange", _mic),
        field("currency", "currency", currency),
        field("active", "status", _active),
        field("tradable", "tradable", flag),
    ),
    "order": (
        field("broker_order_id", "id", text, required=True),
        field("client_order_id", "client_order_id", text, required=True),
        field("symbol", "symbol", text),
        field("osi", "symbol", osi_text),
        field("class", "order_class", _class),
        field("side", "side", word_of(_SIDES)),
        field("type", "type order_type", word_of(_TYPES)),
        field("tif", "time_in_force", word_of(_TIFS)),
        field("quantity", "qty", number),
        field("notional", "notional", number),
        field("limit_price", "limit_price", number),
        field("stop_price", "stop_price", number),
        field("status", "status", word_of(_ORDER_STATES), required=True),
        field("word", "status", _lower),
        field("filled_quantity", "filled_qty", number),
        field("avg_fill_price", "filled_avg_price", number),
        field("created_at", "created_at submitted_at", instant),
        field("updated_at", "updated_at", instant),
        field("replaced_by", "replaced_by", text),
        field("replaces", "replaces", text),
        field("reason", "reject_reason", text),
    ),
    "order_ack": (
        field("broker_order_id", "id body.id", text),
        field("accepted", "status", _taken, required=True),
    ),
    "position": (
        field("symbol", "symbol", text, required=True),
        field("quantity", "qty", number, required=True),
        field("side", "side", text),
        field("cost_basis", "cost_basis", number),
        field("avg_price", "avg_entry_price", number),
        field("market_value", "market_value", number),
        field("acquired_at", "", instant),
    ),
    "balances": (
        field("account", "account_number", text, required=True),
        field("account_type", "", text),
        field("equity", "equity portfolio_value", number),
        field("cash", "cash", number),
        field("buying_power", "buying_power", number),
        field("option_buying_power", "options_buying_power", number),
        field("unsettled_funds", "", number),
        field("maintenance_call", "", number),
        field("currency", "currency", currency),
        field("status", "status", _lower),
        field("trading_blocked", "trading_blocked", flag),
        field("account_blocked", "account_blocked", flag),
        field("suspended", "trade_suspended_by_user", flag),
    ),
    "account": (
        field("account", "account_number", text, required=True),
        field("account_type", "", text),
        field("status", "status", _lower),
        field("option_level", "options_trading_level options_approved_level", number),
        field("day_trader", "pattern_day_trader", flag),
    ),
    "account_config": (
        field("suspend_trade", "suspend_trade", flag, required=True),
        field("no_shorting", "no_shorting", flag),
        field("fractional_trading", "fractional_trading", flag),
        field("max_margin_multiplier", "max_margin_multiplier", number),
    ),
    "account_activity": (
        field("id", "id", text),
        field("type", "activity_type", _lower, required=True),
        field("date", "date transaction_time", day),
        field("amount", "net_amount", number),
        field("symbol", "symbol", text),
        field("side", "side", text),
        field("quantity", "qty", number),
        field("price", "price per_share_amount", number),
    ),
    "account_event": (
        field("broker_order_id", "order.id", text),
        field("status", "order.status", word_of(_ORDER_STATES)),
        field("filled_quantity", "order.filled_qty", number),
        field("avg_fill_price", "order.filled_avg_price", number),
        field("limit_price", "order.limit_price", number),
        field("account", "", text),
        field("ts", "timestamp at", instant),
    ),
    "corporate_action": (
        field("symbol", "symbol old_symbol initiating_symbol target_symbol", text),
        field("ex_date", "ex_date process_date", day),
        field("ratio_from", "old_rate", number),
        field("ratio_to", "new_rate", number),
        field("cash_amount", "rate cash", number),
        field("currency", "currency", currency),
        field("pay_date", "payable_date", day),
    ),
    "stream_status": (
        field("status", "T data.status", text, required=True),
        field("message", "msg data.action", text),
    ),
}
"""The places by record kind; a part of a snapshot is `snapshot.<part>`.

Flags of the day-trade rule are not read: the provider gives them up, and our rule is the account's.
"""
