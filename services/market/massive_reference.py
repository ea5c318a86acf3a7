"""Owns what Massive knows of instruments: listings, the nearest names, splits, trade conditions."""

from __future__ import annotations

from fractions import Fraction

from services.kit.errors import Refusal, refuse
from services.market.decode import Record
from services.market.feed import Split
from services.market.fetching import Fetched
from services.market.instrument import AssetClass, Instrument
from services.market.link import Ask, Link
from services.market.massive_link import find_record
from services.market.massive_refusal import PROVIDER
from services.market.session import session_on
from services.market.vendor_listing import US_CALENDAR, nearest_names, require_known, us_listing

_DAY_S, _HOUR_S = 86_400.0, 3_600.0
_FUNDS = frozenset({"ETF", "ETN", "ETV", "ETS", "FUND"})
_LISTING_BUDGET = 60
"""Least requests a minute of an account that the whole list of symbols is asked with."""


class MassiveReference:
    """Reference data of one account, kept for hours."""

    def __init__(self, link: Link, fetched: Fetched) -> None:
        self._link = link
        self._fetched = fetched
        self._known: dict[str, Instrument] = {}

    def require(self, text: str) -> Instrument:
        """Return one listing. Raises `PARAM_INVALID`, `SYMBOL_UNKNOWN` with the nearest names."""
        return require_known(self._fetched, text, find=self._ask_listing, search=self._ask_nearest)

    def listed(self) -> list[Instrument]:
        """Return every listing known, by symbol: the whole list where the budget allows it."""
        if self._link.requests_minute >= _LISTING_BUDGET:
            self._fetched.get("listings", _DAY_S, self._ask_listings)
        return [self._known[symbol] for symbol in sorted(self._known)]

    def splits(self, symbol: str) -> tuple[Split, ...]:
        """Return every split of a symbol, ascending; effective at the open of its day."""
        return self._fetched.get(("splits", symbol), _HOUR_S, lambda: self._ask_splits(symbol))

    def ineligible(self) -> frozenset[str]:
        """Return the trade conditions that may not set a high or low, so fill nothing either."""
        return self._fetched.get("conditions", _DAY_S, self._ask_conditions)

    def _ask_listing(self, symbol: str) -> Instrument | None:
        ask = Ask(
            kind="instrument",
            product="reference",
            path=f"/v3/reference/tickers/{symbol}",
            template="/v3/reference/tickers/{ticker}",
            symbol=symbol,
        )
        record = find_record(self._link, ask)
        found = None if record is None else build_instrument(record)
        if found is not None:
            self._known[found.symbol] = found
        return found

    def _ask_listings(self) -> bool:
        records = self._link.pages(_listing_ask()).records
        built = (build_instrument(record) for record in records)
        self._known |= {one.symbol: one for one in built if one is not None}
        return True

    def _ask_nearest(self, symbol: str) -> list[str]:
        """Return three names of equal beginning; none when the provider does not say."""
        try:
            records = self._link.page(_listing_ask(begin=symbol[:2])).records
        except Refusal:
            records = []
        names = {str(record["symbol"]) for record in records} | self._known.keys()
        return nearest_names(symbol, names)

    def _ask_splits(self, symbol: str) -> tuple[Split, ...]:
        ask = Ask(
            kind="corporate_action",
            product="reference",
            path="/v3/reference/splits",
            template="/v3/reference/splits",
            params={"ticker": symbol, "limit": "1000"},
            symbol=symbol,
        )
        found = (build_split(record) for record in self._link.pages(ask).records)
        return tuple(sorted((s for s in found if s is not None), key=lambda one: one.ex_date))

    def _ask_conditions(self) -> frozenset[str]:
        ask = Ask(
            kind="condition",
            product="reference",
            path="/v3/reference/conditions",
            template="/v3/reference/conditions",
            params={"asset_class": "stocks", "data_types": "trade", "limit": "1000"},
        )
        records = self._link.pages(ask).records
        return frozenset(one["id"] for one in records if one["updates_high_low"] is False)


def _listing_ask(begin: str = "") -> Ask:
    params = {"market": "stocks", "active": "true", "limit": "1000", "sort": "ticker"}
    return Ask(
        kind="instrument",
        product="reference",
        path="/v3/reference/tickers",
        template="/v3/reference/tickers",
        params=params | ({"ticker.gte": begin} if begin else {}),
    )


def build_instrument(record: Record) -> Instrument | None:
    """Return the listing of a reference record; None for what the product can not trade."""
    usable = record["mic"] and record["active"] is not False and record["currency"] == "USD"
    if not usable or record["market"] != "stocks":
        return None
    kind: AssetClass = "etf" if record["type"] in _FUNDS else "equity"
    return us_listing(record["mic"], record["symbol"], record["name"], kind)


def build_split(record: Record) -> Split | None:
    """Return a split with whole numbers; None for one without a day in the calendar."""
    sound = record["type"] == "split" and record["ex_date"] and record["ratio_to"]
    if not sound or not record["ratio_from"]:
        return None
    session = session_on(US_CALENDAR, record["ex_date"])
    if session is None:
        raise refuse("PROVIDER_BODY_INVALID", provider=PROVIDER, reason="a split on no session")
    ratio = Fraction(record["ratio_to"]) / Fraction(record["ratio_from"])
    return Split(record["ex_date"], session.open, ratio.denominator, ratio.numerator)
