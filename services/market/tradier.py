"""Owns the feed of Tradier: quotes, bars and trades over REST, labelled as they come."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import date, datetime, timedelta
from decimal import Decimal

from services.kit.clock import Clock
from services.kit.context import Context
from services.kit.errors import Refusal, refuse
from services.kit.http import HttpLimits
from services.market.decode import EASTERN, Page, Record
from services.market.feed import BarSeries, Capability, Split, Tick
from services.market.fetching import Fetched
from services.market.grid import MINUTES
from services.market.instrument import Instrument
from services.market.link import Ask
from services.market.provider import ProviderRecord
from services.market.quote import Provenance, Quote
from services.market.tradier_calendar import CalendarCheck
from services.market.tradier_link import PRODUCTS, TradierEnv, open_link
from services.market.tradier_quotes import QuoteBatch
from services.market.tradier_reference import TradierReference, vendor_symbol
from services.market.tradier_refusal import PROVIDER
from services.market.vendor_bars import BarPlan, build_plan, build_series, require_request
from services.market.vendor_quote import build_quote

_QUOTE_TTL_S, _MINUTES_TTL_S, _DAYS_TTL_S, _TAPE_TTL_S = 1.0, 5.0, 60.0, 60.0
_BASES = {"30m": "15m", "60m": "15m", "240m": "15m", "1w": "1d", "1mo": "1d"}
_HISTORY_DAYS = {"1m": 20, "5m": 40, "15m": 40}
"""How many days of minute bars the provider keeps, by timeframe; days go back for decades."""
_NO_SIDE = Decimal(0)
_PUBLISHED = timedelta(seconds=1)
_SECOND = timedelta(seconds=1)
_WALL = "%Y-%m-%d %H:%M"
_NO_SPLITS = Capability(
    "splits",
    on=False,
    why=f"{PROVIDER} names no splits; whether a holding was split is unknown here",
    todo="After a split compare holdings with the broker's, or set MASSIVE_API_KEY.",
)


_NO_HALTS = Capability(
    "halts",
    on=False,
    why=f"{PROVIDER} names no halts; a halted symbol shows as one whose quotes are old",
    todo="Set MASSIVE_API_KEY, FEATURE_ENABLE_MASSIVE_STREAM and MASSIVE_WS_HALTS.",
)


class TradierFeed:
    """The feed of an installation with a token at Tradier; nothing ever stands in for it.

    Its time is the machine's, a second back. Prices of the sandbox are `DELAYED`, always. Daily
    bars are split-adjusted by the provider, minute bars are not adjusted at all.
    """

    name = "tradier"

    def __init__(
        self,
        token: str,
        clock: Clock,
        *,
        env: TradierEnv = "sandbox",
        base_url: str = "",
        limits: HttpLimits | None = None,
    ) -> None:
        self.env: TradierEnv = env
        self._http, self.link = open_link(token, clock, env=env, base_url=base_url, limits=limits)
        self._fetched = Fetched(clock)
        self._reference = TradierReference(self.link, self._fetched)
        self._quotes = QuoteBatch(self.link, clock)
        self._calendar = CalendarCheck(self.link, clock)

    @property
    def provenance(self) -> Provenance:
        """Return `LIVE` once production answered; `DELAYED` before, and in the sandbox always."""
        return Provenance.LIVE if self.link.delayed is False else Provenance.DELAYED

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def as_of(self, ctx: Context) -> datetime:
        """Return the time of the unit of work, a second back: until then every trade has shown."""
        return ctx.now - _PUBLISHED

    def instruments(self, ctx: Context) -> Sequence[Instrument]:  # noqa: ARG002 - the port
        """Return the listings asked for so far; the provider gives no list of all."""
        return self._reference.listed()

    def instrument(self, ctx: Context, symbol: str) -> Instrument:  # noqa: ARG002 - the port
        """Return one US listing. Raises `PARAM_INVALID`, `SYMBOL_UNKNOWN`, `PROVIDER_*`."""
        return self._reference.require(symbol)

    def quote(self, ctx: Context, symbol: str) -> Quote:
        """Return best bid, best ask and last trade, at most a second and a half old when asked.

        Raises `QUOTE_UNUSABLE` when a side or the last trade is missing, `PROVIDER_*`.
        """
        instrument = self.instrument(ctx, symbol)
        self._quotes.want(instrument.symbol)
        record: Record | None = self._fetched.get(
            ("quote", instrument.symbol), _QUOTE_TTL_S, lambda: self._quotes.ask(instrument.symbol)
        )
        if record is None:
            raise refuse("QUOTE_UNUSABLE", contract=instrument.symbol, reason="no quote yet")
        delayed = self.env == "sandbox"
        return build_quote(record, instrument, record["ts"], delayed=delayed, source=self.name)

    def bars(
        self,
        ctx: Context,
        symbol: str,
        timeframe: str,
        count: int,
        *,
        include_partial: bool = False,
    ) -> BarSeries:
        """Return the newest `count` bars of regular hours; minutes reach 20 to 40 days back.

        Raises `PARAM_INVALID`, `TIMEFRAME_UNSUPPORTED`, `SYMBOL_UNKNOWN`, `BAR_INVALID`,
        `PROVIDER_*`.
        """
        require_request(timeframe, count)
        instrument, as_of = self.instrument(ctx, symbol), self.as_of(ctx)
        plan = build_plan(instrument, timeframe, count, as_of, bases=_BASES)
        first, last = _dates(plan)
        page: Page = self._fetched.get(
            ("bars", instrument.symbol, plan.base, first, last),
            _MINUTES_TTL_S if plan.base in MINUTES else _DAYS_TTL_S,
            lambda: self.link.page(_bars_ask(instrument.symbol, plan.base, first, last)),
        )
        newest_first = Page(page.records[::-1], delayed=page.delayed)
        return build_series(
            plan, newest_first, instrument, as_of, source=self.name, include_partial=include_partial
        )

    def tape(self, ctx: Context, symbol: str, after: datetime, until: datetime) -> Sequence[Tick]:
        """Return the trades with `after < ts <= until`, without bid and ask (both 0).

        The provider gives whole seconds, so a trade counts at the end of its second: late, never
        early. Which trades may not set a high or low it does not say. In the sandbox the newest
        trades are not known, so it refuses with `PROVIDER_NOT_ENTITLED`.
        """
        instrument, end = self.instrument(ctx, symbol), min(until, self.as_of(ctx))
        if self.env == "sandbox":
            raise refuse("PROVIDER_NOT_ENTITLED", provider=PROVIDER, what="real-time trades")
        if end <= after:
            return []
        page: Page = self._fetched.get(
            ("tape", instrument.symbol, after, end),
            _TAPE_TTL_S,
            lambda: self.link.page(_tape_ask(instrument.symbol, after, end)),
        )
        ticks = [
            Tick(one["ts"] + _SECOND, one["price"], one["size"] or _NO_SIDE, _NO_SIDE, _NO_SIDE)
            for one in page.records
            if one["price"] > 0
        ]
        return sorted((one for one in ticks if after < one.ts <= end), key=lambda one: one.ts)

    def splits(
        self, ctx: Context, symbol: str, after: datetime, until: datetime
    ) -> Sequence[Split]:
        """Return none: the provider names no splits, which the record says."""
        del after, until
        self.instrument(ctx, symbol)
        return []

    def capability(self) -> Capability:
        """Return whether the token works, what it lacks, and whether the provider answers."""
        on, why, todo = self.link.state()
        return Capability("market data", on=on, why=why, todo=todo)

    def record(self) -> ProviderRecord:
        """Return what this account gives and lacks, its breaker and its budget."""
        missing = (_NO_SPLITS, _NO_HALTS, *self._calendar.findings())
        return self.link.record(self.name, self.provenance, PRODUCTS, missing)

    def probe(self) -> None:
        """Ask for the market's clock and calendar; the record tells the outcome."""
        path = "/v1/markets/clock"
        with suppress(Refusal):
            self.link.page(Ask(kind="market_status", product="clock", path=path, template=path))
            self._calendar.run()


