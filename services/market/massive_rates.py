"""Owns exchange rates of Massive: the close of the previous day of one pair, asked as it is."""

from __future__ import annotations

from services.kit.clock import Clock
from services.kit.context import Context
from services.kit.errors import refuse
from services.kit.money import FxRate, rounded
from services.market.decode import Record
from services.market.feed import Capability
from services.market.fetching import Fetched
from services.market.link import Ask, Link
from services.market.massive_link import find_record
from services.market.massive_refusal import PROVIDER
from services.market.quote import Provenance
from services.market.rates import RatePoint

_RATE_TTL_S = 60.0
_PRODUCT = "exchange rates"
_PLACES = 10


class MassiveRates:
    """The exchange rates of one account; a pair is asked for as it is, never turned around."""

    def __init__(self, link: Link, clock: Clock, source: str) -> None:
        self._link = link
        self._source = source
        self._fetched = Fetched(clock, size_max=200)

    def rate(self, ctx: Context, currency: str, base: str) -> RatePoint:
        """Return the last close of `base` per one `currency`, at the end of its day; 10 decimals.

        Raises `FX_MISSING` for a pair that the provider does not have, and `PROVIDER_*`.
        Worked: `C:GBPUSD` that closed at 1.27 is 1.27 dollars for a pound.
        """
        ticker = f"C:{currency}{base}"
        record = self._fetched.get(("rate", ticker), _RATE_TTL_S, lambda: self._ask(ticker))
        if record is None:
            reason = f"{PROVIDER} has no rate of this pair"
            raise refuse("FX_MISSING", ccy=currency, base=base, reason=reason)
        if record["symbol"] != ticker or rounded(record["rate"], _PLACES) <= 0:
            reason = f"no rate of {ticker}"
            raise refuse("PROVIDER_BODY_INVALID", provider=PROVIDER, reason=reason)
        found = FxRate(currency, base, rounded(record["rate"], _PLACES))
        return RatePoint(found, record["ts"], Provenance.EOD, self._source, ctx.now)

    def capability(self) -> Capability:
        """Return whether the plan and the key give rates, as far as answers said."""
        return self._link.record(self._source, Provenance.EOD, {_PRODUCT: _PRODUCT}).products[0]

    def _ask(self, ticker: str) -> Record | None:
        """Return the bar of the previous day, whose time is its end; None for no such pair."""
        ask = Ask(
            kind="rate",
            product=_PRODUCT,
            path=f"/v2/aggs/ticker/{ticker}/prev",
            template="/v2/aggs/ticker/{ticker}/prev",
            symbol=ticker,
        )
        return find_record(self._link, ask)
