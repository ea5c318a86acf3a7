"""Owns the replay feed: bundled daily history with a simulated course inside each session."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from difflib import SequenceMatcher

from services.kit.context import Context
from services.kit.errors import Refusal, refuse
from services.market.bar import Bar, bar_hash, resample
from services.market.corporate_action import splits_of
from services.market.feed import COUNT_MAX, BarSeries, Capability, Split, Tick
from services.market.grid import MINUTES, TIMEFRAMES
from services.market.history.bundle import History, load_history
from services.market.instrument import Instrument, require_listing
from services.market.path import draw
from services.market.provider import ProviderRecord
from services.market.quote import Provenance, Quote
from services.market.replay_bars import (
    ReplayDay,
    daily_bars,
    days_until,
    first_open,
    intraday_bars,
    trade_of,
    trades_between,
)
from services.market.replay_clock import (
    ReplayClockState,
    clock,
    pause,
    resume,
    resume_at_boot,
    set_speed,
    step,
)

__all__ = [
    "DAILY",
    "INTRADAY",
    "ReplayClockState",
    "ReplayFeed",
    "clock",
    "pause",
    "resume",
    "resume_at_boot",
    "set_speed",
    "step",
]

DAILY, INTRADAY = "wiki_daily", "simulated_intraday"
"""The two datasets of this feed, as citations name them."""
_SESSIONS_MAX = {"1w": 5, "1mo": 23}


class ReplayFeed:
    """The feed of an installation without a provider; its time is the tenant's replay clock.

    Daily bars are real (`REPLAY`); quotes, trades, intraday bars and a day in progress follow a
    simulated course between the real open, high, low and close (`SIMULATED`).
    """

    name = "replay"
    provenance = Provenance.SIMULATED

    def as_of(self, ctx: Context) -> datetime:
        """Return the replayed market's time; needs no writing transaction."""
        return clock(ctx).as_of

    def market_round(self, ctx: Context) -> int:
        """Return how often the replayed data have begun again."""
        return clock(ctx).round

    def instruments(self, ctx: Context) -> Sequence[Instrument]:
        """Return the instruments that trade by now, by symbol."""
        as_of = self.as_of(ctx)
        return [
            history.instrument
            for _, history in sorted(load_history().items())
            if first_open(history) <= as_of
        ]

    def instrument(self, ctx: Context, symbol: str) -> Instrument:
        """Return one instrument by symbol or id. Raises `PARAM_INVALID`, `SYMBOL_UNKNOWN`."""
        return _require_history(symbol, self.as_of(ctx)).instrument

    def quote(self, ctx: Context, symbol: str) -> Quote:
        """Return the bid, ask and last trade now, as traded; bid and ask are anew every second.

        Raises `PARAM_INVALID`, `SYMBOL_UNKNOWN`, `QUOTE_UNUSABLE`.
        """
        as_of = self.as_of(ctx)
        history = _require_history(symbol, as_of)
        for day in days_until(history, as_of):
            found = _quote(history.instrument, day, as_of)
            if found is not None:
                return found
        raise refuse("QUOTE_UNUSABLE", contract=history.instrument.symbol, reason="no trade yet")

    def bars(
        self,
        ctx: Context,
        symbol: str,
        timeframe: str,
        count: int,
        *,
        include_partial: bool = False,
    ) -> BarSeries:
        """Return the newest `count` bars, adjusted for the splits that the clock has reached.

        Complete bars only, unless `include_partial`; intraday ones of the last 250 sessions.
        Raises `PARAM_INVALID`, `SYMBOL_UNKNOWN`, `TIMEFRAME_UNSUPPORTED`.
        """
        if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= COUNT_MAX:
            raise refuse(
                "PARAM_INVALID",
                field="count",
                name="count",
                value=ascii(count)[:40],
                rule=f"must be a whole number from 1 to {COUNT_MAX}",
            )
        if timeframe not in TIMEFRAMES:
            raise refuse("TIMEFRAME_UNSUPPORTED", to=ascii(timeframe)[1:-1][:40], **{"from": "1m"})
        as_of = self.as_of(ctx)
        history = _require_history(symbol, as_of)
        bars = _bars(history, as_of, timeframe, count, include_partial=include_partial)
        simulated = timeframe in MINUTES or any(not bar.complete for bar in bars)
        return BarSeries(
            history.instrument.symbol,
            timeframe,
            tuple(bars),
            Provenance.SIMULATED if simulated else Provenance.REPLAY,
            self.name,
            as_of,
            bar_hash(history.instrument.id, timeframe, bars),
            INTRADAY if simulated else DAILY,
        )

    def tape(self, ctx: Context, symbol: str, after: datetime, until: datetime) -> Sequence[Tick]:
        """Return the simulated trades with `after < ts <= until`, none later than now."""
        as_of = self.as_of(ctx)
        history = _require_history(symbol, as_of)
        return trades_between(history, after, min(until, as_of))

    def splits(
        self, ctx: Context, symbol: str, after: datetime, until: datetime
    ) -> Sequence[Split]:
        """Return the splits with `after < effective_at <= until`, none later than now."""
        as_of = self.as_of(ctx)
        history = _require_history(symbol, as_of)
        return [
            split
            for split in splits_of(history.instrument.symbol)
            if after < split.effective_at <= min(until, as_of)
        ]

    def capability(self) -> Capability:
        """Return that market data are on, and that they are replayed."""
        return Capability(
            "market data",
            on=True,
            why="bundled history from 2012 on is replayed; no provider is configured",
        )

    def record(self) -> ProviderRecord:
        """Return that bundled files are replayed: real days, simulated moments between."""
        state = self.capability()
        return ProviderRecord(
            name=self.name,
            host="",
            on=state.on,
            why=state.why,
            provenance=self.provenance,
            products=(
                Capability("daily bars", on=True, why="bundled history, split-adjusted"),
                Capability("quotes and minute bars", on=True, why="simulated between real prices"),
                Capability("splits", on=True, why="bundled with the history"),
            ),
        )

    def probe(self) -> None:
        """Ask nobody: the files are here."""