def _dates(plan: BarPlan) -> tuple[date, date]:
    """Return the first and last date to ask for, no further back than the provider keeps."""
    first, last = plan.sessions[0].date, plan.sessions[-1].date
    kept = _HISTORY_DAYS.get(plan.base)
    return (first if kept is None else max(first, last - timedelta(days=kept))), last


def _bars_ask(symbol: str, base: str, first: date, last: date) -> Ask:
    if base == "1d":
        path = "/v1/markets/history"
        params = {"interval": "daily", "start": first.isoformat(), "end": last.isoformat()}
    else:
        path = "/v1/markets/timesales"
        params = {
            "interval": f"{MINUTES[base]}min",
            "start": f"{first.isoformat()} 00:00",
            "end": f"{last.isoformat()} 23:59",
            "session_filter": "open",
        }
    return Ask(
        kind="bar",
        product=path.rpartition("/")[2],
        path=path,
        template=path,
        params={"symbol": vendor_symbol(symbol), **params},
        symbol=symbol,
    )


def _tape_ask(symbol: str, after: datetime, end: datetime) -> Ask:
    path = "/v1/markets/timesales"
    begin = (after - _SECOND).astimezone(EASTERN)
    close = (end + timedelta(minutes=1)).astimezone(EASTERN)
    return Ask(
        kind="trade",
        product="timesales",
        path=path,
        template=path,
        params={
            "symbol": vendor_symbol(symbol),
            "interval": "tick",
            "start": begin.strftime(_WALL),
            "end": close.strftime(_WALL),
            "session_filter": "all",
        },
        symbol=symbol,
    )
