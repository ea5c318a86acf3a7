"""Owns finding a listing at a provider: kept for a day, an unknown one with the nearest names."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal
from difflib import SequenceMatcher

from services.kit.errors import refuse
from services.market.fetching import Fetched
from services.market.instrument import AssetClass, Instrument, require_listing

US_CALENDAR = "XNYS"
_DAY_S, _HOUR_S, _MINUTE_S = 86_400.0, 3_600.0, 60.0


def require_known(
    fetched: Fetched,
    text: str,
    *,
    find: Callable[[str], Instrument | None],
    search: Callable[[str], list[str]],
) -> Instrument:
    """Return one listing of a symbol or instrument id; `find` and `search` ask the provider.

    Raises `PARAM_INVALID`, `SYMBOL_UNKNOWN` with the names that `search` gives.
    """
    wanted = require_listing(text)
    symbol = (wanted.partition(":")[2] or wanted).replace("-", ".")
    found = fetched.get(("listing", symbol), _DAY_S, lambda: find(symbol), refused_s=_MINUTE_S)
    if found is None or (":" in wanted and found.id != wanted):
        nearest = fetched.get(("nearest", symbol), _HOUR_S, lambda: search(symbol))
        hint = f"Did you mean {nearest[0]}?" if nearest else None
        raise refuse(
            "SYMBOL_UNKNOWN",
            field="symbol",
            hint=hint,
            kind="symbol",
            value=wanted,
            nearest=nearest,
        )
    return found


def nearest_names(symbol: str, names: Iterable[str]) -> list[str]:
    """Return the three names most like `symbol`, the most alike first."""
    near = sorted(names, key=lambda name: (-SequenceMatcher(None, symbol, name).ratio(), name))
    return near[:3]


def us_listing(mic: str, symbol: str, name: str | None, kind: AssetClass) -> Instrument:
    """Return a share or fund of an American exchange: whole units, priced in dollars."""
    return Instrument(
        id=f"{mic}:{symbol}",
        symbol=symbol,
        name=name or symbol,
        asset_class=kind,
        currency="USD",
        quote_unit="USD",
        price_scale=Decimal(1),
        lot_step=Decimal(1),
        min_quantity=Decimal(1),
        multiplier=Decimal(1),
        calendar=US_CALENDAR,
        shortable=False,
        tick_rule="us_equity",
    )
