"""Owns which brokers a configuration has: the routes of orders, what is off and why."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal

from services.kit.clock import Clock
from services.kit.errors import Refusal
from services.kit.settings import Settings
from services.market.tradier_reference import own_symbol
from services.orders.broker_routes import BrokerRoutes
from services.orders.connect import AccountRefused, Drift, Holdings
from services.orders.external import OrderFact
from services.orders.order_client import OrderClient
from services.orders.paper import PaperBroker
from services.orders.tradier import TradierBroker
from services.orders.tradier_account import (
    Activity,
    Balances,
    ClosedAtBroker,
    HeldAtBroker,
    get_balances,
    list_accounts,
    list_closed,
    list_history,
    list_positions,
)
from services.orders.tradier_scan import TradierReader
from services.orders.tradier_seat import BROKER, TradierSeat, build_seat
from services.trade.day_trade import ASSUMED, DayTradeRule

_RULES: dict[str, DayTradeRule] = {"cash": "cash"}
"""The day-trade rule by kind of account; a kind that is not here gets the strictest one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerRecord:
    """What a person is told of a broker: whether it is on, why, and what would change that."""

    name: str
    on: bool
    why: str
    todo: str = ""
    account_id: str = ""


class TradierAccount:
    """The account of a seat as `services.orders.connect` asks about it."""

    def __init__(self, broker: TradierBroker) -> None:
        seat = broker.seat
        self.account_id, self.broker, self.mode = seat.account_id, BROKER, seat.mode
        self.title = f"Tradier {seat.env} {seat.number}"
        self._seat = seat
        self._reader = broker.reader

    def check(self) -> None:
        """Raise `AccountRefused` unless the token speaks for an active account of this number."""
        mine = [one for one in list_accounts(self._reader) if one.number == self._seat.number]
        if not mine:
            raise AccountRefused(f"the token does not speak for account {self._seat.number}")
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

    @property
    def provenance(self) -> str:
        """Return how real its money is: `LIVE`, or `SIMULATED` in the sandbox."""
        return self._seat.provenance

    def owned(self) -> tuple[Balances, list[HeldAtBroker]]:
        """Return the money and the positions of now. Raises `BrokerUnreachable`."""
        return get_balances(self._reader), list_positions(self._reader)

    def activity(self, start: date, end: date) -> tuple[list[Activity], list[ClosedAtBroker]]:
        """Return what happened on these days, both included. Raises `BrokerUnreachable`."""
        history = list_history(self._reader, start=start, end=end)
        return history, list_closed(self._reader, start=start, end=end)

    def holdings(self) -> Holdings:
        """Return cash and positions. Raises `BrokerUnreachable`."""
        money, positions = self.owned()
        held = {own_symbol(one.symbol): one.quantity for one in positions}
        rule = _RULES.get(money.type, ASSUMED)
        return Holdings(cash=money.cash, units=held, day_trade_rule=rule)


@dataclass(slots=True)
class Brokers:
    """The brokers of this process, and what is known of the account outside.

    `record` changes when the account was connected, refused or could not be reached; `drift` is
    what differed at the last look.
    """

    routes: BrokerRoutes
    record: BrokerRecord
    account: TradierAccount | None = None
    wire: OrderClient | None = None
    checked: bool = False
    drift: list[Drift] = field(default_factory=list)

    def note(self, why: str) -> None:
        """Say how the account stands."""
        self.record = replace(self.record, why=f"{self.record.account_id}: {why}")

    def refuse(self, why: str) -> None:
        """Switch the account off: nothing is sent there and nothing is filled on paper instead."""
        todo = "Correct TRADIER_ACCESS_TOKEN, TRADIER_ACCOUNT_ID or TRADIER_ENV, then restart."
        self.record = replace(self.record, on=False, why=why, todo=todo)
        self.routes.shut(self.record.account_id, why)

    def close(self) -> None:
        """Close the connections."""
        if self.wire is not None:
            self.wire.close()


def build_brokers(settings: Settings, clock: Clock, *, live_prices: bool) -> Brokers:
    """Return the brokers of a configuration; paper is always there and always the default.

    Tradier joins it with `TRADIER_ACCESS_TOKEN` and `TRADIER_ACCOUNT_ID`, and only where prices
    come from a provider: replayed ones never reach an account outside. What is off sends nothing
    and fills nothing on paper.
    """
    found = _tradier_seat(settings, live_prices=live_prices)
    if isinstance(found, BrokerRecord):
        return Brokers(BrokerRoutes(PaperBroker(), {}, {BROKER: found.why}), found)
    token = settings.tradier_access_token.get_secret_value()
    headers = {"authorization": f"Bearer {token}"}
    wire = OrderClient(settings.tradier_base_url or found.host, headers, clock)
    reader = TradierReader(found, wire, clock)
    tradier = TradierBroker(found, wire, reader, live_allowed=settings.live_trading)
    record = BrokerRecord(
        name=BROKER, on=True, why=_standing(found, settings), account_id=found.account_id
    )
    routes = BrokerRoutes(PaperBroker(), {found.account_id: tradier})
    return Brokers(routes, record, TradierAccount(tradier), wire)


def _standing(seat: TradierSeat, settings: Settings) -> str:
    if seat.mode == "paper":
        return f"{seat.env} account {seat.number}, no real money; not checked yet"
    allowed = "LIVE orders allowed" if settings.live_trading else "LIVE_TRADING is off: read only"
    return f"{seat.env} account {seat.number}, {allowed}; not checked yet"


def _tradier_seat(settings: Settings, *, live_prices: bool) -> TradierSeat | BrokerRecord:
    def off(why: str, todo: str) -> BrokerRecord:
        return BrokerRecord(name=BROKER, on=False, why=why, todo=todo)

    if not settings.tradier_access_token.get_secret_value():
        todo = "Set TRADIER_ACCESS_TOKEN, TRADIER_ACCOUNT_ID and TRADIER_ENV."
        return off("TRADIER_ACCESS_TOKEN is not set", todo)
    if not settings.tradier_account_id:
        return off("TRADIER_ACCOUNT_ID is not set", "Set TRADIER_ACCOUNT_ID and restart.")
    try:
        seat = build_seat(settings.tradier_env, settings.tradier_account_id)
    except Refusal as refusal:
        return off(refusal.message, "Correct TRADIER_ACCOUNT_ID or TRADIER_ENV.")
    if not live_prices:
        todo = "Remove FEATURE_MOCK_MODE, so that prices come from a provider."
        return off("prices are replayed, and replayed prices never trade outside", todo)
    return seat
