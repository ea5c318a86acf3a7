"""Real minutes for a fake vendor: one day of `../shared/marketdata`, or of the bundled replay."""

from __future__ import annotations

import csv
import gzip
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

from services.market.history.bundle import load_history
from services.market.replay_bars import ReplayDay, build_day
from services.market.session import get_session

EASTERN = ZoneInfo("America/New_York")
CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Minute:
    """One minute of regular hours; the quote is the one at its end."""

    opens: datetime
    o: Decimal
    h: Decimal
    l: Decimal  # noqa: E741
    c: Decimal
    v: Decimal
    bid: Decimal
    ask: Decimal

    @property
    def closes(self) -> datetime:
        return self.opens + timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class MinuteDay:
    """The minutes of some symbols on one day."""

    source: str
    day: date
    minutes: dict[str, list[Minute]]


def shared_day(folder: Path, day: date = date(2013, 10, 4)) -> MinuteDay:
    """AIG, IBM and SPY on 4 October 2013, trades and quotes as recorded."""
    found = {symbol: _read(folder, symbol, day) for symbol in ("AIG", "IBM", "SPY")}
    return MinuteDay("recorded", day, found)


def _read(folder: Path, symbol: str, day: date) -> list[Minute]:
    root = folder / "lean" / "equity_minute"
    session = get_session("XNYS", day)
    quotes = {row["ts_et"]: row for row in _rows(root / f"{symbol}_quote.csv.gz")}
    minutes = []
    for row in _rows(root / f"{symbol}_trade.csv.gz"):
        opens = (
            datetime.fromisoformat(row["ts_et"])
            .replace(tzinfo=EASTERN)
            .astimezone(session.open.tzinfo)
        )
        if not session.open <= opens < session.close:
            continue
        quote = quotes.get(row["ts_et"])
        o, h, low, c = (Decimal(row[name]) for name in ("open", "high", "low", "close"))
        bid = Decimal(quote["bid_close"]) if quote else c - CENT
        ask = Decimal(quote["ask_close"]) if quote else c + CENT
        minutes.append(Minute(opens, o, h, low, c, Decimal(row["volume"]), bid, ask))
    return minutes


def _rows(path: Path) -> list[dict[str, str]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


def bundled_day(day: date = date(2012, 3, 14)) -> MinuteDay:
    """The bundled symbols on one day of the replay, minute by minute."""
    found = {}
    for symbol in ("AAPL", "IBM", "MSFT"):
        history = load_history()[symbol]
        row = history.find_row(day)
        assert row is not None
        found[symbol] = _replayed(build_day(history, row))
    return MinuteDay("bundled", day, found)


def _replayed(day: ReplayDay) -> list[Minute]:
    made = []
    for bar in day.path():
        opens = day.session.open + timedelta(minutes=bar.minute)
        o, h, low, c = (Decimal(units) / 10_000 for units in (bar.o, bar.h, bar.l, bar.c))
        prices = [price.quantize(CENT) for price in (o, h, low, c)]
        high, low = max(prices), min(prices)
        made.append(
            Minute(
                opens,
                prices[0],
                high,
                low,
                prices[3],
                Decimal(bar.v),
                prices[3] - CENT,
                prices[3] + CENT,
            )
        )
    return made
