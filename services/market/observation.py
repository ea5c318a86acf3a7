"""Owns the judgement of one observed price against its window; pure, and it never raises."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Literal

from services.kit.errors import Refusal
from services.kit.money import decimal_text
from services.market.bar import Bar, validate_bars
from services.market.instrument import Instrument
from services.market.quality_rule import (
    THRESHOLDS_BY_CLASS,
    Arrival,
    Fault,
    QualityThresholds,
    find_arrival_fault,
    find_disorder,
    find_jump,
    find_recon_fault,
    find_scale_fault,
    find_split_fault,
    find_unit_faults,
    is_jump_confirmed,
)
from services.market.quality_window import Suspect, Window, course_of
from services.market.quote import Quote

DECIMALS_MAX, DIGITS_MAX = 8, 10
"""Digits of a price or size after and before the point; more fit no column and no market."""
FUTURE = timedelta(seconds=2)
"""How far a source's clock may be ahead of the market's time."""
_COUNTED = timedelta(minutes=5)
_KEPT = 3
_DROPPED = frozenset({"DQ_DUPLICATE", "DQ_OUT_OF_ORDER"})
_LEVEL = frozenset({"DQ_JUMP", "DQ_SCALE_SUSPECT", "DQ_SPLIT_SUSPECT"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One price as a source says it, before anybody believes it.

    `price` is in `currency`, the unit that the source names. `seq` is the source's number within
    one instant. `volume` is that of the session so far, `bar` the bar that the price closes,
    `second` the price of the same moment from another source, `quote` the quote it comes from.
    """

    instrument: Instrument
    price: Decimal
    ts: datetime
    currency: str
    kind: Literal["intraday", "day"]
    source: str
    seq: int | None = None
    volume: Decimal | None = None
    bar: Bar | None = None
    second: Decimal | None = None
    provenance: str = ""
    quote: Quote | None = None

    @property
    def is_history(self) -> bool:
        """Return True for a bar or a daily price, which may arrive in any order."""
        return self.kind == "day" or self.bar is not None


def find_number_fault(
    name: str, value: object, *, may_be_zero: bool = False, places_max: int = DECIMALS_MAX
) -> Fault | None:
    """Return why `value` is no price or size: not finite, too many digits, not above 0."""
    if not isinstance(value, Decimal):
        return Fault("DQ_FORMAT", "CRIT", f"{name} is not a usable number")
    if not value.is_finite():
        return Fault("DQ_NONFINITE", "CRIT", f"{name} is not a number")
    _, digits, exponent = value.as_tuple()
    fits = isinstance(exponent, int) and -exponent <= places_max
    if not fits or len(digits) + int(exponent) > DIGITS_MAX:
        return Fault("DQ_FORMAT", "CRIT", f"{name} has too many digits")
    if value < 0 or (value == 0 and not may_be_zero):
        return Fault("DQ_NONPOSITIVE", "CRIT", f"{name}={decimal_text(value)}")
    return None


def judge(seen: Observation, window: Window, *, as_of: datetime) -> list[Fault]:
    """Return what is wrong with an observation, held against its window at market time `as_of`.

    Numbers that can not be prices end the checks. Order and repeats are judged for prices of the
    moment only; a bar is judged as a bar. Worked: 180 a minute after a good 100 is `DQ_JUMP`.
    """
    limits = THRESHOLDS_BY_CLASS[seen.instrument.asset_class]
    found = _numbers(seen)
    if found:
        return found
    found = [*_moment(seen, as_of), *_bar(seen, limits)]
    found += find_unit_faults(seen.currency, quote_unit=seen.instrument.quote_unit)
    if not seen.is_history:
        arrived = _arrival(seen, window)
        if arrived is not None:
            return [*found, arrived]
    return [*found, *_level(seen, window, limits), *_second(seen, window, limits)]


def _numbers(seen: Observation) -> list[Fault]:
    faults = [find_number_fault("price", seen.price)]
    if seen.volume is not None:
        faults.append(find_number_fault("volume", seen.volume, may_be_zero=True))
    return [fault for fault in faults if fault is not None]


def _moment(seen: Observation, as_of: datetime) -> list[Fault]:
    ahead = seen.ts - as_of
    if ahead <= FUTURE:
        return []
    return [Fault("DQ_FUTURE_TS", "CRIT", f"{int(ahead.total_seconds())} s ahead of the market")]


def _bar(seen: Observation, limits: QualityThresholds) -> list[Fault]:
    if seen.bar is None:
        return []
    try:
        validate_bars((seen.bar,))
    except Refusal as refusal:
        return [Fault("DQ_BAR_SANITY", "CRIT", refusal.message)]
    limit = None if seen.kind == "day" else limits.jump_day
    spike = find_spike_fault(seen.bar, limit, limits)
    return [] if spike is None else [spike]


