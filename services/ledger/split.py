"""Owns splits of held listings: which are due, and posting each exactly once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import select

from services.kit.context import Context
from services.kit.errors import Refusal, check, refuse
from services.kit.money import floor_to
from services.ledger.book import Posted, append
from services.ledger.conversion import find_terms
from services.ledger.holding import Holding, find_position, positions
from services.ledger.portfolio import list_portfolios
from services.ledger.position import ZERO
from services.ledger.posting import Batch, split_legs
from services.ledger.snapshot import portfolio_lock, terms_of
from services.ledger.tables import ledger_batches
from services.market.action_record import known_splits
from services.market.feed import Feed, Split
from services.market.instrument import Instrument

_FEED_SILENT = ("FEATURE_OFF", "SYMBOL_UNKNOWN", "QUOTE_UNUSABLE", "FX_MISSING")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a split makes of a holding: whole lots, and the new units that are paid in cash."""

    become: Decimal
    in_lieu: Decimal


def outcome(held: Decimal, split: Split, lot_step: Decimal) -> Outcome:
    """Return the units after a split, cut down to the lot step; pure.

    Worked: 7 units at 3:2 are 10.5, so 10 stay and half a unit is paid in cash; 100 units at 2:1
    are 200 and nothing is paid.
    """
    check(split.ratio_from > 0 and split.ratio_to > 0, "a split ratio is above 0")
    exact = held * split.ratio_to / split.ratio_from
    become = floor_to(exact, lot_step)
    return Outcome(become, exact - become)


def find_due(ctx: Context, portfolio_id: str, held: Holding) -> list[Split]:
    """Return the splits that took effect while `held` was open and are not posted yet."""
    feed = ctx.port(Feed)
    if held.opened_at is None:
        return []
    found = known_splits(ctx, held.listing, held.opened_at, feed.as_of(ctx))
    return [
        split
        for split in found
        if ctx.db.row(
            select(ledger_batches.c.seq).where(
                ledger_batches.c.key == _key(portfolio_id, held, split.effective_at)
            )
        )
        is None
    ]


def apply_due_splits(ctx: Context) -> list[Posted]:
    """Post every due split of every portfolio of the tenant; repeating posts nothing.

    A lost fraction is paid at the last price, half-even at the minor unit. A feed that is off,
    does not know a listing or has no price for it leaves the holding as it is.
    """
    posted: list[Posted] = []
    for portfolio in list_portfolios(ctx):
        ctx.db.lock(portfolio_lock(portfolio.id))
        for held in positions(ctx, portfolio.id):
            posted.extend(_apply(ctx, portfolio.id, held))
    return posted


def _apply(ctx: Context, portfolio_id: str, held: Holding) -> list[Posted]:
    posted = []
    try:
        for split in find_due(ctx, portfolio_id, held):
            now = find_position(ctx, portfolio_id, held.listing)
            if now is not None:
                posted.append(_post(ctx, portfolio_id, now, split))
    except Refusal as refusal:
        if refusal.code not in _FEED_SILENT:
            raise
    return posted


def _post(ctx: Context, portfolio_id: str, held: Holding, split: Split) -> Posted:
    feed, base = ctx.port(Feed), terms_of(ctx, portfolio_id).base
    instrument = feed.instrument(ctx, held.listing)
    made = outcome(held.quantity, split, instrument.lot_step)
    cash = ZERO
    if made.in_lieu > 0:
        cash = _paid(ctx, made.in_lieu, instrument, base)
    return append(
        ctx,
        Batch(
            portfolio_id=portfolio_id,
            kind="SPLIT",
            source="corporate_action",
            key=_key(portfolio_id, held, split.effective_at),
            effective_at=split.effective_at,
            legs=split_legs(held.listing, held.quantity, made.become, in_lieu=cash, base=base),
            meta={
                "symbol": held.symbol,
                "ratio": f"{split.ratio_to}:{split.ratio_from}",
                "ex_date": split.ex_date.isoformat(),
            },
        ),
    )


def _paid(ctx: Context, units: Decimal, instrument: Instrument, base: str) -> Decimal:
    terms = find_terms(ctx, instrument, base)
    if terms.missing:
        raise refuse("FX_MISSING", ccy=instrument.currency, base=base, reason="no sound rate")
    return terms.worth(units, ctx.port(Feed).quote(ctx, instrument.id).last)


def _key(portfolio_id: str, held: Holding, effective_at: datetime) -> str:
    return f"split:{portfolio_id}:{held.listing}:{held.opened_seq}:{effective_at.isoformat()}"
