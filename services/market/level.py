"""Owns price levels: floor pivots, the opening range and confirmed swings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Literal, Protocol

from services.kit.clock import instant_text
from services.kit.errors import refuse
from services.market.bar import MIN_COVERAGE
from services.market.param import require, require_count, require_series

RANGE_MINUTES = (5, 15, 30, 60)


@dataclass(frozen=True, slots=True)
class Pivots:
    """Floor pivots of the session before: the pivot, three resistances, three supports."""

    p: float
    r1: float
    s1: float
    r2: float
    s2: float
    r3: float
    s3: float


def pivots(prev_high: float, prev_low: float, *, prev_close: float) -> Pivots:
    """Return the floor pivots of a session's high, low and close.

    Raises `PARAM_INVALID` for prices not above 0 and a high below the low.
    Worked: 105, 99, 102 is P 102, R 105 / 108 / 111, S 99 / 96 / 93.
    """
    h, low, c = prev_high, prev_low, prev_close
    require_series(prev_high=[h], prev_low=[low], prev_close=[c])
    for name, value in (("prev_high", h), ("prev_low", low), ("prev_close", c)):
        require(value > 0, name, value=value, rule="must be above 0")
    require(h >= low, "prev_high", value=h, rule="must not lie below prev_low")
    p = (h + low + c) / 3
    return Pivots(
        p=p,
        r1=2 * p - low,
        s1=2 * p - h,
        r2=p + (h - low),
        s2=p - (h - low),
        r3=h + 2 * (p - low),
        s3=low - 2 * (h - p),
    )


class RangeBar(Protocol):
    """What the opening range reads of a bar."""

    @property
    def t_open(self) -> datetime:
        """Start of the bar."""

    @property
    def h(self) -> Decimal:
        """High."""

    @property
    def l(self) -> Decimal:  # noqa: E743 - the field's own letter, as in every feed
        """Low."""


@dataclass(frozen=True, slots=True)
class OpeningRange:
    """High and low of the first minutes, unrounded, and how many bars made them."""

    high: Decimal
    low: Decimal
    bars_used: int
    flags: tuple[str, ...]

    @property
    def mid(self) -> Decimal:
        """Return the middle of the range."""
        return (self.high + self.low) / 2

    @property
    def width(self) -> Decimal:
        """Return high less low."""
        return self.high - self.low


def opening_range(
    session_open: datetime,
    bars: Iterable[RangeBar],
    *,
    minutes: int,
    bar_minutes: int,
    as_of: datetime,
) -> OpeningRange:
    """Return the range of the bars that open in `[session_open, session_open + minutes)`.

    `COVERAGE_LOW` below 0.8 of the bars due. Raises `OPENING_RANGE_INCOMPLETE` before the last of
    the minutes is over, `OPENING_RANGE_EMPTY` without a bar, `PARAM_INVALID` for minutes other
    than 5, 15, 30, 60 and for a bar length that does not divide them.
    Worked: high 101.50, low 99.90 has mid 100.70 and width 1.60.
    """
    require(minutes in RANGE_MINUTES, "minutes", value=minutes, rule="must be 5, 15, 30 or 60")
    require_count("bar_minutes", bar_minutes)
    divides = minutes % bar_minutes == 0
    require(divides, "bar_minutes", value=bar_minutes, rule=f"must divide {minutes}")
    end = session_open + timedelta(minutes=minutes)
    if as_of < end:
        raise refuse("OPENING_RANGE_INCOMPLETE", n=minutes, ts=instant_text(end))
    used = [bar for bar in bars if session_open <= bar.t_open < end]
    for bar in used:
        require(bar.h >= bar.l > 0, "bars", value=bar.h, rule="each needs h >= l > 0")
    if not used:
        raise refuse("OPENING_RANGE_EMPTY", n=minutes)
    thin = Decimal(len(used)) < MIN_COVERAGE * (minutes // bar_minutes)
    return OpeningRange(
        high=max(bar.h for bar in used),
        low=min(bar.l for bar in used),
        bars_used=len(used),
        flags=("COVERAGE_LOW",) * thin,
    )


@dataclass(frozen=True, slots=True)
class Swing:
    """A confirmed swing: the bar of the extreme, and the bar from which on it may be used."""

    kind: Literal["high", "low"]
    index: int
    price: float
    confirmed_at: int


@dataclass(slots=True)
class SwingState:
    """Finds swings with `k` bars on each side, bar by bar; nothing exists before bar i+k."""

    k: int
    count: int = 0
    highs: list[float] = field(default_factory=list)
    lows: list[float] = field(default_factory=list)

    def push(self, high: float, low: float) -> tuple[Swing, ...]:
        """Return the swings that this bar confirms: none, a high, a low, or both."""
        self.count += 1
        self.highs, self.lows = [*self.highs, high], [*self.lows, low]
        if len(self.highs) <= 2 * self.k:
            return ()
        top, bottom = self.highs[self.k], self.lows[self.k]
        at, now = self.count - 1 - self.k, self.count - 1
        found: list[Swing] = []
        if all(top > other for n, other in enumerate(self.highs) if n != self.k):
            found.append(Swing("high", at, top, now))
        if all(bottom < other for n, other in enumerate(self.lows) if n != self.k):
            found.append(Swing("low", at, bottom, now))
        del self.highs[0], self.lows[0]
        return tuple(found)


def swings(high: Sequence[float], low: Sequence[float], k: int) -> tuple[Swing, ...]:
    """Return the confirmed swings in the order of their confirmation.

    A high is strictly above the `k` highs on each side, a low mirrored; equal extremes are none.
    Raises `PARAM_INVALID`. Worked: highs 1, 3, 2 with k 1 have a high at 1, confirmed at 2.
    """
    require_count("k", k)
    require_series(high=high, low=low)
    state = SwingState(k)
    return tuple(swing for bar in zip(high, low, strict=True) for swing in state.push(*bar))
