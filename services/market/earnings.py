"""Owns earnings dates: the port, one date out of several sources, and what is not known."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Literal, Protocol

from services.kit.context import Context
from services.kit.errors import Refusal, check
from services.market.absence import Absence, find_absence, no_provider
from services.market.decode import EASTERN
from services.market.feed import Capability, Feed
from services.market.instrument import Instrument
from services.market.news_rule import earnings_window
from services.market.quote import Provenance

SYMBOLS_MAX = 50
"""Most symbols of one question: each new one is looked up within the bound of a unit of work."""
DAYS_MAX = 90
LOOKBACK = timedelta(days=100)
"""How far back a last report is looked for: a quarter and a little."""
_UNKNOWN_AFTER = timedelta(days=75)
_SAME_REPORT = timedelta(days=21)
"""Dates nearer than this are one report: the next one comes a quarter later."""
_AGREE = timedelta(days=1)
_CALENDAR = "XNYS"

ReportTime = Literal["bmo", "amc", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EarningsEvent:
    """One date as one source says it; `bmo` is before the open, `amc` after the close."""

    symbol: str
    date: date
    time: ReportTime
    confirmed: bool
    provider: str
    as_of: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One report, past or to come, out of what the sources say."""

    symbol: str
    date: date
    time: ReportTime
    confirmed: bool
    providers: tuple[str, ...]
    as_of: datetime
    sessions_until: int | None = None
    flags: tuple[str, ...] = ()


class EarningsFeed(Protocol):
    """Where earnings dates come from; may raise `PROVIDER_*`."""

    def events(
        self, ctx: Context, symbols: Sequence[str], first: date, last: date
    ) -> Sequence[EarningsEvent]:
        """Return what each source says about the symbols in `[first, last]`, both ends in."""
        ...

    def capability(self) -> Capability:
        """Return whether earnings dates are on, why, and what to do; never raises."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class EarningsRow:
    """The next and the last report of one symbol; `flags` may hold `EARNINGS_UNKNOWN`."""

    symbol: str
    next: Report | None
    last: Report | None
    flags: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class EarningsPage:
    """One row per symbol; without a provider there are none, and `absence` says why."""

    rows: tuple[EarningsRow, ...]
    as_of: datetime
    days: int
    provenance: Provenance | None = None
    source: str | None = None
    absence: Absence | None = None


def read_earnings(ctx: Context, symbols: Sequence[str], *, days: int = 30) -> EarningsPage:
    """Return the reports of up to 50 symbols from 100 days back to `days` ahead, both ends in.

    Raises `SYMBOL_UNKNOWN` with the nearest names, and `PROVIDER_*` while none answers.
    """
    check(len(symbols) <= SYMBOLS_MAX and 1 <= days <= DAYS_MAX, "the doors bound the question")
    if EarningsFeed not in ctx.ports:
        absence = no_provider("earnings dates")
        return EarningsPage(rows=(), as_of=ctx.now, days=days, absence=absence)
    try:
        rows, sources = _rows(ctx, symbols, days)
    except Refusal as refusal:
        found = find_absence(refusal, "earnings dates")
        if found is None:
            raise
        return EarningsPage(rows=(), as_of=ctx.now, days=days, absence=found)
    shown = [report for row in rows for report in (row.next, row.last) if report is not None]
    return EarningsPage(
        rows=tuple(rows),
        as_of=min((report.as_of for report in shown), default=ctx.now),
        days=days,
        provenance=Provenance.SNAPSHOT,
        source=", ".join(sources) or None,
    )


def find_capability(ctx: Context) -> Capability:
    """Return whether earnings dates are on, why, and what to do."""
    if EarningsFeed in ctx.ports:
        return ctx.port(EarningsFeed).capability()
    absence = no_provider("earnings dates")
    return Capability("earnings", on=False, why=absence.why, todo=absence.todo)


def _rows(ctx: Context, symbols: Sequence[str], days: int) -> tuple[list[EarningsRow], list[str]]:
    feed, port = ctx.port(Feed), ctx.port(EarningsFeed)
    known = {one.symbol: one for one in (feed.instrument(ctx, symbol) for symbol in symbols)}
    today = ctx.now.astimezone(EASTERN).date()
    first, last = today - LOOKBACK, today + timedelta(days=days)
    events = port.events(ctx, sorted(known), first, last) if known else ()
    told = {symbol: [one for one in events if one.symbol == symbol] for symbol in known}
    rows = [build_row(one, told[symbol], today, days=days) for symbol, one in known.items()]
    return rows, sorted({event.provider for event in events})


def build_row(
    instrument: Instrument, events: Iterable[EarningsEvent], today: date, *, days: int
) -> EarningsRow:
    """Return the reports around `today`; what comes today is the next one.

    `EARNINGS_UNKNOWN` says that no date is known to come and the last known report is more than
    75 days ago; a fund never reports, so it never has the flag.
    """
    reports = settle_reports(events)
    coming = [report for report in reports if report.date >= today]
    passed = [report for report in reports if report.date < today]
    upcoming = coming[0] if coming else None
    last = passed[-1] if passed else None
    old = last is None or today - last.date > _UNKNOWN_AFTER
    unknown = upcoming is None and old and instrument.asset_class == "equity"
    return EarningsRow(
        symbol=instrument.symbol,
        next=None if upcoming is None else _counted(upcoming, today, days),
        last=last,
        flags=("EARNINGS_UNKNOWN",) if unknown else (),
    )


def _counted(report: Report, today: date, days: int) -> Report:
    window = earnings_window(
        _CALENDAR,
        today,
        horizon_end=today + timedelta(days=days),
        earnings_date=report.date,
        time=report.time,
    )
    return replace(report, sessions_until=window.sessions_until)


def settle_reports(events: Iterable[EarningsEvent]) -> list[Report]:
    """Return one report per quarter of one symbol, ascending by date.

    Dates within 21 days are one report. When they differ by more than a day, the earlier counts,
    with `EARNINGS_SOURCES_DISAGREE`; else a confirmed one counts before another.
    Worked: 2027-01-28 and 2027-02-02 are one report on 2027-01-28, flagged.
    """
    groups: list[list[EarningsEvent]] = []
    for event in sorted(events, key=lambda one: (one.date, one.provider, one.time)):
        if groups and event.date - groups[-1][0].date <= _SAME_REPORT:
            groups[-1].append(event)
        else:
            groups.append([event])
    return [_settled(group) for group in groups]


def _settled(group: list[EarningsEvent]) -> Report:
    disagree = group[-1].date - group[0].date > _AGREE
    chosen = group[0]
    if not disagree:
        chosen = min(group, key=lambda one: (not one.confirmed, one.date, one.provider))
    same_day = [one for one in group if one.date == chosen.date]
    said = {one.time for one in same_day} - {"unknown"}
    return Report(
        symbol=chosen.symbol,
        date=chosen.date,
        time=said.pop() if len(said) == 1 else "unknown",
        confirmed=any(one.confirmed for one in same_day),
        providers=tuple(sorted({one.provider for one in group})),
        as_of=min(one.as_of for one in group),
        flags=("EARNINGS_SOURCES_DISAGREE",) if disagree else (),
    )
