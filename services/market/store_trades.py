"""Owns the stored trades of the tape: each once, in its order, none later than the market's now."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from decimal import Decimal

from sqlalchemy import bindparam, select

from services.kit.context import Context
from services.kit.money import rounded
from services.market.feed import Feed, Tick
from services.market.instrument import Instrument
from services.market.round import market_round
from services.market.store_tables import market_trades

LOOK_BACK = timedelta(minutes=5)
"""How far back the first trades of a listing are asked for."""
TRADES_MAX = 5000
"""Most trades that one round stores per listing; the next round goes on from there."""

_NO_SIDE = Decimal(0)
_MINE = (
    market_trades.c.instrument_id == bindparam("listing"),
    market_trades.c.round == bindparam("turn"),
    market_trades.c.ts <= bindparam("until"),
)
_LAST = select(market_trades.c.ts).where(*_MINE).order_by(market_trades.c.ts.desc()).limit(1)
_NEWEST = (
    select(market_trades)
    .where(*_MINE)
    .order_by(market_trades.c.ts.desc(), market_trades.c.seq.desc())
    .limit(TRADES_MAX)
)


def record_trades(ctx: Context, instrument: Instrument) -> int:
    """Store the tape since the last stored trade, at most 5000; return how many.

    Raises what the feed's tape raises.
    """
    feed, turn = ctx.port(Feed), market_round(ctx)
    now = feed.as_of(ctx)
    ctx.db.lock(f"market_trades:{ctx.principal.tenant_id}:{instrument.id}")
    last: datetime | None = ctx.db.scalar(_LAST, listing=instrument.id, turn=turn, until=now)
    tape = list(feed.tape(ctx, instrument.symbol, last or now - LOOK_BACK, now))
    kept = _whole_instants(tape)
    if not kept:
        return 0
    seen: Counter[datetime] = Counter()
    rows = []
    for tick in kept:
        rows.append(
            {
                "instrument_id": instrument.id,
                "round": turn,
                "ts": tick.ts,
                "seq": seen[tick.ts],
                "price": rounded(tick.price, 8),
                "size": rounded(tick.size, 8),
                "known_at": now,
                "provenance": feed.provenance,
                "source": feed.name,
            }
        )
        seen[tick.ts] += 1
    ctx.db.insert(market_trades, *rows)
    return len(rows)


def _whole_instants(tape: list[Tick]) -> list[Tick]:
    """Return the first trades, cut between two instants: the next round begins after the last."""
    if len(tape) <= TRADES_MAX:
        return tape
    end = tape[TRADES_MAX].ts
    return [tick for tick in tape[:TRADES_MAX] if tick.ts < end]


def stored_trades(ctx: Context, instrument_id: str, limit: int) -> list[Tick]:
    """Return the newest `limit` (1 to 5000) stored trades, ascending; they carry no bid and ask."""
    now = ctx.port(Feed).as_of(ctx)
    rows = ctx.db.rows(_NEWEST, listing=instrument_id, turn=market_round(ctx), until=now)
    newest = rows[: min(limit, TRADES_MAX)]
    return [Tick(row.ts, row.price, row.size, _NO_SIDE, _NO_SIDE) for row in reversed(newest)]
