"""Owns how confidence scales risk: break-even, Kelly and the size multiplier of each tier."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, assert_never

from services.kit.errors import refuse
from services.kit.money import decimal_text, rounded
from services.trade.param import ONE, require, require_above_zero, require_fraction
from services.trade.rr import break_even_probability

Tier = Literal["prior", "platt", "isotonic"]
TIERS = ("prior", "platt", "isotonic")
FORCED = Decimal("0.25")


@dataclass(frozen=True, slots=True, kw_only=True)
class Confidence:
    """A chance to reach target 1, its tier, and the net RR of target 1.

    `ignored` takes a trade of no edge at a quarter of the risk; the caller audits it.
    """

    value: Decimal
    tier: Tier
    rr_tp1: Decimal
    ignored: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeRules:
    """The numbers of policy `sizing` that turn an edge into a multiplier."""

    kelly_fraction: Decimal = Decimal("0.25")
    min_multiplier: Decimal = Decimal("0.5")
    full_edge: Decimal = Decimal("0.10")


DEFAULT_EDGE_RULES = EdgeRules()


@dataclass(frozen=True, slots=True)
class Multiplier:
    """How much of the risk to take (4 decimals, at most 1), and why less than that."""

    value: Decimal
    notes: tuple[str, ...] = ()


def kelly(p: Decimal, b: Decimal) -> Decimal:
    """Return the full Kelly fraction p - (1-p)/b, unrounded; below 0 means no bet.

    Raises `PARAM_INVALID` for p outside 0 to 1 or net odds b not above 0. Worked: p .58 at
    1.68 is 0.33.
    """
    require_fraction(p=p)
    require_above_zero(b=b)
    return p - (1 - p) / b


def require_confidence(confidence: Confidence | None) -> None:
    """Raise `PARAM_INVALID` for a chance outside 0 to 1, an unknown tier or an RR not above 0."""
    if confidence is None:
        return
    require_fraction(confidence=confidence.value)
    require(
        confidence.tier in TIERS,
        "confidence_tier",
        value=confidence.tier,
        rule="must be prior, platt or isotonic",
    )
    require_above_zero(rr_tp1=confidence.rr_tp1)


def is_forced(confidence: Confidence) -> bool:
    """Return whether a person takes a measured chance at or below break-even all the same."""
    measured = confidence.tier != "prior"
    even = break_even_probability(confidence.rr_tp1)
    return confidence.ignored and measured and confidence.value <= even


def size_multiplier(
    confidence: Confidence | None, risk_pct: Decimal, *, rules: EdgeRules = DEFAULT_EDGE_RULES
) -> Multiplier:
    """Return the multiplier m of the risk, half-even at 4 decimals.

    Not given: 1. Tier `prior`: 0.5. Calibrated: 0.5 at no edge to 1 at the full edge, under a
    quarter of Kelly (`KELLY_CAP`); without an edge `NEGATIVE_EDGE`, or 0.25 when ignored.
    Worked: p .47, RR 1.2, risk 2 % is 0.3542 with `KELLY_CAP`; p .50 at 1 % is 0.7273.
    """
    if confidence is None:
        return Multiplier(ONE)
    match confidence.tier:
        case "prior":
            return Multiplier(rules.min_multiplier)
        case "platt" | "isotonic":
            return _calibrated(confidence, risk_pct, rules)
        case _:
            assert_never(confidence.tier)


def _calibrated(confidence: Confidence, risk_pct: Decimal, rules: EdgeRules) -> Multiplier:
    p, even = confidence.value, break_even_probability(confidence.rr_tp1)
    if p <= even:
        if confidence.ignored:
            return Multiplier(FORCED)
        raise refuse(
            "NEGATIVE_EDGE",
            p=decimal_text(p),
            pbe=str(rounded(even, 4)),
            rr=decimal_text(confidence.rr_tp1),
        )
    floor = rules.min_multiplier
    m = min(ONE, floor + (1 - floor) * (p - even) / rules.full_edge)
    ceiling = rules.kelly_fraction * kelly(p, confidence.rr_tp1)
    if ceiling < risk_pct * m:
        return Multiplier(rounded(ceiling / risk_pct, 4), ("KELLY_CAP",))
    return Multiplier(rounded(m, 4))
