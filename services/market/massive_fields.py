"""Owns the table of Massive's fields: for every record kind the places its values stand in."""

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
    word_of,
    words,
)
from services.market.news_url import canonical_url
from services.market.osi import osi_text

_RIGHTS = {"call": "call", "put": "put"}
_STYLES = {"american": "american", "european": "european", "bermudan": "bermudan"}
_STATES = {"open": "open", "closed": "closed", "extended-hours": "extended"}
_DAYS = {"closed": "closed", "early-close": "early_close", "open": "open"}
_TRADE_TIME = "last_trade.sip_timestamp last_trade.participant_timestamp last_trade.last_updated"


def _link(value: Any) -> str | None:
    found = text(value)
    try:
        return None if found is None else canonical_url(found)
    except Refusal:
        return None


def _bar_part(volume: str) -> tuple[Field, ...]:
    return (
        field("o", "o open", number),
        field("h", "h high", number),
        field("l", "l low", number),
        field("c", "c close previous_close", number),
        field("v", volume, number),
        field("vw", "vw vwap", number),
    )


def _listed(value: Any) -> list[str] | None:
    return words(value) or None


# A field without a place is one that this provider never sends.
_CONTRACT = (
    field("right", "contract_type details.contract_type", word_of(_RIGHTS)),
    field("strike", "strike_price details.strike_price", number),
    field("expiry", "expiration_date details.expiration_date", day),
    field("style", "exercise_style details.exercise_style", word_of(_STYLES)),
    field("multiplier", "shares_per_contract details.shares_per_contract", number),
)

OHLCV_PLACES: dict[str, tuple[str, ...]] = {
    "day": ("day", "session"),
    "prev": ("prevDay", "session"),
    "minute": ("min", "last_minute"),
}
"""Where the parts of a snapshot stand."""

