"""Owns what a portfolio was worth at a session's close, also when the market has moved on since."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import func, select

from services.kit.context import Context
from services.kit.errors import Refusal
from services.ledger.book import cash
from services.ledger.holding import positions
from services.ledger.portfolio import get_portfolio
from services.ledger.posting import to_minor
from services.ledger.tables import ledger_batches, ledger_entries
from services.market.action_record import known_splits
from services.market.feed import Feed
from services.market.session import Session, sessions_between
from services.market.shown_bars import shown_bars

_SPARE_DAYS = 5


@dataclass(frozen=True, slots=True)
class Closed:
    """The book at a close: cash, worth of the holdings, whether any, last batch, labels."""

    cash: Decimal
    market_value: Decimal
    held: bool
    last_seq: int
    provenance: str


def book_at_close(
    ctx: Context, portfolio_id: str, session: Session, *, since: int
) -> Closed | None:
    """Return the book as it stood at the close of `session`, marked at the day's closing prices.

    Batches up to `since` lie before the close; later ones count by their effective time. None when
    a closing price is missing, a split lies behind the close, or a listing is foreign currency.
    Worked: 10 units bought at 100 of 1000 that close at 103 are 0 cash and 1030.
    """
    base = get_portfolio(ctx, portfolio_id).base_currency
    later = _units_since(ctx, portfolio_id, session.close, since)
    if later is None:
        return None
    units = {held.listing: held.quantity for held in positions(ctx, portfolio_id)}
    for listing in later:
        units.setdefault(listing, Decimal(0))
    worth, labels = Decimal(0), set()
    for listing in sorted(units):
        if listing == base:
            continue
        quantity = units[listing] - later.get(listing, Decimal(0))
        if not quantity:
            continue
        price = _closing_price(ctx, listing, session, base)
        if price is None:
            return None
        worth += to_minor(quantity * price[0], base)
        labels.add(price[1])
    money = cash(ctx, portfolio_id).posted.amount - later.get(base, Decimal(0))
    seq = _last_seq(ctx, portfolio_id, session.close, since)
    return Closed(money, worth, bool(labels), seq, ", ".join(sorted(labels)))


def _units_since(
    ctx: Context, portfolio_id: str, close: datetime, since: int
) -> dict[str, Decimal] | None:
    """Return what cash and positions changed by behind the close, by asset; None for a split."""
    rows = ctx.db.rows(
        select(
            ledger_batches.c.kind,
            ledger_entries.c.account,
            ledger_entries.c.asset,
            ledger_entries.c.amount,
            ledger_entries.c.quantity,
        )
        .where(
            ledger_batches.c.portfolio_id == portfolio_id,
            ledger_entries.c.portfolio_id == portfolio_id,
            ledger_entries.c.seq == ledger_batches.c.seq,
            ledger_batches.c.seq > since,
            ledger_batches.c.effective_at > close,
        )
        .order_by(ledger_entries.c.seq, ledger_entries.c.line)
    )
    if any(row.kind == "SPLIT" for row in rows):
        return None
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for row in rows:
        if row.account.startswith(("cash:", "position:")):
            sums[row.asset] += row.amount if row.quantity is None else row.quantity
    return dict(sums)


def _last_seq(ctx: Context, portfolio_id: str, close: datetime, since: int) -> int:
    newest = ctx.db.scalar(
        select(func.max(ledger_batches.c.seq)).where(
            ledger_batches.c.portfolio_id == portfolio_id,
            ledger_batches.c.seq > since,
            ledger_batches.c.effective_at <= close,
        )
    )
    return since if newest is None else int(newest)


def _closing_price(
    ctx: Context, listing: str, session: Session, base: str
) -> tuple[Decimal, str] | None:
    feed = ctx.port(Feed)
    try:
        as_of = feed.as_of(ctx)
        instrument = feed.instrument(ctx, listing)
        if instrument.currency != base:
            return None
        if known_splits(ctx, listing, session.close, as_of):
            return None
        count = len(sessions_between(instrument.calendar, session.date, as_of.date())) + _SPARE_DAYS
        bars = shown_bars(ctx, listing, "1d", count)
    except Refusal:
        return None
    label = bars.provenance.value
    found = (
        bar.c * instrument.price_scale
        for bar in reversed(bars.bars)
        if bar.t_close == session.close
    )
    return next(((price, label) for price in found), None)
