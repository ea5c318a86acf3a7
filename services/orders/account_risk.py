"""Owns reading an account's risk: positions and opening orders with their stops, and its latch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import bindparam, distinct, func, select

from services import audit
from services.kit.context import Context
from services.kit.errors import Refusal
from services.kit.money import rounded
from services.ledger import valuation
from services.ledger.tables import trades
from services.ledger.valuation import CALENDAR, HeldValue, Valuation
from services.market.feed import Feed
from services.market.freeze import TENANT, portfolio_scope
from services.market.last_good import find_last_good
from services.market.quality_store import find_marks
from services.market.quality_tables import freezes
from services.market.round import market_round, session_key
from services.market.session import find_last_session, market_state, trading_minutes
from services.orders import desk, freeze
from services.orders.order import Order, Side, order_from_json
from services.orders.stop_cover import Known, covers_of, find_known, open_orders, planned_stop
from services.orders.tables import day_loss_latches, fills
from services.trade.param import ONE, ZERO
from services.trade.risk import HeldState, RiskAccount, RiskPosition, RiskReading, read_risk
from services.trade.risk_facts import book_facts, limits_of
from services.trade.risk_store import find_risk

FALLEN = "drawdown"
"""The subject of a freeze that a fall from the peak opened."""
_CLOSING = select(trades.c.order_id).where(
    trades.c.portfolio_id == bindparam("of_portfolio"), trades.c.closed_at >= bindparam("since")
)
_OPENED = select(func.count(distinct(fills.c.order_id))).where(
    fills.c.portfolio_id == bindparam("of_portfolio"),
    fills.c.at >= bindparam("since"),
    fills.c.round == bindparam("turn"),
    fills.c.order_id.not_in(_CLOSING),
)
_RELEASED = select(func.max(freezes.c.cleared_at)).where(
    freezes.c.scope == bindparam("of_scope"), freezes.c.subject == FALLEN
)
_LATCH = select(day_loss_latches.c.at).where(
    day_loss_latches.c.portfolio_id == bindparam("of_portfolio"),
    day_loss_latches.c.session_date == bindparam("of_session"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountRisk:
    """What an account risks now; `reading` is None while it has no equity to measure against.

    `provenance` and `source` are those of the prices, of the feed while nothing is held.
    `cools_until` is the market time at which losses in a row have cooled.
    """

    portfolio_id: str
    currency: str
    as_of: datetime
    session: str
    market_open: bool
    reading: RiskReading | None
    week_pnl: Decimal
    cools_until: datetime | None
    provenance: str
    source: str


def read_account(
    ctx: Context, portfolio_id: str, *, worth: Valuation | None = None, but: str = ""
) -> AccountRisk:
    """Return the risk of one account now; reads only.

    `worth` spares a second valuation; `but` names the client order id that is not counted, since
    it is what is judged. Raises `PORTFOLIO_UNKNOWN`.
    """
    worth = worth or valuation.value(ctx, portfolio_id)
    as_of, feed = worth.as_of, ctx.port(Feed)
    market_open = market_state(CALENDAR, as_of).state == "open"
    session = find_last_session(CALENDAR, as_of)
    key = session_key(ctx, session.date if session else as_of.date())
    book = _Book(ctx, worth, market_open=market_open)
    equity = worth.cash.posted.amount + book.value
    base = worth.session_open_equity or ZERO
    facts = book_facts(
        ctx, portfolio_id, equity, as_of=as_of, released=_released_at(ctx, portfolio_id)
    )
    account = RiskAccount(
        equity=base,
        one_r=base * ctx.policy.sizing.risk_pct,
        realised_today=facts.realised,
        unrealised_today=equity - base - facts.realised,
        frozen=_frozen(ctx, portfolio_id),
        week_pnl=facts.week_pnl,
        drawdown=facts.drawdown,
        losses=facts.losses,
        trades=_opened_today(ctx, portfolio_id, session.open if session else as_of),
        price_age_s=book.price_age_s,
    )
    reading = None
    if base > 0:
        reading = read_risk(
            account,
            book.positions(but),
            limits=limits_of(ctx.policy.risk, market_open=market_open),
            before=_held_before(ctx, portfolio_id, key),
        )
    return AccountRisk(
        portfolio_id=portfolio_id,
        currency=worth.currency,
        as_of=as_of,
        session=key,
        market_open=market_open,
        reading=reading,
        week_pnl=facts.week_pnl,
        cools_until=facts.cools_until,
        provenance=worth.provenance or str(feed.provenance),
        source=worth.source or feed.name,
    )


def order_as_position(ctx: Context, order: Order, quantity: Decimal) -> RiskPosition:
    """Return `quantity` units of an order as a position at its worst price and planned stop."""
    groups = dict(ctx.policy.risk.groups)
    return RiskPosition(
        symbol=order.symbol,
        side="long" if order.side is Side.BUY else "short",
        quantity=quantity,
        last=order.worst_price,
        stop=planned_stop(ctx, order),
        group=groups.get(order.symbol, ""),
    )


class _Book:
    """What is held and what is ordered, gathered once."""

    def __init__(self, ctx: Context, worth: Valuation, *, market_open: bool) -> None:
        self._ctx = ctx
        self._worth = worth
        self._groups = dict(ctx.policy.risk.groups)
        self._known = Known()
        self.price_age_s = 0
        self._marks = {one.listing: self._mark(one, counts=market_open) for one in worth.holdings}

    @property
    def value(self) -> Decimal:
        """Return what is held, at last known prices where one is missing."""
        return sum((self._value(one) for one in self._worth.holdings), ZERO)

    def positions(self, but: str) -> list[RiskPosition]:
        """Return what is held by its stops, then the unfilled orders that open."""
        rows = open_orders(self._ctx, self._worth.portfolio_id, but)
        held = {one.listing: one for one in self._worth.holdings}
        if held:
            self._known = find_known(self._ctx, self._worth.portfolio_id)
        found = [part for one in self._worth.holdings for part in self._parts(one, rows)]
        for row in rows:
            order = order_from_json(row.order_json)
            units = _opening_units(order, row.quantity - row.filled_quantity, held)
            if units > 0:
                found.append(order_as_position(self._ctx, order, units))
        return found

    def _parts(self, one: HeldValue, rows: Sequence[Any]) -> list[RiskPosition]:
        if not one.quantity:
            return []
        last, scale, multiplier = self._marks[one.listing]
        book, known = self._worth.portfolio_id, self._known
        return [
            RiskPosition(
                symbol=one.symbol,
                side="long" if one.quantity > 0 else "short",
                quantity=part.quantity,
                last=last,
                stop=None if part.stop is None else part.stop * scale,
                multiplier=multiplier,
                fx=one.rate or ONE,
                group=self._groups.get(one.symbol, ""),
            )
            for part in covers_of(self._ctx, book, one, rows, known=known)
        ]

    def _value(self, one: HeldValue) -> Decimal:
        if one.market_value is not None:
            return one.market_value
        last, _, multiplier = self._marks[one.listing]
        return rounded(one.quantity * last * multiplier * (one.rate or ONE), 2)

    def _mark(self, one: HeldValue, *, counts: bool) -> tuple[Decimal, Decimal, Decimal]:
        """Return the last price in the major unit, its scale, and units per quantity.

        Without a price of now it is the last one known, else the average cost. Where `counts`, how
        long the price has been missing makes the age of the book's oldest price.
        """
        scale, multiplier, calendar = ONE, ONE, CALENDAR
        try:
            instrument = self._ctx.port(Feed).instrument(self._ctx, one.listing)
        except Refusal:
            instrument = None
        if instrument is not None:
            scale, multiplier = instrument.price_scale, instrument.multiplier
            calendar = instrument.calendar
        if one.market_value is not None and one.last is not None:
            return one.last, scale, multiplier
        known = _last_known(self._ctx, one.listing, self._worth.as_of)
        if counts:
            since = known[1] if known else _open_of(calendar, self._worth.as_of)
            age = 60 * trading_minutes(calendar, since, self._worth.as_of)
            self.price_age_s = max(self.price_age_s, age)
        return (known[0] * scale if known else one.average_cost), scale, multiplier


def _last_known(ctx: Context, listing: str, as_of: datetime) -> tuple[Decimal, datetime] | None:
    """Return the newest good price of a listing and its time: a kept quote or the gate's mark."""
    found: list[tuple[datetime, Decimal]] = []
    kept = find_last_good(ctx, listing)
    if kept is not None:
        found.append((kept.ts, kept.last))
    for mark in find_marks(ctx, (listing,)).values():
        at, price = mark.window.last_ts, mark.window.last
        if price is not None and at is not None and at <= as_of:
            found.append((at, price))
    newest = max(found, default=None)
    return None if newest is None else (newest[1], newest[0])


