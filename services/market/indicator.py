"""Owns the recursive indicators EMA, ATR, RSI and ADX: one state each, folded bar by bar.

Only + - * / on float64 from left to right, so that a fold over a stream equals the definition over
the whole series bit for bit. A state's `push` returns the value after its bar, None before there
is one. The functions fold a series and return its first and last value.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from services.kit.errors import refuse
from services.market.param import require_count, require_series

WARM = 4
"""Below this many times `n` bars a recursive value still leans on its seed: `WARMUP`."""


@dataclass(frozen=True, slots=True)
class Reading:
    """The first and last value of an indicator over a series, unrounded; `first_index` 0-based."""

    first_index: int
    first: float
    last: float | None
    flags: tuple[str, ...]


@dataclass(slots=True)
class _Wilder:
    """A mean of the first `n` values, then (mean * (n - 1) + value) / n."""

    n: int
    count: int = 0
    mean: float = 0.0

    def push(self, value: float) -> float | None:
        self.count += 1
        if self.count > self.n:
            self.mean = (self.mean * (self.n - 1) + value) / self.n
            return self.mean
        self.mean += value
        if self.count < self.n:
            return None
        self.mean /= self.n
        return self.mean


@dataclass(slots=True)
class Ema:
    """Exponential moving average: seed the mean of `n` closes, then e + 2/(n+1) * (c - e)."""

    n: int
    count: int = 0
    mean: float = 0.0

    def push(self, close: float) -> float | None:
        """Return the average after one more close."""
        self.count += 1
        if self.count > self.n:
            self.mean += 2 / (self.n + 1) * (close - self.mean)
            return self.mean
        self.mean += close
        if self.count < self.n:
            return None
        self.mean /= self.n
        return self.mean


@dataclass(slots=True)
class Atr:
    """Wilder's average true range; the first bar has no true range."""

    n: int
    true_range: float | None = None
    close: float | None = None
    smooth: _Wilder = field(init=False)

    def __post_init__(self) -> None:
        self.smooth = _Wilder(self.n)

    def push(self, high: float, low: float, close: float) -> float | None:
        """Return the range after one more bar; 0 on prices that do not move."""
        before, self.close = self.close, close
        if before is None:
            return None
        self.true_range = true_range(high, low, before)
        return self.smooth.push(self.true_range)


@dataclass(slots=True)
class Rsi:
    """Wilder's relative strength 100*G/(G+L); 50 when nothing moved."""

    n: int
    close: float | None = None
    gains: _Wilder = field(init=False)
    losses: _Wilder = field(init=False)

    def __post_init__(self) -> None:
        self.gains, self.losses = _Wilder(self.n), _Wilder(self.n)

    def push(self, close: float) -> float | None:
        """Return the strength after one more close, 0 to 100."""
        before, self.close = self.close, close
        if before is None:
            return None
        change = close - before
        gain = self.gains.push(max(change, 0.0))
        loss = self.losses.push(max(-change, 0.0))
        if gain is None or loss is None:
            return None
        return 100 * gain / (gain + loss) if gain + loss else 50.0


@dataclass(slots=True)
class Adx:
    """Wilder's directional index: sums over bars 1 to n-1, then X - X/n + x; mean of `n` DX."""

    n: int
    count: int = 0
    bar: tuple[float, float, float] = (0.0, 0.0, 0.0)
    sums: tuple[float, float, float] = (0.0, 0.0, 0.0)
    smooth: _Wilder = field(init=False)

    def __post_init__(self) -> None:
        self.smooth = _Wilder(self.n)

    def push(self, high: float, low: float, close: float) -> float | None:
        """Return the index after one more bar, 0 to 100."""
        before, self.bar = self.bar, (high, low, close)
        self.count += 1
        if self.count == 1:
            return None
        moves = _moves(before, self.bar)
        if self.count <= self.n:
            self.sums = _added(self.sums, moves)
            return None
        kept = tuple(total - total / self.n for total in self.sums)
        self.sums = _added((kept[0], kept[1], kept[2]), moves)
        return self.smooth.push(_dx(*self.sums))


