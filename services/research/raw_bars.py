"""Owns reading raw history for research: the bundled days, and folders of daily and hour files."""

from __future__ import annotations

import csv
import gzip
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

from services.kit.errors import Refusal
from services.kit.money import rounded
from services.market.bar import Bar, bar_hash, resample, validate_bars
from services.market.corporate_action import split_factor, splits_of
from services.market.history.bundle import load_history
from services.market.history.layout import SCALE
from services.market.session import Session, session_on
from services.strategy.track import Track

CALENDAR = "XNYS"
CENT = Decimal("0.01")
PRICE_PLACES = 6
_NEW_YORK = ZoneInfo("America/New_York")
_FIRST_DAY = date(2000, 1, 3)
"""The first session of the exchange calendar that ships with the product."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RawHistory:
    """One symbol's bars in today's terms, by timeframe, and the split factors they were made by.

    `factors` are (last date inclusive, factor): a price of that time was divided by it. `dropped`
    counts rows that can not be true or have no session.
    """

    symbol: str
    source: str
    bars: dict[str, list[Bar]]
    factors: tuple[tuple[date, Decimal], ...] = ()
    dropped: int = 0
    tracks: dict[str, Track] = field(default_factory=dict)

    def tick_on(self, day: date) -> Decimal:
        """Return one cent of that day in today's terms."""
        at = bisect_left(self.factors, day, key=lambda row: row[0])
        factor = self.factors[at][1] if at < len(self.factors) else Decimal(1)
        return rounded(CENT * factor, 10)

    def hashes(self) -> dict[str, str]:
        """Return the hash of the bars of each timeframe."""
        return {name: bar_hash(self.symbol, name, bars) for name, bars in sorted(self.bars.items())}


def build_tracks(history: RawHistory) -> RawHistory:
    """Return the history with its tracks filled, weeks from days."""
    bars = history.bars
    if "1d" in bars and "1w" not in bars:
        bars["1w"] = resample(bars["1d"], calendar=CALENDAR, from_tf="1d", to_tf="1w")
    for name, series in bars.items():
        history.tracks[name] = Track(name, CALENDAR, series)
    return history


def bundled() -> Iterator[RawHistory]:
    """Yield the days that ship with the product, by symbol."""
    for symbol, found in sorted(load_history().items()):
        splits = splits_of(symbol)
        last = datetime.combine(found.days[-1], time(23), UTC)
        rows = []
        for row in found.rows:
            exact = split_factor(splits, row.date, last)
            factor = Decimal(exact.denominator) / exact.numerator
            prices = (Decimal(x) / SCALE for x in (row.o, row.h, row.l, row.c))
            rows.append((row.date, [*prices, Decimal(row.v)], factor))
        bars, dropped = _days(rows)
        yield RawHistory(
            symbol=symbol,
            source="bundled WIKI days",
            bars={"1d": bars},
            factors=_steps((day, factor) for day, _, factor in rows),
            dropped=dropped,
        )


def folder(path: Path) -> Iterator[RawHistory]:
    """Yield the symbols of a folder with `equity_daily` and `factor_files`, by symbol.

    Hours and minutes are read where there are files, minutes no further than the days. The hours
    are those of the clock: the first of a session is half an hour long.
    """
    for file in sorted((path / "equity_daily").glob("*.csv.gz")):
        symbol = file.name.removesuffix(".csv.gz")
        factors = _read_factors(path / "factor_files" / f"{symbol.lower()}.csv")
        begins = _read_listing(path / "map_files" / f"{symbol.lower()}.csv")
        first = max(begins, _FIRST_DAY)
        rows = [
            (at.date(), values, _factor_on(factors, at.date()))
            for at, values in _read(file)
            if at.date() >= first
        ]
        days, dropped = _days(rows)
        bars = {"1d": days}
        hours = path / "equity_hour" / file.name
        if hours.exists():
            bars["60m"], lost = _within_day(_read(hours), factors, first, minutes=60)
            dropped += lost
        minutes = path / "equity_minute" / f"{symbol}_trade.csv.gz"
        if minutes.exists():
            traded, lost = _within_day(_read(minutes), factors, first, minutes=1)
            traded = [bar for bar in traded if bar.t_open < days[-1].t_close]
            dropped += lost
            for name in ("5m", "15m"):
                bars[name] = resample(traded, calendar=CALENDAR, from_tf="1m", to_tf=name)
        yield RawHistory(
            symbol=symbol, source=path.name, bars=bars, factors=tuple(factors), dropped=dropped
        )


