"""Owns option chains of Tradier: expirations, contracts, and greeks with a time of their own."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta

from services.kit.clock import Clock
from services.kit.context import Context
from services.market.chain import Chain, OptionContract, build_contract, sort_contracts
from services.market.decode import EASTERN, Page
from services.market.feed import Capability
from services.market.fetching import Fetched
from services.market.link import Ask, Link
from services.market.quote import Provenance
from services.market.tradier_reference import vendor_symbol

_DATES_TTL_S, _CHAIN_TTL_S = 3_600.0, 10.0
_PRODUCT, _LABEL = "options", "option chains"
_SOURCE = "tradier"
GREEKS_AGE_MAX = timedelta(hours=2)
"""The provider renews greeks about every hour; older ones carry the flag `GREEKS_STALE`."""


class TradierChain:
    """The option chains of one account, kept for seconds; their dates for an hour."""

    def __init__(self, link: Link, clock: Clock) -> None:
        self._link = link
        self._clock = clock
        self._fetched = Fetched(clock, size_max=200)

    def expirations(self, ctx: Context, symbol: str) -> Sequence[date]:
        """Return the expiry dates from today on, ascending; none for a symbol without options."""
        today = ctx.now.astimezone(EASTERN).date()
        page = self._fetched.get(("dates", symbol), _DATES_TTL_S, lambda: self._ask_dates(symbol))
        return sorted({one["date"] for one in page.records if one["date"] >= today})

    def chain(self, ctx: Context, symbol: str, expiry: date) -> Chain:
        """Return every contract of one expiry, without a price of the underlying.

        What the provider leaves out stays None. `as_of` is the newest time that a contract gives,
        of its quote or else of its greeks; without any that of the asking. Flags: `NO_GREEKS`,
        `GREEKS_STALE`. Raises `PROVIDER_*`.
        """
        page, asked_at = self._fetched.get(
            ("chain", symbol, expiry), _CHAIN_TTL_S, lambda: self._ask_chain(symbol, expiry)
        )
        built = (build_contract(one, symbol) for one in page.records if one["expiry"] == expiry)
        contracts = sort_contracts([one for one in built if one is not None])
        return Chain(
            underlying=symbol,
            spot=None,
            as_of=find_newest(contracts) or asked_at,
            provenance=Provenance.DELAYED if page.delayed else Provenance.LIVE,
            source=_SOURCE,
            contracts=contracts,
            flags=find_greeks_flags(contracts, ctx.now),
        )

    def capability(self) -> Capability:
        """Return whether the token gives chains, as far as answers said."""
        return self._link.record(_SOURCE, Provenance.DELAYED, {_PRODUCT: _LABEL}).products[0]

    def _ask_dates(self, symbol: str) -> Page:
        params = {"symbol": vendor_symbol(symbol), "includeAllRoots": "true"}
        return self._ask("expiration", "expirations", symbol, params)

    def _ask_chain(self, symbol: str, expiry: date) -> tuple[Page, datetime]:
        params = {
            "symbol": vendor_symbol(symbol),
            "expiration": expiry.isoformat(),
            "greeks": "true",
        }
        return self._ask("chain_snapshot", "chains", symbol, params), self._clock.now()

    def _ask(self, kind: str, where: str, symbol: str, params: dict[str, str]) -> Page:
        path = f"/v1/markets/options/{where}"
        ask = Ask(
            kind=kind, product=_PRODUCT, path=path, template=path, params=params, symbol=symbol
        )
        return self._link.page(ask)


def find_newest(contracts: Sequence[OptionContract]) -> datetime | None:
    """Return the newest time of a quote; without any that of the greeks, else None."""
    quoted = [one.quote_ts for one in contracts if one.quote_ts is not None]
    computed = [one.greeks_ts for one in contracts if one.greeks_ts is not None]
    return max(quoted or computed, default=None)


def find_greeks_flags(contracts: Sequence[OptionContract], now: datetime) -> tuple[str, ...]:
    """Return `NO_GREEKS` or `GREEKS_STALE` where they apply; greeks age by their own time.

    Worked: greeks of 13:00:00Z are stale at 15:00:01Z and not at 15:00:00Z.
    """
    times = [one.greeks_ts for one in contracts if one.greeks_ts is not None]
    if not times:
        return ("NO_GREEKS",) if contracts else ()
    return ("GREEKS_STALE",) if now - max(times) > GREEKS_AGE_MAX else ()
