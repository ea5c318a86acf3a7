"""Owns what the book says of an account's risk: the week's result, the drawdown, the losses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, bindparam, func, not_, or_, select

from services.kit.context import Context
from services.kit.policy import RiskPolicy
from services.ledger.tables import trades, valuations
from services.ledger.valuation import CALENDAR, flows_since, grow, newest_row
from services.market.round import market_round, session_key
from services.market.session import find_last_session
from services.trade.param import ONE, ZERO
from services.trade.risk import BARE

_CLOSED_MAX = 60
"""Closing fills that are looked at for losses in a row; a round trip may have several."""
_CLOSINGS = (
    select(trades.c.listing, trades.c.opened_seq, trades.c.pnl, trades.c.closed_at, trades.c.flat)
    .where(
        trades.c.portfolio_id == bindparam("of_portfolio"),
        trades.c.closed_at <= bindparam("until"),
        trades.c.seq > bindparam("after"),
    )
    .order_by(trades.c.seq.desc())
    .limit(_CLOSED_MAX)
)
_REALISED = select(func.sum(trades.c.pnl)).where(
    trades.c.portfolio_id == bindparam("of_portfolio"),
    trades.c.closed_at >= bindparam("since"),
    trades.c.closed_at <= bindparam("until"),
)
_ENDED_SEQ = select(func.max(valuations.c.last_seq)).where(
    valuations.c.portfolio_id == bindparam("of_portfolio"),
    not_(valuations.c.session.like(bindparam("prefix"))),
)
_PEAK_SINCE = select(func.max(valuations.c.growth)).where(
    valuations.c.portfolio_id == bindparam("of_portfolio"),
    valuations.c.recorded_at >= bindparam("released"),
)


def _before(of_round: ColumnElement[bool]) -> Select[Any]:
    """Return the newest recorded equity of a session before Monday's, or of an earlier round."""
    earlier = and_(of_round, valuations.c.session < bindparam("monday"))
    return (
        select(valuations.c.equity, valuations.c.last_seq)
        .where(valuations.c.portfolio_id == bindparam("of_portfolio"), or_(not_(of_round), earlier))
        .order_by(valuations.c.era.desc(), valuations.c.at.desc(), valuations.c.kind)
        .limit(1)
    )


_BEFORE_IN_ROUND = _before(valuations.c.session.like(bindparam("prefix")))
_BEFORE_IN_FIRST = _before(not_(valuations.c.session.like("%:%")))


@dataclass(frozen=True, slots=True, kw_only=True)
class BookFacts:
    """What the ledger says; money in the base currency, `drawdown` a fraction of the peak.

    `realised` is the profit of this session's closing fills. `losses` counts the losing round trips
    in a row, 0 once they have cooled; `cools_until` is the market time at which they have.
    """

    realised: Decimal
    week_pnl: Decimal
    drawdown: Decimal
    losses: int
    cools_until: datetime | None


def book_facts(
    ctx: Context, portfolio_id: str, equity: Decimal, *, as_of: datetime, released: datetime | None
) -> BookFacts:
    """Return what the book says at `equity` and the market's `as_of`.

    The peak counts from `released` on, the wall time at which a person accepted the last fall.
    """
    streak = count_losses(_closed_trips(ctx, portfolio_id, as_of))
    losses, cools_until = cooling(streak, as_of, ctx.policy.risk)
    session = find_last_session(CALENDAR, as_of)
    return BookFacts(
        realised=_realised(ctx, portfolio_id, session.open, as_of) if session else ZERO,
        week_pnl=equity - _week_base(ctx, portfolio_id, as_of),
        drawdown=_drawdown(ctx, portfolio_id, equity, released),
        losses=losses,
        cools_until=cools_until,
    )


@dataclass(frozen=True, slots=True)
class Streak:
    """How many of the newest round trips lost in a row, and when the newest of them ended."""

    losses: int
    last_at: datetime | None


def count_losses(trips: Sequence[tuple[Decimal, datetime]]) -> Streak:
    """Return the losses in a row among round trips `(profit, end)`, newest first.

    A trip that ended even ends the row. Worked: -10, -5, +3 are two losses in a row.
    """
    count = next((at for at, (pnl, _) in enumerate(trips) if pnl >= 0), len(trips))
    return Streak(count, trips[0][1] if count else None)


