"""Owns the accounts outside as the product asks them: one shape over every broker's own pages."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Protocol

from services.market.tradier_reference import own_symbol
from services.orders import alpaca_account, tradier_account
from services.orders.alpaca import AlpacaBroker
from services.orders.alpaca_seat import BROKER as ALPACA
from services.orders.broker_account import Activity, Balances, ClosedAtBroker, HeldAtBroker
from services.orders.connect import AccountRefused, Holdings
from services.orders.external import OrderFact
from services.orders.tradier import TradierBroker
from services.orders.tradier_seat import BROKER as TRADIER
from services.trade.day_trade import ASSUMED, DayTradeRule

_RULES: dict[str, DayTradeRule] = {"cash": "cash"}
"""The day-trade rule by kind of account; a kind that is not here gets the strictest one."""


class OutsideAccount(Protocol):
    """A connected account: what `connect` and `external` ask, and what the pages show of it."""

    account_id: str
    broker: str
    mode: str
    title: str

    @property
    def provenance(self) -> str:
        """Return how real its money is: `LIVE`, or `SIMULATED`."""
        ...

    def check(self) -> None:
        """Raise `AccountRefused` unless these credentials may trade in this account."""
        ...

    def orders(self) -> Sequence[OrderFact]:
        """Return every order of the day. Raises `BrokerUnreachable`."""
        ...

    def owned(self) -> tuple[Balances, list[HeldAtBroker]]:
        """Return the money and the positions of now. Raises `BrokerUnreachable`."""
        ...

    def activity(self, start: date, end: date) -> tuple[list[Activity], list[ClosedAtBroker]]:
        """Return what happened on these days, both included. Raises `BrokerUnreachable`."""
        ...

    def holdings(self) -> Holdings:
        """Return cash and positions. Raises `BrokerUnreachable`."""
        ...


class TradierAccount:
    """The account of a seat at Tradier."""

    def __init__(self, broker: TradierBroker) -> None:
        seat = broker.seat
        self.account_id, self.broker, self.mode = seat.account_id, TRADIER, seat.mode
        self.title = f"Tradier {seat.env} {seat.number}"
        self._seat = seat
        self._reader = broker.reader

    @property
    def provenance(self) -> str:
        """Return how real its money is: `LIVE`, or `SIMULATED` in the sandbox."""
        return self._seat.provenance

    def check(self) -> None:
        """Raise `AccountRefused` unless the token speaks for an active account of this number."""
        number = self._seat.number
        mine = [one for one in tradier_account.list_accounts(self._reader) if one.number == number]
        if not mine:
            raise AccountRefused(f"the token does not speak for account {number}")
        if mine[0].status not in ("active", ""):
            raise AccountRefused(f"the account is {mine[0].status}")

    def orders(self) -> list[OrderFact]:
        """Return every order of today's list. Raises `BrokerUnreachable`."""
        return [
            OrderFact(
                broker_order_id=row["broker_order_id"],
                tag=row["client_order_id"] or "",
                symbol=row["osi"] or own_symbol(row["symbol"] or ""),
                side=row["side"] or "",
                type=row["type"] or "",
                quantity=row["quantity"] or Decimal(0),
                status=row["status"],
            )
            for row in self._reader.listing()
        ]

    def owned(self) -> tuple[Balances, list[HeldAtBroker]]:
        """Return the money and the positions of now. Raises `BrokerUnreachable`."""
        money = tradier_account.get_balances(self._reader)
        return money, tradier_account.list_positions(self._reader)

    def activity(self, start: date, end: date) -> tuple[list[Activity], list[ClosedAtBroker]]:
        """Return what happened on these days, both included. Raises `BrokerUnreachable`."""
        history = tradier_account.list_history(self._reader, start=start, end=end)
        return history, tradier_account.list_closed(self._reader, start=start, end=end)

    def holdings(self) -> Holdings:
        """Return cash and positions. Raises `BrokerUnreachable`."""
        money, positions = self.owned()
        held = {own_symbol(one.symbol): one.quantity for one in positions}
        return _holdings(money, held)


class AlpacaAccount:
    """The account of a seat at Alpaca."""

    def __init__(self, broker: AlpacaBroker) -> None:
        seat = broker.seat
        self.account_id, self.broker, self.mode = seat.account_id, ALPACA, seat.mode
        self.title = f"Alpaca {seat.env} {seat.number}"
        self._seat = seat
        self._reader = broker.reader

    @property
    def provenance(self) -> str:
        """Return how real its money is: `LIVE`, or `SIMULATED` in the paper account."""
        return self._seat.provenance

    def check(self) -> None:
        """Raise `AccountRefused` unless the keys are those of this account and it may trade."""
        alpaca_account.require_open(self._reader)

    def orders(self) -> list[OrderFact]:
        """Return every order of the Eastern day. Raises `BrokerUnreachable`."""
        return alpaca_account.list_orders(self._reader)

    def owned(self) -> tuple[Balances, list[HeldAtBroker]]:
        """Return the money and the positions of now. Raises `BrokerUnreachable`."""
        money = alpaca_account.get_balances(self._reader)
        return money, alpaca_account.list_positions(self._reader)

    def activity(self, start: date, end: date) -> tuple[list[Activity], list[ClosedAtBroker]]:
        """Return what happened on these days, both included. Raises `BrokerUnreachable`.

        The provider lists no closed positions, so there are none.
        """
        return alpaca_account.list_history(self._reader, start=start, end=end), []

    def holdings(self) -> Holdings:
        """Return cash and positions. Raises `BrokerUnreachable`."""
        money, positions = self.owned()
        return _holdings(money, {one.symbol: one.quantity for one in positions})


def _holdings(money: Balances, units: dict[str, Decimal]) -> Holdings:
    rule = _RULES.get(money.type, ASSUMED)
    return Holdings(cash=money.cash, units=units, day_trade_rule=rule)