def true_range(high: float, low: float, close_before: float) -> float:
    """Return max(h - l, |h - c'|, |l - c'|) of a bar after a close c'."""
    return max(high - low, abs(high - close_before), abs(low - close_before))


_Moves = tuple[float, float, float]


def _moves(before: _Moves, bar: _Moves) -> _Moves:
    """Return (+DM, -DM, TR): only the larger outward move counts, none when they are equal."""
    up, down = bar[0] - before[0], before[1] - bar[1]
    plus = up if up > down and up > 0 else 0.0
    minus = down if down > up and down > 0 else 0.0
    return plus, minus, true_range(bar[0], bar[1], before[2])


def _added(sums: _Moves, moves: _Moves) -> _Moves:
    return sums[0] + moves[0], sums[1] + moves[1], sums[2] + moves[2]


def _dx(plus: float, minus: float, ranges: float) -> float:
    if ranges == 0:
        return 0.0
    plus_di, minus_di = 100 * plus / ranges, 100 * minus / ranges
    both = plus_di + minus_di
    return 100 * abs(plus_di - minus_di) / both if both else 0.0


def ema(close: Sequence[float], n: int) -> Reading:
    """Return the EMA of `n` closes, first at index n-1.

    Below 4n closes `WARMUP`. Raises `PARAM_INVALID`, `INSUFFICIENT_BARS` below n.
    Worked: 1, 2, 3, 6 by 3 is 2 at index 2, then 4.
    """
    have = _require_bars("EMA", n, need=n, have=require_series(close=close))
    state = Ema(n)
    return _read([state.push(value) for value in close], n, have)


def atr(high: Sequence[float], low: Sequence[float], close: Sequence[float], n: int) -> Reading:
    """Return Wilder's ATR, first at index n; without any range `last` is null, `ATR_ZERO`.

    Below 4n bars `WARMUP`. Raises `PARAM_INVALID`, `INSUFFICIENT_BARS` below n+1.
    Worked: true ranges 2, 4, 6 by 2 are 3 at index 2, then 4.5.
    """
    have = _require_ranges(high, low, close)
    _require_bars("ATR", n, need=n + 1, have=have)
    state = Atr(n)
    found = _read([state.push(*bar) for bar in zip(high, low, close, strict=True)], n, have)
    if found.last:
        return found
    return Reading(found.first_index, found.first, None, tuple(sorted((*found.flags, "ATR_ZERO"))))


def rsi(close: Sequence[float], n: int) -> Reading:
    """Return Wilder's RSI, first at index n; 50 on closes that never change.

    Below 4n closes `WARMUP`. Raises `PARAM_INVALID`, `INSUFFICIENT_BARS` below n+1.
    Worked: closes 10, 12, 11 by 2: mean gain 1, mean loss 0.5, so 66.666667.
    """
    have = _require_bars("RSI", n, need=n + 1, have=require_series(close=close))
    state = Rsi(n)
    return _read([state.push(value) for value in close], n, have)


def adx(high: Sequence[float], low: Sequence[float], close: Sequence[float], n: int) -> Reading:
    """Return Wilder's ADX, first at index 2n-1.

    Below 4n bars `WARMUP`. Raises `PARAM_INVALID`, `INSUFFICIENT_BARS` below 2n.
    Worked: bars that only rise have 100.
    """
    have = _require_ranges(high, low, close)
    _require_bars("ADX", n, need=2 * n, have=have)
    state = Adx(n)
    return _read([state.push(*bar) for bar in zip(high, low, close, strict=True)], n, have)


def _require_ranges(high: Sequence[float], low: Sequence[float], close: Sequence[float]) -> int:
    return require_series(high=high, low=low, close=close)


def _require_bars(indicator: str, n: int, *, need: int, have: int) -> int:
    require_count("n", n)
    if have < need:
        raise refuse("INSUFFICIENT_BARS", indicator=indicator, need=need, have=have)
    return have


def _read(values: Iterable[float | None], n: int, have: int) -> Reading:
    found = [(at, value) for at, value in enumerate(values) if value is not None]
    flags = ("WARMUP",) if have < WARM * n else ()
    return Reading(found[0][0], found[0][1], found[-1][1], flags)