def _open_of(calendar: str, as_of: datetime) -> datetime:
    session = find_last_session(calendar, as_of)
    return session.open if session else as_of


def _opening_units(order: Order, left: Decimal, held: dict[str, HeldValue]) -> Decimal:
    """Return how many unfilled units of an order would open: what closes opens nothing."""
    mine = held.get(order.instrument_id)
    position = mine.quantity if mine else ZERO
    closes = abs(position) if position * order.sign < 0 else ZERO
    return max(ZERO, left - closes)


def _opened_today(ctx: Context, portfolio_id: str, opened: datetime) -> int:
    """Return how many orders were filled since the session's open without closing anything."""
    found = ctx.db.scalar(_OPENED, of_portfolio=portfolio_id, since=opened, turn=market_round(ctx))
    return int(found or 0)


def _frozen(ctx: Context, portfolio_id: str) -> str | None:
    """Return why the account itself is frozen: a freeze of its scopes, or a broken record."""
    reason = freeze.frozen_reason(ctx, (TENANT, portfolio_scope(portfolio_id)))
    return reason or desk.unready_reason(ctx) or None


def _released_at(ctx: Context, portfolio_id: str) -> datetime | None:
    """Return when a person last lifted a freeze that a fall from the peak had opened."""
    found: datetime | None = ctx.db.scalar(_RELEASED, of_scope=portfolio_scope(portfolio_id))
    return found