def _require_history(text: str, as_of: datetime) -> History:
    wanted = require_listing(text)
    histories = load_history()
    history = histories.get(wanted.partition(":")[2] or wanted)
    named = ":" in wanted
    if history is None or (named and history.instrument.id != wanted):
        raise _unknown(wanted, as_of)
    if first_open(history) > as_of:
        raise _unknown(wanted, as_of, since=history.days[0].isoformat())
    return history


def _unknown(wanted: str, as_of: datetime, since: str = "") -> Refusal:
    known = [
        symbol for symbol, history in sorted(load_history().items()) if first_open(history) <= as_of
    ]
    symbol = wanted.partition(":")[2] or wanted
    nearest = sorted(known, key=lambda name: -SequenceMatcher(None, symbol, name).ratio())[:3]
    hint = f"Did you mean {nearest[0]}? Available: {', '.join(known)}."
    if since:
        hint = f"{symbol} trades from {since} on; the replay is at {as_of.date().isoformat()}."
    return refuse(
        "SYMBOL_UNKNOWN", field="symbol", hint=hint, kind="symbol", value=wanted, nearest=nearest
    )


def _quote(instrument: Instrument, day: ReplayDay, as_of: datetime) -> Quote | None:
    tick = day.last_tick(as_of)
    if tick is None:
        return None
    trade = trade_of(day.session, tick)
    is_open = as_of < day.session.close
    ts = max(trade.ts, as_of.replace(microsecond=0)) if is_open else trade.ts
    rough = draw(f"depth/v1|{instrument.symbol}|{ts.isoformat()}", 2)
    return Quote(
        symbol=instrument.symbol,
        instrument_id=instrument.id,
        bid=trade.bid,
        ask=trade.ask,
        last=trade.price,
        bid_size=Decimal(100 * (1 + rough[0] % 20)),
        ask_size=Decimal(100 * (1 + rough[1] % 20)),
        ts=ts,
        provenance=Provenance.SIMULATED,
        source=ReplayFeed.name,
        currency=instrument.currency,
        dataset=INTRADAY,
    )


def _bars(
    history: History, as_of: datetime, timeframe: str, count: int, *, include_partial: bool
) -> list[Bar]:
    if timeframe in MINUTES:
        return intraday_bars(
            history, as_of, MINUTES[timeframe], count, include_partial=include_partial
        )
    if timeframe == "1d":
        return daily_bars(history, as_of, count, include_partial=include_partial)
    sessions = (count + 2) * _SESSIONS_MAX[timeframe]
    days = daily_bars(history, as_of, sessions, include_partial=include_partial)
    return resample(
        days,
        calendar=history.instrument.calendar,
        from_tf="1d",
        to_tf=timeframe,
        include_partial=include_partial,
    )[-count:]
