"""Owns the figure types of results: exact inside, plain text on the wire, never a float."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated

from pydantic import BaseModel, ConfigDict, PlainSerializer

from services.kit.clock import instant_text
from services.kit.money import decimal_text, rounded


def _cents(value: Decimal) -> str:
    return f"{rounded(value, 2):.2f}"


def _cost(value: Decimal) -> str:
    return decimal_text(rounded(value, 4))


Exact = Annotated[Decimal, PlainSerializer(decimal_text, return_type=str)]
"""A price, quantity or ratio: plain notation, every digit, no trailing zeros."""
Cents = Annotated[Decimal, PlainSerializer(_cents, return_type=str)]
"""An amount of money: two decimals, half to even."""
UnitCost = Annotated[Decimal, PlainSerializer(_cost, return_type=str)]
"""A cost per unit: at most four decimals, half to even."""
Moment = Annotated[datetime, PlainSerializer(instant_text, return_type=str)]
"""An instant: UTC text, milliseconds cut."""


class Row(BaseModel):
    """Base of a row in a result; it may be read straight from a service's own object."""

    model_config = ConfigDict(frozen=True, from_attributes=True)
