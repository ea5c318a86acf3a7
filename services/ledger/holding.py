"""Owns reading what a portfolio holds, from the snapshots."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import bindparam, select

from services.kit.context import Context
from services.kit.money import rounded
from services.ledger.position import ZERO
from services.ledger.tables import holding_snapshots

_HELD = (
    select(holding_snapshots)
    .where(
        holding_snapshots.c.portfolio_id == bindparam("of_portfolio"),
        holding_snapshots.c.quantity != ZERO,
    )
    .order_by(holding_snapshots.c.listing)
)


@dataclass(frozen=True, slots=True)
class Holding:
    """Units held of one listing, their cost in the base currency, and when they were opened."""

    listing: str
    symbol: str
    quantity: Decimal
    reserved: Decimal
    cost_base: Decimal
    opened_seq: int
    opened_at: datetime | None

    @property
    def average_cost(self) -> Decimal:
        """Return cost per unit with buy fees, 6 decimals half-even; 0 when flat.

        Worked: 150 units that cost 30302 average 202.013333.
        """
        return rounded(self.cost_base / self.quantity, 6) if self.quantity else ZERO

    @property
    def available(self) -> Decimal:
        """Return the units that no open order holds back."""
        return self.quantity - self.reserved


def positions(ctx: Context, portfolio_id: str) -> list[Holding]:
    """Return what the portfolio holds now, by listing; flat listings are left out."""
    return [_holding(row) for row in ctx.db.rows(_HELD, of_portfolio=portfolio_id)]


def find_position(ctx: Context, portfolio_id: str, listing: str) -> Holding | None:
    """Return the holding of one listing, or None when nothing is held."""
    row = ctx.db.row(
        select(holding_snapshots).where(
            holding_snapshots.c.portfolio_id == portfolio_id,
            holding_snapshots.c.listing == listing,
            holding_snapshots.c.quantity != ZERO,
        )
    )
    return None if row is None else _holding(row)


def _holding(row: Any) -> Holding:
    return Holding(
        row.listing,
        row.symbol,
        row.quantity,
        row.reserved,
        row.cost_base,
        row.opened_seq,
        row.opened_at,
    )
