"""Owns gathering what the guards look at: book, market, switch and recent orders, read once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, cast

from sqlalchemy import ColumnElement, bindparam, func, or_, select

from services.kit.context import Context
from services.kit.db import QuantityColumn
from services.kit.errors import check
from services.kit.money import rounded
from services.ledger import portfolio, valuation
from services.ledger.valuation import Valuation
from services.market import quality
from services.market.feed import Feed
from services.market.freeze import portfolio_scope
from services.market.instrument import Instrument, tick_size
from services.market.quote import Quote
from services.market.round import market_round, session_key
from services.market.session import find_last_session, market_state, session_on, sessions_between
from services.orders import account_risk, desk, fill, freeze, switch
from services.orders.account_age import stale_reason
from services.orders.account_risk import order_as_position, read_account
from services.orders.guard_context import GuardContext, Stage
from services.orders.order import IN_DOUBT, OPEN, Order, Side, State
from services.orders.tables import fills, order_intents
from services.trade.day_trade import DayTradeRule
from services.trade.risk import RiskPosition

ZERO = Decimal(0)
_HOLDING = tuple(state.value for state in (*OPEN, State.PRESUMED_NOT_ACCEPTED))
_DOUBTED = tuple(state.value for state in (*IN_DOUBT, State.DISPUTED))
_MATTER = (*_HOLDING, State.DISPUTED.value)
_NINE_DAYS = timedelta(days=9)
"""Calendar days that are sure to hold the last five sessions."""
_QUANTITY_PLACES, _QUANTITY_MAX = QuantityColumn.places, Decimal(10) ** 10
_LEFT = order_intents.c.quantity - order_intents.c.filled_quantity
_SAME = order_intents.c.listing == bindparam("of_listing")
_COUNTED: tuple[ColumnElement[Any], ...] = (
    func.sum(_LEFT, type_=QuantityColumn).filter(
        _SAME, order_intents.c.side == Side.SELL.value, order_intents.c.state.in_(_HOLDING)
    ),
    func.count(order_intents.c.id).filter(_SAME, order_intents.c.state.in_(_DOUBTED)),
    func.count(order_intents.c.id).filter(
        _SAME,
        order_intents.c.confirmed_at > bindparam("since"),
        order_intents.c.side == bindparam("on_side"),
        order_intents.c.quantity == bindparam("of_quantity"),
    ),
)
_OTHERS = select(*_COUNTED).where(
    order_intents.c.portfolio_id == bindparam("of_portfolio"),
    order_intents.c.client_order_id != bindparam("but"),
    or_(order_intents.c.state.in_(_MATTER), order_intents.c.confirmed_at > bindparam("since")),
)
"""By state and by time, never by listing: of its many orders few matter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketFacts:
    """The instrument and its quote now, and what data quality says about it.

    `session_key` is that of the session that opened last: what is latched lasts until the next.
    """

    instrument: Instrument
    quote: Quote
    as_of: datetime
    state: str
    next_open: str
    session_date: str
    session_key: str
    tick: Decimal
    snapshot: quality.QualitySnapshot
    findings: tuple[str, ...]

    @property
    def dq_snapshot_id(self) -> str:
        """Return the id of the stored data-quality snapshot."""
        return self.snapshot.id


def market_facts(ctx: Context, symbol: str, portfolio_id: str) -> MarketFacts:
    """Return the market's side of a decision; stores a data-quality snapshot.

    Freezes of the portfolio count too. Raises `SYMBOL_UNKNOWN`, `FEATURE_OFF` and what the feed
    refuses.
    """
    feed = ctx.port(Feed)
    instrument = feed.instrument(ctx, symbol)
    quote = feed.quote(ctx, instrument.symbol)
    scopes = (portfolio_scope(portfolio_id),)
    snapshot = quality.snapshot(ctx, (instrument.symbol,), scopes=scopes)
    return _facts(instrument, quote, snapshot, ctx)


