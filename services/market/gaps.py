"""Owns gaps in stored minutes: asked for again while they are young, told once they stay."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from services.kit.context import Context
from services.market.bar import Bar
from services.market.finding import Finding
from services.market.freeze import listing_scope
from services.market.gate import settle
from services.market.grid import Grid
from services.market.instrument import Instrument
from services.market.quality_rule import THRESHOLDS_BY_CLASS, Fault, find_bar_faults
from services.market.quality_store import INTRADAY, find_marks, was_found
from services.market.quote_rule import named
from services.market.session import Session

ASK_AGAIN = timedelta(minutes=10)
"""How long a missing minute is asked for with every request; then it is a finding."""
_MINUTE = timedelta(minutes=1)


def first_missing(bars: Sequence[Bar], session: Session, now: datetime) -> datetime | None:
    """Return the oldest minute of the last ten that should be there and is not; None without one.

    Pure. `bars` are the stored ones of the session; its end and `now` are exclusive.
    """
    have = {bar.t_open for bar in bars}
    end = min(now, session.close)
    reach = max(session.open, end - ASK_AGAIN)
    minute = session.open + _MINUTE * -((session.open - reach) // _MINUTE)
    while minute + _MINUTE <= end:
        if minute not in have:
            return minute
        minute += _MINUTE
    return None


def find_gap(
    bars: Sequence[Bar], session: Session, now: datetime, usual_volume: Decimal | None, *,
    instrument: Instrument,
) -> Fault | None:  # fmt: skip
    """Return what is wrong with the minutes that are older than ten minutes; pure.

    Only of a listing that usually trades every minute, by its volume: for others a minute without
    a trade is no gap.
    """
    limits = THRESHOLDS_BY_CLASS[instrument.asset_class]
    until = min(now, session.close) - ASK_AGAIN
    until = until.replace(second=0, microsecond=0)
    if usual_volume is None or usual_volume < limits.gap_volume_min or until <= session.open:
        return None
    settled = [bar for bar in bars if session.open <= bar.t_open < until]
    grid = Grid("1m", [session])
    faults = find_bar_faults(settled, grid, span=(session.open, until))
    return faults[0] if faults else None


def tell_gap(
    ctx: Context, instrument: Instrument, session: Session, bars: Sequence[Bar], now: datetime
) -> Finding | None:
    """Keep the gaps of a session's stored minutes as a finding, once for each number of them."""
    mark = find_marks(ctx, (instrument.id,)).get((instrument.id, INTRADAY))
    volume = None if mark is None else mark.window.volume
    fault = find_gap(bars, session, now, volume, instrument=instrument)
    if fault is None:
        return None
    [found] = named(instrument.symbol, [fault])
    count, of, _ = fault.detail.partition(" of ")
    if was_found(ctx, listing_scope(instrument.id), fault.code, count + of, session.open):
        return None
    settle(ctx, instrument, [found])
    return found
