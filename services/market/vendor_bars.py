"""Owns turning a provider's rows into bars: which to ask for, the grid, and what is complete."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal

from services.kit.errors import refuse
from services.market.bar import Bar, bar_hash, is_complete, resample, validate_bars
from services.market.decode import EASTERN, Page, Record
from services.market.feed import COUNT_MAX, BarSeries
from services.market.grid import MINUTES, TIMEFRAMES, Grid
from services.market.instrument import Instrument
from services.market.quote import Provenance
from services.market.session import Session, get_session, session_on, sessions_between
from services.market.sessions.table import load_table

_SESSIONS = {"1d": 1, "1w": 5, "1mo": 23}
BASES = {"60m": "30m", "240m": "30m", "1w": "1d", "1mo": "1d"}
"""Which timeframe another one is built from, for a provider of half hours and days."""
_SESSION_MINUTES = 390
_PUBLISHED_S = 2
DELAYED_S = 15 * 60
"""How far behind a delayed plan is: its newest bars hold no trades of these last seconds."""


@dataclass(frozen=True, slots=True)
class BarPlan:
    """What to ask for `count` bars of a timeframe: the base timeframe, its dates, how many rows."""

    base: str
    timeframe: str
    sessions: tuple[Session, ...]
    count: int

    @property
    def rows(self) -> int:
        """Return how many base rows are surely enough, early and late hours included."""
        if self.base == "1d":
            return len(self.sessions)
        return 3 * len(self.sessions) * _SESSION_MINUTES // MINUTES[self.base]


def require_request(timeframe: str, count: int) -> None:
    """Refuse a timeframe that there is not, and a count outside 1 to 5000."""
    if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= COUNT_MAX:
        raise refuse(
            "PARAM_INVALID",
            field="count",
            name="count",
            value=ascii(count)[:40],
            rule=f"must be a whole number from 1 to {COUNT_MAX}",
        )
    if timeframe not in TIMEFRAMES:
        raise refuse("TIMEFRAME_UNSUPPORTED", to=ascii(timeframe)[1:41], **{"from": "1m"})


def build_plan(
    instrument: Instrument,
    timeframe: str,
    count: int,
    as_of: datetime,
    *,
    bases: Mapping[str, str] = BASES,
) -> BarPlan:
    """Return the plan for the newest `count` bars at `as_of`; a session more than needed.

    Providers anchor hours to the clock and weeks to Sundays, so those are built from the finer
    bars of regular sessions that `bases` names.
    """
    if timeframe in MINUTES:
        needed = -(-count * MINUTES[timeframe] // (_SESSION_MINUTES // 2)) + 2
    else:
        needed = (count + 2) * _SESSIONS[timeframe]
    today = as_of.astimezone(EASTERN).date()
    first = max(load_table(instrument.calendar).first, today - timedelta(days=2 * needed + 10))
    sessions = sessions_between(instrument.calendar, first, today)[-needed:]
    return BarPlan(bases.get(timeframe, timeframe), timeframe, tuple(sessions), count)


def build_series(
    plan: BarPlan,
    page: Page,
    instrument: Instrument,
    as_of: datetime,
    *,
    source: str,
    include_partial: bool = False,
) -> BarSeries:
    """Return the bars of one answer with their label: complete days are `EOD`."""
    bars = build_bars(
        plan, page.records, instrument, as_of, delayed=page.delayed, include_partial=include_partial
    )
    whole_days = plan.base == "1d" and all(bar.complete for bar in bars)
    live = Provenance.DELAYED if page.delayed else Provenance.LIVE
    return BarSeries(
        instrument.symbol,
        plan.timeframe,
        tuple(bars),
        Provenance.EOD if whole_days else live,
        source,
        as_of,
        bar_hash(instrument.id, plan.timeframe, bars),
        f"{source}_aggregates",
    )


def build_bars(
    plan: BarPlan,
    records: Sequence[Record],
    instrument: Instrument,
    as_of: datetime,
    *,
    delayed: bool = False,
    include_partial: bool = False,
) -> list[Bar]:
    """Return the newest `count` bars of records that came newest first.

    Early and late hours are left out. A bar is complete when the provider can have had all of
    it: 2 s after its close, 15 minutes and 2 s on a delayed plan. Raises `BAR_INVALID`.
    """
    reached = as_of - timedelta(seconds=DELAYED_S if delayed else 0)
    if plan.base == "1d":
        base = [_daily(record, instrument, reached) for record in reversed(records)]
        validate_bars(base)
    else:
        grid = Grid(plan.base, plan.sessions)
        found = (_minutes(record, grid, reached) for record in reversed(records))
        base = [bar for bar in found if bar is not None]
        validate_bars(base, grid)
    base = [bar for bar in base if bar.t_open <= as_of]
    bars = base
    if plan.base != plan.timeframe:
        bars = resample(
            base,
            calendar=instrument.calendar,
            from_tf=plan.base,
            to_tf=plan.timeframe,
            include_partial=True,
        )
    return [bar for bar in bars if bar.complete or include_partial][-plan.count :]


def _minutes(record: Record, grid: Grid, reached: datetime) -> Bar | None:
    window = grid.find_window(record["t_open"])
    return None if window is None else _bar(record, record["t_open"], window.closes, reached)


def _daily(record: Record, instrument: Instrument, reached: datetime) -> Bar:
    day: date = record["date"] or record["t_open"].astimezone(EASTERN).date()
    if session_on(instrument.calendar, day) is None:
        raise refuse("BAR_INVALID", ts=day.isoformat(), check="no session that day")
    session = get_session(instrument.calendar, day)
    return _bar(record, session.open, session.close, reached)


def _bar(record: Record, opens: datetime, closes: datetime, reached: datetime) -> Bar:
    bar = Bar(
        t_open=opens,
        t_close=closes,
        o=record["o"],
        h=record["h"],
        l=record["l"],
        c=record["c"],
        v=Decimal(0) if record["v"] is None else record["v"],
        vw=record["vw"],
        n=None if record["n"] is None else int(record["n"]),
    )
    return bar if is_complete(bar, reached, _PUBLISHED_S) else replace(bar, complete=False)