def clean_market(ctx: Context, symbol: str, portfolio_id: str) -> MarketFacts:
    """Return the market's side of a decision on green data; what proposes and confirms asks this.

    Raises `DQ_BLOCK` as `quality.block` words it, also when the feed has no quote; otherwise as
    `market_facts`.
    """
    feed = ctx.port(Feed)
    instrument = feed.instrument(ctx, symbol)
    scopes = (portfolio_scope(portfolio_id),)
    snapshot = quality.snapshot(ctx, (instrument.symbol,), scopes=scopes)
    if not snapshot.green:
        raise quality.block(snapshot, guard="quote_fresh")
    return _facts(instrument, feed.quote(ctx, instrument.symbol), snapshot, ctx)


def _facts(
    instrument: Instrument, quote: Quote, snapshot: quality.QualitySnapshot, ctx: Context
) -> MarketFacts:
    as_of = snapshot.as_of
    state = market_state(instrument.calendar, as_of)
    critical = [finding.code for seen in snapshot.looks for finding in seen.critical]
    day = state.session.date if state.session else as_of.date()
    opened = find_last_session(valuation.CALENDAR, as_of)
    return MarketFacts(
        instrument=instrument,
        quote=quote,
        as_of=as_of,
        state="halted" if quote.halted else str(state.state),
        next_open=str(state.next_open or ""),
        session_date=day.isoformat(),
        session_key=session_key(ctx, opened.date if opened else day),
        tick=tick_size(instrument, quote.mid, as_of.date()) if snapshot.green else ZERO,
        snapshot=snapshot,
        findings=tuple(critical),
    )


def require_clean(market: MarketFacts) -> MarketFacts:
    """Return the facts when data quality is green. Raises `DQ_BLOCK` naming the findings."""
    if market.findings:
        raise quality.block(market.snapshot, guard="quote_fresh")
    return market


def commission_of(ctx: Context, quantity: Decimal) -> Decimal:
    """Return the estimated commission of the whole order under the policy."""
    paper = ctx.policy.paper
    return fill.commission(quantity, per_unit=paper.commission_share, minimum=paper.commission_min)


def guard_context(
    ctx: Context,
    order: Order,
    stage: Stage,
    *,
    market: MarketFacts,
    expires_at: datetime,
    reference_mid: Decimal | None = None,
) -> GuardContext:
    """Return the frozen context that every guard of one decision looks at."""
    account = portfolio.account_of(ctx, order.portfolio_id)
    value = valuation.value(ctx, order.portfolio_id)
    held, others = _held(value, order), _others(ctx, order)
    scopes = switch.scopes_of(order.portfolio_id, order.instrument_id)
    stand = switch.state(ctx, scopes=scopes)
    quote = market.quote
    risk = read_account(ctx, order.portfolio_id, worth=value, but=order.client_order_id)
    return GuardContext(
        stage=stage,
        order=order,
        now=desk.peek_now(ctx),
        expires_at=expires_at,
        switch_state=stand.state.value,
        switch_reason=stand.reason,
        frozen_reason=freeze.frozen_reason(ctx, scopes) or stale_reason(ctx, order.account_id),
        unready_reason=desk.unready_reason(ctx),
        account_mode=account.mode,
        allow_short=bool(account.allow_short),
        live_process=ctx.settings.live_trading,
        sandbox=False,
        day_trade_rule=cast("DayTradeRule", account.day_trade_rule),
        quote_provenance=str(quote.provenance),
        bid=quote.bid,
        ask=quote.ask,
        quote_age_s=_seconds(market.as_of - quote.ts),
        dq_findings=market.findings,
        market_state=market.state,
        next_open=market.next_open,
        calendar=market.instrument.calendar,
        tick=market.tick,
        lot_step=market.instrument.lot_step,
        min_quantity=market.instrument.min_quantity,
        held=held,
        available_quantity=held - others.promised,
        cash_available=value.cash.available.amount,
        unsettled_cash=_unsettled(ctx, order, market) if account.day_trade_rule == "cash" else ZERO,
        commission=commission_of(ctx, order.quantity) if order.quantity > 0 else ZERO,
        equity=_amount(value.equity),
        open_equity=_amount(value.session_open_equity),
        gross_value=sum((abs(_amount(held.market_value)) for held in value.holdings), ZERO),
        day_pnl=_amount(value.day_pnl),
        day_loss_latched=risk.reading is not None and risk.reading.held.day_loss_latched,
        day_trades=_day_trades(ctx, order, market) if account.day_trade_rule == "pdt_legacy" else 0,
        in_doubt=others.in_doubt,
        alike_recently=others.alike,
        reference_mid=reference_mid,
        policy=ctx.policy.orders,
        risk=ctx.policy.risk,
        account_risk=risk.reading,
        opening=_opening(ctx, order, held),
    )


