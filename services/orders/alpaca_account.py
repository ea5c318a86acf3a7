"""Owns reading an Alpaca account: its money, positions, past and orders; it changes nothing."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from decimal import Decimal

from services.market.decode import EASTERN, Record
from services.orders.alpaca_look import roots_of
from services.orders.alpaca_scan import PAGES_MAX, AlpacaReader, WrongAccount
from services.orders.broker import BrokerUnreachable
from services.orders.broker_account import Activity, Balances, HeldAtBroker
from services.orders.connect import AccountRefused
from services.orders.external import OrderFact

_ACTIVITY_ROWS = 100
_ZERO = Decimal(0)


def require_open(reader: AlpacaReader) -> None:
    """Raise `AccountRefused` unless the keys are those of the seat's account and it may trade.

    Raises `BrokerUnreachable`.
    """
    try:
        reader.require_account()
    except WrongAccount as wrong:
        raise AccountRefused(str(wrong)) from wrong
    facts = reader.account()
    if facts["status"] not in ("active", None):
        raise AccountRefused(f"the account is {facts['status']}")
    if facts["account_blocked"] or facts["trading_blocked"]:
        raise AccountRefused("the broker has blocked trading in the account")
    if facts["suspended"]:
        raise AccountRefused("trading is suspended in the account's own settings")
    if facts["currency"] not in ("USD", None):
        raise AccountRefused(f"the account is kept in {facts['currency']}")


def get_balances(reader: AlpacaReader) -> Balances:
    """Return the money of the account. Raises `BrokerUnreachable`, also for an empty answer."""
    row = reader.account()
    if row["cash"] is None or row["equity"] is None:
        raise BrokerUnreachable("the account does not say cash and equity")
    return Balances(
        type=row["account_type"] or "",
        equity=row["equity"],
        cash=row["cash"],
        buying_power=_number(row, "buying_power"),
        unsettled=_ZERO,
    )


def list_positions(reader: AlpacaReader) -> list[HeldAtBroker]:
    """Return what the account holds, by symbol; a failed question never means flat.

    Raises `BrokerUnreachable`.
    """
    found = [
        HeldAtBroker(
            symbol=row["symbol"],
            quantity=row["quantity"],
            cost=_number(row, "cost_basis"),
            avg_price=row["avg_price"],
        )
        for row in reader.rows("position", "/v2/positions")
    ]
    return sorted(found, key=lambda one: one.symbol)


def list_history(reader: AlpacaReader, *, start: date, end: date) -> list[Activity]:
    """Return what happened in the account on these days, both included, oldest first.

    Raises `BrokerUnreachable`.
    """
    query = {
        "after": (start - timedelta(days=1)).isoformat(),
        "until": (end + timedelta(days=1)).isoformat(),
        "direction": "asc",
        "page_size": str(_ACTIVITY_ROWS),
    }
    return [
        Activity(
            type=row["type"],
            on=row["date"],
            amount=_number(row, "amount"),
            symbol=row["symbol"] or "",
            quantity=_number(row, "quantity"),
            price=_number(row, "price"),
        )
        for row in _paged(reader, query)
        if row["date"] is None or start <= row["date"] <= end
    ]


def list_orders(reader: AlpacaReader) -> list[OrderFact]:
    """Return the orders of the Eastern day, each group and each changed order once.

    What an order was changed into goes by the client id of the one that was placed. Raises
    `BrokerUnreachable`.
    """
    records = reader.since(_midnight(reader.clock.now()))
    roots = roots_of(records)
    found: dict[str, OrderFact] = {}
    for record in sorted(records, key=lambda one: one["status"] != "replaced"):
        root = roots[record["broker_order_id"]]
        found[root["broker_order_id"]] = _fact(root, record)
    return list(found.values())


def _fact(root: Record, record: Record) -> OrderFact:
    return OrderFact(
        broker_order_id=root["broker_order_id"],
        tag=_tag_of(root["client_order_id"] or "", changed=root["replaces"] is not None),
        symbol=record["osi"] or record["symbol"] or "",
        side=record["side"] or "",
        type=record["type"] or "",
        quantity=record["quantity"] or _ZERO,
        status=record["status"],
    )


def _tag_of(name: str, *, changed: bool) -> str:
    """Return our client id; a change of an earlier day's order carries it with `-r` and a count.

    Worked: `cm-1-r2` of an order that replaces another is `cm-1`.
    """
    before, mark, count = name.rpartition("-r")
    return before if changed and mark and count.isascii() and count.isdecimal() else name


def _midnight(now: datetime) -> datetime:
    return datetime.combine(now.astimezone(EASTERN).date(), time(0), EASTERN)


def _paged(reader: AlpacaReader, query: dict[str, str]) -> list[Record]:
    """Return every page; the next one begins after the last entry of the one before."""
    found: list[Record] = []
    token: dict[str, str] = {}
    for _ in range(PAGES_MAX):
        rows = reader.rows("account_activity", "/v2/account/activities", query | token)
        found += rows
        if len(rows) < _ACTIVITY_ROWS or rows[-1]["id"] is None:
            return found
        token = {"page_token": rows[-1]["id"]}
    raise BrokerUnreachable(f"more than {PAGES_MAX} pages of the account's history")


def _number(row: Record, name: str) -> Decimal:
    found = row[name]
    return found if isinstance(found, Decimal) else _ZERO
