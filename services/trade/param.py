"""Owns the range checks of the trade rules: an argument out of its range is `PARAM_INVALID`."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Literal

from services.kit.errors import refuse
from services.kit.money import decimal_text

Side = Literal["long", "short"]
ZERO = Decimal(0)
ONE = Decimal(1)


def require(condition: object, name: str, *, value: object, rule: str) -> None:
    """Raise `PARAM_INVALID` naming the argument, unless `condition` holds."""
    if not condition:
        text = decimal_text(value) if isinstance(value, Decimal) else str(value)
        raise refuse("PARAM_INVALID", name=name, value=text, rule=rule)


def require_side(side: str) -> int:
    """Return +1 for `long` and -1 for `short`; anything else is `PARAM_INVALID`."""
    require(side in ("long", "short"), "side", value=side, rule="must be long or short")
    return 1 if side == "long" else -1


def require_above_zero(**values: Decimal | None) -> None:
    """Raise `PARAM_INVALID` for the first value that is not above 0; None passes."""
    for name, value in values.items():
        require(value is None or value > 0, name, value=value, rule="must be above 0")


def require_not_negative(**values: Decimal | None) -> None:
    """Raise `PARAM_INVALID` for the first value below 0; None passes."""
    for name, value in values.items():
        require(value is None or value >= 0, name, value=value, rule="must be 0 or more")


def require_fraction(**values: Decimal | None) -> None:
    """Raise `PARAM_INVALID` for the first value outside 0 to 1, ends allowed; None passes."""
    for name, value in values.items():
        require(value is None or 0 <= value <= 1, name, value=value, rule="must be 0 to 1")


def require_prices(name: str, prices: Iterable[Decimal]) -> None:
    """Raise `PARAM_INVALID` for the first price that is not above 0."""
    for price in prices:
        require(price > 0, name, value=price, rule="must be above 0")