def _read(file: Path) -> Iterator[tuple[datetime, list[Decimal]]]:
    with gzip.open(file, "rt", encoding="ascii", newline="") as lines:
        for row in csv.reader(lines):
            if row[0] != "ts_et":
                yield datetime.fromisoformat(row[0]), [Decimal(cell) for cell in row[1:6]]


def _read_factors(file: Path) -> list[tuple[date, Decimal]]:
    """Return (last date, split factor), ascending: prices up to that date are multiplied by it."""
    with file.open(encoding="ascii", newline="") as lines:
        rows = [(_day(row[0]), Decimal(row[2])) for row in csv.reader(lines) if row]
    return sorted(rows)


def _read_listing(file: Path) -> date:
    """Return the first date of a ticker's own company; earlier rows belong to another one."""
    with file.open(encoding="ascii", newline="") as lines:
        return _day(next(csv.reader(lines))[0])


def _day(text: str) -> date:
    return date(int(text[:4]), int(text[4:6]), int(text[6:8]))


def _factor_on(factors: Sequence[tuple[date, Decimal]], day: date) -> Decimal:
    at = bisect_left(factors, day, key=lambda row: row[0])
    return factors[at][1] if at < len(factors) else Decimal(1)


def _steps(rows: Iterable[tuple[date, Decimal]]) -> tuple[tuple[date, Decimal], ...]:
    """Return the last date of each run of equal factors."""
    steps: list[tuple[date, Decimal]] = []
    for day, factor in rows:
        if steps and steps[-1][1] == factor:
            steps.pop()
        steps.append((day, factor))
    return tuple(steps)


def _days(rows: Iterable[tuple[date, list[Decimal], Decimal]]) -> tuple[list[Bar], int]:
    bars, dropped = [], 0
    for day, values, factor in rows:
        session = session_on(CALENDAR, day)
        bar = None if session is None else _bar((session.open, session.close), values, factor)
        if bar is None:
            dropped += 1
        else:
            bars.append(bar)
    return bars, dropped


def _within_day(
    rows: Iterable[tuple[datetime, list[Decimal]]],
    factors: Sequence[tuple[date, Decimal]],
    first: date,
    *,
    minutes: int,
) -> tuple[list[Bar], int]:
    """Return the bars of regular hours; minutes before the open and after the close are no loss."""
    step, bars = timedelta(minutes=minutes), list[Bar]()
    dropped = 0
    for at, values in rows:
        if at.date() < first:
            continue
        session = session_on(CALENDAR, at.date())
        span = None if session is None else _span(session, at, step)
        if span is None and session is not None:
            continue
        bar = None if span is None else _bar(span, values, _factor_on(factors, at.date()))
        if bar is None or (bars and bar.t_open < bars[-1].t_close):
            dropped += 1
        else:
            bars.append(bar)
    return bars, dropped


def _span(session: Session, at: datetime, step: timedelta) -> tuple[datetime, datetime] | None:
    """Return the part of a clock hour or minute that lies in the session; None outside it."""
    begins = at.replace(tzinfo=_NEW_YORK).astimezone(UTC)
    span = max(begins, session.open), min(begins + step, session.close)
    return span if span[0] < span[1] else None


def _bar(span: tuple[datetime, datetime], values: list[Decimal], factor: Decimal) -> Bar | None:
    o, h, low, c = (rounded(price * factor, PRICE_PLACES) for price in values[:4])
    bar = Bar(
        t_open=span[0], t_close=span[1], o=o, h=h, l=low, c=c, v=rounded(values[4] / factor, 0)
    )
    try:
        validate_bars([bar])
    except Refusal:
        return None
    return bar
