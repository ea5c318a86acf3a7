"""Owns which stop holds which units of a position: stop orders first, then kept or planned ones."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

from sqlalchemy import bindparam, func, select, text

from services.kit.context import Context
from services.ledger.holding import find_position
from services.ledger.tables import ledger_batches
from services.ledger.valuation import HeldValue
from services.market.action_record import known_splits
from services.market.feed import Feed
from services.orders.order import OPEN, Order, OrderClass, Side
from services.orders.tables import fills, order_intents
from services.trade import advice
from services.trade.advice import Advice
from services.trade.param import ONE, ZERO
from services.trade.plan_store import find_plan
from services.trade.position_stop import find_stop
from services.trade.position_stop_tables import position_stops

_BUYS_MAX = 50
"""Filled orders of what is held that are asked for their stop, newest first."""
_OPEN_ORDERS = (
    select(
        order_intents.c.order_json,
        order_intents.c.listing,
        order_intents.c.quantity,
        order_intents.c.filled_quantity,
    )
    .where(
        order_intents.c.portfolio_id == bindparam("of_portfolio"),
        order_intents.c.state.in_([state.value for state in OPEN]),
        order_intents.c.client_order_id != bindparam("but"),
    )
    .order_by(order_intents.c.id)
)
_OPENERS = (
    select(order_intents.c.id, order_intents.c.order_json, order_intents.c.filled_quantity)
    .where(
        order_intents.c.portfolio_id == bindparam("of_portfolio"),
        order_intents.c.listing == bindparam("of_listing"),
        order_intents.c.side == bindparam("on_side"),
        order_intents.c.filled_quantity > ZERO,
    )
    .order_by(order_intents.c.id.desc())
    .limit(_BUYS_MAX)
)
_FILLED_AT = select(func.max(fills.c.at)).where(fills.c.order_id == bindparam("of_order"))
_HAS_SPLIT = (
    select(ledger_batches.c.seq)
    .where(
        ledger_batches.c.portfolio_id == bindparam("of_portfolio"),
        text("ledger_batches.kind = 'SPLIT'"),  # as the index of splits says it
    )
    .limit(1)
)


_KEPT = (
    select(position_stops.c.listing)
    .where(position_stops.c.portfolio_id == bindparam("of_portfolio"))
    .distinct()
    .order_by(position_stops.c.listing)
)


@dataclass(frozen=True, slots=True)
class Cover:
    """Units of a position that share a stop; None when nothing limits their loss."""

    quantity: Decimal
    stop: Decimal | None


def cover(quantity: Decimal, stops: Sequence[Cover], buys: Sequence[Cover]) -> list[Cover]:
    """Return how the units of a position are covered; `quantity` and all units are unsigned.

    Stop orders that work count first, in their order; what they leave takes the planned stops of
    the orders that opened it, newest first. Units that neither reaches have no stop.
    Worked: 100 held, a stop order for 60 at 95, bought as 100 planned at 90: 60 at 95, 40 at 90.
    """
    left, found = quantity, []
    for one in (*stops, *buys):
        units = min(left, one.quantity)
        if units > 0:
            found.append(Cover(units, one.stop))
            left -= units
    return [*found, Cover(left, None)] if left > 0 else found


def open_orders(ctx: Context, portfolio_id: str, but: str) -> list[Any]:
    """Return the orders that may still trade, oldest first, but the one with client id `but`."""
    return ctx.db.rows(_OPEN_ORDERS, of_portfolio=portfolio_id, but=but)


def covers_of(
    ctx: Context, portfolio_id: str, held: HeldValue, rows: Sequence[Any], *, known: Known
) -> list[Cover]:
    """Return how a position is covered, given the rows of `open_orders`; stops per unit.

    A stop that a person gave the position stands in for the planned ones: it only ever nears.
    """
    units, long = abs(held.quantity), held.quantity > 0
    stops = _working(rows, held.listing, long=long)
    left = units - sum((one.quantity for one in stops), ZERO)
    if left <= 0:
        return cover(units, stops, ())
    if held.listing in known.kept:
        position = find_position(ctx, portfolio_id, held.listing)
        kept = find_stop(ctx, portfolio_id, position) if position else None
        if kept is not None:
            return cover(units, stops, [Cover(left, kept.stop)])
    buys = _planned(ctx, portfolio_id, held, left, was_split=known.was_split)
    return cover(units, stops, buys)


@dataclass(frozen=True, slots=True)
class Known:
    """What spares look-ups: whether a book was ever split, and which listings have a kept stop."""

    was_split: bool = False
    kept: frozenset[str] = frozenset()


def find_known(ctx: Context, portfolio_id: str) -> Known:
    """Return what is known of a book before its positions are looked at one by one."""
    split = ctx.db.row(_HAS_SPLIT, of_portfolio=portfolio_id) is not None
    rows = ctx.db.rows(_KEPT, of_portfolio=portfolio_id)
    return Known(split, frozenset(row.listing for row in rows))


def planned_stop(ctx: Context, order: Order) -> Decimal | None:
    """Return the stop that an order names, else that of the plan or size it came from."""
    if order.protective_stop is not None:
        return order.protective_stop
    return _stop_of(find_advice(ctx, order.basis_ref, order.symbol, order.side.value))


def find_advice(ctx: Context, ref: str | None, symbol: str, side: str) -> Advice | None:
    """Return the plan or size that an order names, when it advised to open just that side."""
    found = advice.find(ctx, ref) if ref else None
    same = found is not None and found.symbol == symbol and found.opens == side
    return found if same else None


def first_target(ctx: Context, found: Advice) -> Decimal | None:
    """Return the first target of a plan or check, the nearest one, or None when it names none."""
    targets = found.document.get("targets") or ()
    ref = str(found.document.get("plan_id") or found.ref)
    if ref.startswith(advice.PLAN_PREFIX):
        plan = find_plan(ctx, ref)
        targets = [one["price"] for one in plan.document["targets"]] if plan else ()
    return Decimal(str(targets[0])) if targets else None


def openers(ctx: Context, portfolio_id: str, listing: str, *, long: bool) -> list[Any]:
    """Return the newest filled orders that bought (or sold short) a listing, newest first."""
    side = Side.BUY if long else Side.SELL
    return ctx.db.rows(_OPENERS, of_portfolio=portfolio_id, of_listing=listing, on_side=side.value)


def _working(rows: Sequence[Any], listing: str, *, long: bool) -> list[Cover]:
    """Return the stop orders that would close a position, the one that triggers first in front."""
    side, found = (Side.SELL if long else Side.BUY), []
    for row in rows:
        terms = _terms(row.order_json)
        if row.listing == listing and terms.side == side.value and terms.trigger is not None:
            found.append(Cover(row.quantity - row.filled_quantity, terms.trigger))
    return sorted(found, key=lambda one: one.stop or ZERO, reverse=long)


def _planned(
    ctx: Context, portfolio_id: str, held: HeldValue, left: Decimal, *, was_split: bool
) -> list[Cover]:
    """Return the planned stops of the orders that opened a position, newest first.

    Units and stops of orders from before a split are brought to the units of now.
    """
    rows = openers(ctx, portfolio_id, held.listing, long=held.quantity > 0)
    found: list[Cover] = []
    for row in rows:
        if left <= 0:
            break
        terms = _terms(row.order_json)
        stop = terms.protective_stop
        if stop is None:
            stop = _stop_of(find_advice(ctx, terms.basis_ref, held.symbol, terms.side))
        factor = _split_factor(ctx, held.listing, row.id) if was_split else ONE
        units = row.filled_quantity * factor
        found.append(Cover(units, None if stop is None else stop / factor))
        left -= units
    return found


def _split_factor(ctx: Context, listing: str, order_id: str) -> Decimal:
    """Return how many units one unit of an order has become by the splits since its last fill."""
    at: datetime | None = ctx.db.scalar(_FILLED_AT, of_order=order_id)
    factor = ONE
    if at is not None:
        for one in known_splits(ctx, listing, at, ctx.port(Feed).as_of(ctx)):
            factor = factor * one.ratio_to / one.ratio_from
    return factor


def _stop_of(found: Advice | None) -> Decimal | None:
    return None if found is None else found.number("stop")


@dataclass(frozen=True, slots=True)
class _Terms:
    """What of a stored order says how it covers."""

    side: str
    trigger: Decimal | None
    protective_stop: Decimal | None
    basis_ref: str | None


@lru_cache(maxsize=4096)
def _terms(text: str) -> _Terms:
    """Return the terms of a stored order; its text never changes, so it is read once."""
    body = json.loads(text)

    def price(name: str) -> Decimal | None:
        return Decimal(body[name]) if body.get(name) is not None else None

    return _Terms(
        body["side"],
        price("stop_loss") if body.get("order_class") == OrderClass.OCO else price("stop_price"),
        price("protective_stop"),
        body.get("basis_ref"),
    )
