"""Owns the scene: everything a detector may look at, from one side and up to one moment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from services.kit.policy import SetupPolicy
from services.market.session import Session
from services.strategy.track import Track
from services.strategy.view import Side, View

VOTE_ATR = 0.02
VOTE_BARS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketContext:
    """One listing at `as_of`: its tracks by timeframe, complete bars only, and its tick."""

    instrument_id: str
    symbol: str
    calendar: str
    tick: Decimal
    as_of: datetime
    tracks: Mapping[str, Track]
    policy: SetupPolicy

    def scene(self, side: Side, timeframe: str) -> Scene | None:
        """Return the scene of a timeframe; None when it has no bar yet."""
        return self.scenes(side, (timeframe,)).get(timeframe)

    def scenes(self, side: Side, timeframes: Iterable[str]) -> dict[str, Scene]:
        """Return the scenes of the timeframes that have a bar; they share their views."""
        as_of = self.as_of
        views = {
            name: View(track, side, track.count_until(as_of)) for name, track in self.tracks.items()
        }
        return {
            name: Scene(context=self, side=side, bars=views[name], views=views)
            for name in timeframes
            if name in views and len(views[name])
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """The views of one side; `bars` is that of the timeframe the detector runs on."""

    context: MarketContext
    side: Side
    bars: View
    views: Mapping[str, View]

    @property
    def policy(self) -> SetupPolicy:
        """Return the thresholds."""
        return self.context.policy

    @property
    def tick(self) -> float:
        """Return the price step."""
        return float(self.context.tick)

    def atr(self, timeframe: str) -> float | None:
        """Return the average true range of another timeframe; None without it."""
        view = self.views.get(timeframe)
        return view.read.atr() if view else None

    def trend(self, timeframe: str) -> float | None:
        """Return the mean of the timeframe's three votes for this side, -1 to 1; None without.

        The votes: close over EMA20, EMA20 over EMA50, EMA20 over itself three bars ago; what is
        below 0.02 ATR apart counts 0.
        """
        votes = self.votes(timeframe)
        return sum(votes) / len(votes) if votes else None

    def votes(self, timeframe: str) -> tuple[int, int, int] | None:
        """Return the timeframe's three votes for this side; None before they are defined."""
        view = self.views.get(timeframe)
        if view is None:
            return None
        close, fast, slow = view.close(), view.read.ema(20), view.read.ema(50)
        before, atr = view.read.ema(20, VOTE_BARS), view.read.atr()
        if close is None or fast is None or slow is None or before is None or atr is None:
            return None
        return (_vote(close - fast, atr), _vote(fast - slow, atr), _vote(fast - before, atr))

    def prior_day(self, session: Session) -> tuple[float, float] | None:
        """Return the best and worst price of the last daily bar before `session`; None without."""
        view = self.views.get("1d")
        if view is None:
            return None
        for ago in range(min(len(view), 2)):
            if view.bar(ago).t_close <= session.open:
                high, low = view.high(ago), view.low(ago)
                return None if high is None or low is None else (high, low)
        return None

    def minutes_in(self, session: Session) -> int:
        """Return the whole minutes from the session's open to the newest bar's close."""
        return int((self.bars.closed_at() - session.open) / timedelta(minutes=1))

    def minutes_left(self, session: Session) -> int:
        """Return the whole minutes from the newest bar's close to the session's."""
        return int((session.close - self.bars.closed_at()) / timedelta(minutes=1))


def _vote(difference: float, atr: float) -> int:
    if abs(difference) < VOTE_ATR * atr or difference == 0:
        return 0
    return 1 if difference > 0 else -1
