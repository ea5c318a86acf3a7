"""Owns the volume-weighted average price: of a session with its bands, and from an anchor."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from services.kit.errors import refuse
from services.market.param import require


@dataclass(frozen=True, slots=True)
class VolumeBar:
    """A bar for a VWAP; `vw` is the provider's own average price, None when it gives none."""

    h: float
    l: float  # noqa: E741 - the field's own letter, as in every feed
    c: float
    v: float
    vw: float | None = None

    def __post_init__(self) -> None:
        for name, value in (("h", self.h), ("l", self.l), ("c", self.c), ("vw", self.vw)):
            holds = value is None or (math.isfinite(value) and value > 0)
            require(holds, name, value=value, rule="must be above 0")
        holds = math.isfinite(self.v) and self.v >= 0
        require(holds, "v", value=self.v, rule="must be 0 or more")

    @property
    def price(self) -> float:
        """Return `vw` when given, else (h + l + c) / 3."""
        return (self.h + self.l + self.c) / 3 if self.vw is None else self.vw


@dataclass(slots=True)
class Vwap:
    """The running VWAP of the bars pushed; make a new one at each regular open or anchor.

    The bars are kept, since the spread about the average is defined on the final average.
    """

    paid: float = 0.0
    volume: float = 0.0
    points: list[tuple[float, float]] = field(default_factory=list)
    sources: list[bool] = field(default_factory=lambda: [False, False])

    def push(self, bar: VolumeBar) -> float | None:
        """Return the VWAP after one more bar; None without any volume."""
        price = bar.price
        self.sources[bar.vw is None] = True
        self.paid += price * bar.v
        self.volume += bar.v
        self.points.append((price, bar.v))
        return self.value

    @property
    def value(self) -> float | None:
        """Return sum(p*v) / sum(v); None without any volume."""
        return self.paid / self.volume if self.volume else None

    @property
    def sigma(self) -> float | None:
        """Return sqrt(sum(v * (p - VWAP)^2) / sum(v)); None without any volume."""
        centre = self.value
        if centre is None:
            return None
        squares = 0.0
        for price, volume in self.points:
            squares += volume * (price - centre) * (price - centre)
        return math.sqrt(squares / self.volume)

    @property
    def flags(self) -> tuple[str, ...]:
        """Return `NO_VOLUME` without any volume, `VWAP_SOURCE_MIXED` when some bars lack `vw`."""
        return ("NO_VOLUME",) * (not self.volume) + ("VWAP_SOURCE_MIXED",) * all(self.sources)


def vwap(bars: Sequence[VolumeBar]) -> Vwap:
    """Return the VWAP after the bars of one session.

    Worked: 10 units at 100 and 30 at 104 are 103, sigma 1.732051.
    """
    state = Vwap()
    for bar in bars:
        state.push(bar)
    return state


def anchored_vwap(bars: Sequence[VolumeBar], anchor_index: int) -> Vwap:
    """Return the VWAP from the bar at `anchor_index` (0-based, inclusive) on, across sessions.

    An anchor on a swing may be used only once the swing is confirmed. Raises `ANCHOR_NOT_FOUND`.
    """
    if not 0 <= anchor_index < len(bars):
        raise refuse("ANCHOR_NOT_FOUND", anchor=anchor_index, first=0, last=len(bars) - 1)
    return vwap(bars[anchor_index:])
