"""Owns the Greeks of a quoted contract: the provider's while fresh, else the model's, else none."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Literal
from zoneinfo import ZoneInfo

from services.kit.errors import Refusal
from services.kit.money import from_float
from services.kit.policy import OptionPolicy
from services.market.chain import OptionContract
from services.strategy.option_price import OptionTerms, OptionValue, Right, bsm, implied_volatility

FRESH = timedelta(minutes=5)
"""How much older than the chain's newest quote a contract's own may be."""
_CLOSE, _EASTERN = time(16), ZoneInfo("America/New_York")
_YEAR_MINUTES = 525_600
_PLACES = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Greeks:
    """What a screen may reckon with: theta per calendar day, vega per volatility point.

    `source` is None when there are none, and `reason` says why. Both deltas are kept where both
    are known: with `GREEKS_DISAGREE` the model's is the one in `delta`.
    """

    source: Literal["provider", "model"] | None
    iv: Decimal | None = None
    delta: Decimal | None = None
    gamma: Decimal | None = None
    theta: Decimal | None = None
    vega: Decimal | None = None
    provider_delta: Decimal | None = None
    model_delta: Decimal | None = None
    flags: tuple[str, ...] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PricedAt:
    """What contracts are priced from: the underlying, the time, the chain's newest quote."""

    spot: Decimal
    as_of: datetime
    newest: datetime | None
    tick: Decimal
    policy: OptionPolicy


def years_to(expiry: date, as_of: datetime) -> float:
    """Return the years to 16:00 in New York on the expiry's day, at least one minute.

    Worked: from 16:00 the day before it is 1440 / 525600.
    """
    ends = datetime.combine(expiry, _CLOSE, _EASTERN)
    return max((ends - as_of).total_seconds() / 60, 1.0) / _YEAR_MINUTES


def greeks_of(contract: OptionContract, at: PricedAt) -> Greeks:
    """Return the Greeks of a contract, never guessed from its neighbours or its strike.

    The provider's count while its quote is at most five minutes older than the chain's newest and
    0 < iv < 5; else those of Black-Scholes-Merton at the volatility that the mid implies, which
    needs a rate, a mid above discounted intrinsic value and a tick, and a spread within the
    policy. Deltas further apart than the policy's gap flag `GREEKS_DISAGREE`.
    """
    model, given = _modelled(contract, at), _given(contract, at)
    if given is None:
        return replace(model, provider_delta=contract.delta)
    if model.delta is None:
        return given
    if abs(given.delta - model.delta) > at.policy.greeks_gap:  # type: ignore[operator]
        flags = ("GREEKS_DISAGREE", *model.flags)
        return replace(model, provider_delta=given.delta, flags=flags)
    return replace(given, model_delta=model.delta)


def _given(one: OptionContract, at: PricedAt) -> Greeks | None:
    """Return the provider's own Greeks while they count, or None."""
    if "GREEKS_MISSING" in one.flags or one.quote_ts is None or at.newest is None:
        return None
    if at.newest - one.quote_ts > FRESH:
        return None
    return Greeks(
        source="provider",
        iv=one.iv,
        delta=one.delta,
        gamma=one.gamma,
        theta=one.theta,
        vega=one.vega,
        provider_delta=one.delta,
    )


def _modelled(one: OptionContract, at: PricedAt) -> Greeks:
    """Return the model's Greeks, or none and the reason; a put's price is an approximation."""
    policy, mid = at.policy, one.mid
    if policy.rate is None:
        return Greeks(source=None, reason="RATE_MISSING")
    if mid is None or one.ask is None or one.bid is None:
        return Greeks(source=None, reason="QUOTE_UNUSABLE")
    if (one.ask - one.bid) / mid > policy.model_spread_max:
        return Greeks(source=None, reason="SPREAD_WIDE")
    terms = OptionTerms(
        right=one.right,
        spot=float(at.spot),
        strike=float(one.strike),
        years=years_to(one.expiry, at.as_of),
        rate=float(policy.rate),
        dividend=float(policy.dividend_yield),
    )
    if float(mid) <= _floor(terms) + float(at.tick):
        return Greeks(source=None, reason="IV_INVALID")
    try:
        sigma = implied_volatility(terms, float(mid))
    except Refusal as refusal:
        if refusal.code != "IV_INVALID":
            raise
        return Greeks(source=None, reason=refusal.code)
    return _rounded(bsm(terms, sigma), sigma, one.right)


def _floor(terms: OptionTerms) -> float:
    """Return the discounted intrinsic value, 0 or more: the least a European option is worth."""
    forward = terms.spot * math.exp(-terms.dividend * terms.years)
    paid = terms.strike * math.exp(-terms.rate * terms.years)
    return max(forward - paid if terms.right == "call" else paid - forward, 0.0)


def _rounded(value: OptionValue, sigma: float, right: Right) -> Greeks:
    delta = from_float(value.delta, _PLACES)
    return Greeks(
        source="model",
        iv=from_float(sigma, _PLACES),
        delta=delta,
        gamma=from_float(value.gamma, _PLACES),
        theta=from_float(value.theta_per_day, _PLACES),
        vega=from_float(value.vega_per_point, _PLACES),
        model_delta=delta,
        flags=("AMERICAN_APPROX",) if right == "put" else (),
    )
