"""P2: price rules a second, 100k rules over 5k symbols, beside dicts of lists on the same ticks."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence

from services.alerts.index import PriceIndex
from tests.bench.measure import Outcome, Size

GOAL, FLAT = 10.0, 1.2
SYMBOLS, RULES = 5_000, 100_000
_CENTS = 100
"""Cents in one; prices are floats on both sides, as a decoder gives them."""
Tick = tuple[str, float]
Rule = tuple[str, float, str, str]


def rules(count: int, symbols: int) -> list[Rule]:
    """Return one-shot thresholds 1 to 30 percent beside 100.00, evenly over the symbols."""
    draw = random.Random(7)
    made = []
    for at in range(count):
        side = "above" if at % 2 else "below"
        away = draw.randint(100, 3000) * (1 if side == "above" else -1)
        made.append((f"S{at // 2 % symbols}", (10_000 + away) / _CENTS, side, f"r{at}"))
    return made


def ticks(count: int, symbols: int) -> list[Tick]:
    """Return ticks of prices that wander about 100.00; few symbols have most of them."""
    draw = random.Random(11)
    names = [f"S{at}" for at in range(symbols)]
    weights = [1 / (at + 1) for at in range(symbols)]
    last = dict.fromkeys(names, 10_000)
    made = []
    for name in draw.choices(names, weights, k=count):
        last[name] += draw.randint(-4, 4)
        made.append((name, last[name] / _CENTS))
    return made


def by_rules(given: Sequence[Rule]) -> Callable[[Sequence[Tick]], int]:
    """Return the peer: the rules of each symbol in a list, each one asked; it says which fired."""
    lists: dict[str, list[tuple[float, bool, str]]] = {}
    for symbol, level, side, rule in given:
        lists.setdefault(symbol, []).append((level, side == "above", rule))

    def run(stream: Sequence[Tick]) -> int:
        fired: list[tuple[str, float, str]] = []
        for symbol, price in stream:
            mine = lists.get(symbol)
            if mine is None:
                continue
            for one in mine:
                level, above, _ = one
                if price >= level if above else price <= level:
                    break
            else:
                continue
            touched = [one for one in mine if (price >= one[0] if one[1] else price <= one[0])]
            mine[:] = [one for one in mine if one not in touched]
            fired += [(symbol, price, rule) for _, _, rule in touched]
        return len(fired)

    return run


def by_lists(given: Sequence[Rule]) -> Callable[[Sequence[Tick]], int]:
    """Return the harder peer: two lists of bare levels by symbol, which can not say who fired."""
    lists: dict[str, tuple[list[float], list[float]]] = {}
    for symbol, level, side, _ in given:
        lists.setdefault(symbol, ([], []))[side == "below"].append(level)

    def run(stream: Sequence[Tick]) -> int:
        fired = 0
        for symbol, price in stream:
            mine = lists.get(symbol)
            if mine is None:
                continue
            ups, downs = mine
            for level in ups:
                if level <= price:
                    break
            else:
                for level in downs:
                    if level >= price:
                        break
                else:
                    continue
            before = len(ups) + len(downs)
            ups[:] = [level for level in ups if level > price]
            downs[:] = [level for level in downs if level < price]
            fired += before - len(ups) - len(downs)
        return fired

    return run


def by_index(given: Sequence[Rule]) -> Callable[[Sequence[Tick]], int]:
    """Return ours: the index of the fast path."""
    index = PriceIndex()
    index.add_all(given)

    def run(stream: Sequence[Tick]) -> int:
        return len(index.crossed_all(stream))

    return run


def rates(
    sides: Sequence[Callable[[Sequence[Tick]], int]], stream: Sequence[Tick], rounds: int
) -> list[tuple[float, int]]:
    """Return the best ticks a second of each side and what it fired; the sides take turns.

    Rules fire in the first round only; they are so few that the later rounds cost the same.
    """
    best, fired = [0.0] * len(sides), [0] * len(sides)
    for _ in range(rounds):
        for at, run in enumerate(sides):
            began = time.process_time()
            fired[at] += run(stream)
            best[at] = max(best[at], len(stream) / (time.process_time() - began))
    return list(zip(best, fired, strict=True))


def measure(size: Size) -> list[Outcome]:
    """Compare index and lists, then the index with a thousand and with a million rules."""
    small = size.rounds == 1
    symbols, count = (50, 1_000) if small else (SYMBOLS, RULES)
    stream, given = ticks(20 * count // 10, symbols), rules(count, symbols)
    sides = (
        by_rules(given),
        by_lists(given),
        by_index(given),
        by_index(rules(count // 100, symbols)),
        by_index(rules(10 * count, symbols)),
    )
    every = rates(sides, stream, size.rounds)
    (peer, asked), (bare, told), (ours, found), (rare, _), (crowded, fired) = every
    if not found == told == asked:
        raise RuntimeError(f"the index fired {found}, the lists {asked} and {told}")
    job, mine = f"rule evaluation, {count} rules, {symbols} symbols", f"{ours / 1e6:.2f}M ticks/s"
    return [
        Outcome(
            "P2", job, mine, f"dict of lists of rules {peer / 1e6:.2f}M ticks/s", ours / peer,
            f">= {GOAL:.0f}x", met=ours >= GOAL * peer,
            note=f"{found} fired on every side in {len(stream)} ticks; the peer says which, as ours",
        ),
        Outcome(
            "P2", f"{job}, the harder peer", mine,
            f"dict of lists of bare levels {bare / 1e6:.2f}M ticks/s", ours / bare,
            f">= {GOAL:.0f}x", met=ours >= GOAL * bare,
            note="this peer can not say which rule fired; of our time a tick three quarters are "
            "taking it from the list and finding its symbol in a dict",
        ),
        Outcome(
            "P2", f"cost of a tick, {10 * count} rules against {count // 100}",
            f"{1e9 / crowded:.0f} ns", f"{1e9 / rare:.0f} ns", rare / crowded, f"<= {FLAT}x",
            met=rare <= FLAT * crowded, note=f"{fired} of the many fired",
        ),
    ]  # fmt: skip
