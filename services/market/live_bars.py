"""Owns the recent minute bars of one symbol: built from its trades, replaced by the provider's."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from functools import lru_cache

from services.kit.clock import EPOCH
from services.kit.errors import Refusal
from services.market.bar import Bar
from services.market.live_indicator import LiveIndicators, SessionFold, fold_session
from services.market.live_run import MinuteBuild, Run, key_of
from services.market.session import Session, find_last_session
from services.market.stream_frame import StreamBar, StreamTrade
from services.market.stream_tick import Tick

BARS_MAX = 390
"""Minute bars kept per symbol: one regular session."""
LATE_S = 120
"""How long after its close a minute still takes in trades that come late."""
CALENDAR = "XNYS"
_MINUTE = timedelta(minutes=1)
_PUBLISHED = timedelta(seconds=2)
_LATE = timedelta(seconds=LATE_S)


@lru_cache(maxsize=4096)
def find_regular_session(minute: datetime) -> Session | None:
    """Return the session whose regular hours hold the minute, None outside of them."""
    try:
        session = find_last_session(CALENDAR, minute)
    except Refusal:
        return None
    return session if session is not None and minute < session.close else None


class MinuteBars:
    """The newest complete minutes of regular hours, at most 390, and those that still fill.

    Minutes are kept as texts: a bar of objects takes eight times the memory.
    """

    __slots__ = ("_building", "_folded", "_minutes", "_rows", "_state", "run", "sound_from")

    def __init__(self) -> None:
        self._minutes: list[datetime] = []
        self._rows: list[str] = []
        self._building: dict[datetime, MinuteBuild] = {}
        self._state = SessionFold()
        self._folded: datetime | None = None
        self.run = Run()
        self.sound_from = EPOCH
        """From here on every trade was received: an earlier minute is never built from trades."""

    def add_trade(self, trade: StreamTrade, until: datetime) -> bool:
        """Take in an eligible trade; False when it is known, too late or outside regular hours."""
        self.run.close()
        minute = trade.ts.replace(second=0, microsecond=0)
        build = self._building.get(minute)
        key = key_of(trade)
        if build is None:
            if not self._is_open(minute, until):
                return False
            price = trade.price
            build = self._building[minute] = MinuteBuild(key, key, price, price, price, price)
        if not build.add(trade, key):
            return False
        if self._holds(minute):
            self._put(build.bar(minute))
        return True

    def open_run(self, row: Tick, trade: StreamTrade) -> None:
        """Let the trades after this one go the quick way, if it is the newest of an open minute."""
        minute = trade.ts.replace(second=0, microsecond=0)
        build = self._building.get(minute)
        if build is not None and build.last == key_of(trade) and not self._holds(minute):
            self.run.open(build, minute, row)

    def add_bar(self, bar: StreamBar) -> bool:
        """Take the provider's own minute; False outside regular hours or off the minute."""
        if bar.span != "minute" or bar.t_open.second or bar.t_open.microsecond:
            return False
        if bar.t_close - bar.t_open != _MINUTE or find_regular_session(bar.t_open) is None:
            return False
        self.put(
            [
                Bar(
                    t_open=bar.t_open,
                    t_close=bar.t_close,
                    o=bar.o,
                    h=bar.h,
                    l=bar.l,
                    c=bar.c,
                    v=bar.v,
                    vw=bar.vw,
                )
            ]
        )
        return True

    def put(self, bars: Iterable[Bar]) -> None:
        """Keep complete minutes of the provider; they win over those built from trades."""
        for bar in bars:
            build = self._building.pop(bar.t_open, None)
            if build is not None:
                self.run.close(build)
            self._put(bar)

    def finish(self, until: datetime) -> None:
        """Complete the minutes that closed 2 s or more before `until`; forget the settled ones."""
        if not self._building:
            return
        for minute in sorted(self._building):
            closes = minute + _MINUTE
            if closes + _PUBLISHED > until:
                break
            self.run.close(self._building[minute])
            if minute >= self.sound_from and not self._holds(minute):
                self._put(self._building[minute].bar(minute))
            if closes + _LATE < until:
                del self._building[minute]

    def newest(self, count: int = BARS_MAX) -> tuple[Bar, ...]:
        """Return the newest complete minutes, ascending."""
        at = max(0, len(self._rows) - count)
        return tuple(map(_unpack, self._minutes[at:], self._rows[at:]))

    def indicators(self) -> LiveIndicators:
        """Return the indicators over the kept minutes of the newest session."""
        minutes = self._minutes
        at = 0 if self._folded is None else bisect_right(minutes, self._folded)
        if at == 0 and minutes:
            self._state = fold_session(self._newest_session())
            self._folded = minutes[-1]
        for minute, row in zip(minutes[at:], self._rows[at:], strict=True) if at else ():
            self._fold(_unpack(minute, row))
        return self._state.value

    def _newest_session(self) -> list[Bar]:
        session = find_regular_session(self._minutes[-1])
        opens = self._minutes[0] if session is None else session.open
        at = bisect_left(self._minutes, opens)
        return list(map(_unpack, self._minutes[at:], self._rows[at:]))

    def _holds(self, minute: datetime) -> bool:
        at = bisect_left(self._minutes, minute)
        return at < len(self._minutes) and self._minutes[at] == minute

    def _is_open(self, minute: datetime, until: datetime) -> bool:
        """Return whether a minute may begin to build: neither settled nor the provider's own."""
        settled = minute + _MINUTE + _LATE < until or self._holds(minute)
        return not settled and find_regular_session(minute) is not None

    def _put(self, bar: Bar) -> None:
        row, minutes = _pack(bar), self._minutes
        at = bisect_left(minutes, bar.t_open)
        if at < len(minutes) and minutes[at] == bar.t_open:
            if self._rows[at] != row:
                self._rows[at] = row
                if self._folded is not None and bar.t_open <= self._folded:
                    self._folded = None
            return
        if self._folded is not None and bar.t_open < self._folded:
            self._folded = None
        minutes.insert(at, bar.t_open)
        self._rows.insert(at, row)
        if len(minutes) > BARS_MAX:
            del minutes[0], self._rows[0]

    def _fold(self, bar: Bar) -> None:
        """Push the next bar onto the state, or begin anew at the first bar of a session."""
        session = find_regular_session(bar.t_open)
        if self._folded is None or session is None or self._folded < session.open:
            self._state = SessionFold()
        self._state.push(bar)
        self._folded = bar.t_open


def _pack(bar: Bar) -> str:
    vw, n = "" if bar.vw is None else bar.vw, "" if bar.n is None else bar.n
    return f"{bar.o}|{bar.h}|{bar.l}|{bar.c}|{bar.v}|{vw}|{n}"


def _unpack(minute: datetime, row: str) -> Bar:
    o, h, low, c, v, vw, n = row.split("|")
    return Bar(
        t_open=minute,
        t_close=minute + _MINUTE,
        o=Decimal(o),
        h=Decimal(h),
        l=Decimal(low),
        c=Decimal(c),
        v=Decimal(v),
        vw=Decimal(vw) if vw else None,
        n=int(n) if n else None,
    )
