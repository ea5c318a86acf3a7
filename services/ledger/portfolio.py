"""Owns portfolios and their accounts: opening, finding, renaming, and cash in and out."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import bindparam, select, update

from services import audit
from services.identity.user import LOCAL_TENANT
from services.kit.context import Context
from services.kit.errors import Refusal, refuse
from services.kit.text import require_text
from services.ledger.book import Posted, append
from services.ledger.position import CostMethod
from services.ledger.posting import MAX_AMOUNT, Batch, flow_legs, to_minor
from services.ledger.snapshot import open_cash
from services.ledger.tables import accounts, portfolios
from services.market.feed import Feed

DEFAULT_NAME = "Paper"
_NAME_MAX = 60
_CURRENCY = re.compile(r"[A-Z]{3}", re.ASCII)
_METHODS = ("average", "fifo")
_PORTFOLIO = select(portfolios).where(portfolios.c.id == bindparam("of_portfolio"))
_ACCOUNT = select(accounts).where(accounts.c.portfolio_id == bindparam("of_portfolio"))
_DEFAULT = (
    select(portfolios)
    .join(accounts, accounts.c.portfolio_id == portfolios.c.id)
    .where(portfolios.c.status == "open", accounts.c.broker == bindparam("at_broker"))
    .order_by(portfolios.c.opened_at, portfolios.c.id)
    .limit(1)
)


@dataclass(frozen=True, slots=True)
class Portfolio:
    """A book of one base currency and one cost method; neither ever changes."""

    id: str
    name: str
    base_currency: str
    cost_method: CostMethod
    status: str
    start_cash: Decimal
    opened_at: datetime


@dataclass(frozen=True, slots=True)
class Account:
    """Where a portfolio's orders go."""

    id: str
    portfolio_id: str
    broker: str
    mode: str
    currency: str
    allow_short: bool
    day_trade_rule: str


@dataclass(frozen=True, slots=True)
class Seat:
    """Where the orders of a new portfolio go; without an `id` the account gets one of ours."""

    id: str = ""
    broker: str = "paper"
    mode: str = "paper"
    day_trade_rule: str = "none"


PAPER_SEAT = Seat()


def market_now(ctx: Context) -> datetime:
    """Return the market's time, or the wall time where no feed is on."""
    feed = ctx.ports.get(Feed)
    if feed is None:
        return ctx.now
    try:
        return ctx.port(Feed).as_of(ctx)
    except Refusal:
        return ctx.now


def open_portfolio(
    ctx: Context,
    name: str,
    *,
    currency: str = "USD",
    start_cash: Decimal | None = None,
    cost_method: CostMethod = "average",
    seat: Seat = PAPER_SEAT,
) -> Portfolio:
    """Open a portfolio with its account, usually on paper, and post its starting cash.

    Opening the same name again with the same terms returns the one that exists. Without
    `start_cash` the policy's amount is taken. Raises `START_CASH_INVALID`, `PARAM_INVALID`,
    `AMOUNT_RANGE` and `PORTFOLIO_EXISTS` (same name, other terms).
    """
    name = require_text(name, "name", longest=_NAME_MAX)
    _require_terms(currency, cost_method)
    start = _require_cash(
        ctx.policy.paper.start_cash if start_cash is None else start_cash, currency
    )
    ctx.db.lock(f"portfolios:{ctx.principal.tenant_id}")
    known = find_by_name(ctx, name)
    if known is not None:
        same = (known.base_currency, known.cost_method) == (currency, cost_method)
        if not same or (start_cash is not None and known.start_cash != start):
            raise refuse("PORTFOLIO_EXISTS", name=name)
        return known
    at = market_now(ctx)
    portfolio = Portfolio(ctx.ids.new("pf"), name, currency, cost_method, "open", start, at)
    _insert(ctx, portfolio, seat)
    append(
        ctx,
        Batch(
            portfolio_id=portfolio.id,
            kind="CONTRIBUTION",
            source="system",
            key=f"start:{portfolio.id}",
            effective_at=at,
            legs=flow_legs("CONTRIBUTION", start, currency),
        ),
    )
    return portfolio


