"""Owns the units of prices and counts as types: quoted and major ones, lots, contracts."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from services.kit.errors import check, refuse
from services.kit.money import Money, Price, Quantity
from services.market.instrument import Instrument
from services.market.venue import MINOR_UNITS, unit_scale


@dataclass(frozen=True, slots=True)
class Quoted:
    """A price as the venue quotes it: 345.5 `GBX`, 1.27 `USD`. It multiplies with nothing."""

    value: Decimal
    unit: str

    def __post_init__(self) -> None:
        check(isinstance(self.value, Decimal) and self.value.is_finite(), "a price is a Decimal")


@dataclass(frozen=True, slots=True)
class Lots:
    """A count of round lots. It is no count of shares until the listing says how many."""

    count: Decimal


@dataclass(frozen=True, slots=True)
class Contracts:
    """A count of contracts. It is no count of shares until the multiplier says how many."""

    count: Decimal


def major_price(quoted: Quoted, instrument: Instrument) -> Price:
    """Return a quoted price in the major unit of the instrument's currency, unrounded.

    A price in the currency itself is taken as it is. Raises `CURRENCY_MISMATCH` for another unit:
    nothing is guessed from the size of the number.
    Worked: 345.5 GBX of a London share is 3.455 GBP.
    """
    currency, scale = unit_scale(quoted.unit)
    listed = (instrument.quote_unit, instrument.currency)
    if quoted.unit not in listed or currency != instrument.currency:
        raise refuse("CURRENCY_MISMATCH", given=quoted.unit, expected=instrument.quote_unit)
    factor = instrument.price_scale if quoted.unit == instrument.quote_unit else scale
    return Price(quoted.value * factor, currency)


def quoted_price(price: Price, instrument: Instrument) -> Quoted:
    """Return a major price in the unit that the venue quotes. Raises `CURRENCY_MISMATCH`.

    Worked: 3.455 GBP of a London share is 345.5 GBX.
    """
    if price.currency != instrument.currency:
        raise refuse("CURRENCY_MISMATCH", given=price.currency, expected=instrument.currency)
    return Quoted(price.per_unit / instrument.price_scale, instrument.quote_unit)


def shares_of_lots(lots: Lots, instrument: Instrument) -> Quantity:
    """Return the units in `lots`. Worked: 3 lots with a lot step of 100 are 300 units."""
    return Quantity(lots.count * instrument.lot_step)


def shares_of_contracts(contracts: Contracts, instrument: Instrument) -> Quantity:
    """Return the underlying units of option contracts. Raises `MULTIPLIER_UNKNOWN` for a share.

    Worked: 2 contracts with a multiplier of 100 are 200 units.
    """
    if instrument.asset_class != "option":
        raise refuse("MULTIPLIER_UNKNOWN", symbol=instrument.symbol, what="contract size")
    return Quantity(contracts.count * instrument.multiplier)


def notional(price: Price, quantity: Quantity | Contracts, instrument: Instrument) -> Money:
    """Return what a quantity is worth, unrounded; contracts count with their multiplier.

    Worked: 3 contracts at 2.50 USD with a multiplier of 100 are 750 USD.
    """
    if price.currency != instrument.currency or price.currency in MINOR_UNITS:
        raise refuse("CURRENCY_MISMATCH", given=price.currency, expected=instrument.currency)
    if isinstance(quantity, Contracts):
        return price * shares_of_contracts(quantity, instrument)
    return price * quantity