def _opening(ctx: Context, order: Order, held: Decimal) -> RiskPosition | None:
    """Return the units of an order that open or add to a position; None when there are none."""
    closes = abs(held) if held * order.sign < 0 else ZERO
    units = order.quantity - closes
    if units <= 0 or order.worst_price <= 0:
        return None
    return order_as_position(ctx, order, units)


def latch_day_loss(ctx: Context, seen: GuardContext, session: str) -> None:
    """Remember for the rest of the session (its key) that the day's loss reached its limit."""
    if seen.account_risk is not None:
        account_risk.latch_day_loss(
            ctx, seen.order.portfolio_id, seen.account_risk, session=session
        )


def _amount(value: Any) -> Decimal:
    if value is None:
        return ZERO
    return value if isinstance(value, Decimal) else Decimal(value.amount)


def _seconds(age: timedelta) -> Decimal:
    return Decimal(age // timedelta(milliseconds=1)) / 1000


def _held(value: Valuation, order: Order) -> Decimal:
    return next(
        (one.quantity for one in value.holdings if one.listing == order.instrument_id), ZERO
    )


@dataclass(frozen=True, slots=True)
class _Others:
    promised: Decimal
    in_doubt: int
    alike: int


def _others(ctx: Context, order: Order) -> _Others:
    """Return what the other orders of this listing mean for `order`, by one query."""
    since = ctx.now - timedelta(seconds=ctx.policy.orders.duplicate_like_s)
    row = ctx.db.row(
        _OTHERS,
        of_portfolio=order.portfolio_id,
        of_listing=order.instrument_id,
        but=order.client_order_id,
        since=since,
        on_side=order.side.value,
        of_quantity=_stored(order.quantity),
    )
    check(row is not None, "a count is a row")
    promised, in_doubt, alike = tuple(row)  # type: ignore[arg-type]
    return _Others(promised or ZERO, in_doubt, alike)


def _stored(quantity: Decimal) -> Decimal:
    """Return a quantity as orders on record may have it, else 0, which none of them has."""
    fits = 0 < quantity < _QUANTITY_MAX and rounded(quantity, _QUANTITY_PLACES) == quantity
    return quantity if fits else ZERO


def _unsettled(ctx: Context, order: Order, market: MarketFacts) -> Decimal:
    session = session_on(market.instrument.calendar, market.as_of.date())
    if session is None:
        return ZERO
    rows = ctx.db.rows(
        select(fills.c.quantity, fills.c.price, fills.c.commission)
        .where(
            fills.c.portfolio_id == order.portfolio_id,
            fills.c.side == Side.SELL.value,
            fills.c.at >= session.open,
            fills.c.round == market_round(ctx),
        )
        .order_by(fills.c.id)
    )
    return sum((row.quantity * row.price - row.commission for row in rows), ZERO)


def _day_trades(ctx: Context, order: Order, market: MarketFacts) -> int:
    rows = ctx.db.rows(
        select(fills.c.symbol, fills.c.at, fills.c.side)
        .where(
            fills.c.portfolio_id == order.portfolio_id,
            fills.c.at >= market.as_of - _NINE_DAYS,
            fills.c.round == market_round(ctx),
        )
        .order_by(fills.c.symbol, fills.c.at)
    )
    days: dict[tuple[str, str], set[str]] = {}
    for row in rows:
        days.setdefault((row.symbol, row.at.date().isoformat()), set()).add(row.side)
    last_five = sessions_between(
        market.instrument.calendar, (market.as_of - _NINE_DAYS).date(), market.as_of.date()
    )[-5:]
    counted = {session.date.isoformat() for session in last_five}
    return sum(1 for (_, day), sides in days.items() if len(sides) == 2 and day in counted)
