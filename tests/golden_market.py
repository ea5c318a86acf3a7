"""Owns the golden functions of market data: each with the adapter that calls our code for it."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from services.kit.clock import instant_text
from services.kit.money import from_float
from services.market.freshness import data_age
from services.market.grid import TIMEFRAMES
from services.market.indicator import Reading, adx, atr, ema, rsi, true_range
from services.market.level import opening_range, pivots, swings
from services.market.news_rule import earnings_window
from services.market.news_url import canonical_url
from services.market.relative_volume import rvol_tod
from services.market.vwap import VolumeBar, anchored_vwap, vwap
from tests.case_args import Args, as_list, as_whole, fixed

Output = dict[str, Any]


class RangeRow(NamedTuple):
    """A bar of an opening range."""

    t_open: datetime
    h: Decimal
    l: Decimal  # noqa: E741 - the field's own letter


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


def _reading(found: Reading) -> Output:
    return {
        "first_index": found.first_index,
        "first": from_float(found.first),
        "last": _six(found.last),
        "flags": list(found.flags),
    }


def _six(value: float | None) -> Decimal | None:
    return None if value is None else from_float(value)


def golden_ema(given: Any) -> Output:
    """1.3."""
    args = Args(given)
    return _reading(ema(args.floats("close"), args.integer("n")))


def golden_atr(given: Any) -> Output:
    """1.4."""
    args = Args(given)
    high, low, close = (args.floats(name) for name in ("high", "low", "close"))
    found = atr(high, low, close, args.integer("n"))
    return _reading(found) | {"tr1": from_float(true_range(high[1], low[1], close[0]))}


def golden_rsi(given: Any) -> Output:
    """1.5."""
    args = Args(given)
    return _reading(rsi(args.floats("close"), args.integer("n")))


def golden_adx(given: Any) -> Output:
    """1.5."""
    args = Args(given)
    high, low, close = (args.floats(name) for name in ("high", "low", "close"))
    return _reading(adx(high, low, close, args.integer("n")))


def _volume_bars(args: Args) -> list[VolumeBar]:
    rows = args.items("bars")
    for row in rows:
        row.dec("o")
    return [
        VolumeBar(
            h=row.real("h"),
            l=row.real("l"),
            c=row.real("c"),
            v=float(row.integer("v")),
            vw=row.real("vw", None),
        )
        for row in rows
    ]


def golden_vwap(given: Any) -> Output:
    """1.6."""
    found = vwap(_volume_bars(Args(given)))
    value, sigma = found.value, found.sigma
    known = value is not None and sigma is not None
    return {
        "last": _six(value),
        "sigma": _six(sigma),
        "upper1": _six(value + sigma) if known else None,
        "lower1": _six(value - sigma) if known else None,
        "flags": list(found.flags),
    }


def golden_anchored_vwap(given: Any) -> Output:
    """1.6."""
    args = Args(given)
    found = anchored_vwap(_volume_bars(args), args.integer("anchor_index"))
    return {"last": _six(found.value), "flags": list(found.flags)}


def golden_pivots(given: Any) -> Output:
    """1.8."""
    args = Args(given)
    found = pivots(
        args.real("prev_high"), args.real("prev_low"), prev_close=args.real("prev_close")
    )
    return {
        name.upper(): from_float(getattr(found, name))
        for name in ("p", "r1", "s1", "r2", "s2", "r3", "s3")
    }


def golden_opening_range(given: Any) -> Output:
    """1.7."""
    args = Args(given)
    found = opening_range(
        args.instant("session_open"),
        [RangeRow(row.instant("t_open"), row.dec("h"), row.dec("l")) for row in args.items("bars")],
        minutes=args.integer("minutes"),
        bar_minutes=args.integer("bar_minutes"),
        as_of=args.instant("as_of"),
    )
    prices = {name: fixed(getattr(found, name), 6) for name in ("high", "low", "mid", "width")}
    return prices | {"complete": True, "bars_used": found.bars_used, "flags": list(found.flags)}


def golden_rvol_tod(given: Any) -> Output:
    """1.10."""
    args = Args(given)
    found = rvol_tod(
        [
            [
                None if item is None else as_whole("history_cumulative", item)
                for item in as_list("history_cumulative", day)
            ]
            for day in as_list("history_cumulative", args.raw("history_cumulative"))
        ],
        [
            as_whole("today_cumulative", item)
            for item in as_list("today_cumulative", args.raw("today_cumulative"))
        ],
        slot=args.integer("slot"),
        n=args.integer("n", 20),
    )
    return {
        "rvol": _six(found.rvol),
        "sessions_used": found.sessions_used,
        "flags": list(found.flags),
    }


def golden_swings(given: Any) -> Output:
    """1.9."""
    args = Args(given)
    found = swings(args.floats("high"), args.floats("low"), args.integer("k"))
    return {
        f"{kind}s": [
            {
                "index": swing.index,
                "price": from_float(swing.price),
                "confirmed_at": swing.confirmed_at,
            }
            for swing in found
            if swing.kind == kind
        ]
        for kind in ("high", "low")
    }
