"""Owns reading and writing the snapshots beside the entries: cash, holdings and open lots."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import BindParameter, bindparam, func, select, update

from services.kit.context import Context
from services.kit.errors import refuse
from services.kit.money import minor_units
from services.ledger.fold import Change
from services.ledger.position import FLAT, ZERO, OpenLot, Position, Terms
from services.ledger.tables import (
    cash_snapshots,
    holding_snapshots,
    ledger_entries,
    lot_reliefs,
    lots,
    portfolios,
)

_OF_PORTFOLIO: BindParameter[str] = bindparam("of_portfolio")
_TERMS = select(portfolios.c.cost_method, portfolios.c.base_currency).where(
    portfolios.c.id == _OF_PORTFOLIO
)
_CASH = select(cash_snapshots).where(
    cash_snapshots.c.portfolio_id == _OF_PORTFOLIO,
    cash_snapshots.c.currency == bindparam("of_currency"),
)
_STORE_CASH = update(cash_snapshots).where(
    cash_snapshots.c.portfolio_id == _OF_PORTFOLIO,
    cash_snapshots.c.currency == bindparam("of_currency"),
)
_HOLDING = select(holding_snapshots).where(
    holding_snapshots.c.portfolio_id == _OF_PORTFOLIO,
    holding_snapshots.c.listing == bindparam("of_listing"),
)
_STORE_HOLDING = update(holding_snapshots).where(
    holding_snapshots.c.portfolio_id == _OF_PORTFOLIO,
    holding_snapshots.c.listing == bindparam("of_listing"),
)


@dataclass(frozen=True, slots=True)
class CashSnapshot:
    """Posted and reserved cash of one currency."""

    currency: str
    posted: Decimal
    reserved: Decimal
    version: int


@dataclass(frozen=True, slots=True)
class HoldingSnapshot:
    """One listing's position as stored; `version` 0 means that no row exists yet."""

    listing: str
    position: Position
    reserved: Decimal = ZERO
    version: int = 0


def portfolio_lock(portfolio_id: str) -> str:
    """Return the name that every writer of a portfolio locks."""
    return f"portfolio:{portfolio_id}"


def terms_of(ctx: Context, portfolio_id: str) -> Terms:
    """Return how the portfolio counts. Raises `PORTFOLIO_UNKNOWN`."""
    row = ctx.db.row(_TERMS, of_portfolio=portfolio_id)
    if row is None:
        raise refuse("PORTFOLIO_UNKNOWN", id=portfolio_id)
    return Terms(row.cost_method, row.base_currency, minor_units(row.base_currency))


def get_cash(ctx: Context, portfolio_id: str, currency: str) -> CashSnapshot:
    """Return the cash row. Raises `LEDGER_DIFFERS` when it is lost: it exists from the opening."""
    row = ctx.db.row(_CASH, of_portfolio=portfolio_id, of_currency=currency)
    if row is None:
        raise refuse("LEDGER_DIFFERS", count=1)
    return CashSnapshot(currency, row.posted, row.reserved, row.version)


def open_cash(ctx: Context, portfolio_id: str, currency: str) -> None:
    """Insert the empty cash row of a new portfolio."""
    ctx.db.insert(
        cash_snapshots,
        {
            "portfolio_id": portfolio_id,
            "currency": currency,
            "posted": ZERO,
            "reserved": ZERO,
            "version": 1,
            "last_seq": 0,
        },
    )


def store_cash(
    ctx: Context, portfolio_id: str, cash: CashSnapshot, *, posted: Decimal, seq: int
) -> None:
    """Write the posted amount after batch `seq`."""
    ctx.db.change(
        _STORE_CASH,
        of_portfolio=portfolio_id,
        of_currency=cash.currency,
        posted=posted,
        version=cash.version + 1,
        last_seq=seq,
    )


def get_holding(ctx: Context, portfolio_id: str, listing: str, terms: Terms) -> HoldingSnapshot:
    """Return the stored position, flat when the listing was never held.

    Raises `LEDGER_DIFFERS` when the entries know the listing and the snapshot does not.
    """
    row = ctx.db.row(_HOLDING, of_portfolio=portfolio_id, of_listing=listing)
    if row is None:
        posted = ctx.db.row(
            select(ledger_entries.c.seq)
            .where(ledger_entries.c.portfolio_id == portfolio_id, ledger_entries.c.asset == listing)
            .limit(1)
        )
        if posted is not None:
            raise refuse("LEDGER_DIFFERS", count=1)
        return HoldingSnapshot(listing, FLAT)
    still_open = open_lots(ctx, portfolio_id, listing) if terms.method == "fifo" else ()
    return HoldingSnapshot(listing, position_of(row, still_open), row.reserved, row.lots_version)


