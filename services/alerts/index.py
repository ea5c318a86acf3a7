"""Owns the index of price rules: which of very many a price touches, at a cost beside their count.

Each symbol keeps its levels in two sorted stacks, the next one on top, and a watermark: the next
level upward and downward. A price between them touches nothing, and that is all it costs.

Levels and prices are floats, because nothing compares as quickly. Rounding to a float keeps the
order, so no level is missed; numbers of 15 digits or fewer have a float each, so that comparing
them is exact. Whoever needs more digits confirms what was found.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable
from math import inf
from typing import Literal

from services.market.stream_tick import Tick

_SYMBOLS_MAX = 100_000
Mark = tuple[float, float]
_NOTHING: Mark = (-inf, inf)
Side = Literal["above", "below"]
_Entry = tuple[float, str]


class PriceIndex:
    """Levels by symbol. A touched rule leaves the index; its owner adds it again when it re-arms.

    Not for several threads at once.
    """

    def __init__(self) -> None:
        self._marks: dict[str, Mark] = {}
        self._ups: dict[str, list[_Entry]] = {}
        self._downs: dict[str, list[_Entry]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._ups.values())) + sum(map(len, self._downs.values()))

    def add(self, symbol: str, level: float, side: Side, rule_id: str) -> None:
        """Add a rule that a price at `level` or beyond it touches; the same rule again is one."""
        stacks, entry = self._stacks(side), _entry(level, side, rule_id)
        stack = stacks.setdefault(symbol, [])
        at = bisect_left(stack, entry)
        if at == len(stack) or stack[at] != entry:
            insort(stack, entry)
            self._mark(symbol)

    def add_all(self, rules: Iterable[tuple[str, float, Side, str]]) -> None:
        """Add many rules `(symbol, level, side, id)` at once, sorting each stack one time."""
        grown: dict[tuple[str, Side], set[_Entry]] = {}
        for symbol, level, side, rule_id in rules:
            grown.setdefault((symbol, side), set()).add(_entry(level, side, rule_id))
        for (symbol, side), entries in grown.items():
            stacks = self._stacks(side)
            stacks[symbol] = sorted(entries.union(stacks.get(symbol, ())))
        for symbol, _ in grown:
            self._mark(symbol)

    def remove(self, symbol: str, level: float, side: Side, rule_id: str) -> bool:
        """Take a rule out; False when it is not there (any more)."""
        stack, entry = self._stacks(side).get(symbol, []), _entry(level, side, rule_id)
        at = bisect_left(stack, entry)
        if at == len(stack) or stack[at] != entry:
            return False
        del stack[at]
        self._mark(symbol)
        return True

    def crossed(self, symbol: str, price: float) -> tuple[str, ...]:
        """Return the rules that `price` touches and take them out, the nearest level first."""
        low, high = self._marks.get(symbol, _NOTHING)
        return () if low < price < high else self._take(symbol, price)

    def crossed_all(self, ticks: Iterable[tuple[str, float]]) -> list[tuple[str, float, str]]:
        """Return symbol, price and rule for every rule that the ticks touch, in their order."""
        marks = self._marks
        found: list[tuple[str, float, str]] = []
        for symbol, price in ticks:  # each step of this loop is paid for by every trade
            try:
                low, high = marks[symbol]
            except KeyError:
                low, high = self._mark_nothing(symbol)
            if price >= high or price <= low:
                found += [(symbol, price, rule) for rule in self._take(symbol, price)]
        return found

    def near(self, rows: Iterable[Tick]) -> list[Tick]:
        """Return the rows whose price reaches a level; nothing is taken out."""
        marks = self._marks
        found: list[Tick] = []
        for row in rows:  # each step of this loop is paid for by every trade
            try:
                low, high = marks[row.sym]
            except KeyError:
                low, high = self._mark_nothing(row.sym)
            price = row.p.number
            if price >= high or price <= low:
                found.append(row)
        return found

    def _take(self, symbol: str, price: float) -> tuple[str, ...]:
        taken: list[str] = []
        up, down = self._ups.get(symbol, []), self._downs.get(symbol, [])
        while up and -up[-1][0] <= price:
            taken.append(up.pop()[1])
        while down and down[-1][0] >= price:
            taken.append(down.pop()[1])
        self._mark(symbol)
        return tuple(taken)

    def _stacks(self, side: Side) -> dict[str, list[_Entry]]:
        return self._ups if side == "above" else self._downs

    def _mark(self, symbol: str) -> None:
        """Set the watermark; its floats are new ones, which lie beside each other in memory."""
        up, down = self._ups.get(symbol), self._downs.get(symbol)
        self._marks[symbol] = (down[-1][0] + 0.0 if down else -inf, -up[-1][0] if up else inf)

    def _mark_nothing(self, symbol: str) -> Mark:
        """Remember that a symbol has no rules: looking it up again is as quick as any other."""
        if len(self._marks) >= _SYMBOLS_MAX:
            return _NOTHING
        return self._marks.setdefault(symbol, _NOTHING)


def _entry(level: float, side: Side, rule_id: str) -> _Entry:
    """Return the entry as it is sorted: the level that is reached first is the greatest."""
    return (-level if side == "above" else level), rule_id