def cooling(streak: Streak, as_of: datetime, policy: RiskPolicy) -> tuple[int, datetime | None]:
    """Return the losses that count now, and until when no order may open.

    From `loss_streak` losses on the account cools for `cooldown_min` after the last one; then the
    row counts no more, until another loss makes it longer. The end itself is cooled.
    """
    if streak.losses < policy.loss_streak or streak.last_at is None:
        return streak.losses, None
    ends = streak.last_at + timedelta(minutes=policy.cooldown_min)
    return (streak.losses, ends) if streak.last_at <= as_of < ends else (0, None)


def limits_of(policy: RiskPolicy, *, market_open: bool) -> dict[str, Decimal]:
    """Return the limits that apply while the market is open, or over night, by name.

    A group is limited only where the policy has groups.
    """
    found = {
        "day_loss": policy.day_loss,
        "drawdown": policy.peak_drawdown,
        "gross": policy.gross_intraday if market_open else policy.gross_overnight,
        "loss_streak": Decimal(policy.loss_streak),
        "open_risk": policy.open_risk,
        "positions": Decimal(policy.max_positions),
        "symbol": policy.symbol_intraday if market_open else policy.symbol_overnight,
        "trades_day": Decimal(policy.max_trades_day),
        "week_loss": policy.week_loss,
    }
    return found | ({"group": policy.group} if policy.groups else {})


def limit_amount(name: str, limit: Decimal, equity: Decimal) -> Decimal:
    """Return a limit in the unit of what it limits: money, a fraction of the peak, or a count."""
    return limit if name in BARE else limit * equity


def _closed_trips(
    ctx: Context, portfolio_id: str, as_of: datetime
) -> list[tuple[Decimal, datetime]]:
    """Return profit and end of the newest whole round trips of this session or before it."""
    rows = ctx.db.rows(
        _CLOSINGS, of_portfolio=portfolio_id, until=as_of, after=_ended_round(ctx, portfolio_id)
    )
    trips: dict[tuple[str, int], list[Any]] = {}
    for row in rows:
        trips.setdefault((row.listing, row.opened_seq), []).append(row)
    return [
        (sum((one.pnl for one in parts), ZERO), parts[0].closed_at)
        for parts in trips.values()
        if parts[0].flat
    ]


def _ended_round(ctx: Context, portfolio_id: str) -> int:
    """Return the last ledger batch of an earlier round of a replay; 0 in the first round."""
    if not market_round(ctx):
        return 0
    found = ctx.db.scalar(_ENDED_SEQ, of_portfolio=portfolio_id, prefix=_round_prefix(ctx))
    return int(found or 0)


def _round_prefix(ctx: Context) -> str:
    return f"{market_round(ctx)}:%"


def _realised(ctx: Context, portfolio_id: str, since: datetime, as_of: datetime) -> Decimal:
    found = ctx.db.scalar(_REALISED, of_portfolio=portfolio_id, since=since, until=as_of)
    return Decimal(found or ZERO)


def _week_base(ctx: Context, portfolio_id: str, as_of: datetime) -> Decimal:
    """Return the equity that the week's profit and loss starts from, later flows added.

    That is the newest recorded equity of a session before Monday's; without one it is all money
    from outside.
    """
    session = find_last_session(CALENDAR, as_of)
    day = session.date if session else as_of.date()
    monday = day - timedelta(days=day.weekday())
    first = {"of_portfolio": portfolio_id, "monday": session_key(ctx, monday)}
    if market_round(ctx):
        row = ctx.db.row(_BEFORE_IN_ROUND, prefix=_round_prefix(ctx), **first)
    else:
        row = ctx.db.row(_BEFORE_IN_FIRST, **first)
    base, seq = (row.equity, row.last_seq) if row else (ZERO, 0)
    return Decimal(base + flows_since(ctx, portfolio_id, seq))


def _drawdown(
    ctx: Context, portfolio_id: str, equity: Decimal, released: datetime | None
) -> Decimal:
    last = newest_row(ctx, portfolio_id)
    if last is None:
        return ZERO
    course = grow(last, equity, flows_since(ctx, portfolio_id, last.last_seq))
    peak = course.peak
    if released is not None:
        since = ctx.db.scalar(_PEAK_SINCE, of_portfolio=portfolio_id, released=released)
        peak = max(course.growth, since or ZERO)
    return max(ZERO, ONE - course.growth / peak) if peak > 0 else ZERO
