"""Owns option chains of Massive: expirations and snapshots, quotes and greeks where there are."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from services.kit.clock import Clock
from services.kit.context import Context
from services.market.chain import Chain, build_contract, sort_contracts
from services.market.decode import EASTERN, Page, Record
from services.market.feed import Capability
from services.market.fetching import Fetched
from services.market.link import Ask, Link
from services.market.quote import Provenance

_DATES_TTL_S, _CHAIN_TTL_S = 3_600.0, 15.0
_PRODUCT = "option chains"
_TIMEFRAMES = {"REAL-TIME": Provenance.LIVE, "DELAYED": Provenance.DELAYED}


class MassiveChain:
    """The option chains of one account; a plan may have no quotes, greeks or real-time at all."""

    def __init__(self, link: Link, clock: Clock, source: str) -> None:
        self._link = link
        self._clock = clock
        self._source = source
        self._fetched = Fetched(clock, size_max=200)

    def expirations(self, ctx: Context, symbol: str) -> Sequence[date]:
        """Return the expiry dates of listed contracts, ascending, from today in New York on."""
        today = ctx.now.astimezone(EASTERN).date()
        found = self._fetched.get(
            ("dates", symbol, today), _DATES_TTL_S, lambda: self._ask_dates(symbol, today)
        )
        return [one for one in found if one >= today]

    def chain(self, ctx: Context, symbol: str, expiry: date) -> Chain:  # noqa: ARG002 - the port
        """Return every contract of one expiry, put together from pages of 250."""
        return self._fetched.get(
            ("chain", symbol, expiry), _CHAIN_TTL_S, lambda: self._ask_chain(symbol, expiry)
        )

    def capability(self) -> Capability:
        """Return whether the plan and the key give chains, as far as answers said."""
        record = self._link.record(self._source, Provenance.LIVE, {_PRODUCT: _PRODUCT})
        return record.products[0]

    def _ask_dates(self, symbol: str, today: date) -> tuple[date, ...]:
        page = self._link.pages(
            Ask(
                kind="option_contract",
                product="option contracts",
                path="/v3/reference/options/contracts",
                template="/v3/reference/options/contracts",
                params={
                    "underlying_ticker": symbol,
                    "expiration_date.gte": today.isoformat(),
                    "expired": "false",
                    "limit": "1000",
                    "sort": "expiration_date",
                    "order": "asc",
                },
                symbol=symbol,
            )
        )
        return tuple(sorted({one["expiry"] for one in page.records if one["expiry"]}))

    def _ask_chain(self, symbol: str, expiry: date) -> Chain:
        page = self._link.pages(
            Ask(
                kind="chain_snapshot",
                product=_PRODUCT,
                path=f"/v3/snapshot/options/{symbol}",
                template="/v3/snapshot/options/{ticker}",
                params={
                    "expiration_date": expiry.isoformat(),
                    "limit": "250",
                    "sort": "strike_price",
                    "order": "asc",
                },
                symbol=symbol,
            )
        )
        return build_chain(page, symbol, expiry, asked_at=self._clock.now(), source=self._source)


def build_chain(page: Page, symbol: str, expiry: date, *, asked_at: datetime, source: str) -> Chain:
    """Return the chain of a snapshot; `as_of` is its newest quote, else the time of the asking.

    Quotes and the underlying's price have labels of their own: each row says the timeframe of
    both. Where no row does, the answer's own `DELAYED` counts.
    """
    records = [one for one in page.records if one["expiry"] == expiry]
    built = (build_contract(record, symbol) for record in records)
    contracts = sort_contracts([one for one in built if one is not None])
    times = [one.quote_ts for one in contracts if one.quote_ts is not None]
    spots = [one["spot"] for one in records if one["spot"] is not None and one["spot"] > 0]
    return Chain(
        underlying=symbol,
        spot=spots[0] if spots else None,
        as_of=max(times, default=asked_at),
        provenance=_label(records, "timeframe", delayed=page.delayed),
        source=source,
        contracts=contracts,
        spot_provenance=_label(records, "underlying_timeframe", delayed=page.delayed)
        if spots
        else None,
    )


def _label(records: Sequence[Record], name: str, *, delayed: bool) -> Provenance:
    """Return `LIVE` only when nothing says that a value is delayed."""
    said = {_TIMEFRAMES.get(one[name] or "") for one in records}
    late = Provenance.DELAYED in said or (delayed and Provenance.LIVE not in said)
    return Provenance.DELAYED if late else Provenance.LIVE
