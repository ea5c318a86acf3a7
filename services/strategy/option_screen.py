"""Owns screening option contracts: the numbers of one contract, and the first rule it fails."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import chain

from services.kit.errors import refuse
from services.market.param import require
from services.strategy.option_price import Right

ZERO, ONE = Decimal(0), Decimal(1)
YEAR_DAYS = 365
SPREAD_TICKS = 2
"""A spread of at most so many ticks passes whatever it is in percent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScreenContract:
    """One contract as a screen sees it; `theta` per calendar day, `dte` in calendar days."""

    id: str
    right: Right
    strike: Decimal
    bid: Decimal
    ask: Decimal
    dte: int
    open_interest: int
    volume: int
    delta: Decimal | None = None
    theta: Decimal | None = None

    @property
    def is_quoted(self) -> bool:
        """Return whether the market has two sides in order."""
        return self.bid > 0 and self.ask > 0 and self.bid <= self.ask

    @property
    def mid(self) -> Decimal:
        """Return (bid + ask) / 2, unrounded."""
        return (self.bid + self.ask) / 2

    @property
    def spread_pct(self) -> Decimal:
        """Return (ask - bid) / mid as a fraction, unrounded; the contract is quoted."""
        return (self.ask - self.bid) / self.mid


@dataclass(frozen=True, slots=True, kw_only=True)
class ScreenProfile:
    """The limits of one way to use options; ends belong to the range, None is no limit.

    `_pct` are fractions: of the mid for the spread and the day's theta, of the spot and per year
    for the extrinsic value.
    """

    right: Right
    dte_min: int
    dte_max: int | None
    delta_min: Decimal
    delta_max: Decimal
    open_interest_min: int
    volume_min: int
    spread_pct_max: Decimal
    spread_max: Decimal | None = None
    premium_min: Decimal | None = None
    theta_pct_max: Decimal | None = None
    extrinsic_pct_max: Decimal | None = None


def _d(text: str) -> Decimal:
    return Decimal(text)


