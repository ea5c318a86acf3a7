"""Owns the market at a close: a feed that shows nothing later, with snapshots where it is down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

from services.kit.context import Context
from services.kit.errors import Kind, Refusal, refuse
from services.market.bar import Bar, bar_hash, resample
from services.market.feed import COUNT_MAX, BarSeries, Capability, Feed, Split, Tick
from services.market.instrument import Instrument
from services.market.last_good import find_last_good
from services.market.listing import find_listing, stored_listings
from services.market.provider import ProviderRecord
from services.market.quote import Provenance, Quote
from services.market.round import market_round
from services.market.session import Session, sessions_between
from services.market.store_bars import stored_bars
from services.strategy.load import TrackCache

_OUTAGE = (Kind.DATA, Kind.LIMITED)
LAST_GOOD = "last known good"
_LATER = 100
"""Bars that may lie between the close and now: a session of five minutes, and some."""
_YEARS = timedelta(days=15 * 366)


class _Passing:
    """What a resting feed passes on as it is."""

    def __init__(self, inner: Feed) -> None:
        self.inner = inner

    @property
    def name(self) -> str:
        """Return the provider's name."""
        return self.inner.name

    @property
    def provenance(self) -> Provenance:
        """Return how real the feed's quotes are."""
        return self.inner.provenance

    def capability(self) -> Capability:
        """Return whether the feed works."""
        return self.inner.capability()

    def record(self) -> ProviderRecord:
        """Return the provider's record."""
        return self.inner.record()

    def probe(self) -> None:
        """Ask one cheap question."""
        self.inner.probe()

    def market_round(self, ctx: Context) -> int:
        """Return how often the data have begun again."""
        return market_round(self._awake(ctx))

    def _awake(self, ctx: Context) -> Context:
        """Return the unit of work at the feed's own time: a listing may be stored after a close."""
        return replace(ctx, ports={**ctx.ports, Feed: self.inner})


