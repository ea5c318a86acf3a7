"""Owns bringing a listing's price to a book's currency: its unit, its rate, what is amiss."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from services.kit.context import Context
from services.kit.errors import refuse
from services.ledger.portfolio import market_now
from services.ledger.posting import to_minor
from services.market.freeze import active_freezes, pair_scope
from services.market.instrument import Instrument
from services.market.quality_rule import Fault, FxObservation, find_fx_faults
from services.market.rates import RatePoint, find_inverse, last_rate

ONE = Decimal(1)
_REFUSALS = {"DQ_FX_MISSING": "FX_MISSING", "DQ_FX_STALE": "FX_STALE"}
"""What a valuation says for a finding: the refusal of the same thing where there is one."""


@dataclass(frozen=True, slots=True)
class Terms:
    """How one listing's prices are valued in `base`; `missing` says why they can not be.

    `scale` turns a quoted price into the major unit. `rate` is None in the base currency itself.
    """

    base: str
    scale: Decimal = ONE
    rate: RatePoint | None = None
    missing: str = ""

    def major(self, price: Decimal) -> Decimal:
        """Return a quoted price in the major unit of its currency, unrounded."""
        return price * self.scale

    def worth(self, quantity: Decimal, price: Decimal) -> Decimal:
        """Return what units are worth at a quoted price, half-even to the base's minor unit.

        Worked: 100 shares at 345.5 pence are 345.50 GBP; at 1.27 dollars a pound 438.78 USD
        (438.785, half-even).
        """
        factor = ONE if self.rate is None else self.rate.rate.rate
        return to_minor(quantity * self.major(price) * factor, self.base)


def find_terms(ctx: Context, instrument: Instrument, base: str) -> Terms:
    """Return how prices of `instrument` are valued in `base`.

    A rate that is missing, old, inverted or jumped, or whose pair is frozen, values nothing.
    """
    scale = instrument.price_scale
    if instrument.currency == base:
        return Terms(base, scale)
    rate, faults = judge_rate(ctx, instrument.currency, base)
    codes = [fault.code for fault in faults]
    frozen = active_freezes(ctx, (pair_scope(instrument.currency, base),))
    codes += [one.code for one in frozen]
    if codes:
        return Terms(base, scale, missing=_REFUSALS.get(codes[0], codes[0]))
    return Terms(base, scale, rate)


def require_factor(ctx: Context, instrument: Instrument, base: str) -> Decimal:
    """Return how much one quoted price unit of `instrument` is in `base`, unrounded.

    Raises `FX_MISSING` and `FX_STALE`, and `DQ_BLOCK` for a rate that is wrong or frozen.
    Worked: pence at 1.27 dollars a pound are 0.0127.
    """
    terms = find_terms(ctx, instrument, base)
    pair = f"{instrument.currency}/{base}"
    if terms.missing in _REFUSALS.values():
        raise refuse(terms.missing, ccy=instrument.currency, base=base, reason="can not be used")
    if terms.missing:
        raise refuse("DQ_BLOCK", checks=f"{pair} {terms.missing}")
    return terms.scale * (ONE if terms.rate is None else terms.rate.rate.rate)


def judge_rate(ctx: Context, currency: str, base: str) -> tuple[RatePoint | None, Sequence[Fault]]:
    """Return the newest rate stored and what is wrong with it now; it is never turned around."""
    rate = last_rate(ctx, currency, base)
    if rate is None:
        return None, find_fx_faults(None, market_now(ctx))
    inverse = find_inverse(ctx, currency, base, rate.ts)
    seen = FxObservation(rate.rate.rate, rate.ts, inverse.rate.rate if inverse else None)
    return rate, find_fx_faults(seen, market_now(ctx))
