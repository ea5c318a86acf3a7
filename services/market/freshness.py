"""Owns the age of bars: trading minutes since the last close, and when that is too old."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from services.kit.errors import refuse
from services.market.grid import MINUTES, TIMEFRAMES
from services.market.session import market_state, next_session, trading_minutes

_SESSIONS = {"1d": 1, "1w": 5, "1mo": 21}


@dataclass(frozen=True, slots=True)
class DataAge:
    """How old bars are in trading minutes; days and longer go stale by closed sessions."""

    age_trading_minutes: int
    stale: bool
    market_state: Literal["open", "closed", "pre", "post"]
    next_open: datetime
    flags: tuple[str, ...]


def data_age(
    calendar: str, timeframe: str, max_age_bars: int, last_bar_close: datetime, as_of: datetime
) -> DataAge:
    """Return the age of a series; `stale` when it exceeds `max_age_bars` bars. Never refuses age.

    Worked: XNYS 1m, last close 15:00Z, asked at 15:07Z: 7 minutes, stale at 3 bars.
    Raises `TIMEFRAME_UNSUPPORTED`, `CALENDAR_UNKNOWN` and `PARAM_INVALID`.
    """
    if timeframe not in TIMEFRAMES:
        raise refuse("TIMEFRAME_UNSUPPORTED", to=timeframe, **{"from": timeframe})
    if max_age_bars < 0:
        raise refuse("PARAM_INVALID", name="max_age_bars", value=max_age_bars, rule="must be >= 0")
    age = trading_minutes(calendar, last_bar_close, as_of)
    limit = MINUTES.get(timeframe, 0) * max_age_bars
    over = age > limit
    if timeframe in _SESSIONS:
        over = (
            _sessions_closed(calendar, last_bar_close, as_of) > max_age_bars * _SESSIONS[timeframe]
        )
    state = market_state(calendar, as_of)
    flags = ("DATA_STALE",) if over else ()
    return DataAge(age, over, state.state, state.next_open, flags)


def _sessions_closed(calendar: str, last_bar_close: datetime, as_of: datetime) -> int:
    """Return how many sessions have closed after the last bar, up to `as_of` inclusive."""
    count, session = 0, next_session(calendar, last_bar_close)
    while session.close <= as_of:
        count, session = count + 1, next_session(calendar, session.close)
    return count
