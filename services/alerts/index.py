"""Owns the index of price rules: which of very many a price touches, at a cost beside their count.

Each symbol keeps its levels in two sorted stacks, the next one on top, and a watermark: the next
level upward and downward. A price between them touches nothing, and that is all it costs. Prices
are whole numbers of 10^-8, so that comparing is exact and quick.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable
from decimal import Decimal
from typing import Literal

PLACES = 8
_UP_NEVER, _DOWN_NEVER = 10**30, -1
Mark = tuple[int, int]
_NOTHING: Mark = (_DOWN_NEVER, _UP_NEVER)
_Entry = tuple[int, str]


def units(price: Decimal) -> int:
    """Return a price in whole units of 10^-8, what is finer cut. Worked: 200.5 is 20050000000."""
    return int(price.scaleb(PLACES))


class _Marks(dict[str, Mark]):
    """Watermarks by symbol; a symbol without rules has one that nothing reaches."""

    def __missing__(self, _symbol: str) -> Mark:
        return _NOTHING


class PriceIndex:
    """Levels by symbol. A touched rule leaves the index; its owner adds it again when it re-arms.

    Not for several threads at once.
    """

    def __init__(self) -> None:
        self._marks = _Marks()
        self._ups: dict[str, list[_Entry]] = {}
        self._downs: dict[str, list[_Entry]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._ups.values())) + sum(map(len, self._downs.values()))

    def add(self, symbol: str, level: int, side: Literal["above", "below"], rule_id: str) -> None:
        """Add a rule that a price at `level` or beyond it touches; the same rule again is one."""
        stacks, entry = self._stacks(side), _entry(level, side, rule_id)
        stack = stacks.setdefault(symbol, [])
        at = bisect_left(stack, entry)
        if at == len(stack) or stack[at] != entry:
            insort(stack, entry)
            self._mark(symbol)

    def remove(
        self, symbol: str, level: int, side: Literal["above", "below"], rule_id: str
    ) -> bool:
        """Take a rule out; False when it is not there (any more)."""
        stack, entry = self._stacks(side).get(symbol, []), _entry(level, side, rule_id)
        at = bisect_left(stack, entry)
        if at == len(stack) or stack[at] != entry:
            return False
        del stack[at]
        self._mark(symbol)
        return True

    def crossed(self, symbol: str, price: int) -> tuple[str, ...]:
        """Return the rules that `price` touches and take them out, the nearest level first."""
        low, high = self._marks[symbol]
        return () if low < price < high else self._take(symbol, price)

    def crossed_all(self, ticks: Iterable[tuple[str, int]]) -> list[tuple[str, int, str]]:
        """Return symbol, price and rule for every rule that the ticks touch, in their order."""
        marks = self._marks
        found: list[tuple[str, int, str]] = []
        for symbol, price in ticks:
            low, high = marks[symbol]
            if low < price < high:
                continue
            found += [(symbol, price, rule) for rule in self._take(symbol, price)]
        return found

    def _take(self, symbol: str, price: int) -> tuple[str, ...]:
        taken: list[str] = []
        up, down = self._ups.get(symbol, []), self._downs.get(symbol, [])
        while up and -up[-1][0] <= price:
            taken.append(up.pop()[1])
        while down and down[-1][0] >= price:
            taken.append(down.pop()[1])
        self._mark(symbol)
        return tuple(taken)

    def _stacks(self, side: Literal["above", "below"]) -> dict[str, list[_Entry]]:
        return self._ups if side == "above" else self._downs

    def _mark(self, symbol: str) -> None:
        up, down = self._ups.get(symbol), self._downs.get(symbol)
        mark = (down[-1][0] if down else _DOWN_NEVER, -up[-1][0] if up else _UP_NEVER)
        if mark == _NOTHING:
            self._marks.pop(symbol, None)
        else:
            self._marks[symbol] = mark


def _entry(level: int, side: Literal["above", "below"], rule_id: str) -> _Entry:
    """Return the entry as it is sorted: the level that is reached first is the greatest."""
    return (-level if side == "above" else level), rule_id
