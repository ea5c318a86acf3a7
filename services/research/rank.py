"""Owns the order of candidates, and the hard filters that a symbol passes before any setup."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol, TypeVar

from services.kit.money import decimal_text, rounded
from services.kit.policy import PickPolicy
from services.market.bar import Bar
from services.market.instrument import Instrument

TURNOVER_DAYS = 20
YEAR_SESSIONS = 252
ZERO = Decimal(0)
_PENDING = ("CORPORATE_ACTION_PENDING", "SPLIT_PENDING")


class Candidate(Protocol):
    """Anything that can be ranked."""

    @property
    def symbol(self) -> str:
        """What it is about."""
        ...

    @property
    def score(self) -> Decimal | None:
        """The confluence score, None where too much of it is missing."""
        ...

    @property
    def edge(self) -> Decimal | None:
        """Confidence less the break-even chance, None without a confidence."""
        ...


C = TypeVar("C", bound=Candidate)


@dataclass(frozen=True, slots=True)
class Reject:
    """A symbol that is not offered, by the code of the first rule that it failed."""

    symbol: str
    code: str
    detail: str


def in_order(found: Iterable[C]) -> list[C]:
    """Return candidates by score, then by edge, both descending, then by symbol; None is last.

    Worked: scores .71, .71 and .80 with edges .02, .05 and .01 give the third, second, first.
    """
    return sorted(
        found,
        key=lambda one: (
            one.score is None,
            -(one.score or ZERO),
            one.edge is None,
            -(one.edge or ZERO),
            one.symbol,
        ),
    )


def score_of(body: Mapping[str, Any]) -> Decimal | None:
    """Return the score of a plan's document."""
    return _number(body["confluence"].get("score"))


def edge_of(body: Mapping[str, Any]) -> Decimal | None:
    """Return the edge of a plan's document; None without a confidence."""
    told = body.get("confidence")
    return None if told is None else _number(told.get("edge"))


def _number(value: object) -> Decimal | None:
    return None if value is None else Decimal(str(value))


def turnover(days: list[Bar]) -> Decimal | None:
    """Return the mean of close times volume over the last 20 days; None with fewer.

    In the listing's currency, unrounded. Worked: 20 days at 10.00 and 3,000,000 units: 30,000,000.
    """
    last = days[-TURNOVER_DAYS:]
    if len(last) < TURNOVER_DAYS:
        return None
    return sum((bar.c * bar.v for bar in last), ZERO) / TURNOVER_DAYS


def failed_filter(
    instrument: Instrument, days: list[Bar], policy: PickPolicy, *, history_days: int = 0
) -> Reject | None:
    """Return the first hard filter that a listing fails, or None.

    In order: a corporate action that waits, bars of `history_days`, the price, the turnover.
    """
    symbol = instrument.symbol
    flag = next((one for one in instrument.flags if one in _PENDING), "")
    if flag:
        return Reject(symbol, "CORPORATE_ACTION_PENDING", "its bars do not hold it yet")
    if len(days) < max(history_days, TURNOVER_DAYS):
        need = max(history_days, TURNOVER_DAYS)
        return Reject(symbol, "INSUFFICIENT_BARS", f"{len(days)} daily bars, {need} needed")
    close = days[-1].c * instrument.price_scale
    if close < policy.price_min:
        said = f"close {decimal_text(close)} below {decimal_text(policy.price_min)}"
        return Reject(symbol, "PRICE_LOW", said)
    traded = (turnover(days) or ZERO) * instrument.price_scale
    if traded < policy.turnover_min:
        least = decimal_text(policy.turnover_min)
        said = f"turnover {decimal_text(rounded(traded, 0))} a day below {least}"
        return Reject(symbol, "TURNOVER_LOW", said)
    return None


def drawdown(days: list[Bar]) -> Decimal:
    """Return how far the last close is below the highest high of 252 sessions, as a fraction.

    Worked: a close of 85 under a high of 100 is 0.15.
    """
    high = max(bar.h for bar in days[-YEAR_SESSIONS:])
    return (high - days[-1].c) / high
