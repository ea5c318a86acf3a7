"""Owns the feed of Massive (formerly Polygon): live prices over REST, labelled as they come."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Literal

from services.kit.clock import Clock, to_micros
from services.kit.context import Context
from services.kit.errors import Refusal, refuse
from services.kit.http import HttpClient, HttpLimits, Origin
from services.market.decode import Page
from services.market.feed import BarSeries, Capability, Split, Tick
from services.market.fetching import Fetched
from services.market.grid import MINUTES
from services.market.halts import Halts
from services.market.instrument import Instrument
from services.market.link import Ask
from services.market.live_reading import LiveReading
from services.market.massive_link import PRODUCTS, MassiveLink
from services.market.massive_reference import MassiveReference
from services.market.massive_refusal import PROVIDER
from services.market.provider import ProviderRecord
from services.market.quote import Provenance, Quote
from services.market.vendor_bars import BarPlan, build_plan, build_series, require_request
from services.market.vendor_quote import build_quote

_QUOTE_TTL_S, _MINUTES_TTL_S, _DAYS_TTL_S, _TAPE_TTL_S = 1.0, 5.0, 60.0, 60.0
_NO_SIDE = Decimal(0)
_NANOS = 1000
_PUBLISHED = timedelta(seconds=1)
"""How long a trade may take to show: the market's time runs this far behind, so none is missed."""


