"""Owns what the market's lists share: the symbols that a query asks for, and why one is empty."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Query

from services.kit.errors import refuse
from services.market.absence import Absence
from services.market.instrument import require_symbol

SymbolList = Annotated[str, Query(max_length=900, description="Symbols, separated by commas.")]


def symbols_asked(text: str, *, most: int) -> tuple[str, ...]:
    """Return the symbols of `AAPL,MSFT`, each once; an empty text has none.

    Raises `PARAM_INVALID` for text that is no symbol and for more than `most`.
    """
    parts = [part for part in text.split(",") if part.strip()]
    if len(parts) > most:
        shown, rule = str(len(parts)), f"give at most {most} symbols"
        raise refuse("PARAM_INVALID", field="symbols", name="symbols", value=shown, rule=rule)
    return tuple(dict.fromkeys(require_symbol(part) for part in parts))


def absence_body(absence: Absence | None) -> dict[str, Any]:
    """Return the three members that say why a list is empty; null where it is not."""
    if absence is None:
        return {"reason": None, "why": None, "todo": None}
    return {"reason": absence.reason, "why": absence.why, "todo": absence.todo}
