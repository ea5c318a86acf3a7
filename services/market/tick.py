"""Owns the simulated trades inside one minute and the bid and ask around each of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from itertools import accumulate, pairwise

from services.market.path import MinuteBar, draw

_TRADES = 12
"""Trades of a minute: one in each twelfth of it; four where it trades fewer shares than that."""
_MINUTE_MS = 60_000
_EVEN = 1 << 16
_OPENING = ((1, 4), (5, 3), (15, 2))
"""How many times wider the spread is before these minutes of a session."""
_BASIS = 8000
"""The spread is one tick for each whole 8000 ticks of price, and one tick at least."""


@dataclass(frozen=True, slots=True)
class PathTick:
    """One trade, `at_ms` after the session's open; prices in 1/10000, sizes in shares."""

    at_ms: int
    price: int
    size: int
    bid: int
    ask: int


@lru_cache(maxsize=2048)
def minute_ticks(symbol: str, day: date, bar: MinuteBar, tick: int) -> tuple[PathTick, ...]:
    """Return the trades of a minute, ascending: the first is its open, the last its close.

    They touch its high and low and nothing beyond, and their sizes add up to its volume. A
    minute of fewer shares than trades has trades of size 0. Minute 0 trades at the open itself.
    """
    count = _TRADES if bar.v >= _TRADES else 4
    rough = draw(f"tape/v1|{symbol}|{day.isoformat()}|{bar.minute}", 4 * count)
    prices = _prices(bar, tick, rough[:count])
    sizes = _sizes(bar.v, rough[count : 2 * count])
    ticks = []
    for at, price in enumerate(prices):
        slot = _MINUTE_MS // count
        offset = at * slot + (slot * rough[2 * count + at] // _EVEN if bar.minute or at else 0)
        bid, ask = quote_around(price, bar.minute, tick, rough[3 * count + at])
        ticks.append(PathTick(bar.minute * _MINUTE_MS + offset, price, sizes[at], bid, ask))
    return tuple(ticks)


def _prices(bar: MinuteBar, tick: int, rough: tuple[int, ...]) -> list[int]:
    """Return the prices: from open over both extremes to close, in even steps."""
    last = len(rough) - 1
    first_turn = 1 + rough[0] % (last - 2)
    second_turn = first_turn + 1 + rough[1] % (last - 1 - first_turn)
    turns = (bar.l, bar.h) if bar.c >= bar.o else (bar.h, bar.l)
    knots = ((0, bar.o), (first_turn, turns[0]), (second_turn, turns[1]), (last, bar.c))
    prices = [bar.o]
    for (start, low), (end, high) in pairwise(knots):
        for at in range(start + 1, end):
            between = low + (high - low) * (at - start) // (end - start)
            prices.append(max(bar.l, min(bar.h, (between + tick // 2) // tick * tick)))
        prices.append(high)
    return prices


def _sizes(volume: int, rough: tuple[int, ...]) -> list[int]:
    """Return whole sizes that add up to `volume`, each at least 1 where there is enough of it."""
    floor = 1 if volume >= len(rough) else 0
    left = volume - floor * len(rough)
    sums = [0, *accumulate(part + 1 for part in rough)]
    marks = [left * part // sums[-1] for part in sums]
    return [floor + after - before for before, after in pairwise(marks)]


def quote_around(price: int, minute: int, tick: int, rough: int) -> tuple[int, int]:
    """Return bid and ask on the tick grid with `bid < ask`; the trade was at one of them.

    An even `rough` means that the buyer crossed the spread. A price with parts of a tick lies
    between them. Wider in the first fifteen minutes.
    """
    wider = next((times for before, times in _OPENING if minute < before), 1)
    spread = tick * wider * max(1, price // (tick * _BASIS))
    if rough % 2 == 0:
        ask = -(-price // tick) * tick
        return max(tick, ask - spread), max(ask, 2 * tick)
    bid = max(tick, price // tick * tick)
    return bid, bid + spread