def _insert(ctx: Context, portfolio: Portfolio, seat: Seat) -> None:
    ctx.db.insert(
        portfolios,
        {
            "id": portfolio.id,
            "name": portfolio.name,
            "base_currency": portfolio.base_currency,
            "cost_method": portfolio.cost_method,
            "status": portfolio.status,
            "start_cash": portfolio.start_cash,
            "opened_at": portfolio.opened_at,
            "updated_at": ctx.now,
        },
    )
    ctx.db.insert(
        accounts,
        {
            "id": seat.id or ctx.ids.new("acc"),
            "portfolio_id": portfolio.id,
            "broker": seat.broker,
            "mode": seat.mode,
            "currency": portfolio.base_currency,
            "allow_short": 0,
            "day_trade_rule": seat.day_trade_rule,
        },
    )
    open_cash(ctx, portfolio.id, portfolio.base_currency)
    audit.record(
        ctx,
        "portfolio.opened",
        portfolio.id,
        name=portfolio.name,
        currency=portfolio.base_currency,
        start_cash=portfolio.start_cash,
        cost_method=portfolio.cost_method,
        broker=seat.broker,
        mode=seat.mode,
    )


def find_seat(ctx: Context, account_id: str) -> Account | None:
    """Return the account of this id, or None."""
    row = ctx.db.row(select(accounts).where(accounts.c.id == account_id))
    return None if row is None else _account(row)


def _require_terms(currency: str, cost_method: str) -> None:
    if not _CURRENCY.fullmatch(currency):
        raise refuse(
            "PARAM_INVALID",
            field="currency",
            name="currency",
            value=currency[:40],
            rule="give a three-letter code such as USD",
        )
    if cost_method not in _METHODS:
        raise refuse(
            "PARAM_INVALID",
            field="cost_method",
            name="cost_method",
            value=cost_method[:40],
            rule="must be average or fifo",
        )


def _require_cash(start: Decimal, currency: str) -> Decimal:
    if start <= 0:
        raise refuse("START_CASH_INVALID", field="start_cash", cash=str(start))
    if start > MAX_AMOUNT:
        raise refuse(
            "AMOUNT_RANGE", field="start_cash", value=str(start), lo="above 0", hi=str(MAX_AMOUNT)
        )
    if to_minor(start, currency) != start:
        raise refuse("AMOUNT_INEXACT", field="start_cash", value=str(start), places=2)
    return start


def get_portfolio(ctx: Context, portfolio_id: str | None = None) -> Portfolio:
    """Return a portfolio; None is the default one.

    The default is the tenant's first open portfolio on paper, opened at its first use. Only where
    the owner set `TRADING_BROKER` it is that of the connected account, and never paper instead.
    Raises `PORTFOLIO_UNKNOWN`, and `FEATURE_OFF` while that account is not connected.
    """
    if portfolio_id is not None:
        row = ctx.db.row(_PORTFOLIO, of_portfolio=portfolio_id)
        if row is None:
            raise refuse("PORTFOLIO_UNKNOWN", id=portfolio_id[:60])
        return _portfolio(row)
    if ctx.settings.trading_broker != PAPER_SEAT.broker and ctx.principal.tenant_id == LOCAL_TENANT:
        return get_portfolio(ctx, _connected(ctx).portfolio_id)
    row = ctx.db.row(_DEFAULT, at_broker=PAPER_SEAT.broker)
    return open_portfolio(ctx, DEFAULT_NAME) if row is None else _portfolio(row)


def _connected(ctx: Context) -> Account:
    broker, number = ctx.settings.trading_broker, ctx.settings.trading_number
    found = find_seat(ctx, account_id_of(broker, number))
    if found is None:
        raise refuse(
            "FEATURE_OFF",
            feature=f"trading at {broker}",
            reason=f"account {number} is not connected",
            todo="Wait a minute; the Data view says how the broker stands.",
        )
    return found


