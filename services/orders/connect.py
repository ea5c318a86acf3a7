"""Owns connecting an account outside: it is checked with the broker, then gets a portfolio.

And afterwards it owns comparing the two: what the broker holds and what our book says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Protocol

from sqlalchemy import or_, select

from services import audit
from services.kit.context import Context
from services.kit.money import decimal_text, rounded
from services.ledger import book, holding, portfolio
from services.ledger.portfolio import Seat
from services.market.freeze import portfolio_scope
from services.orders.account_age import judge_age, note_read
from services.orders.broker import Desk
from services.orders.freeze import freeze
from services.orders.order import WITH_BROKER, State
from services.orders.tables import order_intents
from services.trade.day_trade import ASSUMED, DayTradeRule

CASH_TOLERANCE = Decimal("0.01")
"""Drift of cash that is let pass (`safety.md` 1.5); of units none is."""
_SETTLING = timedelta(seconds=30)
"""How long after an order's last change its account is not compared: positions follow fills."""
_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Holdings:
    """What a broker says that an account owns: cash in USD, and signed units by symbol.

    `day_trade_rule` is the rule for its kind of account (`services.trade.day_trade`).
    """

    cash: Decimal
    units: Mapping[str, Decimal]
    day_trade_rule: DayTradeRule = ASSUMED


class Connectable(Protocol):
    """An account outside that can be asked what it is and what it owns."""

    account_id: str
    broker: str
    mode: str
    title: str

    def check(self) -> None:
        """Raise `AccountRefused` when the broker does not know this account for this token."""
        ...

    def holdings(self) -> Holdings:
        """Return what the account owns. Raises `BrokerUnreachable`."""
        ...


class AccountRefused(Exception):
    """The broker answered, and this account is not for this token."""


@dataclass(frozen=True, slots=True)
class Drift:
    """One difference: `what` is a symbol or `cash`."""

    what: str
    book: Decimal
    broker: Decimal


def connect(desk: Desk, account: Connectable) -> str:
    """Give an account outside its portfolio, once; return the portfolio's id.

    The portfolio opens with the broker's cash. Raises `AccountRefused` for an account that the
    token may not use or that holds positions already, whose cost and lots are not ours to guess,
    and `BrokerUnreachable`.
    """
    known = desk.runtime.read(
        desk.principal, lambda ctx: portfolio.find_seat(ctx, account.account_id)
    )
    if known is not None:
        return known.portfolio_id
    account.check()
    owned = account.holdings()
    held = [symbol for symbol, units in sorted(owned.units.items()) if units]
    if held:
        raise AccountRefused(
            f"the account holds {', '.join(held[:5])}; positions of before are not taken over"
        )
    cash = rounded(owned.cash, 2)
    if cash <= 0:
        raise AccountRefused("the account has no cash")
    seat = Seat(
        id=account.account_id,
        broker=account.broker,
        mode=account.mode,
        day_trade_rule=owned.day_trade_rule,
    )

    def act(ctx: Context) -> str:
        opened = portfolio.open_portfolio(ctx, account.title, start_cash=cash, seat=seat)
        note_read(ctx, account.account_id, opened.id)
        audit.record(
            ctx,
            "broker.connected",
            opened.id,
            account=account.account_id,
            broker=account.broker,
            mode=account.mode,
            cash=cash,
            day_trade_rule=owned.day_trade_rule,
        )
        return opened.id

    return desk.runtime.write(desk.principal, act)


def compare(desk: Desk, account: Connectable, before: Sequence[Drift] = ()) -> list[Drift]:
    """Compare a connected account with its book; the same difference twice freezes its portfolio.

    `before` is what the look before this one returned: a fill that the broker books and we have
    not read yet differs once, and no more at the next look. Nothing is corrected: a person looks,
    and posts what is missing. An account with an order that moved lately, or is in doubt, is left
    alone until it rests. Returns what differs. Raises `BrokerUnreachable`; a failed question never
    means flat.
    """
    seat = desk.runtime.read(
        desk.principal, lambda ctx: portfolio.find_seat(ctx, account.account_id)
    )
    if seat is None:
        return []
    rests = desk.runtime.read(desk.principal, lambda ctx: _rests(ctx, account.account_id))
    owned = account.holdings()

    def act(ctx: Context) -> list[Drift]:
        note_read(ctx, account.account_id, seat.portfolio_id)
        if not rests or not _rests(ctx, account.account_id):
            return []
        units = {one.symbol: one.quantity for one in holding.positions(ctx, seat.portfolio_id)}
        mine = Holdings(cash=book.cash(ctx, seat.portfolio_id).posted.amount, units=units)
        found = find_drift(mine, owned)
        if found and found == list(before):
            freeze(
                ctx,
                f"the book differs from the broker: {drift_words(found)}",
                subject=account.account_id,
                scope=portfolio_scope(seat.portfolio_id),
            )
        return found

    return desk.runtime.write(desk.principal, act)


def mind_age(desk: Desk, account: Connectable) -> str:
    """Freeze the orders of an account that could not be read for too long; return why, or empty.

    Call it when the account did not answer. The next complete read (`compare`) thaws it.
    """

    def act(ctx: Context) -> str:
        seat = portfolio.find_seat(ctx, account.account_id)
        return "" if seat is None else judge_age(ctx, account.account_id, seat.portfolio_id)

    return desk.runtime.write(desk.principal, act)


def find_drift(mine: Holdings, broker: Holdings) -> list[Drift]:
    """Return every difference beyond the tolerance, by symbol, cash last; pure.

    Worked: 10 AAPL here and 11 there is one difference; 100.00 and 100.01 in cash is none.
    """
    symbols = sorted(dict.fromkeys([*mine.units, *broker.units]))
    found = [
        Drift(symbol, mine.units.get(symbol, _ZERO), broker.units.get(symbol, _ZERO))
        for symbol in symbols
        if mine.units.get(symbol, _ZERO) != broker.units.get(symbol, _ZERO)
    ]
    if abs(mine.cash - broker.cash) > CASH_TOLERANCE:
        found.append(Drift("cash", mine.cash, rounded(broker.cash, 2)))
    return found


def drift_words(found: Sequence[Drift]) -> str:
    """Return the differences in words, at most five of them."""
    said = [
        f"{one.what} {decimal_text(one.book)} here, {decimal_text(one.broker)} there"
        for one in found[:5]
    ]
    return "; ".join(said)


def _rests(ctx: Context, account_id: str) -> bool:
    """Return True when no order of the account moved lately or is on its way."""
    table = order_intents.c
    moving = [
        state.value
        for state in (State.CLAIMED, *WITH_BROKER)
        if state not in (State.WORKING, State.PARTIALLY_FILLED)
    ]
    lately = table.updated_at > ctx.now - _SETTLING
    row = ctx.db.row(
        select(table.id)
        .where(table.account_id == account_id, or_(table.state.in_(moving), lately))
        .limit(1)
    )
    return row is None