FIELDS: dict[str, tuple[Field, ...]] = {
    "quote": (
        field("symbol", "sym ticker T", text),
        field("bid", "bp bid_price p", number),
        field("ask", "ap ask_price P", number),
        field("bid_size", "bs bid_size s", number),
        field("ask_size", "as ask_size S", number),
        *(field(name, "", text) for name in ("last", "open", "high", "low")),
        *(field(name, "", text) for name in ("prev_close", "volume", "last_ts")),
        field("ts", "t sip_timestamp participant_timestamp y", instant, required=True),
    ),
    "trade": (
        field("symbol", "sym ticker T", text),
        field("price", "p price", number, required=True),
        field("size", "ds decimal_size s size", number),
        field("ts", "t sip_timestamp participant_timestamp y", instant, required=True),
        field("trade_id", "i id", text),
        field("conditions", "c conditions", _listed),
        field("bid", "", text),
        field("ask", "", text),
    ),
    "bar": (
        field("symbol", "sym ticker T", text),
        field("t_open", "s t", instant, required=True),
        *(field(name, name, number, required=True) for name in ("o", "h", "l", "c")),
        field("v", "dv v", number),
        field("vw", "vw", number),
        field("n", "n", number),
    ),
    "daily_summary": (
        field("symbol", "symbol", text, required=True),
        field("date", "from", day, required=True),
        field("o", "open", number),
        field("h", "high", number),
        field("l", "low", number),
        field("c", "close", number),
        field("v", "volume", number),
        field("premarket", "preMarket", number),
        field("afterhours", "afterHours", number),
        field("prev_close", "", text),
    ),
    "snapshot": (
        field("symbol", "ticker details.ticker", text, required=True),
        field("bid", "lastQuote.p last_quote.bid", number),
        field("ask", "lastQuote.P last_quote.ask", number),
        field("bid_size", "lastQuote.s last_quote.bid_size", number),
        field("ask_size", "lastQuote.S last_quote.ask_size", number),
        field("last", "lastTrade.p last_trade.price value", number),
        field("last_ts", f"lastTrade.t {_TRADE_TIME}", instant),
        field("ts", "updated last_quote.last_updated last_updated lastQuote.t", instant),
        field("timeframe", "last_quote.timeframe last_trade.timeframe timeframe", text),
        field("quote_ts", "lastQuote.t last_quote.last_updated", instant),
    ),
    "snapshot.day": _bar_part("v volume"),
    "snapshot.prev": (
        field("o", "o", number),
        field("h", "h", number),
        field("l", "l", number),
        field("c", "c previous_close", number),
        field("v", "v", number),
        field("vw", "vw", number),
    ),
    "snapshot.minute": (field("t_open", "t last_updated", instant), *_bar_part("v volume")),
    "rate": (
        field("symbol", "T ticker", text),
        field("rate", "c", number, required=True),
        field("ts", "t", instant, required=True),
    ),
    "index_value": (
        field("symbol", "ticker T", text, required=True),
        field("value", "value val", number, required=True),
        field("ts", "last_updated t", instant),
    ),
    "limit_band": (
        field("symbol", "T sym", text, required=True),
        field("high", "h", number, required=True),
        field("low", "l", number, required=True),
        field("ts", "t", instant),
    ),
    "option_contract": (
        field("osi", "ticker", osi_text),
        field("underlying", "underlying_ticker", text),
        *_CONTRACT,
    ),
    "chain_snapshot": (
        field("osi", "details.ticker ticker", osi_text),
        field("underlying", "underlying_asset.ticker details.underlying_ticker", text),
        *_CONTRACT,
        field("bid", "last_quote.bid", number),
        field("ask", "last_quote.ask", number),
        field("bid_size", "last_quote.bid_size", number),
        field("ask_size", "last_quote.ask_size", number),
        field("last", "last_trade.price", number),
        field("last_ts", _TRADE_TIME, instant),
        field("volume", "day.volume session.volume", number),
        field("open_interest", "open_interest", number),
        field("iv", "implied_volatility", number),
        *(field(name, f"greeks.{name}", number) for name in ("delta", "gamma", "theta", "vega")),
        field("quote_ts", "last_quote.last_updated", instant),
        field("timeframe", "last_quote.timeframe last_trade.timeframe", text),
        field("underlying_timeframe", "underlying_asset.timeframe", text),
        field("spot", "underlying_asset.price underlying_asset.value", number),
    ),
    "news_item": (
        field("provider_id", "id benzinga_id", text, required=True),
        field("title", "title", text, required=True),
        field("publisher", "publisher.name author", text),
        field("url_raw", "article_url url", text),
        field("url_canonical", "article_url url", _link),
        field("published_at", "published_utc published", instant),
        field("symbols", "tickers", words),
        field("summary", "description teaser", text),
    ),
    "earnings_event": (
        field("symbol", "ticker", text, required=True),
        field("date", "date", day, required=True),
        field("time", "time", text),
        field("confirmed", "date_status status", text),
    ),
    "market_status": (
        field("state", "market", word_of(_STATES), required=True),
        field("ts", "serverTime", instant),
    ),
    "calendar_day": (
        field("date", "date", day, required=True),
        field("exchange", "exchange", text),
        field("status", "status", word_of(_DAYS), required=True),
        field("open", "open", instant),
        field("close", "close", instant),
    ),
    "instrument": (
        field("symbol", "ticker", text, required=True),
        field("name", "name", text),
        field("mic", "primary_exchange", text),
        field("currency", "currency_name currency_symbol", currency),
        field("active", "active", flag),
        field("tradable", "", text),
        field("type", "type", text),
        field("market", "market", text),
    ),
    "exchange": (
        field("provider_id", "id", text, required=True),
        field("mic", "mic operating_mic", text),
        field("name", "name", text),
    ),
    "condition": (
        field("id", "id", text, required=True),
        field("name", "name", text),
        field("updates_high_low", "update_rules.consolidated.updates_high_low", flag),
        field("updates_volume", "update_rules.consolidated.updates_volume", flag),
    ),
    "corporate_action": (
        field("symbol", "ticker ticker_change.ticker", text),
        field("ex_date", "execution_date ex_dividend_date date", day),
        field("ratio_from", "split_from", number),
        field("ratio_to", "split_to", number),
        field("cash_amount", "cash_amount", number),
        field("currency", "currency", currency),
        field("pay_date", "pay_date", day),
    ),
    "stream_status": (
        field("status", "status", text, required=True),
        field("message", "message", text),
    ),
}
"""The places by record kind; a part of a snapshot is `snapshot.<part>`."""