def _held_before(ctx: Context, portfolio_id: str, session: str) -> HeldState | None:
    """Return the state that the account was held in during this session, with the stored latch."""
    latched = _is_latched(ctx, portfolio_id, session)
    kept = find_risk(ctx, portfolio_id)
    if kept is None or kept.session != session:
        return HeldState("breach", day_loss_latched=True) if latched else None
    return HeldState(kept.state, day_loss_latched=latched)


def latch_day_loss(ctx: Context, portfolio_id: str, reading: RiskReading, *, session: str) -> None:
    """Remember for the rest of the session (its key) that the day's loss reached its limit."""
    known = reading.held.day_loss_latched and _is_latched(ctx, portfolio_id, session)
    if known or "day_loss" not in reading.found.breaches:
        return
    loss = -reading.found.day_pnl
    limit = reading.limits["day_loss"] * reading.account.equity
    ctx.db.insert(
        day_loss_latches,
        {"portfolio_id": portfolio_id, "session_date": session, "loss": loss, "at": ctx.now},
    )
    audit.record(ctx, "risk.day_loss", portfolio_id, loss=loss, limit=limit, session=session)


def _is_latched(ctx: Context, portfolio_id: str, session: str) -> bool:
    found = ctx.db.row(_LATCH, of_portfolio=portfolio_id, of_session=session)
    return found is not None
