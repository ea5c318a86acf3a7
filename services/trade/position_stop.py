"""Owns the protective stop that a position is given: kept, ratcheted, split with the shares."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import func, select

from services import audit
from services.kit.context import Context
from services.kit.money import rounded
from services.ledger.holding import Holding
from services.market.action_record import known_splits
from services.market.feed import Feed
from services.trade.param import Side
from services.trade.position_stop_tables import position_stops
from services.trade.stop import require_ratchet

_PLACES = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptStop:
    """The stop that a person gave a position; it places nothing. `number` counts its moves."""

    stop: Decimal
    before: Decimal | None
    number: int
    as_of: datetime
    at: datetime


def side_of(held: Holding) -> Side:
    """Return the side of a holding."""
    return "long" if held.quantity > 0 else "short"


def find_stop(ctx: Context, portfolio_id: str, held: Holding) -> KeptStop | None:
    """Return the stop kept for exactly this position, or None; splits since then are in it.

    A position that was closed and opened anew has none. Worked: 400 kept before a 2:1 split is 200.
    """
    mine = position_stops.c
    row = ctx.db.row(
        select(position_stops)
        .where(
            mine.portfolio_id == portfolio_id,
            mine.listing == held.listing,
            mine.opened_seq == held.opened_seq,
            mine.side == side_of(held),
        )
        .order_by(mine.number.desc())
        .limit(1)
    )
    if row is None:
        return None
    stop = row.stop
    for split in known_splits(ctx, held.listing, row.as_of, ctx.port(Feed).as_of(ctx)):
        stop = stop * split.ratio_from / split.ratio_to
    return KeptStop(
        stop=rounded(stop, _PLACES),
        before=row.before,
        number=row.number,
        as_of=row.as_of,
        at=row.at,
    )


def keep_stop(
    ctx: Context, portfolio_id: str, held: Holding, *, stop: Decimal, before: Decimal | None
) -> KeptStop:
    """Keep `stop` as the position's protective stop, audited as `position.stop`; it only ratchets.

    `before` is the nearest stop known from elsewhere. The same stop again is kept once. Raises
    `STOP_LOOSENED` when the kept stop or `before` lies nearer to the market.
    """
    ctx.db.lock(f"stop:{portfolio_id}:{held.listing}")
    side, known = side_of(held), find_stop(ctx, portfolio_id, held)
    for old in (before, known.stop if known else None):
        if old is not None:
            require_ratchet(side, old=old, new=stop)
    if known is not None and known.stop == stop:
        return known
    mine = position_stops.c
    last = ctx.db.scalar(
        select(func.max(mine.number)).where(
            mine.portfolio_id == portfolio_id, mine.listing == held.listing
        )
    )
    kept = KeptStop(
        stop=stop,
        before=known.stop if known else before,
        number=int(last or 0) + 1,
        as_of=ctx.port(Feed).as_of(ctx),
        at=ctx.now,
    )
    ctx.db.insert(
        position_stops,
        {
            "portfolio_id": portfolio_id,
            "listing": held.listing,
            "number": kept.number,
            "opened_seq": held.opened_seq,
            "side": side,
            "stop": kept.stop,
            "before": kept.before,
            "user_id": ctx.principal.user_id,
            "as_of": kept.as_of,
            "at": kept.at,
        },
    )
    audit.record(
        ctx,
        "position.stop",
        f"{portfolio_id}:{held.listing}",
        symbol=held.symbol,
        side=side,
        stop=kept.stop,
        before=kept.before,
        number=kept.number,
        opened_seq=held.opened_seq,
    )
    return kept
