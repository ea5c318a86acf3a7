"""Owns gathering what the rules of position actions look at: position, market, stops, risk."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import select

from services.kit.context import Context
from services.kit.errors import refuse
from services.ledger import portfolio, valuation
from services.ledger.holding import Holding, positions
from services.ledger.valuation import Valuation, mark_of
from services.orders.account_risk import AccountRisk, read_account
from services.orders.guard_facts import MarketFacts, clean_market
from services.orders.order import OPEN, Order, OrderClass, Side, order_from_json
from services.orders.stop_cover import find_advice, first_target, openers
from services.orders.tables import order_intents
from services.trade.param import ZERO
from services.trade.position_action import PositionFacts, Working, nearest_stop
from services.trade.position_stop import find_stop, side_of
from services.trade.risk_facts import limits_of
from services.trade.risk_words import reason_words


@dataclass(frozen=True, slots=True)
class Position:
    """A position of a portfolio with its facts."""

    portfolio_id: str
    held: Holding
    facts: PositionFacts


@dataclass(frozen=True, slots=True)
class _Basis:
    stop: Decimal | None = None
    target: Decimal | None = None
    ref: str = ""


@dataclass(frozen=True, slots=True)
class _Account:
    worth: Valuation
    risk: AccountRisk


def held_symbols(ctx: Context) -> list[str]:
    """Return the symbols that the default portfolio holds, by listing."""
    book = portfolio.get_portfolio(ctx, None)
    return [one.symbol for one in positions(ctx, book.id)]


def get_held(ctx: Context, symbol: str) -> Holding:
    """Return what the default portfolio holds of a symbol. Raises `POSITION_NONE`."""
    book = portfolio.get_portfolio(ctx, None)
    name = symbol.upper()
    held = next((one for one in positions(ctx, book.id) if one.symbol == name), None)
    if held is None:
        raise refuse("POSITION_NONE", symbol=name)
    return held


def get_position(ctx: Context, symbol: str) -> Position:
    """Return one position of the default portfolio with everything the rules look at.

    Raises `POSITION_NONE` when the symbol is not held, and `DQ_BLOCK` on data that is not green.
    """
    book = portfolio.get_portfolio(ctx, None)
    held = get_held(ctx, symbol)
    worth = valuation.value(ctx, book.id)
    account = _Account(worth, read_account(ctx, book.id, worth=worth))
    market = clean_market(ctx, held.listing, book.id)
    return Position(book.id, held, _facts(ctx, book.id, held, market=market, account=account))


def _facts(
    ctx: Context, portfolio_id: str, held: Holding, *, market: MarketFacts, account: _Account
) -> PositionFacts:
    quote, instrument = market.quote, market.instrument
    working = _working(ctx, portfolio_id, held)
    basis = _basis(ctx, portfolio_id, held)
    kept = find_stop(ctx, portfolio_id, held)
    stop, stop_source = _nearest(held, working, kept.stop if kept else None, basis)
    reading = account.risk.reading
    limits = limits_of(ctx.policy.risk, market_open=account.risk.market_open)
    return PositionFacts(
        symbol=held.symbol,
        side=side_of(held),
        quantity=abs(held.quantity),
        entry=abs(held.average_cost) / (instrument.price_scale * instrument.multiplier),
        bid=quote.bid,
        ask=quote.ask,
        last=mark_of(quote) or quote.mid,
        tick=market.tick,
        lot_step=instrument.lot_step,
        min_quantity=instrument.min_quantity,
        worth=instrument.price_scale * instrument.multiplier,
        currency=account.worth.currency,
        equity=reading.account.equity if reading else ZERO,
        one_r=reading.account.one_r if reading else ZERO,
        symbol_limit=limits["symbol"],
        working=working,
        stop=stop,
        stop_source=stop_source,
        planned_stop=basis.stop,
        target=basis.target,
        basis=basis.ref,
        account_state=reading.state if reading else "ok",
        account_reason=reason_words(reading, account.risk.currency) if reading else "",
        quote_age_s=Decimal((market.as_of - quote.ts) // timedelta(milliseconds=1)) / 1000,
        quote_age_max_s=Decimal(ctx.policy.orders.quote_age_advice_s),
        provenance=str(quote.provenance),
        source=quote.source,
    )


def _nearest(
    held: Holding, working: tuple[Working, ...], kept: Decimal | None, basis: _Basis
) -> tuple[Decimal | None, str]:
    """Return the nearest stop known, and whose it is: an order's, the person's or a plan's."""
    known = [(one.stop, one.id) for one in working if one.stop is not None]
    known += [(kept, "position stop")] if kept is not None else []
    known += [(basis.stop, basis.ref or "order")] if basis.stop is not None else []
    best = nearest_stop(side_of(held), [stop for stop, _ in known])
    return best, next((name for stop, name in known if stop == best), "")