class RestingFeed(_Passing):
    """A feed as it stood at a session's close: the close is its now, and its price.

    While the provider is down, listings and daily bars come from the store and the price is the
    last known good snapshot, labelled `SNAPSHOT` with its own time.
    """

    def __init__(self, inner: Feed, session: Session) -> None:
        super().__init__(inner)
        self.session = session

    def as_of(self, ctx: Context) -> datetime:  # noqa: ARG002 - the port
        """Return the close."""
        return self.session.close

    def instruments(self, ctx: Context) -> Sequence[Instrument]:
        """Return the listings; the stored ones while the provider is down."""
        try:
            return self.inner.instruments(ctx)
        except Refusal as refusal:
            if refusal.kind not in _OUTAGE:
                raise
            return stored_listings(self._awake(ctx))

    def instrument(self, ctx: Context, symbol: str) -> Instrument:
        """Return one listing; the stored one while the provider is down.

        What the store does not list is `SYMBOL_UNKNOWN` then, unless it lists nothing at all.
        """
        try:
            return self.inner.instrument(ctx, symbol)
        except Refusal as refusal:
            if refusal.kind not in _OUTAGE:
                raise
            kept = find_listing(self._awake(ctx), symbol)
            if kept is None and stored_listings(self._awake(ctx)):
                raise refuse("SYMBOL_UNKNOWN", kind="symbol", value=symbol) from refusal
            if kept is None:
                raise
            return kept

    def quote(self, ctx: Context, symbol: str) -> Quote:
        """Return a quote of the close: the feed's when it is not later, else the daily close.

        While the provider is down the last known good snapshot, or the newest stored close when
        the snapshot is later than this one; raises what it raised without either.
        """
        instrument = self.instrument(ctx, symbol)
        try:
            seen = self.inner.quote(ctx, instrument.id)
            return seen if seen.ts <= self.session.close else self._closing(ctx, instrument)
        except Refusal as refusal:
            if refusal.kind not in _OUTAGE and refusal.code != "QUOTE_UNUSABLE":
                raise
            return self._snapshot(ctx, instrument, refusal)

    def bars(
        self,
        ctx: Context,
        symbol: str,
        timeframe: str,
        count: int,
        *,
        include_partial: bool = False,  # noqa: ARG002 - every bar is complete at a close
    ) -> BarSeries:
        """Return the newest `count` bars that had closed; stored days and weeks in an outage."""
        try:
            wanted = min(count + _LATER, COUNT_MAX)
            series = self.inner.bars(ctx, symbol, timeframe, wanted)
        except Refusal as refusal:
            if refusal.kind not in _OUTAGE:
                raise
            series = self._stored(ctx, self.instrument(ctx, symbol), timeframe)
        closed = [bar for bar in series.bars if bar.t_close <= self.session.close]
        return replace(series, bars=tuple(closed[-count:]), as_of=self.session.close)

    def tape(self, ctx: Context, symbol: str, after: datetime, until: datetime) -> Sequence[Tick]:
        """Return the trades up to the close."""
        return self.inner.tape(ctx, symbol, after, min(until, self.session.close))

    def splits(
        self, ctx: Context, symbol: str, after: datetime, until: datetime
    ) -> Sequence[Split]:
        """Return the splits up to the close; none is known while the provider is down."""
        try:
            return self.inner.splits(ctx, symbol, after, min(until, self.session.close))
        except Refusal as refusal:
            if refusal.kind not in _OUTAGE:
                raise
            return ()

    def _closing(self, ctx: Context, instrument: Instrument) -> Quote:
        series = self.bars(ctx, instrument.id, "1d", 1)
        if not series.bars:
            raise refuse("QUOTE_UNUSABLE", contract=instrument.symbol, reason="no daily close")
        last = series.bars[-1]
        return _flat(instrument, last.c, last.t_close, source=series.source, real=self.provenance)

    def _snapshot(self, ctx: Context, instrument: Instrument, refusal: Refusal) -> Quote:
        kept = find_last_good(ctx, instrument.id)
        if kept is None or kept.ts > self.session.close:
            return self._stored_close(ctx, instrument, refusal)
        flat = _flat(instrument, kept.last, kept.ts, source=kept.source, real=Provenance.SNAPSHOT)
        return replace(flat, bid=kept.bid, ask=kept.ask, dataset=LAST_GOOD)

    def _stored_close(self, ctx: Context, instrument: Instrument, refusal: Refusal) -> Quote:
        """Return the newest stored close as a snapshot of its time; raises without a day."""
        days = self._stored_days(ctx, instrument)
        if not days:
            raise refusal
        real = Provenance.SNAPSHOT
        flat = _flat(instrument, days[-1].c, days[-1].t_close, source=self.name, real=real)
        return replace(flat, dataset=LAST_GOOD)

    def _stored_days(self, ctx: Context, instrument: Instrument) -> list[Bar]:
        """Return the stored days up to the close, in the version that is known now.

        A night's ingest stores a day after its close, so the close itself knows nothing of it.
        """
        close = self.session.close
        kept = stored_bars(self._awake(ctx), instrument.id, "1d", close - _YEARS, close)
        return [bar for bar in kept if bar.t_close <= close]

    def _stored(self, ctx: Context, instrument: Instrument, timeframe: str) -> BarSeries:
        """Return stored days, or weeks made of them; an empty series of what is not stored.

        Raises `INSUFFICIENT_BARS` without a stored day.
        """
        days = self._stored_days(ctx, instrument)
        if not days:
            raise refuse("INSUFFICIENT_BARS", indicator="the store of days", need=1, have=0)
        bars: Sequence[Bar] = days if timeframe == "1d" else ()
        if timeframe == "1w":
            bars = resample(days, calendar=instrument.calendar, from_tf="1d", to_tf="1w")
        return BarSeries(
            symbol=instrument.symbol,
            timeframe=timeframe,
            bars=tuple(bars),
            provenance=Provenance.SNAPSHOT,
            source=self.name,
            as_of=self.session.close,
            bar_hash=bar_hash(instrument.id, timeframe, bars),
            dataset="stored bars",
        )


def _flat(
    instrument: Instrument, price: Decimal, ts: datetime, *, source: str, real: Provenance
) -> Quote:
    """Return a quote whose three prices are one, without sizes."""
    return Quote(
        symbol=instrument.symbol,
        instrument_id=instrument.id,
        bid=price,
        ask=price,
        last=price,
        bid_size=Decimal(0),
        ask_size=Decimal(0),
        ts=ts,
        provenance=real,
        source=source,
        currency=instrument.quote_unit,
        dataset="daily close",
    )


def at_close(ctx: Context, session: Session) -> Context:
    """Return the same unit of work on the market as it stood at the session's close.

    The kept tracks are shared while no later bar can be in them, else others are kept beside.
    """
    inner = ctx.port(Feed)
    later = sessions_between("XNYS", session.date + timedelta(days=1), inner.as_of(ctx).date())
    shared = ctx.ports.get(TrackCache)
    cache = shared if isinstance(shared, TrackCache) else TrackCache()
    if later:
        cache = cache.resting(session.close)
    return replace(ctx, ports={**ctx.ports, Feed: RestingFeed(inner, session), TrackCache: cache})


def snapshot_age(calendar: str, ts: datetime, session: Session) -> int:
    """Return how many sessions a price is older than a session, 0 or more.

    Worked: a snapshot of Thursday is 1 session old at Friday's close.
    """
    return max(0, len(sessions_between(calendar, ts.date(), session.date)) - 1)
