"""Owns the clean years: real daily history, splits applied, through the gate's own rules."""

from __future__ import annotations

import csv
import gzip
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

from services.kit.errors import Refusal
from services.market.corporate_action import splits_of
from services.market.history.bundle import load_history
from services.market.instrument import Instrument
from services.market.observation import Observation, advance, is_refused, judge
from services.market.quality_rule import Fault
from services.market.quality_window import SESSIONS, Window, sigma_of
from services.market.session import session_on
from tests.fakes.hand_feed import listed


@dataclass(frozen=True, slots=True)
class Day:
    """One daily close in the terms of its own time, and the split factor since the day before."""

    at: datetime
    close: Decimal
    volume: Decimal
    factor: Fraction = Fraction(1)


@dataclass(frozen=True, slots=True)
class Judged:
    """What the gate said about one day."""

    day: Day
    faults: tuple[Fault, ...]

    @property
    def freezes(self) -> bool:
        return any(one.severity == "CRIT" for one in self.faults)


def bundled() -> dict[str, list[Day]]:
    """The history that ships with the product, with its splits."""
    series = {}
    for symbol, history in load_history().items():
        ratios = {one.ex_date: Fraction(one.ratio_to, one.ratio_from) for one in splits_of(symbol)}
        series[symbol] = [
            Day(
                at(row.date),
                Decimal(row.c) / 10_000,
                Decimal(row.v),
                ratios.get(row.date, Fraction(1)),
            )
            for row in history.rows
        ]
    return series


def shared(folder: Path) -> dict[str, list[Day]]:
    """Every daily series under `folder` (`../shared/marketdata`)."""
    series = {f"bokeh {name}": days for name, days in _bokeh(folder).items()}
    for path in sorted((folder / "lean" / "equity_daily").glob("*.csv.gz")):
        symbol = path.name.split(".")[0]
        ratios = _factors(folder / "lean" / "factor_files" / f"{symbol.lower()}.csv")
        series[symbol] = list(_lean(path, ratios))
    return series


def _bokeh(folder: Path) -> dict[str, list[Day]]:
    path = folder / "other" / "bokeh_stocks_wiki_2000_2013.csv.gz"
    found: dict[str, list[Day]] = {}
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            symbol, day = row["Ticker"], date.fromisoformat(row["Date"])
            ratios = {
                one.ex_date: Fraction(one.ratio_to, one.ratio_from) for one in splits_of(symbol)
            }
            one = Day(
                at(day), Decimal(row["Close"]), Decimal(row["Volume"]), ratios.get(day, Fraction(1))
            )
            found.setdefault(symbol, []).append(one)
    return found


def _factors(path: Path) -> dict[date, Fraction]:
    """Return the last day before each split and its ratio; a factor file lists day, price, split."""
    if not path.exists():
        return {}
    rows = [line.split(",") for line in path.read_text(encoding="utf-8").splitlines() if line]
    known = [(datetime.strptime(row[0], "%Y%m%d").date(), Fraction(row[2])) for row in rows]
    ratios = {}
    for (day, before), (_, after) in pairwise(known):
        if abs(float(after / before) - 1) > 0.01:
            ratios[day] = (after / before).limit_denominator(40)
    return ratios


def _lean(path: Path, ratios: dict[date, Fraction]) -> Iterator[Day]:
    pending = Fraction(1)
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for row in csv.reader(lines):
            if not row[0][:1].isdigit():
                continue
            day = _date(row[0])
            yield Day(at(day), Decimal(row[4]), Decimal(row[5]), pending)
            pending = ratios.get(day, Fraction(1))


def _date(text: str) -> date:
    return date.fromisoformat(text[:10]) if "-" in text[:10] else date.fromisoformat(text[:8])


def at(day: date) -> datetime:
    try:
        session = session_on("XNYS", day)
    except Refusal:  # before the calendar's first year
        session = None
    return session.close if session else datetime.combine(day, time(21), UTC)


def run(symbol: str, days: Sequence[Day]) -> Iterator[Judged]:
    """Judge every day in order as the gate does: a good close leads, a bad one is set aside."""
    instrument, window = listed(symbol.rsplit(maxsplit=1)[-1]), Window()
    closes: list[Decimal] = []
    volumes: list[Decimal] = []
    for day in days:
        split = Decimal(day.factor.numerator) / day.factor.denominator
        if split != 1:
            closes = [close / split for close in closes]
            volumes = [volume * split for volume in volumes]
        last = None if window.last is None else window.last / split
        window = replace(window, last=last, sigma=sigma_of(closes), volume=_middle(volumes))
        seen = _seen(instrument, day)
        faults = judge(seen, window, as_of=day.at)
        window = advance(seen, window, faults)
        if not is_refused(faults):
            closes = [*closes, day.close][-(SESSIONS + 1) :]
            volumes = [*volumes, day.volume][-SESSIONS:]
        yield Judged(day, tuple(faults))


def _seen(instrument: Instrument, day: Day) -> Observation:
    return Observation(
        instrument=instrument,
        price=day.close,
        ts=day.at,
        currency=instrument.quote_unit,
        kind="day",
        source="history",
        volume=day.volume,
    )


def _middle(volumes: Sequence[Decimal]) -> Decimal | None:
    return sorted(volumes)[len(volumes) // 2] if volumes else None


def false_freezes(series: dict[str, list[Day]]) -> tuple[int, int, list[str]]:
    """Return days frozen, days judged and the names of the frozen ones, of clean real history."""
    frozen = [
        f"{symbol} {one.day.at.date()} {one.faults[0].code}"
        for symbol, days in series.items()
        for one in run(symbol, days)
        if one.freezes
    ]
    return len(frozen), sum(len(days) for days in series.values()), frozen


@dataclass(frozen=True, slots=True)
class Planted:
    """A fault put into a series at a seeded place, and whether the gate refused it."""

    name: str
    symbol: str
    day: date
    caught: bool


FAULTS = {
    "x100": Decimal(100),
    "/100": Decimal("0.01"),
    "x10": Decimal(10),
    "missed split": Decimal("0.5"),
}


def plant(series: dict[str, list[Day]], *, seed: int, each: int) -> list[Planted]:
    """Multiply single closes at seeded places; a missed split scales every close after it."""
    rng = random.Random(seed)
    outcomes = []
    for name, factor in FAULTS.items():
        for _ in range(each):
            symbol = rng.choice(sorted(series))
            days = series[symbol]
            place = rng.randrange(SESSIONS + 5, len(days) - 5)
            start = place - SESSIONS - 3
            bent = [
                _bent(day, factor)
                if index == place or (name == "missed split" and index > place)
                else day
                for index, day in enumerate(days[start : place + 3], start)
            ]
            judged = list(run(symbol, bent))
            hit = judged[place - start]
            outcomes.append(Planted(name, symbol, hit.day.at.date(), is_refused(hit.faults)))
    return outcomes


def _bent(day: Day, factor: Decimal) -> Day:
    volume = day.volume / factor if factor == Decimal("0.5") else day.volume
    return replace(day, close=(day.close * factor).quantize(Decimal("0.0001")), volume=volume)
