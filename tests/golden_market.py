"""Owns the golden functions of market data: each with the adapter that calls our code for it."""

from __future__ import annotations

from typing import Any

from services.kit.clock import instant_text
from services.market.freshness import data_age
from services.market.grid import TIMEFRAMES
from services.market.news_rule import earnings_window
from services.market.news_url import canonical_url
from tests.case_args import Args

Output = dict[str, Any]


def golden_data_age(given: Any) -> Output:
    """0.7."""
    args = Args(given)
    found = data_age(
        args.text("calendar"),
        args.word("timeframe", *TIMEFRAMES),
        args.integer("max_age_bars"),
        args.instant("last_bar_close"),
        args.instant("as_of"),
    )
    return {
        "age_trading_minutes": found.age_trading_minutes,
        "stale": found.stale,
        "market_state": found.market_state,
        "next_open": instant_text(found.next_open),
        "flags": list(found.flags),
    }


def golden_canon_url(given: Any) -> Output:
    """11.2."""
    return {"url": canonical_url(Args(given).text("url"))}


def golden_earnings_window(given: Any) -> Output:
    """11.4."""
    args = Args(given)
    found = earnings_window(
        args.text("calendar"),
        args.day("plan_date"),
        horizon_end=args.day("horizon_end"),
        earnings_date=args.day("earnings_date"),
        time=args.word("time", "bmo", "amc", "unknown"),
    )
    return {
        "in_window": found.in_window,
        "sessions_until": found.sessions_until,
        "flags": list(found.flags),
    }
