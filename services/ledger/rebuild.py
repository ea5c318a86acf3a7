"""Owns the proof of the snapshots: folding the entries anew, naming differences, repairing them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy import delete, func, select

from services import audit
from services.kit.context import Context
from services.kit.errors import InvariantBroken, Refusal
from services.ledger.fold import Book, Change, fold
from services.ledger.portfolio import Portfolio, list_portfolios
from services.ledger.position import FLAT, ZERO, OpenLot, Position
from services.ledger.snapshot import (
    open_lots,
    portfolio_lock,
    position_of,
    position_values,
    symbol_of,
    terms_of,
)
from services.ledger.store import GENESIS, read_batches, seal
from services.ledger.tables import cash_snapshots, holding_snapshots, reservations, trades


@dataclass(frozen=True, slots=True)
class Difference:
    """One place where what is stored differs from what the entries say.

    `what` is cash, cash_reserved, holding, holding_reserved, lots, trades, chain or entries.
    """

    portfolio_id: str
    what: str
    key: str
    stored: str
    expected: str


@dataclass(frozen=True, slots=True)
class _Reserved:
    cash: dict[str, Decimal]
    units: dict[str, Decimal]


def check(ctx: Context) -> list[Difference]:
    """Return every difference between snapshots and entries over the tenant's portfolios.

    Entries are checked as they are read: batches balance, hashes chain, trades and open lots are
    those of the fold, reserved amounts are the sums of the reservations. Empty means all is well.
    """
    return [found for portfolio in list_portfolios(ctx) for found in _check(ctx, portfolio)]


def rebuild(ctx: Context) -> list[Difference]:
    """Write cash and holding snapshots anew from the entries; return what differed before.

    Entries, lots and trades are never touched. Leaves an audit event that lists the repairs.
    Raises `BATCH_UNBALANCED` when the entries themselves are damaged.
    """
    before = []
    for portfolio in list_portfolios(ctx):
        ctx.db.lock(portfolio_lock(portfolio.id))
        found = _check(ctx, portfolio)
        book = _fold(ctx, portfolio)
        _write(ctx, portfolio, book, _reserved(ctx, portfolio.id))
        before += found
    audit.record(ctx, "ledger.rebuilt", ctx.principal.tenant_id, differences=before)
    return before


def _fold(ctx: Context, portfolio: Portfolio) -> Book:
    return fold(
        (stored.posted for stored in read_batches(ctx, portfolio.id)), terms_of(ctx, portfolio.id)
    )


def _reserved(ctx: Context, portfolio_id: str) -> _Reserved:
    rows = ctx.db.rows(
        select(reservations)
        .where(reservations.c.portfolio_id == portfolio_id)
        .order_by(reservations.c.order_id)
    )
    held = _Reserved({}, {})
    for row in rows:
        held.cash[row.currency] = held.cash.get(row.currency, ZERO) + row.cash
        if row.quantity:
            held.units[row.listing] = held.units.get(row.listing, ZERO) + row.quantity
    return held


def _check(ctx: Context, portfolio: Portfolio) -> list[Difference]:
    try:
        book = _fold(ctx, portfolio)
        chain = list(_chain_differences(ctx, portfolio.id))
    except (Refusal, InvariantBroken) as fault:
        return [Difference(portfolio.id, "entries", "", str(fault), "entries that fold")]
    held = _reserved(ctx, portfolio.id)
    pairs = [
        *_cash_pairs(ctx, portfolio, book, held),
        *_holding_pairs(ctx, portfolio, book, held),
        *_trade_pairs(ctx, portfolio.id, book),
    ]
    return chain + [
        Difference(portfolio.id, what, key, stored, expected)
        for what, key, stored, expected in pairs
        if stored != expected
    ]


def _chain_differences(ctx: Context, portfolio_id: str) -> Iterator[Difference]:
    prev = GENESIS
    for stored in read_batches(ctx, portfolio_id):
        sealed = seal(stored.batch.content_hash, stored.seq, stored.recorded_at, prev)
        if stored.prev_hash != prev or stored.hash != sealed:
            yield Difference(portfolio_id, "chain", str(stored.seq), stored.hash, sealed)
        prev = stored.hash


_Pair = tuple[str, str, str, str]


def _cash_pairs(ctx: Context, portfolio: Portfolio, book: Book, held: _Reserved) -> Iterator[_Pair]:
    rows = {
        row.currency: row
        for row in ctx.db.rows(
            select(cash_snapshots)
            .where(cash_snapshots.c.portfolio_id == portfolio.id)
            .order_by(cash_snapshots.c.currency)
        )
    }
    for currency in sorted(rows.keys() | book.cash.keys() | {portfolio.base_currency}):
        row = rows.get(currency)
        yield (
            "cash",
            currency,
            _text(row.posted if row else None),
            _text(book.cash.get(currency, ZERO)),
        )
        yield (
            "cash_reserved",
            currency,
            _text(row.reserved if row else None),
            _text(held.cash.get(currency, ZERO)),
        )


def _holding_pairs(
    ctx: Context, portfolio: Portfolio, book: Book, held: _Reserved
) -> Iterator[_Pair]:
    rows = {
        row.listing: row
        for row in ctx.db.rows(
            select(holding_snapshots)
            .where(holding_snapshots.c.portfolio_id == portfolio.id)
            .order_by(holding_snapshots.c.listing)
        )
    }
    for listing in sorted(rows.keys() | book.positions.keys() | held.units.keys()):
        row, folded = rows.get(listing), book.positions.get(listing, FLAT)
        yield (
            "holding",
            listing,
            _position_text(position_of(row)) if row else "absent",
            _position_text(folded),
        )
        yield (
            "holding_reserved",
            listing,
            _text(row.reserved if row else ZERO),
            _text(held.units.get(listing, ZERO)),
        )
        if portfolio.cost_method == "fifo":
            yield (
                "lots",
                listing,
                _lots_text(open_lots(ctx, portfolio.id, listing)),
                _lots_text(folded.lots),
            )


def _trade_pairs(ctx: Context, portfolio_id: str, book: Book) -> Iterator[_Pair]:
    stored = ctx.db.scalar(
        select(func.sum(trades.c.pnl)).where(trades.c.portfolio_id == portfolio_id)
    )
    expected: dict[int, Decimal] = {}
    for batch, change in book.changes:
        if batch.kind == "REVERSAL" and batch.reverses_seq in expected:
            del expected[batch.reverses_seq]
        elif _closes(batch.kind, change):
            expected[batch.seq] = change.pnl
    yield ("trades", "pnl", _text(stored or ZERO), _text(sum(expected.values(), ZERO)))


def _closes(kind: str, change: Change) -> bool:
    return kind != "REVERSAL" and change.sold > 0 and (kind != "SPLIT" or change.relieved > 0)


def _write(ctx: Context, portfolio: Portfolio, book: Book, held: _Reserved) -> None:
    ctx.db.change(delete(cash_snapshots).where(cash_snapshots.c.portfolio_id == portfolio.id))
    for currency in sorted(book.cash.keys() | {portfolio.base_currency}):
        ctx.db.insert(
            cash_snapshots,
            {
                "portfolio_id": portfolio.id,
                "currency": currency,
                "posted": book.cash.get(currency, ZERO),
                "reserved": held.cash.get(currency, ZERO),
                "version": book.last_seq + 1,
                "last_seq": book.last_seq,
            },
        )
    ctx.db.change(delete(holding_snapshots).where(holding_snapshots.c.portfolio_id == portfolio.id))
    for listing in sorted(book.positions):
        ctx.db.insert(
            holding_snapshots,
            {
                "portfolio_id": portfolio.id,
                "listing": listing,
                "symbol": symbol_of(listing),
                "reserved": held.units.get(listing, ZERO),
                **position_values(book.positions[listing]),
                "lots_version": book.last_seq + 1,
                "last_seq": book.last_seq,
            },
        )


def _position_text(position: Position) -> str:
    return (
        f"{_text(position.quantity)} costing {_text(position.cost)} opened by {position.opened_seq}"
    )


def _lots_text(lots: tuple[OpenLot, ...]) -> str:
    return ", ".join(f"{lot.id}: {_text(lot.quantity)} costing {_text(lot.cost)}" for lot in lots)


def _text(value: Decimal | None) -> str:
    return "absent" if value is None else format(value.normalize(), "f")