def _working(ctx: Context, portfolio_id: str, held: Holding) -> tuple[Working, ...]:
    """Return the open orders that would close the position, oldest first."""
    closing = Side.SELL if held.quantity > 0 else Side.BUY
    mine = order_intents.c
    rows = ctx.db.rows(
        select(mine.id, mine.order_json, mine.quantity, mine.filled_quantity)
        .where(
            mine.portfolio_id == portfolio_id,
            mine.listing == held.listing,
            mine.side == closing.value,
            mine.state.in_([state.value for state in OPEN]),
        )
        .order_by(mine.id)
    )
    return tuple(_work(row) for row in rows)


def _work(row: Any) -> Working:
    order = order_from_json(row.order_json)
    target = order.limit_price if order.order_class is OrderClass.OCO else None
    return Working(row.id, row.quantity - row.filled_quantity, order.trigger, target)


def _basis(ctx: Context, portfolio_id: str, held: Holding) -> _Basis:
    """Return the plan of the newest order that opened units of the position and named one."""
    left = abs(held.quantity)
    for row in openers(ctx, portfolio_id, held.listing, long=held.quantity > 0):
        found = _basis_of(ctx, order_from_json(row.order_json))
        if left <= 0 or found.stop is not None:
            return found if left > 0 else _Basis()
        left -= row.filled_quantity
    return _Basis()


def _basis_of(ctx: Context, order: Order) -> _Basis:
    """Return the stop that an order names, else its plan's, and the plan's first target."""
    found = find_advice(ctx, order.basis_ref, order.symbol, order.side.value)
    if found is None:
        return _Basis(order.protective_stop)
    stop = order.protective_stop or found.number("stop")
    return _Basis(stop, first_target(ctx, found), found.ref)


@dataclass(frozen=True, slots=True)
class PositionStop:
    """The nearest stop known of a position. `works` is true when a stop order holds it.

    `stop_source` is that order's id, `position stop` for one that a person gave it, or the plan.
    """

    listing: str
    symbol: str
    stop: Decimal | None
    stop_source: str
    works: bool


def list_stops(ctx: Context, portfolio_id: str | None = None) -> list[PositionStop]:
    """Return the stop of every position of a portfolio, the default one for None, by listing.

    Raises `PORTFOLIO_UNKNOWN`.
    """
    book = portfolio.get_portfolio(ctx, portfolio_id)
    return [_stop_of(ctx, book.id, held) for held in positions(ctx, book.id)]


def _stop_of(ctx: Context, portfolio_id: str, held: Holding) -> PositionStop:
    working, kept = _working(ctx, portfolio_id, held), find_stop(ctx, portfolio_id, held)
    basis = _basis(ctx, portfolio_id, held)
    stop, source = _nearest(held, working, kept.stop if kept else None, basis)
    works = any(one.stop == stop for one in working if one.stop is not None)
    return PositionStop(held.listing, held.symbol, stop, source, works)
