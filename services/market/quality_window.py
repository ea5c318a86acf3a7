"""Owns the reference window: what earlier good data say that a new observation is held against."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from typing import NamedTuple

from services.kit.errors import Refusal
from services.market.bar import Bar
from services.market.feed import Split
from services.market.quality_rule import THRESHOLDS, Arrival, QualityThresholds, jump_limit
from services.market.session import Session, find_last_session, sessions_between

SESSIONS = 20
"""Sessions whose daily returns give the usual course of a listing."""
_RETURNS_MIN = 10
_SESSION_MINUTES = 390


class Suspect(NamedTuple):
    """A price that was set aside, and when it was seen."""

    ts: datetime
    price: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """The last good price and the usual course of one listing; pure data.

    `sigma` is the standard deviation of daily log returns, `volume` the usual volume of a session;
    None when unknown. `suspects` are the newest prices set aside since the last good one. `lags`
    are those of the newest observations, in milliseconds (`services.market.skew`).
    """

    last: Decimal | None = None
    last_ts: datetime | None = None
    provenance: str = ""
    source: str = ""
    sigma: float | None = None
    volume: Decimal | None = None
    newest: Arrival | None = None
    newest_price: Decimal | None = None
    suspects: tuple[Suspect, ...] = ()
    seen: int = 0
    dropped: int = 0
    counted_from: datetime | None = None
    lags: tuple[int, ...] = ()


def sigma_of(closes: Sequence[Decimal]) -> float | None:
    """Return the standard deviation of the newest 20 daily log returns; None below ten returns."""
    good = [float(close) for close in closes if close > 0][-(SESSIONS + 1) :]
    returns = [math.log(after / before) for before, after in pairwise(good)]
    return statistics.pstdev(returns) if len(returns) >= _RETURNS_MIN else None


def usual_volume(bars: Sequence[Bar]) -> Decimal | None:
    """Return the middle volume of the newest 20 sessions; None without volume."""
    volumes = [bar.v for bar in bars[-SESSIONS:] if bar.v > 0]
    return statistics.median(volumes) if volumes else None


def in_terms_of_now(window: Window, splits: Sequence[Split]) -> Window:
    """Return the window with its prices as they read after `splits`.

    Worked: 400 before a split of 2 for 1 reads 200.
    """
    factor = Decimal(1)
    for split in splits:
        factor = factor * split.ratio_to / split.ratio_from
    if window.last is None or factor == 1:
        return window
    volume = None if window.volume is None else window.volume * factor
    return replace(window, last=window.last / factor, volume=volume, suspects=())


@dataclass(frozen=True, slots=True)
class Course:
    """How far a price may move since the last good one, and whether a session began between."""

    limit: float
    new_session: bool


def course_of(
    window: Window, ts: datetime, calendar: str, *, limits: QualityThresholds = THRESHOLDS
) -> Course | None:
    """Return the limit of a price at `ts`; None without a last good price to hold it against.

    Inside the regular hours of one session sigma grows with the root of the time passed and the
    floor is that of intraday prices; otherwise it grows with the root of the sessions passed.
    Worked: sigma 2 % and a last good price 390 minutes ago give 8 * 2 % = 16 %.
    """
    before = window.last_ts
    if window.last is None or before is None:
        return None
    home, there = session_of(calendar, before), session_of(calendar, ts)
    if home is not None and home == there and max(before, ts) <= home.close:
        share = abs((ts - before).total_seconds()) / (60 * _SESSION_MINUTES)
        return Course(_limit("intraday", window.sigma, share, limits), new_session=False)
    if ts < before:
        return None
    passed = 1 if home is None or there is None else _sessions(calendar, home, there)
    return Course(_limit("day", window.sigma, passed, limits), new_session=True)


def _limit(interval: str, sigma: float | None, share: float, limits: QualityThresholds) -> float:
    grown = None if sigma is None else sigma * math.sqrt(share)
    return jump_limit("intraday" if interval == "intraday" else "day", grown, limits=limits)


def session_of(calendar: str, ts: datetime) -> Session | None:
    """Return the newest session that had opened by `ts`; None outside the tables."""
    try:
        return find_last_session(calendar, ts)
    except Refusal:
        return None


def _sessions(calendar: str, home: Session, there: Session) -> int:
    try:
        return max(1, len(sessions_between(calendar, home.date, there.date)) - 1)
    except Refusal:
        return 1