def account_id_of(broker: str, number: str) -> str:
    """Return what an account outside is called here. Worked: `tradier-VA000001`."""
    return f"{broker}-{number}"


def find_by_name(ctx: Context, name: str) -> Portfolio | None:
    """Return the portfolio of this exact name, or None."""
    row = ctx.db.row(select(portfolios).where(portfolios.c.name == name))
    return None if row is None else _portfolio(row)


def list_portfolios(ctx: Context) -> list[Portfolio]:
    """Return every portfolio of the tenant, by name."""
    rows = ctx.db.rows(select(portfolios).order_by(portfolios.c.name, portfolios.c.id))
    return [_portfolio(row) for row in rows]


def rename(ctx: Context, portfolio_id: str, name: str) -> Portfolio:
    """Give a portfolio another name. Raises `PORTFOLIO_UNKNOWN` and `PORTFOLIO_EXISTS`."""
    name = require_text(name, "name", longest=_NAME_MAX)
    ctx.db.lock(f"portfolios:{ctx.principal.tenant_id}")
    portfolio = get_portfolio(ctx, portfolio_id)
    known = find_by_name(ctx, name)
    if known is not None:
        if known.id == portfolio.id:
            return known
        raise refuse("PORTFOLIO_EXISTS", name=name)
    ctx.db.change(
        update(portfolios)
        .where(portfolios.c.id == portfolio.id)
        .values(name=name, updated_at=ctx.now)
    )
    audit.record(ctx, "portfolio.renamed", portfolio.id, old=portfolio.name, new=name)
    return get_portfolio(ctx, portfolio.id)


def account_of(ctx: Context, portfolio_id: str) -> Account:
    """Return the one account of a portfolio. Raises `PORTFOLIO_UNKNOWN`."""
    row = ctx.db.row(_ACCOUNT, of_portfolio=portfolio_id)
    if row is None:
        raise refuse("PORTFOLIO_UNKNOWN", id=portfolio_id[:60])
    return _account(row)


def contribute(ctx: Context, portfolio_id: str, amount: Decimal, *, key: str) -> Posted:
    """Post cash from outside. Raises as `book.append`, `AMOUNT_RANGE` and `AMOUNT_INEXACT`."""
    return _flow(ctx, portfolio_id, "CONTRIBUTION", amount, key)


def withdraw(ctx: Context, portfolio_id: str, amount: Decimal, *, key: str) -> Posted:
    """Post cash to outside, at most what is free. Raises as `contribute`, `INSUFFICIENT_CASH`."""
    return _flow(ctx, portfolio_id, "WITHDRAWAL", amount, key)


def charge_fee(ctx: Context, portfolio_id: str, amount: Decimal, *, key: str) -> Posted:
    """Post a fee that belongs to no trade. Raises as `withdraw`."""
    return _flow(ctx, portfolio_id, "FEE", amount, key)


def _flow(ctx: Context, portfolio_id: str, kind: str, amount: Decimal, key: str) -> Posted:
    currency = get_portfolio(ctx, portfolio_id).base_currency
    return append(
        ctx,
        Batch(
            portfolio_id=portfolio_id,
            kind=kind,
            key=key,
            effective_at=market_now(ctx),
            legs=flow_legs(kind, amount, currency),
        ),
    )


def _account(row: Any) -> Account:
    return Account(
        row.id,
        row.portfolio_id,
        row.broker,
        row.mode,
        row.currency,
        bool(row.allow_short),
        row.day_trade_rule,
    )


def _portfolio(row: Any) -> Portfolio:
    return Portfolio(
        row.id,
        row.name,
        row.base_currency,
        row.cost_method,
        row.status,
        row.start_cash,
        row.opened_at,
    )