class MassiveFeed:
    """The feed of an installation with a key at Massive; nothing ever stands in for it.

    Its time is the machine's, a second back. Answers are kept for seconds, and asked for between
    transactions (`services.market.fetching`). What the plan lacks is remembered, not retried.
    With `live` set, prices that stream in spare requests while they are fresh.
    """

    def __init__(
        self,
        base_url: str,
        key: str,
        clock: Clock,
        *,
        name: Literal["massive", "polygon"] = "massive",
        requests_minute: int = 300,
        limits: HttpLimits | None = None,
    ) -> None:
        origin = Origin(
            provider=PROVIDER, base_url=base_url, headers={"authorization": f"Bearer {key}"}
        )
        self.name: str = name
        self._http = HttpClient(origin, clock, limits=limits)
        self.link = MassiveLink(self._http, clock, requests_minute)
        self._fetched = Fetched(clock)
        self._reference = MassiveReference(self.link, self._fetched)
        self.live: LiveReading | None = None
        self.halts: Halts | None = None

    @property
    def provenance(self) -> Provenance:
        """Return `LIVE` once an answer was real-time; `DELAYED` before and on a delayed plan."""
        return Provenance.LIVE if self.link.delayed is False else Provenance.DELAYED

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def as_of(self, ctx: Context) -> datetime:
        """Return the time of the unit of work, a second back: until then every trade has shown."""
        return ctx.now - _PUBLISHED

    def instruments(self, ctx: Context) -> Sequence[Instrument]:  # noqa: ARG002 - the port
        """Return the listings known; the whole list on plans with 60 requests a minute or more."""
        return self._reference.listed()

    def instrument(self, ctx: Context, symbol: str) -> Instrument:  # noqa: ARG002 - the port
        """Return one US listing. Raises `PARAM_INVALID`, `SYMBOL_UNKNOWN`, `PROVIDER_*`."""
        return self._reference.require(symbol)

    def quote(self, ctx: Context, symbol: str) -> Quote:
        """Return best bid, best ask and last trade, at most a second old when asked.

        `halted` is known while the stream tells of halts. Raises `QUOTE_UNUSABLE` when a side or
        the last trade is missing, `PROVIDER_*`.
        """
        instrument = self.instrument(ctx, symbol)
        if self.live is None:
            return self._ask_quote(instrument)
        quote = self.live.quote(ctx, instrument, lambda: self._ask_quote(instrument))
        stands = self.halts is not None and self.halts.is_halted(instrument.symbol, ctx.now)
        return replace(quote, halted=True) if stands else quote

    def bars(
        self,
        ctx: Context,
        symbol: str,
        timeframe: str,
        count: int,
        *,
        include_partial: bool = False,
    ) -> BarSeries:
        """Return the newest `count` bars of regular hours, split-adjusted by the vendor.

        Complete days are `EOD`, the rest `LIVE` or `DELAYED`. Raises `PARAM_INVALID`,
        `TIMEFRAME_UNSUPPORTED`, `SYMBOL_UNKNOWN`, `BAR_INVALID`, `PROVIDER_*`.
        """
        require_request(timeframe, count)
        instrument, as_of = self.instrument(ctx, symbol), self.as_of(ctx)
        if self.live is not None and timeframe == "1m" and not include_partial:
            streamed = self.live.bars(ctx, instrument, count, as_of)
            if streamed is not None:
                return streamed
        plan = build_plan(instrument, timeframe, count, as_of)
        key = ("bars", instrument.symbol, plan.base, plan.sessions[0].date, plan.sessions[-1].date)
        page: Page = self._fetched.get(
            key,
            _MINUTES_TTL_S if plan.base in MINUTES else _DAYS_TTL_S,
            lambda: self._ask_bars(instrument, plan),
        )
        return build_series(
            plan, page, instrument, as_of, source=self.name, include_partial=include_partial
        )

    def tape(self, ctx: Context, symbol: str, after: datetime, until: datetime) -> Sequence[Tick]:
        """Return the trades that may set a high or low, with `after < ts <= until`.

        They carry no bid and ask (both 0): matching assumes its own spread. On a delayed plan the
        newest trades are not known, so it refuses with `PROVIDER_NOT_ENTITLED`.
        """
        instrument, end = self.instrument(ctx, symbol), min(until, self.as_of(ctx))
        if end <= after:
            return []
        ineligible = self._reference.ineligible()
        page: Page = self._fetched.get(
            ("tape", instrument.symbol, after, end),
            _TAPE_TTL_S,
            lambda: self.link.pages(_tape_ask(instrument.symbol, after, end)),
        )
        if page.delayed:
            raise refuse("PROVIDER_NOT_ENTITLED", provider=PROVIDER, what="real-time trades")
        ticks = [
            Tick(one["ts"], one["price"], one["size"] or _NO_SIDE, _NO_SIDE, _NO_SIDE)
            for one in page.records
            if one["price"] > 0 and ineligible.isdisjoint(one["conditions"] or ())
        ]
        return sorted((one for one in ticks if after < one.ts <= end), key=lambda one: one.ts)

    def splits(
        self, ctx: Context, symbol: str, after: datetime, until: datetime
    ) -> Sequence[Split]:
        """Return the splits with `after < effective_at <= until`, none later than now."""
        instrument, end = self.instrument(ctx, symbol), min(until, self.as_of(ctx))
        found = self._reference.splits(instrument.symbol)
        return [split for split in found if after < split.effective_at <= end]

    def capability(self) -> Capability:
        """Return whether the key works, what the plan lacks, and whether the provider answers."""
        on, why, todo = self.link.state()
        return Capability("market data", on=on, why=why, todo=todo)

    def record(self) -> ProviderRecord:
        """Return what this account gives and lacks, its breaker and its budget.

        News, earnings and chains follow under their own names once they were asked for.
        """
        others = {key: key for key in self.link.asked() if key not in PRODUCTS}
        return self.link.record(self.name, self.provenance, PRODUCTS | others)

    def probe(self) -> None:
        """Ask for the market's status, which every plan includes; the record tells the outcome."""
        path = "/v1/marketstatus/now"
        ask = Ask(kind="market_status", product="status", path=path, template=path)
        with suppress(Refusal):
            self.link.page(ask)

    def _ask_quote(self, instrument: Instrument) -> Quote:
        page: Page = self._fetched.get(
            ("quote", instrument.symbol), _QUOTE_TTL_S, lambda: self._ask_snapshot(instrument)
        )
        if not page.records:
            raise refuse("QUOTE_UNUSABLE", contract=instrument.symbol, reason="no quote yet")
        record = page.records[0]
        return build_quote(
            record,
            instrument,
            record["quote_ts"] or record["ts"],
            delayed=page.delayed,
            source=self.name,
        )

    def _ask_snapshot(self, instrument: Instrument) -> Page:
        root = "/v2/snapshot/locale/us/markets/stocks/tickers"
        return self.link.page(
            Ask(
                kind="snapshot",
                product="snapshots",
                path=f"{root}/{instrument.symbol}",
                template=f"{root}/{{ticker}}",
                symbol=instrument.symbol,
            )
        )

    def _ask_bars(self, instrument: Instrument, plan: BarPlan) -> Page:
        multiplier, unit = _span(plan.base)
        first, last = plan.sessions[0].date.isoformat(), plan.sessions[-1].date.isoformat()
        return self.link.pages(
            Ask(
                kind="bar",
                product="aggregates",
                path=f"/v2/aggs/ticker/{instrument.symbol}/range/{multiplier}/{unit}/{first}/{last}",
                template="/v2/aggs/ticker/{ticker}/range/{n}/{unit}/{from}/{to}",
                params={"adjusted": "true", "sort": "desc", "limit": "50000"},
                symbol=instrument.symbol,
            ),
            plan.rows,
        )


def _span(base: str) -> tuple[str, str]:
    """Return multiplier and timespan of the path."""
    return ("1", "day") if base == "1d" else (str(MINUTES[base]), "minute")


def _tape_ask(symbol: str, after: datetime, end: datetime) -> Ask:
    return Ask(
        kind="trade",
        product="trades",
        path=f"/v3/trades/{symbol}",
        template="/v3/trades/{ticker}",
        params={
            "timestamp.gte": str((to_micros(after) + 1) * _NANOS),
            "timestamp.lt": str((to_micros(end) + 1) * _NANOS),
            "order": "asc",
            "limit": "50000",
        },
        symbol=symbol,
    )
