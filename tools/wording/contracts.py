"""Owns the row of an option contract in a result: exact figures, and null for what is unknown."""

from __future__ import annotations

from services.market.chain import OptionContract
from tools.wording.figures import Exact, Moment, Row


class ContractRow(Row):
    """One contract; null is what the provider does not say. Flagged ones are never picked."""

    contract: str
    right: str
    strike: Exact
    bid: Exact | None
    ask: Exact | None
    volume: Exact | None
    open_interest: Exact | None
    iv: Exact | None
    delta: Exact | None
    theta: Exact | None
    quote_ts: Moment | None
    flags: tuple[str, ...]


def build_row(one: OptionContract) -> ContractRow:
    """Return the row of a contract; its OSI text stands under `contract`, not as a symbol."""
    names = [name for name in ContractRow.model_fields if name != "contract"]
    return ContractRow(contract=one.symbol, **{name: getattr(one, name) for name in names})
