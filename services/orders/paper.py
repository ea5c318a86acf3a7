"""Owns the paper broker: an outside system with its own book, behind the port of a real one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.engine import Row

from services.kit.context import Context
from services.kit.errors import Kind, Refusal, refuse
from services.kit.failpoint import reach
from services.market.action_record import known_splits
from services.market.feed import Feed
from services.market.instrument import Instrument, tick_size
from services.market.session import market_state
from services.orders.broker import (
    Accepted,
    Ambiguous,
    BrokerTraits,
    BrokerUnreachable,
    BrokerView,
    Change,
    Desk,
    NotSent,
    Outcome,
    Rejected,
)
from services.orders.fill import commission
from services.orders.order import Order
from services.orders.paper_match import Arrival, Match, MatchRules, Working, arrive, consume
from services.orders.paper_tables import paper_fills, paper_orders
from services.orders.paper_view import take_terms, view_of

_ZERO = Decimal(0)
_LOOK_MAX = timedelta(days=1)
"""Bound of the tape that one look consumes; the next look goes on from there."""
_REMEMBER_EVERY = timedelta(seconds=60)


class PaperBroker:
    """Fills by the deterministic model of the policy; every call is a transaction of its own."""

    @property
    def traits(self) -> BrokerTraits:
        """Return what it promises: a repeated client id is answered with the first order."""
        return BrokerTraits(name="paper", dedupes_client_id=True, replaces=True)

    def submit(self, desk: Desk, order: Order) -> Outcome:
        """Accept and match `order`; a repeated client id returns the first order."""
        reach("paper.before_accept")
        try:
            outcome = desk.runtime.write(desk.principal, lambda ctx: _accept(ctx, order))
        except Refusal as refusal:
            if refusal.code.startswith("DATABASE"):
                return Ambiguous(refusal.code) if refusal.retryable else NotSent(refusal.code)
            if refusal.kind is Kind.INTERNAL:
                raise
            return Rejected(f"{refusal.code}: {refusal.message}")
        reach("paper.after_accept")
        return outcome

    def cancel(self, desk: Desk, account_id: str, client_order_id: str) -> Outcome:
        """End a working order after what had already traded; `Rejected` when it has ended."""
        return _asked(desk, lambda ctx: _cancel(ctx, account_id, client_order_id))

    def replace(self, desk: Desk, account_id: str, client_order_id: str, change: Change) -> Outcome:
        """Change a working order after what had already traded; `Rejected` when it has ended."""
        return _asked(desk, lambda ctx: _replace(ctx, account_id, client_order_id, change))

    def look(
        self, desk: Desk, account_id: str, client_order_ids: Sequence[str]
    ) -> list[BrokerView]:
        """Bring working orders up to the market's time and return what stands in the book.

        Raises `BrokerUnreachable` when the market can not be read.
        """

        def stand(ctx: Context) -> list[BrokerView] | None:
            rows = _rows(ctx, account_id, client_order_ids)
            moves = any(_changes(ctx, row) for row in rows)
            return None if moves else [view_of(ctx, row) for row in rows]

        def bring(ctx: Context) -> list[BrokerView]:
            ctx.db.lock(f"paper:{account_id}")
            rows = _rows(ctx, account_id, client_order_ids)
            return [view_of(ctx, _bring(ctx, row)) for row in rows]

        try:
            found = desk.runtime.read(desk.principal, stand)
            return desk.runtime.write(desk.principal, bring) if found is None else found
        except Refusal as refusal:
            if refusal.kind is Kind.INTERNAL:
                raise
            raise BrokerUnreachable(refusal.code) from refusal


def _asked(desk: Desk, act: Callable[[Context], Outcome]) -> Outcome:
    try:
        return desk.runtime.write(desk.principal, act)
    except Refusal as refusal:
        if refusal.kind is Kind.INTERNAL:
            raise
        return Ambiguous(refusal.code)


def _rows(ctx: Context, account_id: str, client_order_ids: Sequence[str]) -> list[Row[Any]]:
    return ctx.db.rows(
        select(paper_orders)
        .where(
            paper_orders.c.account_id == account_id,
            paper_orders.c.client_order_id.in_(client_order_ids),
        )
        .order_by(paper_orders.c.id)
    )


def _accept(ctx: Context, order: Order) -> Outcome:
    ctx.db.lock(f"paper:{order.account_id}")
    known = _rows(ctx, order.account_id, [order.client_order_id])
    if known:
        return Accepted(known[0].id)
    feed = ctx.port(Feed)
    instrument, as_of = feed.instrument(ctx, order.symbol), feed.as_of(ctx)
    state = market_state(instrument.calendar, as_of)
    if order.quantity <= 0 or order.quantity % instrument.lot_step:
        raise refuse("QTY_INVALID", qty=str(order.quantity), rule="off the lot")
    if state.state != "open" and (order.tif == "day" or order.type == "market"):
        raise refuse(
            "MARKET_CLOSED",
            market=instrument.calendar,
            state=state.state,
            next_open=str(state.next_open),
        )
    paper_id = ctx.ids.new("pap")
    live_at = as_of + timedelta(milliseconds=ctx.policy.paper.latency_ms)
    ctx.db.insert(
        paper_orders,
        {
            "id": paper_id,
            "account_id": order.account_id,
            "client_order_id": order.client_order_id,
            "listing": order.instrument_id,
            "symbol": order.symbol,
            "side": order.side.value,
            "type": order.type.value,
            "tif": order.tif.value,
            "quantity": order.quantity,
            "limit_price": order.limit_price,
            "stop_price": order.trigger,
            "worst_price": order.worst_price,
            "calendar": instrument.calendar,
            "status": "open",
            "reason": "",
            "triggered": 0,
            "filled_quantity": _ZERO,
            "volume_seen": _ZERO,
            "accepted_at": as_of,
            "live_at": live_at,
            "seen_until": as_of,
        },
    )
    if state.state == "open" and live_at <= as_of:
        volume = _last_volume(ctx, order.symbol)
        _meet_market(ctx, paper_id, instrument, as_of, volume=volume)
    return Accepted(paper_id)


def _meet_market(
    ctx: Context, paper_id: str, instrument: Instrument, as_of: datetime, *, volume: Decimal | None
) -> None:
    row = _row(ctx, paper_id)
    quote = ctx.port(Feed).quote(ctx, row.symbol)
    limit = timedelta(seconds=ctx.policy.orders.quote_age_paper_fill_s)
    market = Arrival(
        at=as_of,
        bid=quote.bid,
        ask=quote.ask,
        last=quote.last,
        fresh=as_of - quote.ts <= limit,
        volume=volume,
    )
    after, matches = arrive(_working(row), market, _rules(ctx, instrument, quote.mid, as_of))
    _write(ctx, row, after, matches, provenance=str(quote.provenance), seen_until=as_of)


def _last_volume(ctx: Context, symbol: str) -> Decimal | None:
    try:
        series = ctx.port(Feed).bars(ctx, symbol, "1m", 1)
    except Refusal as refusal:
        if refusal.kind is Kind.INTERNAL:
            raise
        return None
    return series.bars[-1].v if series.bars else None


def _rules(ctx: Context, instrument: Instrument, price: Decimal, as_of: datetime) -> MatchRules:
    paper = ctx.policy.paper
    return MatchRules(
        tick=tick_size(instrument, price, as_of.date()),
        lot=instrument.lot_step,
        slippage_bps=paper.slippage_bps,
        half_spread_bps=paper.half_spread_bps,
        max_volume_pct=paper.max_volume_pct,
        partial_fills=paper.partial_fills,
    )


def _working(row: Row[Any]) -> Working:
    return Working(
        side=row.side,
        type=row.type,
        quantity=row.quantity,
        limit_price=row.limit_price,
        stop_price=row.stop_price,
        worst_price=row.worst_price,
        live_at=row.live_at,
        filled=row.filled_quantity,
        triggered=bool(row.triggered),
        volume_seen=row.volume_seen,
    )


@dataclass(frozen=True, slots=True)
class _Progress:
    after: Working
    matches: list[Match]
    seen_until: datetime
    status: str
    reason: str


def _progress(ctx: Context, row: Row[Any]) -> _Progress:
    feed = ctx.port(Feed)
    as_of, before = feed.as_of(ctx), _working(row)
    ends = _day_end(row)
    if as_of < row.seen_until:
        over = ends is not None and as_of < row.accepted_at
        return _Progress(
            before, [], as_of, "expired" if over else "open", "the market's time began again"
        )
    instrument = feed.instrument(ctx, row.symbol)
    if known_splits(ctx, instrument.id, row.seen_until, as_of):
        return _Progress(before, [], as_of, "cancelled", "a split changed the instrument")
    until = min(as_of, row.seen_until + _LOOK_MAX)
    traded_until = until if ends is None else min(until, ends)
    ticks = feed.tape(ctx, row.symbol, row.seen_until, traded_until)
    price = ticks[-1].price if ticks else row.worst_price
    after, matches = consume(before, ticks, _rules(ctx, instrument, price, as_of))
    over = ends is not None and until >= ends and after.remaining > 0
    return _Progress(
        after, matches, until, "expired" if over else "open", "the session ended" if over else ""
    )


def _day_end(row: Row[Any]) -> datetime | None:
    if row.tif != "day":
        return None
    session = market_state(row.calendar, row.accepted_at).session
    return None if session is None else session.close


def _changes(ctx: Context, row: Row[Any]) -> bool:
    if row.status != "open":
        return False
    step = _progress(ctx, row)
    return (
        bool(step.matches)
        or step.status != "open"
        or (
            step.after.triggered != bool(row.triggered)
            or abs(step.seen_until - row.seen_until) >= _REMEMBER_EVERY
        )
    )


def _bring(ctx: Context, row: Row[Any]) -> Row[Any]:
    if row.status != "open":
        return row
    step = _progress(ctx, row)
    provenance = str(ctx.port(Feed).quote(ctx, row.symbol).provenance) if step.matches else ""
    _write(ctx, row, step.after, step.matches, provenance=provenance, seen_until=step.seen_until)
    row = _row(ctx, row.id)
    if row.status == "open" and step.status != "open":
        _end(ctx, row.id, step.status, step.reason)
    return _row(ctx, row.id)


def _cancel(ctx: Context, account_id: str, client_order_id: str) -> Outcome:
    ctx.db.lock(f"paper:{account_id}")
    rows = _rows(ctx, account_id, [client_order_id])
    if not rows:
        return Rejected("unknown order")
    row = _bring(ctx, rows[0])
    if row.status != "open":
        return Rejected(f"the order is {row.status}")
    _end(ctx, row.id, "cancelled", "cancelled on request")
    return Accepted(row.id)


def _replace(ctx: Context, account_id: str, client_order_id: str, change: Change) -> Outcome:
    ctx.db.lock(f"paper:{account_id}")
    rows = _rows(ctx, account_id, [client_order_id])
    if not rows:
        return Rejected("unknown order")
    row = _bring(ctx, rows[0])
    if row.status != "open" or row.triggered:
        return Rejected("its stop has traded" if row.triggered else f"the order is {row.status}")
    feed = ctx.port(Feed)
    instrument, as_of = feed.instrument(ctx, row.symbol), feed.as_of(ctx)
    is_open = market_state(instrument.calendar, as_of).state == "open"
    if change.type == "market" or (change.tif == "day" and not is_open):
        return Rejected("a change names a price, and one for the day waits for the session")
    take_terms(ctx, row, change, as_of)
    if is_open and not ctx.policy.paper.latency_ms:
        _meet_market(ctx, row.id, instrument, as_of, volume=_ZERO)
    return Accepted(row.id)


def _write(
    ctx: Context,
    row: Row[Any],
    after: Working,
    matches: list[Match],
    *,
    provenance: str,
    seen_until: datetime,
) -> None:
    done = row.filled_quantity
    for match in matches:
        number = _next_fill_number(ctx, row.id)
        ctx.db.insert(
            paper_fills,
            {
                "exec_id": f"{row.id}-{number}",
                "paper_order_id": row.id,
                "number": number,
                "quantity": match.quantity,
                "price": match.price,
                "provenance": provenance,
                "commission": commission(
                    match.quantity,
                    per_unit=ctx.policy.paper.commission_share,
                    minimum=ctx.policy.paper.commission_min,
                    already_filled=done,
                ),
                "flags": ",".join(match.flags),
                "at": match.at,
            },
        )
        done += match.quantity
    ctx.db.change(
        update(paper_orders)
        .where(paper_orders.c.id == row.id)
        .values(
            filled_quantity=done,
            triggered=int(after.triggered),
            volume_seen=after.volume_seen,
            seen_until=seen_until,
            status="filled" if done >= row.quantity else "open",
        )
    )


def _next_fill_number(ctx: Context, paper_id: str) -> int:
    fills = select(func.count(paper_fills.c.number)).where(paper_fills.c.paper_order_id == paper_id)
    return int(ctx.db.scalar(fills)) + 1


def _end(ctx: Context, paper_id: str, status: str, reason: str) -> None:
    ctx.db.change(
        update(paper_orders)
        .where(paper_orders.c.id == paper_id)
        .values(status=status, reason=reason)
    )


def _row(ctx: Context, paper_id: str) -> Row[Any]:
    row = ctx.db.row(select(paper_orders).where(paper_orders.c.id == paper_id))
    if row is None:
        raise refuse("ORDER_UNKNOWN", id=paper_id)
    return row
