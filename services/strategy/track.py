"""Owns the track: one timeframe's complete bars with every indicator kept up, bar by bar."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from services.kit.errors import check
from services.market.bar import Bar
from services.market.grid import MINUTES
from services.market.indicator import Adx, Atr, Ema, Rsi
from services.market.level import Swing, SwingState
from services.market.realised_volatility import (
    SESSIONS_PER_YEAR,
    realised_volatility,
    volatility_percentile,
)
from services.market.session import Session, market_state
from services.market.vwap import VolumeBar, Vwap

Series = list[float | None]
EMA_LENGTHS = (9, 10, 20, 21, 30, 50, 200)
WILDER = 14
RANGE_MINUTES = 15
SWING_INTRADAY, SWING_DAY = 3, 5
RVOL_SESSIONS, RVOL_SESSIONS_MIN = 20, 5
RV_BARS = 20


@dataclass(slots=True)
class _Day:
    """The running session of an intraday track: its VWAP, opening range and volume by minute."""

    session: Session
    first: int
    vwap: Vwap = field(default_factory=Vwap)
    range_high: float | None = None
    range_low: float | None = None
    minutes: list[int] = field(default_factory=list)
    volumes: list[float] = field(default_factory=list)

    def volume_by(self, minute: int) -> float:
        """Return the volume of the bars that closed by `minute` of the session."""
        at = bisect_right(self.minutes, minute)
        return self.volumes[at - 1] if at else 0.0


class Track:
    """Bars ascending and one value per bar of each indicator; None until it is defined.

    Pushing the bars one by one gives the same values as any batch: there is no other way in.
    Session values (VWAP, opening range, relative volume by time of day) are of intraday tracks.
    """

    def __init__(self, timeframe: str, calendar: str, bars: Iterable[Bar] = ()) -> None:
        self.timeframe = timeframe
        self.calendar = calendar
        self.minutes = MINUTES.get(timeframe)
        self.bars: list[Bar] = []
        self.o: list[float] = []
        self.h: list[float] = []
        self.l: list[float] = []
        self.c: list[float] = []
        self.v: list[float] = []
        self.emas: dict[int, Series] = {n: [] for n in EMA_LENGTHS}
        self.atr: Series = []
        self.rsi: Series = []
        self.adx: Series = []
        self.vwap: Series = []
        self.sigma: Series = []
        self.range_high: Series = []
        self.range_low: Series = []
        self.rvol_tod: Series = []
        self.first_of_session: list[int] = []
        self.swings: list[Swing] = []
        self._volatility: list[float] = []
        self._emas = {n: Ema(n) for n in EMA_LENGTHS}
        self._atr, self._rsi, self._adx = Atr(WILDER), Rsi(WILDER), Adx(WILDER)
        self._swings = SwingState(SWING_DAY if self.minutes is None else SWING_INTRADAY)
        self._day: _Day | None = None
        self._past: list[_Day] = []
        for bar in bars:
            self.push(bar)

    def __len__(self) -> int:
        return len(self.bars)

    def push(self, bar: Bar) -> None:
        """Take one more complete bar; later than the last one."""
        check(bar.complete, "a track takes complete bars", at=bar.t_open)
        ascending = not self.bars or bar.t_open >= self.bars[-1].t_close
        check(ascending, "bars ascend", at=bar.t_open)
        high, low, close = float(bar.h), float(bar.l), float(bar.c)
        self.bars.append(bar)
        for values, value in (
            (self.o, float(bar.o)),
            (self.h, high),
            (self.l, low),
            (self.c, close),
            (self.v, float(bar.v)),
        ):
            values.append(value)
        for n, ema in self._emas.items():
            self.emas[n].append(ema.push(close))
        self.atr.append(self._atr.push(high, low, close))
        self.rsi.append(self._rsi.push(close))
        self.adx.append(self._adx.push(high, low, close))
        self.swings.extend(self._swings.push(high, low))
        if self.minutes is not None:
            self._push_session(bar)

    def count_until(self, as_of: datetime) -> int:
        """Return how many bars had closed by `as_of`; the view of a clock ends there."""
        if self.bars and self.bars[-1].t_close <= as_of:
            return len(self.bars)
        return bisect_right(self.bars, as_of, key=lambda bar: bar.t_close)

    def _push_session(self, bar: Bar) -> None:
        day = self._open_day(bar)
        own = None if bar.vw is None else float(bar.vw)
        seen = VolumeBar(self.h[-1], self.l[-1], self.c[-1], self.v[-1], own)
        self.vwap.append(day.vwap.push(seen))
        self.sigma.append(day.vwap.sigma)
        ends = day.session.open + timedelta(minutes=RANGE_MINUTES)
        if bar.t_open < ends:
            high, low = self.h[-1], self.l[-1]
            day.range_high = high if day.range_high is None else max(day.range_high, high)
            day.range_low = low if day.range_low is None else min(day.range_low, low)
        known = bar.t_close >= ends
        self.range_high.append(day.range_high if known else None)
        self.range_low.append(day.range_low if known else None)
        self.first_of_session.append(day.first)
        minute = int((bar.t_close - day.session.open) / timedelta(minutes=1))
        day.minutes.append(minute)
        day.volumes.append((day.volumes[-1] if day.volumes else 0.0) + self.v[-1])
        self.rvol_tod.append(self._relative_volume(day, minute))

    def _open_day(self, bar: Bar) -> _Day:
        day = self._day
        if day is not None and bar.t_open < day.session.close:
            return day
        session = market_state(self.calendar, bar.t_open).session
        check(session is not None, "an intraday bar lies in a session", at=bar.t_open)
        if day is not None and not day.session.half_day:
            self._past = [*self._past[-RVOL_SESSIONS + 1 :], day]
        self._day = _Day(session, len(self.bars) - 1)  # type: ignore[arg-type]
        return self._day

    def _relative_volume(self, day: _Day, minute: int) -> float | None:
        if len(self._past) < RVOL_SESSIONS_MIN:
            return None
        total = 0.0
        for past in self._past:
            total += past.volume_by(minute)
        mean = total / len(self._past)
        return day.volumes[-1] / mean if mean else None

    def volatility_rank(self, count: int) -> float | None:
        """Return where the realised volatility of the first `count` bars stands in its year.

        The share of the last 252 values at or below it; None before there are 252. Each value is
        made once and kept.
        """
        for end in range(len(self._volatility) + RV_BARS + 1, count + 1):
            self._volatility.append(realised_volatility(self.c[end - RV_BARS - 1 : end], RV_BARS))
        known = self._volatility[: max(0, count - RV_BARS)]
        return volatility_percentile(known) if len(known) >= SESSIONS_PER_YEAR else None

    def swings_until(self, count: int) -> Iterator[Swing]:
        """Yield the swings confirmed within the first `count` bars, newest first."""
        end = bisect_right(self.swings, count - 1, key=lambda swing: swing.confirmed_at)
        for at in range(end - 1, -1, -1):
            yield self.swings[at]
