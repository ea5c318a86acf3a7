"""Owns the venues as data: the unit they quote in, their calendar, ticks and lots."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from services.kit.errors import refuse
from services.market.instrument import AssetClass, Instrument, require_listing

_ONE, _PENNY = Decimal(1), Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Venue:
    """How a venue quotes by default; `tick_rule` empty means it comes with each listing."""

    currency: str
    quote_unit: str
    price_scale: Decimal
    calendar: str
    tick_rule: str = ""


VENUES: dict[str, Venue] = {
    "ARCX": Venue("USD", "USD", _ONE, "XNYS", "us_equity"),
    "BATS": Venue("USD", "USD", _ONE, "XNYS", "us_equity"),
    "XASE": Venue("USD", "USD", _ONE, "XNYS", "us_equity"),
    "XNAS": Venue("USD", "USD", _ONE, "XNYS", "us_equity"),
    "XNYS": Venue("USD", "USD", _ONE, "XNYS", "us_equity"),
    "XLON": Venue("GBP", "GBX", _PENNY, "XLON"),
    "XAMS": Venue("EUR", "EUR", _ONE, "XAMS"),
    "XETR": Venue("EUR", "EUR", _ONE, "XETR"),
    "XPAR": Venue("EUR", "EUR", _ONE, "XPAR"),
    "XSWX": Venue("CHF", "CHF", _ONE, "XSWX"),
    "XTSE": Venue("CAD", "CAD", _ONE, "XTSE"),
    "XASX": Venue("AUD", "AUD", _ONE, "XASX"),
}
"""By market identifier code. A venue's default is overridden by the listing's own record."""

MINOR_UNITS: dict[str, tuple[str, Decimal]] = {
    "GBX": ("GBP", _PENNY),
    "ILA": ("ILS", _PENNY),
    "ZAC": ("ZAR", _PENNY),
}
"""Quote units that are no currency: their currency, and how much of it one unit is."""


def unit_scale(unit: str) -> tuple[str, Decimal]:
    """Return the currency behind a quote unit and its factor. Worked: `GBX` is GBP and 0.01."""
    return MINOR_UNITS.get(unit, (unit, _ONE))


def build_listing(
    listing: str,
    name: str,
    *,
    asset_class: AssetClass = "equity",
    quote_unit: str = "",
    tick_rule: str = "",
    lot_step: Decimal = _ONE,
) -> Instrument:
    """Return the instrument of `MIC:SYMBOL` from its venue's rows; what is given overrides them.

    A London share quotes in pence unless `quote_unit` says otherwise. A venue without a tick rule
    leaves it empty: analysis works, an order refuses with `TICK_UNKNOWN`. Raises `PARAM_INVALID`.
    """
    listing = require_listing(listing)
    mic, _, symbol = listing.partition(":")
    venue = VENUES.get(mic)
    if venue is None or not symbol:
        rule = f"give MIC:SYMBOL of one of {', '.join(sorted(VENUES))}"
        raise refuse("PARAM_INVALID", field="symbol", name="listing", value=listing, rule=rule)
    unit = quote_unit or venue.quote_unit
    currency, scale = unit_scale(unit)
    return Instrument(
        id=listing,
        symbol=symbol,
        name=name,
        asset_class=asset_class,
        currency=currency,
        quote_unit=unit,
        price_scale=scale,
        lot_step=lot_step,
        min_quantity=lot_step,
        multiplier=_ONE,
        calendar=venue.calendar,
        shortable=False,
        tick_rule=tick_rule or venue.tick_rule,
    )
