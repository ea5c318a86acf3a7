"""Bars for the strategy's tests: seeded walks on the real grid, and their mirror image."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal

from services.kit.policy import SetupPolicy
from services.market.bar import Bar, resample
from services.market.session import sessions_between
from services.strategy.scene import MarketContext
from services.strategy.track import Track

CALENDAR = "XNYS"
CENT = Decimal("0.01")


def walk(seed: int, first: date, last: date, minutes: int = 5, swing: float = 0.004) -> list[Bar]:
    """Return bars of regular hours on a seeded walk around 100 with bursts of volume."""
    source, price, bars = random.Random(seed), 100.0, []
    for session in sessions_between(CALENDAR, first, last):
        at = session.open
        trend = source.uniform(-swing, swing) / 4
        while at < session.close:
            ends = min(at + timedelta(minutes=minutes), session.close)
            prices = [price]
            for _ in range(3):
                price = min(max(price * (1 + trend + source.uniform(-swing, swing) / 2), 60), 140)
                prices.append(price)
            o, c = cents(prices[0]), cents(prices[-1])
            volume = Decimal(source.choice((900, 1000, 1100, 1000, 4000)))
            bars.append(
                Bar(
                    t_open=at,
                    t_close=ends,
                    o=o,
                    h=cents(max(prices)),
                    l=cents(min(prices)),
                    c=c,
                    v=volume,
                )
            )
            at = ends
    return bars


def cents(value: float) -> Decimal:
    return Decimal(repr(value)).quantize(CENT)


def mirrored(bars: list[Bar], centre: Decimal = Decimal(100)) -> list[Bar]:
    """Return the bars with every price p as 2 * centre - p."""
    return [
        replace(
            bar,
            o=2 * centre - bar.o,
            h=2 * centre - bar.l,
            l=2 * centre - bar.h,
            c=2 * centre - bar.c,
        )
        for bar in bars
    ]


def build_context(
    bars: list[Bar], as_of: datetime, policy: SetupPolicy | None = None
) -> MarketContext:
    """Return the context of 5-minute bars with every timeframe above them."""
    tracks = {"5m": Track("5m", CALENDAR, bars)}
    for timeframe in ("15m", "60m", "1d", "1w"):
        built = resample(bars, calendar=CALENDAR, from_tf="5m", to_tf=timeframe)
        tracks[timeframe] = Track(timeframe, CALENDAR, built)
    return MarketContext(
        instrument_id="XNAS:TEST",
        symbol="TEST",
        calendar=CALENDAR,
        tick=CENT,
        as_of=as_of,
        tracks=tracks,
        policy=policy or SetupPolicy(),
    )
