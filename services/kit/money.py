"""Owns exact numbers: the decimal context, their text, ticks, and money, price, quantity, FX."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import (
    ROUND_CEILING,
    ROUND_DOWN,
    ROUND_FLOOR,
    ROUND_HALF_EVEN,
    Context,
    Decimal,
    DivisionByZero,
    InvalidOperation,
    Overflow,
    setcontext,
)
from functools import cache
from typing import Literal

from services.kit.errors import check, refuse

CONTEXT = Context(
    prec=34, rounding=ROUND_HALF_EVEN, traps=[InvalidOperation, DivisionByZero, Overflow]
)
"""The one decimal context. `use_context` installs it in every thread that computes."""

_PLAIN = re.compile(r"-?[0-9]{1,20}(\.[0-9]{1,18})?", re.ASCII)
_CURRENCY = re.compile(r"[A-Z]{3}", re.ASCII)
_MINOR_UNITS = {"JPY": 0, "KRW": 0, "BHD": 3, "KWD": 3, "TND": 3}
TickMode = Literal["floor", "ceil", "nearest"]


def use_context() -> None:
    """Install the decimal context in the calling thread."""
    setcontext(CONTEXT.copy())


def decimal_text(value: Decimal) -> str:
    """Return plain notation: no exponent, no trailing zeros, no minus zero.

    Worked: `100.00` is `100`, `1E+3` is `1000`, `-0.0` is `0`, `12.3400` is `12.34`.
    """
    if not value.is_finite():
        raise refuse("NUMERIC_DOMAIN", name="number")
    text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def parse_decimal(text: str, name: str = "value") -> Decimal:
    """Return the Decimal of plain ASCII notation, at most 20 digits before and 18 after the point.

    Raises `PARAM_INVALID` for anything else: exponents, NaN, full-width digits, blanks.
    """
    if not isinstance(text, str) or not _PLAIN.fullmatch(text):
        raise refuse(
            "PARAM_INVALID",
            field=name,
            name=name,
            value=str(text)[:40],
            rule="give a plain decimal number such as 12.34",
        )
    return Decimal(text)


def rounded(value: Decimal, places: int) -> Decimal:
    """Return `value` half-even at `places` decimals; the named rounding of analytics and money."""
    return value.quantize(_quantum(places), rounding=ROUND_HALF_EVEN, context=CONTEXT)


@cache
def _quantum(places: int) -> Decimal:
    return Decimal((0, (1,), -places))


def from_float(value: float, places: int = 6) -> Decimal:
    """Return a float's shortest text as Decimal, half-even at `places`; NaN and infinity refuse."""
    number = Decimal(repr(value))
    if not number.is_finite():
        raise refuse("NUMERIC_DOMAIN", name="float")
    return rounded(number, places) + 0


def tick_round(price: Decimal, tick: Decimal, mode: TickMode) -> Decimal:
    """Return `price` on the tick grid; `nearest` is half-even on price/tick.

    Worked: floor(98.8149, .01) = 98.81; ceil(98.8101, .01) = 98.82;
    nearest(2.987, .01) = 2.99; nearest(0.12345, .0001) = 0.1234.
    """
    if tick <= 0:
        raise refuse("PARAM_INVALID", name="tick", value=str(tick), rule="must be above 0")
    rounding = {"floor": ROUND_FLOOR, "ceil": ROUND_CEILING, "nearest": ROUND_HALF_EVEN}.get(mode)
    if rounding is None:
        raise refuse(
            "PARAM_INVALID", name="mode", value=str(mode), rule="must be floor, ceil or nearest"
        )
    return (price / tick).to_integral_value(rounding=rounding) * tick


def floor_to(quantity: Decimal, step: Decimal) -> Decimal:
    """Return `quantity` cut toward zero to a multiple of `step` (above 0)."""
    check(step > 0, "lot step must be above 0", step=step)
    return (quantity / step).to_integral_value(rounding=ROUND_DOWN) * step


def minor_units(currency: str) -> int:
    """Return the decimals of a currency's minor unit: 2, or 0 (JPY), or 3 (KWD)."""
    return _MINOR_UNITS.get(currency, 2)


@dataclass(frozen=True, slots=True)
class Money:
    """An exact amount of one currency. Sums and differences need the same currency."""

    amount: Decimal
    currency: str

    def __post_init__(self) -> None:
        check(isinstance(self.amount, Decimal) and self.amount.is_finite(), "money is a Decimal")
        check(_CURRENCY.fullmatch(self.currency), "currency is three letters", got=self.currency)

    def _same(self, other: Money) -> None:
        if self.currency != other.currency:
            raise refuse("CURRENCY_MISMATCH", given=other.currency, expected=self.currency)

    def __add__(self, other: Money) -> Money:
        self._same(other)
        return Money(self.amount + other.amount, self.currency)

    def __sub__(self, other: Money) -> Money:
        self._same(other)
        return Money(self.amount - other.amount, self.currency)

    def __neg__(self) -> Money:
        return Money(-self.amount, self.currency)

    def __lt__(self, other: Money) -> bool:
        self._same(other)
        return self.amount < other.amount

    def to_minor(self) -> Money:
        """Return the amount half-even at the currency's minor unit; the ledger's edge."""
        return Money(rounded(self.amount, minor_units(self.currency)), self.currency)

    def __str__(self) -> str:
        return f"{rounded(self.amount, minor_units(self.currency)):,f} {self.currency}"


@dataclass(frozen=True, slots=True)
class Quantity:
    """A count of units (shares or contracts); signed only in the ledger."""

    units: Decimal

    def __post_init__(self) -> None:
        check(isinstance(self.units, Decimal) and self.units.is_finite(), "quantity is a Decimal")

    def __str__(self) -> str:
        return decimal_text(self.units)


@dataclass(frozen=True, slots=True)
class Price:
    """A price of one unit in a currency's major unit; pence are converted before they get here."""

    per_unit: Decimal
    currency: str

    def __post_init__(self) -> None:
        check(
            isinstance(self.per_unit, Decimal) and self.per_unit > 0,
            "price is above 0",
            got=self.per_unit,
        )
        check(_CURRENCY.fullmatch(self.currency), "currency is three letters", got=self.currency)

    def __mul__(self, quantity: Quantity) -> Money:
        return Money(self.per_unit * quantity.units, self.currency)

    def __str__(self) -> str:
        return decimal_text(self.per_unit)


@dataclass(frozen=True, slots=True)
class FxRate:
    """Units of `base` per one unit of `currency`, at most 10 decimals, above 0."""

    currency: str
    base: str
    rate: Decimal

    def __post_init__(self) -> None:
        check(self.rate > 0 and rounded(self.rate, 10) == self.rate, "rate above 0, at most 10 dp")

    def convert(self, money: Money) -> Money:
        """Return `money` in `base`, unrounded. Raises `CURRENCY_MISMATCH`.

        Worked: 100 USD at 0.79 GBP per USD is 79 GBP.
        """
        if money.currency != self.currency:
            raise refuse("CURRENCY_MISMATCH", given=money.currency, expected=self.currency)
        return Money(money.amount * self.rate, self.base)
