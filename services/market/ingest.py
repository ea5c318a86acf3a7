"""Owns taking in market data: asked of the feed, judged by the gate, stored once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta

from services.kit.context import Context
from services.kit.errors import Refusal
from services.kit.money import Price
from services.market.bar import Bar
from services.market.feed import BarSeries, Feed
from services.market.gaps import first_missing, tell_gap
from services.market.gate import Admission, admit, admit_all, observed, observed_bar
from services.market.instrument import Instrument
from services.market.last_good import keep_good
from services.market.metrics import build_metrics, keep_metrics
from services.market.observation import Observation
from services.market.quality_store import lock_listings
from services.market.quote import Quote
from services.market.rate_feed import RateFeed
from services.market.rate_gate import admit_rate
from services.market.rates import record_rate
from services.market.recon import find_second
from services.market.session import find_last_session, sessions_between
from services.market.store import PricePoint, is_recorded, record_price
from services.market.store_bars import last_bar_at, new_bars, stored_bars, upsert_bars
from services.market.store_trades import record_trades
from services.market.unit import Quoted, major_price

Counts = Counter[str]
"""What one part of a job did: `prices`, `bars`, `rejected:CODE` by the gate, `refused:CODE`."""
_MINUTES_MIN, _MINUTES_MAX = 3, 390
_DAYS_MIN, _DAYS_MAX = 5, 60
_DAYS_FIRST = 400
"""Days of a listing that has none yet: what a weekend plan needs while the provider is down."""


def ingest_intraday(ctx: Context, symbols: Sequence[str]) -> Counts:
    """Take in the quote and the new minute bars of `symbols`; return the counts.

    One symbol that is refused does not stop the others. A price that the gate does not admit is
    never stored as one.
    """
    return _each(ctx, symbols, _ingest_now)


def ingest_eod(ctx: Context, symbols: Sequence[str]) -> Counts:
    """Take in the daily bars since the last stored one, and each close as a price of its day."""
    return _each(ctx, symbols, _ingest_days)


def ingest_last_good(ctx: Context, symbols: Sequence[str]) -> Counts:
    """Keep the quote of each symbol as its last known good one when the gate admits it."""
    return _each(ctx, symbols, _take_quote)


def ingest_rates(ctx: Context, pairs: Sequence[str]) -> Counts:
    """Take in the rates of `pairs`, each `GBP/USD`: dollars per pound; return the counts.

    A rate that is inverted or has jumped is counted, told, freezes its pair, and is never stored.
    An old one is stored as of its time; what it values is not.
    """
    done: Counts = Counter()
    for pair in pairs:
        currency, _, base = pair.partition("/")
        try:
            done.update(_take_rate(ctx, currency, base))
        except Refusal as refusal:
            done[f"refused:{refusal.code}"] += 1
    return done


def _take_rate(ctx: Context, currency: str, base: str) -> Counts:
    found = ctx.port(RateFeed).rate(ctx, currency, base)
    verdict = admit_rate(ctx, found.rate, found.ts, source=found.source)
    if not verdict.accepted:
        return _rejected(verdict)
    stored = record_rate(
        ctx, found.rate, found.ts, provenance=found.provenance, source=found.source
    )
    return Counter({"rates": int(stored)})


def _each(
    ctx: Context, symbols: Sequence[str], act: Callable[[Context, Instrument], Counts]
) -> Counts:
    total: Counts = Counter()
    known = [found for symbol in symbols if (found := _find_listing(ctx, symbol, total))]
    lock_listings(ctx, (one.id for one in known))
    for instrument in known:
        try:
            total.update(act(ctx, instrument))
        except Refusal as refusal:
            total[f"refused:{refusal.code}"] += 1
    return total


def _find_listing(ctx: Context, symbol: str, total: Counts) -> Instrument | None:
    try:
        return ctx.port(Feed).instrument(ctx, symbol)
    except Refusal as refusal:
        total[f"refused:{refusal.code}"] += 1
        return None


def _ingest_now(ctx: Context, instrument: Instrument) -> Counts:
    done = _take_quote(ctx, instrument)
    done.update(_take_minutes(ctx, instrument))
    if ctx.settings.ingest_trades:
        done["trades"] += record_trades(ctx, instrument)
    return done


def _take_quote(ctx: Context, instrument: Instrument) -> Counts:
    """Store the last trade as a price, and its quote as the last known good one.

    One that is stored already was judged already: asking the gate again would count as disorder.
    """
    quote = ctx.port(Feed).quote(ctx, instrument.symbol)
    price = _find_price(instrument, quote)
    point = None if price is None else _point_of(instrument, quote, price)
    if point is not None and is_recorded(ctx, point):
        return Counter({"known": 1, "snapshots": int(keep_good(ctx, instrument, quote))})
    verdict = admit(ctx, observed(instrument, quote, second=find_second(ctx, quote)))
    if not verdict.accepted or point is None:
        return _rejected(verdict)
    kept = keep_good(ctx, instrument, quote)
    return Counter({"prices": int(record_price(ctx, point)), "snapshots": int(kept)})


def _point_of(instrument: Instrument, quote: Quote, price: Price) -> PricePoint:
    return PricePoint(
        instrument.id,
        quote.ts,
        price.per_unit,
        price.currency,
        quote.provenance,
        quote.source,
        "intraday",
    )


def _find_price(instrument: Instrument, quote: Quote) -> Price | None:
    """Return the last trade in the major unit; None for what the gate will have a word about."""
    units = (instrument.quote_unit, instrument.currency)
    if not quote.last.is_finite() or quote.last <= 0 or quote.currency not in units:
        return None
    return major_price(Quoted(quote.last, quote.currency), instrument)


def _rejected(verdict: Admission) -> Counts:
    return Counter({f"rejected:{one.code}" for one in verdict.findings})


def _take_minutes(ctx: Context, instrument: Instrument) -> Counts:
    feed = ctx.port(Feed)
    now = feed.as_of(ctx)
    session = find_last_session(instrument.calendar, now)
    if session is None:
        return Counter()
    known = stored_bars(ctx, instrument.id, "1m", session.open, session.close)
    newest = known[-1].t_open if known else session.open
    since = min(newest, first_missing(known, session, now) or newest)
    missing = int((min(now, session.close) - since) / timedelta(minutes=1))
    count = min(max(missing, _MINUTES_MIN), _MINUTES_MAX)
    series = feed.bars(ctx, instrument.symbol, "1m", count)
    done = _keep_bars(ctx, instrument, series)
    stored = stored_bars(ctx, instrument.id, "1m", session.open, session.close)
    found = build_metrics(instrument, session, replace(series, bars=tuple(stored)))
    if found is not None:
        keep_metrics(ctx, found)
    if tell_gap(ctx, instrument, session, stored, now) is not None:
        done["gaps"] += 1
    return done


def _ingest_days(ctx: Context, instrument: Instrument) -> Counts:
    feed = ctx.port(Feed)
    now = feed.as_of(ctx)
    last = last_bar_at(ctx, instrument.id, "1d")
    count = _DAYS_FIRST
    if last is not None:
        missed = len(sessions_between(instrument.calendar, last.date(), now.date()))
        count = min(max(missed, _DAYS_MIN), _DAYS_MAX)
    series = feed.bars(ctx, instrument.symbol, "1d", count)
    return _keep_bars(ctx, instrument, series)


def _keep_bars(ctx: Context, instrument: Instrument, series: BarSeries) -> Counts:
    """Store the bars that the gate admits, and with daily ones the close as the day's price."""
    fresh = new_bars(ctx, instrument.id, series.timeframe, series.bars)
    done: Counts = Counter()
    good: list[Bar] = []
    verdicts = admit_all(ctx, [_seen_bar(instrument, series, bar) for bar in fresh])
    for bar, verdict in zip(fresh, verdicts, strict=True):
        if verdict.accepted:
            good.append(bar)
        else:
            done.update(_rejected(verdict))
    stored = upsert_bars(
        ctx, instrument, series.timeframe, good, provenance=series.provenance, source=series.source
    )
    done["bars"] += stored
    if series.timeframe == "1d" and stored:
        done["prices"] += sum(_keep_close(ctx, instrument, series, bar) for bar in good)
    return done


def _seen_bar(instrument: Instrument, series: BarSeries, bar: Bar) -> Observation:
    daily = series.timeframe == "1d"
    return observed_bar(
        instrument, bar, daily=daily, source=series.source, provenance=str(series.provenance)
    )


def _keep_close(ctx: Context, instrument: Instrument, series: BarSeries, bar: Bar) -> bool:
    price = major_price(Quoted(bar.c, instrument.quote_unit), instrument)
    return record_price(
        ctx,
        PricePoint(
            instrument.id,
            bar.t_close,
            price.per_unit,
            price.currency,
            series.provenance,
            series.source,
            "day",
            bar.v,
        ),
    )