def position_of(row: Any, still_open: tuple[OpenLot, ...] = ()) -> Position:
    """Return the position of a snapshot row."""
    return Position(row.quantity, row.cost_base, still_open, row.opened_seq, row.opened_at)


def open_lots(ctx: Context, portfolio_id: str, listing: str) -> tuple[OpenLot, ...]:
    """Return the lots of a listing that still hold units, oldest first."""
    relieved = (
        select(
            lot_reliefs.c.lot_id,
            func.sum(lot_reliefs.c.quantity).label("quantity"),
            func.sum(lot_reliefs.c.cost_base).label("cost_base"),
        )
        .where(lot_reliefs.c.portfolio_id == portfolio_id)
        .group_by(lot_reliefs.c.lot_id)
        .subquery()
    )
    rows = ctx.db.rows(
        select(
            lots.c.id,
            lots.c.seq,
            lots.c.quantity,
            lots.c.cost_base,
            lots.c.acquired_at,
            relieved.c.quantity.label("gone"),
            relieved.c.cost_base.label("gone_cost"),
        )
        .outerjoin(relieved, relieved.c.lot_id == lots.c.id)
        .where(
            lots.c.portfolio_id == portfolio_id,
            lots.c.listing == listing,
            lots.c.quantity > func.coalesce(relieved.c.quantity, 0),
        )
        .order_by(lots.c.seq, lots.c.id)
    )
    rows.sort(key=lambda row: lot_order(row.id))
    return tuple(
        OpenLot(
            row.id,
            row.quantity - (row.gone or ZERO),
            row.cost_base - (row.gone_cost or ZERO),
            row.acquired_at,
        )
        for row in rows
    )


def lot_order(lot_id: str) -> tuple[int, int]:
    """Return the sort key of a lot id: batch, then number within it."""
    seq, _, number = lot_id.partition(".")
    return int(seq), int(number)


def store_holding(
    ctx: Context, portfolio_id: str, held: HoldingSnapshot, change: Change, *, seq: int
) -> None:
    """Write the position after batch `seq` with the lots that it made, relieved or gave back."""
    values = {**position_values(change.after), "lots_version": held.version + 1, "last_seq": seq}
    if held.version == 0:
        ctx.db.insert(
            holding_snapshots,
            {
                "portfolio_id": portfolio_id,
                "listing": held.listing,
                "symbol": symbol_of(held.listing),
                "reserved": ZERO,
                **values,
            },
        )
    else:
        ctx.db.change(_STORE_HOLDING, of_portfolio=portfolio_id, of_listing=held.listing, **values)
    _store_lots(ctx, portfolio_id, change, seq)


def position_values(position: Position) -> dict[str, Any]:
    """Return the columns that hold a position."""
    return {
        "quantity": position.quantity,
        "cost_base": position.cost,
        "opened_seq": position.opened_seq,
        "opened_at": position.opened_at,
    }


def symbol_of(listing: str) -> str:
    """Return the symbol of a listing: `XNAS:AAPL` is `AAPL`."""
    return listing.partition(":")[2]


def _store_lots(ctx: Context, portfolio_id: str, change: Change, seq: int) -> None:
    before = {lot.id: lot for lot in change.before.lots}
    after = {lot.id: lot for lot in change.after.lots}
    made = [lot for lot in after.values() if lot_order(lot.id)[0] == seq]
    if made:
        ctx.db.insert(
            lots,
            *(
                {
                    "portfolio_id": portfolio_id,
                    "id": lot.id,
                    "seq": seq,
                    "listing": change.listing,
                    "quantity": lot.quantity,
                    "cost_base": lot.cost,
                    "acquired_at": lot.acquired_at,
                }
                for lot in made
            ),
        )
    known = sorted((before.keys() | after.keys()) - {lot.id for lot in made}, key=lot_order)
    reliefs = [
        _relief(portfolio_id, seq, lot_id, before.get(lot_id), after.get(lot_id))
        for lot_id in known
        if before.get(lot_id) != after.get(lot_id)
    ]
    if reliefs:
        ctx.db.insert(lot_reliefs, *reliefs)


def _relief(
    portfolio_id: str, seq: int, lot_id: str, before: OpenLot | None, after: OpenLot | None
) -> dict[str, Any]:
    return {
        "portfolio_id": portfolio_id,
        "lot_id": lot_id,
        "seq": seq,
        "quantity": (before.quantity if before else ZERO) - (after.quantity if after else ZERO),
        "cost_base": (before.cost if before else ZERO) - (after.cost if after else ZERO),
    }
