"""Owns the clock of a source: how far behind or ahead of ours it runs, steadily; pure."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from services.market.observation import Observation
from services.market.quality_rule import THRESHOLDS, Fault, QualityThresholds
from services.market.quality_window import Window
from services.market.quote import Provenance
from services.market.session import market_state

_MS = timedelta(milliseconds=1)
RECENT = timedelta(minutes=10)
"""How old the newest observation may be for its lag to say something of the clock now."""


def with_lag(window: Window, seen: Observation, as_of: datetime) -> Window:
    """Return the window with the lag of a new observation: our market time less the source's.

    Only new prices of a live source in regular hours count: others are old for other reasons.
    Another source begins anew. In milliseconds; below 0 the source is ahead.
    """
    if seen.is_history or seen.provenance != Provenance.LIVE:
        return window
    if window.newest is not None and seen.ts <= window.newest.ts:
        return window
    if market_state(seen.instrument.calendar, as_of).state != "open":
        return replace(window, lags=())
    known = window.lags if window.source in ("", seen.source) else ()
    lags = (*known, (as_of - seen.ts) // _MS)
    return replace(window, lags=lags[-THRESHOLDS.skew_seen :])


def find_skew_fault(lags: Sequence[int], *, limits: QualityThresholds = THRESHOLDS) -> Fault | None:
    """Return `DQ_SKEW` when the newest five lags are one steady amount, within 2 s of each other.

    Ahead of our market time: a warning beyond 1.5 s, critical beyond 2 s. Behind: a warning
    beyond 5 s, critical beyond 60 s. Worked: five observations 8 s old, each new, are a warning.
    """
    if len(lags) < limits.skew_seen or max(lags) - min(lags) > limits.skew_steady / _MS:
        return None
    lag = statistics.median(lags) * _MS
    warn, crit = (
        (limits.skew_ahead_warn, limits.skew_ahead_crit)
        if lag < timedelta(0)
        else (limits.skew_behind_warn, limits.skew_behind_crit)
    )
    if abs(lag) <= warn:
        return None
    side = "ahead of" if lag < timedelta(0) else "behind"
    detail = f"the source's clock is {abs(lag).total_seconds():.1f} s {side} ours, steadily"
    return Fault("DQ_SKEW", "CRIT" if abs(lag) > crit else "WARN", detail)


def find_skew_now(window: Window, as_of: datetime, *, limits: QualityThresholds) -> Fault | None:
    """Return `DQ_SKEW` of a window whose newest observation is at most ten minutes old."""
    newest = window.newest
    if newest is None or abs(as_of - newest.ts) > RECENT:
        return None
    return find_skew_fault(window.lags, limits=limits)