def find_spike_fault(bar: Bar, limit: float | None, limits: QualityThresholds) -> Fault | None:
    """Return why a high or low can not be of the same trading as the close, such as a bad print.

    `limit` is the largest log distance from the close; None looks for another unit only.
    """
    for name, price in (("high", bar.h), ("low", bar.l)):
        fault = find_scale_fault(price, bar.c, limits=limits)
        if fault is None and limit is not None:
            fault = find_jump(price, bar.c, limit=limit)
        if fault is not None:
            shown, close = decimal_text(price), decimal_text(bar.c)
            return Fault("DQ_BAR_SANITY", "CRIT", f"{name} {shown} beside a close of {close}")
    return None


def _arrival(seen: Observation, window: Window) -> Fault | None:
    arrival = Arrival(seen.ts, seen.seq or 0)
    corrected = arrival == window.newest and seen.seq is None
    if corrected and seen.price != window.newest_price:
        return None
    return find_arrival_fault(arrival, window.newest)


def _level(seen: Observation, window: Window, limits: QualityThresholds) -> list[Fault]:
    last, course = window.last, course_of(window, seen.ts, seen.instrument.calendar, limits=limits)
    if course is None or last is None:
        return []
    scale = find_scale_fault(seen.price, last, limits=limits)
    if scale is not None:
        return [scale]
    jump = find_jump(seen.price, last, limit=course.limit)
    if jump is None:
        return []
    if course.new_session:
        usual, volume = window.volume, seen.volume
        ratio = volume / usual if volume and usual else None
        split = find_split_fault(seen.price, last, volume_ratio=ratio, limits=limits)
        if split is not None:
            return [split]
    later = [one.price for one in window.suspects if one.ts < seen.ts] + [seen.price]
    first = later[-_KEPT] if len(later) >= _KEPT else later[0]
    near = limits.jump_day if seen.kind == "day" else limits.jump_intraday
    agreed = is_jump_confirmed(
        first, later[1:], limit=near, second_source=_usable(seen.second), limits=limits
    )
    return [] if agreed else [jump]


def _usable(price: Decimal | None) -> Decimal | None:
    faulty = price is None or find_number_fault("second", price) is not None
    return None if faulty else price


def _second(seen: Observation, window: Window, limits: QualityThresholds) -> list[Fault]:
    """Hold the price against another source's: critical only beyond what would be a jump."""
    other = _usable(seen.second)
    fault = None if other is None else find_recon_fault(seen.price, other, limits=limits)
    if other is None or fault is None:
        return []
    course = course_of(window, seen.ts, seen.instrument.calendar, limits=limits)
    if course is not None and find_jump(seen.price, other, limit=course.limit) is None:
        return [fault._replace(severity="WARN")]
    return [fault]


def is_confirmed_jump(seen: Observation, window: Window, found: Sequence[Fault]) -> bool:
    """Return whether the observation ends a quarantine: far from the last good price, and clean."""
    if window.last is None or is_refused(found):
        return False
    limits = THRESHOLDS_BY_CLASS[seen.instrument.asset_class]
    course = course_of(window, seen.ts, seen.instrument.calendar, limits=limits)
    return course is not None and (
        find_jump(seen.price, window.last, limit=course.limit) is not None
    )


def is_refused(found: Sequence[Fault]) -> bool:
    """Return whether an observation with these faults may not be stored as a price."""
    return any(
        one.severity == "CRIT" or (one.code in _DROPPED and one.severity == "INFO") for one in found
    )


def is_level_fault(found: Sequence[Fault]) -> bool:
    """Return whether a fault is about the level of the price, which a split may explain."""
    return any(one.code in _LEVEL for one in found)


def advance(seen: Observation, window: Window, found: Sequence[Fault]) -> Window:
    """Return the window after the observation: a good price leads it, a bad level is set aside."""
    codes = {one.code for one in found}
    counted = _count(seen, window, dropped="DQ_OUT_OF_ORDER" in codes)
    if codes & _DROPPED:
        return counted
    if not is_refused(found):
        return _led_by(seen, counted)
    if not codes & _LEVEL:
        return counted
    newest = [one for one in window.suspects if one.ts < seen.ts][-(_KEPT - 1) :]
    return replace(counted, suspects=(*newest, Suspect(seen.ts, seen.price)))


def _led_by(seen: Observation, window: Window) -> Window:
    if window.last_ts is not None and seen.ts < window.last_ts:
        return window
    moved = replace(
        window,
        last=seen.price,
        last_ts=seen.ts,
        provenance=seen.provenance,
        source=seen.source,
        suspects=(),
    )
    if seen.is_history:
        return moved
    return replace(moved, newest=Arrival(seen.ts, seen.seq or 0), newest_price=seen.price)


def _count(seen: Observation, window: Window, *, dropped: bool) -> Window:
    """Count the observations of five minutes, and those that came out of order."""
    if seen.is_history:
        return window
    began = window.counted_from
    if began is None or seen.ts - began >= _COUNTED:
        window = replace(window, seen=0, dropped=0, counted_from=seen.ts)
    return replace(window, seen=window.seen + 1, dropped=window.dropped + dropped)


def find_disorder_fault(window: Window) -> Fault | None:
    """Return the warning of a feed whose observations come out of order too often."""
    return find_disorder(window.dropped, window.seen) if window.seen >= 10 else None
