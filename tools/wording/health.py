"""Owns the words about data quality: a level per symbol, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from services.market.freeze import Freeze
from services.market.quality import Look, age_words, unfreezes_words
from services.trade.wording import price_words
from tools.wording.figures import Exact, Moment, Row

Level = Literal["green", "amber", "red"]


class GoodValue(Row):
    """The newest price that was believed."""

    price: Exact
    at: Moment
    provenance: str


def level_of(seen: Look) -> Level:
    """Return red when advice is blocked, amber when something was found, else green."""
    if seen.critical:
        return "red"
    return "amber" if any(one.severity == "WARN" for one in seen.findings) else "green"


def age_s_of(seen: Look, as_of: datetime) -> int | None:
    """Return the age of the newest quote in whole seconds of market time; None without one."""
    return None if seen.quote is None else int((as_of - seen.quote.ts).total_seconds())


def health_words(looks: Sequence[Look], as_of: datetime) -> str:
    """Return what is wrong in plain English, the worst first."""
    bad = [one for one in looks if level_of(one) != "green"]
    if not looks:
        return "No symbol is known."
    if not bad:
        names = ", ".join(one.instrument.symbol for one in looks)
        return f"The data of {names} are clean."
    return " ".join(
        _words(one, as_of) for one in sorted(bad, key=lambda one: level_of(one) < "red")
    )


def _words(seen: Look, as_of: datetime) -> str:
    symbol = seen.instrument.symbol
    found = [*seen.critical] or [one for one in seen.findings if one.severity == "WARN"]
    said = "; ".join(f"{one.detail} ({one.code})" for one in found)
    if not seen.critical:
        return f"{symbol}: {said}; advice is still given."
    good = seen.last_good
    value = (
        "there is no earlier good value"
        if good is None
        else (
            f"the last good value is {price_words(good.price)} ({good.provenance}), "
            f"{age_words(as_of - good.at)} old"
        )
    )
    return f"{symbol}: {said}; {value}. No advice and no order. {unfreezes_words(seen)}"


def freeze_words(standing: Sequence[Freeze]) -> str:
    """Return which freezes stand, why, and what ends them."""
    if not standing:
        return "Nothing is frozen."
    return " ".join(
        f"{one.subject} is frozen ({one.code}): {one.reason}. {one.unfreezes}" for one in standing
    )
