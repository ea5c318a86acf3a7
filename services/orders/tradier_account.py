"""Owns reading a Tradier account: what it is, holds, owns, did and gained; it changes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from services.market.decode import Record
from services.orders.broker import BrokerUnreachable
from services.orders.broker_account import Activity, Balances, ClosedAtBroker, HeldAtBroker
from services.orders.tradier_scan import TradierReader

PAGES_MAX = 40
_PAGE_ROWS = 100
_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountFacts:
    """One account that the token may act for."""

    number: str
    type: str
    status: str
    option_level: int


def list_accounts(reader: TradierReader) -> list[AccountFacts]:
    """Return the accounts that the token may act for. Raises `BrokerUnreachable`."""
    return [
        AccountFacts(
            number=row["account"],
            type=row["account_type"] or "",
            status=row["status"] or "",
            option_level=int(row["option_level"] or 0),
        )
        for row in reader.profile()
    ]


def get_balances(reader: TradierReader) -> Balances:
    """Return the money of the account. Raises `BrokerUnreachable`, also for an empty answer."""
    rows = reader.rows("balances", "/balances")
    if not rows or rows[0]["cash"] is None or rows[0]["equity"] is None:
        raise BrokerUnreachable("the balances do not say cash and equity")
    row = rows[0]
    return Balances(
        type=row["account_type"] or "",
        equity=row["equity"],
        cash=row["cash"],
        buying_power=_number(row, "buying_power"),
        unsettled=_number(row, "unsettled_funds"),
    )


def list_positions(reader: TradierReader) -> list[HeldAtBroker]:
    """Return what the account holds, by symbol; a failed question never means flat.

    Positions may follow a fill with a delay. Raises `BrokerUnreachable`.
    """
    found = [
        HeldAtBroker(
            symbol=row["symbol"],
            quantity=row["quantity"],
            cost=_number(row, "cost_basis"),
            avg_price=row["avg_price"],
        )
        for row in reader.rows("position", "/positions")
    ]
    return sorted(found, key=lambda one: one.symbol)


def list_history(reader: TradierReader, *, start: date, end: date) -> list[Activity]:
    """Return what happened in the account on these days, both included, in the broker's order.

    Raises `BrokerUnreachable`.
    """
    days = {"start": start.isoformat(), "end": end.isoformat()}
    return [
        Activity(
            type=row["type"],
            on=row["date"],
            amount=_number(row, "amount"),
            symbol=row["symbol"] or "",
            quantity=_number(row, "quantity"),
            price=_number(row, "price"),
        )
        for row in _paged(reader, "account_activity", "/history", days)
    ]


def list_closed(reader: TradierReader, *, start: date, end: date) -> list[ClosedAtBroker]:
    """Return the positions closed on these days, both included. Raises `BrokerUnreachable`."""
    days = {"start": start.isoformat(), "end": end.isoformat()}
    return [
        ClosedAtBroker(
            symbol=row["symbol"],
            quantity=_number(row, "quantity"),
            cost=_number(row, "cost"),
            proceeds=_number(row, "proceeds"),
            gain=_number(row, "gain_loss"),
            opened_on=_day(row["open_date"]),
            closed_on=_day(row["close_date"]),
        )
        for row in _paged(reader, "closed_position", "/gainloss", days)
    ]


def _paged(reader: TradierReader, kind: str, path: str, query: dict[str, str]) -> list[Record]:
    """Return every page; the same page again, or an empty one, is the end."""
    found: list[Record] = []
    last: list[Record] = []
    for page in range(1, PAGES_MAX + 1):
        rows = reader.rows(kind, path, {**query, "page": str(page), "limit": str(_PAGE_ROWS)})
        if not rows or rows == last:
            return found
        found += rows
        last = rows
        if len(rows) < _PAGE_ROWS:
            return found
    raise BrokerUnreachable(f"more than {PAGES_MAX} pages of {path}")


def _number(row: Record, name: str) -> Decimal:
    found = row[name]
    return found if isinstance(found, Decimal) else _ZERO


def _day(value: object) -> date | None:
    if isinstance(value, datetime):
        return value.date()
    return value if isinstance(value, date) else None
