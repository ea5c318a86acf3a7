"""Owns the instrument: what is traded, in which steps, and the one check of symbol text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Literal

from services.kit.errors import refuse
from services.market.tick_table import TICKS

AssetClass = Literal["equity", "etf", "option", "index", "fx", "crypto"]
SYMBOL_LENGTH_MAX = 15
_SYMBOL = re.compile(r"[A-Z0-9][A-Z0-9.\-]{0,14}", re.ASCII)
_NAMED = re.compile(r"[A-Z0-9]{4}:[A-Z0-9][A-Z0-9.\-]{0,14}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Instrument:
    """One listing. `price_scale` turns a quoted price into the major unit of `currency`.

    `id` is `MIC:SYMBOL`; `tick_rule` names the rows of `TICKS` that apply to it. `flags` tell of
    corporate actions and of a listing that can not be trusted yet.
    """

    id: str
    symbol: str
    name: str
    asset_class: AssetClass
    currency: str
    quote_unit: str
    price_scale: Decimal
    lot_step: Decimal
    min_quantity: Decimal
    multiplier: Decimal
    calendar: str
    shortable: bool
    tick_rule: str
    flags: tuple[str, ...] = ()

    @property
    def mic(self) -> str:
        """Return the venue's market identifier code: `XNAS` of `XNAS:AAPL`."""
        return self.id.partition(":")[0]


def tick_size(instrument: Instrument, price: Decimal, on: date) -> Decimal:
    """Return the price step of `instrument` at `price` on the exchange date `on`.

    Price and step are in the quoted unit: pence for a London share.
    Raises `TICK_UNKNOWN` when the instrument's rule has no row for it.
    Worked: a US share at 411.23 steps by 0.01, at 0.98 by 0.0001.
    """
    begun = [steps for since, steps in TICKS.get(instrument.tick_rule, ()) if since <= on]
    for at_least, tick in begun[-1] if begun else ():
        if price >= at_least:
            return tick
    raise refuse("TICK_UNKNOWN", symbol=instrument.symbol, what="tick rule")


def require_symbol(text: str) -> str:
    """Return symbol text in capitals without outer blanks; the one check of symbols from outside.

    Allowed are 1 to 15 ASCII letters, digits, `.` and `-`, beginning with a letter or digit; a
    leading `$` is dropped. Raises `PARAM_INVALID`. Worked: ` $brk.b ` is `BRK.B`.
    """
    return _require(text, _SYMBOL)


def require_listing(text: str) -> str:
    """Return a symbol as `require_symbol`, or an instrument id `MIC:SYMBOL` in capitals."""
    named = isinstance(text, str) and ":" in text
    return _require(text, _NAMED if named else _SYMBOL)


def _require(text: str, pattern: re.Pattern[str]) -> str:
    if isinstance(text, str) and text.isascii() and len(text) <= 2 * SYMBOL_LENGTH_MAX:
        symbol = text.strip(" ").removeprefix("$").upper()
        if pattern.fullmatch(symbol):
            return symbol
    raise refuse(
        "PARAM_INVALID",
        field="symbol",
        name="symbol",
        value=ascii(text)[:40],
        rule="give 1 to 15 letters, digits, dots or dashes, such as AAPL",
    )
