"""Owns what Tradier knows of instruments, and its spelling: `BRK/B` there is `BRK.B` here."""

from __future__ import annotations

from services.kit.errors import Refusal
from services.market.decode import Record
from services.market.fetching import Fetched
from services.market.instrument import AssetClass, Instrument
from services.market.link import Ask, Link
from services.market.vendor_listing import nearest_names, require_known, us_listing

_KINDS: dict[str, AssetClass] = {"stock": "equity", "etf": "etf"}
_NONE = ("PROVIDER_NOT_FOUND", "SYMBOL_UNKNOWN", "PROVIDER_BAD_REQUEST")


def vendor_symbol(symbol: str) -> str:
    """Return a symbol as Tradier spells it. Worked: `BRK.B` is `BRK/B`."""
    return symbol.replace(".", "/")


def own_symbol(symbol: str) -> str:
    """Return a symbol as this product spells it."""
    return symbol.replace("/", ".").upper()


class TradierReference:
    """Instruments of one account, asked one by one: Tradier gives no list of all."""

    def __init__(self, link: Link, fetched: Fetched) -> None:
        self._link = link
        self._fetched = fetched
        self._known: dict[str, Instrument] = {}

    def require(self, text: str) -> Instrument:
        """Return one listing. Raises `PARAM_INVALID`, `SYMBOL_UNKNOWN` with the nearest names."""
        return require_known(self._fetched, text, find=self._ask_listing, search=self._ask_nearest)

    def listed(self) -> list[Instrument]:
        """Return the listings asked for so far, by symbol."""
        return [self._known[symbol] for symbol in sorted(self._known)]

    def _ask_listing(self, symbol: str) -> Instrument | None:
        records = self._ask("lookup", vendor_symbol(symbol), symbol)
        built = (build_instrument(one) for one in records if own_symbol(one["symbol"]) == symbol)
        found = next((one for one in built if one is not None), None)
        if found is not None:
            self._known[found.symbol] = found
        return found

    def _ask_nearest(self, symbol: str) -> list[str]:
        """Return three names of equal beginning; none when the provider does not say."""
        try:
            records = self._ask("lookup", vendor_symbol(symbol[:2]), symbol)
            records = records or self._ask("search", vendor_symbol(symbol), symbol)
        except Refusal:
            records = []
        return nearest_names(
            symbol, {own_symbol(one["symbol"]) for one in records} | set(self._known)
        )

    def _ask(self, where: str, query: str, symbol: str) -> list[Record]:
        path = f"/v1/markets/{where}"
        params = {"q": query} | ({"types": "stock,etf"} if where == "lookup" else {})
        ask = Ask(
            kind="instrument",
            product="lookup",
            path=path,
            template=path,
            params=params,
            symbol=symbol,
        )
        try:
            return self._link.page(ask).records
        except Refusal as refusal:
            if refusal.code in _NONE:
                return []
            raise


def build_instrument(record: Record) -> Instrument | None:
    """Return the listing of a lookup's record; None for what the product can not trade."""
    kind = _KINDS.get(str(record["type"]).lower())
    if kind is None or record["mic"] is None:
        return None
    return us_listing(record["mic"], own_symbol(record["symbol"]), record["name"], kind)