PROFILES: dict[str, ScreenProfile] = {
    "intraday_long": ScreenProfile(
        right="call",
        dte_min=1,
        dte_max=14,
        delta_min=_d("0.45"),
        delta_max=_d("0.65"),
        open_interest_min=500,
        volume_min=100,
        spread_pct_max=_d("0.08"),
        spread_max=_d("0.05"),
        premium_min=_d("0.30"),
    ),
    "swing_long": ScreenProfile(
        right="call",
        dte_min=30,
        dte_max=90,
        delta_min=_d("0.50"),
        delta_max=_d("0.70"),
        open_interest_min=250,
        volume_min=10,
        spread_pct_max=_d("0.08"),
        theta_pct_max=_d("0.015"),
    ),
    "leaps_call": ScreenProfile(
        right="call",
        dte_min=366,
        dte_max=None,
        delta_min=_d("0.70"),
        delta_max=_d("0.85"),
        open_interest_min=100,
        volume_min=0,
        spread_pct_max=_d("0.05"),
        extrinsic_pct_max=_d("0.10"),
    ),
    "protective_put": ScreenProfile(
        right="put",
        dte_min=30,
        dte_max=120,
        delta_min=_d("0.20"),
        delta_max=_d("0.40"),
        open_interest_min=250,
        volume_min=10,
        spread_pct_max=_d("0.10"),
    ),
}
"""The default profiles; the day of expiry counts as day 0 and is left out of `intraday_long`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeapsMetrics:
    """What a long-dated contract costs, unrounded; `_pct` and ratios are fractions."""

    mid: Decimal
    breakeven: Decimal
    intrinsic: Decimal
    extrinsic: Decimal
    extrinsic_pct: Decimal
    carry_annualised: Decimal
    leverage: Decimal
    capital_saved: Decimal
    cost_per_contract: Decimal
    spread_pct: Decimal


@dataclass(frozen=True, slots=True)
class Screened:
    """The ids that passed, sorted, and the first failed rule of every other."""

    accepted: tuple[str, ...]
    rejects: dict[str, str] = field(default_factory=dict)


def extrinsic_of(contract: ScreenContract, spot: Decimal) -> Decimal:
    """Return the mid less what exercise would give now; below 0 the quote is stale."""
    gain = spot - contract.strike
    return contract.mid - max(gain if contract.right == "call" else -gain, ZERO)


def leaps_metrics(contract: ScreenContract, spot: Decimal, *, multiplier: Decimal) -> LeapsMetrics:
    """Return break-even, carry and leverage of a contract.

    Carry is extrinsic / spot * 365 / DTE; leverage delta * spot / mid. Raises `QUOTE_UNUSABLE`
    without two sides or below intrinsic value, `GREEKS_MISSING`, `PARAM_INVALID`. Worked: spot
    150, call 120, 38.6 to 39.4, 520 days, delta 0.79: carry 0.042115, leverage 3.038462.
    """
    require(spot > 0, "spot", value=spot, rule="must be above 0")
    require(contract.dte > 0, "dte", value=contract.dte, rule="must be above 0")
    if not contract.is_quoted:
        raise refuse("QUOTE_UNUSABLE", contract=contract.id, reason="no two-sided market")
    if contract.delta is None:
        raise refuse("GREEKS_MISSING", contract=contract.id, reason="the contract has no delta")
    mid, extrinsic = contract.mid, extrinsic_of(contract, spot)
    if extrinsic < 0:
        raise refuse("QUOTE_UNUSABLE", contract=contract.id, reason="the mid is below its value")
    sign = 1 if contract.right == "call" else -1
    return LeapsMetrics(
        mid=mid,
        breakeven=contract.strike + sign * mid,
        intrinsic=mid - extrinsic,
        extrinsic=extrinsic,
        extrinsic_pct=extrinsic / spot,
        carry_annualised=extrinsic / spot * YEAR_DAYS / contract.dte,
        leverage=contract.delta * spot / mid,
        capital_saved=ONE - mid / spot,
        cost_per_contract=mid * multiplier,
        spread_pct=contract.spread_pct,
    )


def first_failed_rule(
    contract: ScreenContract, profile: ScreenProfile, *, spot: Decimal, tick: Decimal
) -> str | None:
    """Return the code of the first rule that the contract fails, or None when it passes.

    The order is fixed: quote, days, Greeks, delta, open interest, volume, spread, premium, theta,
    extrinsic value. Worked: delta 0.61 for `leaps_call` is `DELTA_OUT_OF_RANGE`.
    """
    quoted = contract.is_quoted and extrinsic_of(contract, spot) >= 0
    if not quoted:
        return "QUOTE_UNUSABLE"
    rules = chain(_shape_rules(contract, profile), _cost_rules(contract, profile, spot, tick))
    return next((code for code, failed in rules if failed), None)


_Rules = Iterator[tuple[str, bool]]


def _shape_rules(contract: ScreenContract, profile: ScreenProfile) -> _Rules:
    yield "DTE_TOO_SHORT", contract.dte < profile.dte_min
    yield "DTE_TOO_LONG", profile.dte_max is not None and contract.dte > profile.dte_max
    delta = contract.delta
    yield "GREEKS_MISSING", delta is None
    fits = delta is not None and profile.delta_min <= abs(delta) <= profile.delta_max
    yield "DELTA_OUT_OF_RANGE", not fits
    yield "OI_LOW", contract.open_interest < profile.open_interest_min
    yield "VOLUME_LOW", contract.volume < profile.volume_min


def _cost_rules(
    contract: ScreenContract, profile: ScreenProfile, spot: Decimal, tick: Decimal
) -> _Rules:
    yield "SPREAD_WIDE", _is_wide(contract, profile, tick)
    least = profile.premium_min
    yield "PREMIUM_LOW", least is not None and contract.mid < least
    decay = profile.theta_pct_max
    if decay is not None:
        theta = contract.theta
        yield "GREEKS_MISSING", theta is None
        yield "THETA_HIGH", theta is not None and abs(theta) / contract.mid > decay
    if profile.extrinsic_pct_max is not None:
        carry = extrinsic_of(contract, spot) / spot * YEAR_DAYS / contract.dte
        yield "EXTRINSIC_HIGH", carry > profile.extrinsic_pct_max


def _is_wide(contract: ScreenContract, profile: ScreenProfile, tick: Decimal) -> bool:
    width = contract.ask - contract.bid
    narrow = width <= SPREAD_TICKS * tick
    narrow = narrow or (profile.spread_max is not None and width <= profile.spread_max)
    return not narrow and contract.spread_pct > profile.spread_pct_max


def screen(
    contracts: Iterable[ScreenContract], profile: ScreenProfile, *, spot: Decimal, tick: Decimal
) -> Screened:
    """Return which contracts pass, and for every other its first failed rule.

    Contracts of the other right are none of the profile's and left out.
    """
    failed = {
        one.id: first_failed_rule(one, profile, spot=spot, tick=tick)
        for one in contracts
        if one.right == profile.right
    }
    accepted = tuple(sorted(name for name, code in failed.items() if code is None))
    return Screened(accepted, {name: code for name, code in sorted(failed.items()) if code})
