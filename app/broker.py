"""Owns which brokers a configuration has: the routes of orders, what is off and why."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from app.broker_accounts import AlpacaAccount, OutsideAccount, TradierAccount
from services.kit.clock import Clock
from services.kit.errors import Refusal
from services.kit.settings import Settings
from services.orders import alpaca_seat, tradier_seat
from services.orders.alpaca import AlpacaBroker
from services.orders.alpaca_scan import AlpacaReader
from services.orders.alpaca_seat import AlpacaSeat
from services.orders.broker import Broker
from services.orders.broker_routes import BrokerRoutes
from services.orders.connect import Drift
from services.orders.order_client import OrderClient
from services.orders.paper import PaperBroker
from services.orders.tradier import TradierBroker
from services.orders.tradier_scan import TradierReader
from services.orders.tradier_seat import TradierSeat

if TYPE_CHECKING:
    from services.orders.tradier_stream import TradierStream

_REPLAYED = "prices are replayed, and replayed prices never trade outside"
_CORRECT = {
    "alpaca": "Correct ALPACA_KEY_ID, ALPACA_SECRET_KEY, ALPACA_ACCOUNT_ID or ALPACA_ENV, then "
    "restart.",
    "tradier": "Correct TRADIER_ACCESS_TOKEN, TRADIER_ACCOUNT_ID or TRADIER_ENV, then restart.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerRecord:
    """What a person is told of a broker: whether it is on, why, and what would change that."""

    name: str
    on: bool
    why: str
    todo: str = ""
    account_id: str = ""


@dataclass(slots=True)
class BrokerLink:
    """One broker outside: its record, and its account while it is on.

    `record` changes when the account was connected, refused or could not be reached; `drift` is
    what differed at the last look, `events` the listener to the account while there is one.
    """

    record: BrokerRecord
    broker: Broker | None = None
    account: OutsideAccount | None = None
    wire: OrderClient | None = None
    checked: bool = False
    drift: list[Drift] = field(default_factory=list)
    events: TradierStream | None = None

    def note(self, why: str) -> None:
        """Say how the account stands."""
        self.record = replace(self.record, why=f"{self.record.account_id}: {why}")


@dataclass(slots=True)
class Brokers:
    """The brokers of this process; `shown` is the one that pages mean by "the account outside"."""

    routes: BrokerRoutes
    links: list[BrokerLink]
    shown: BrokerLink

    @property
    def record(self) -> BrokerRecord:
        """Return the record of the shown broker."""
        return self.shown.record

    @property
    def account(self) -> OutsideAccount | None:
        """Return the account of the shown broker."""
        return self.shown.account

    @property
    def drift(self) -> list[Drift]:
        """Return what differed at the last look at the shown account."""
        return self.shown.drift

    def named(self, name: str | None) -> BrokerLink:
        """Return the broker of this name, the shown one without a name."""
        return next((one for one in self.links if one.record.name == name), self.shown)

    def refuse(self, why: str, link: BrokerLink | None = None) -> None:
        """Switch an account off: nothing is sent there and nothing is filled on paper instead."""
        off = link or self.shown
        todo = _CORRECT[off.record.name]
        off.record = replace(off.record, on=False, why=why, todo=todo)
        self.routes.shut(off.record.account_id, why)

    def close(self) -> None:
        """Close the connections."""
        for link in self.links:
            if link.wire is not None:
                link.wire.close()


def build_brokers(settings: Settings, clock: Clock, *, live_prices: bool) -> Brokers:
    """Return the brokers of a configuration; paper is always there and always the default.

    Tradier joins it with `TRADIER_ACCESS_TOKEN` and `TRADIER_ACCOUNT_ID`, Alpaca with
    `ALPACA_KEY_ID`, `ALPACA_SECRET_KEY` and `ALPACA_ACCOUNT_ID`, and only where prices come from a
    provider: replayed ones never reach an account outside. What is off sends nothing and fills
    nothing on paper. The shown broker is that of `TRADING_BROKER`, else the first that is on.
    """
    links = [
        _open_tradier(settings, clock, live_prices=live_prices),
        _open_alpaca(settings, clock, live_prices=live_prices),
    ]
    seats = {one.record.account_id: one.broker for one in links if one.broker is not None}
    off = {one.record.name: one.record.why for one in links if not one.record.on}
    named = [one for one in links if one.record.name == settings.trading_broker]
    shown = next(iter(named or [one for one in links if one.record.on] or links))
    return Brokers(BrokerRoutes(PaperBroker(), seats, off), links, shown)


def _open_tradier(settings: Settings, clock: Clock, *, live_prices: bool) -> BrokerLink:
    seat = _tradier_seat(settings, live_prices=live_prices)
    if isinstance(seat, BrokerRecord):
        return BrokerLink(seat)
    token = settings.tradier_access_token.get_secret_value()
    headers = {"authorization": f"Bearer {token}"}
    wire = OrderClient(settings.tradier_base_url or seat.host, headers, clock)
    reader = TradierReader(seat, wire, clock)
    broker = TradierBroker(seat, wire, reader, live_allowed=settings.live_trading)
    return BrokerLink(_on(seat, settings), broker, TradierAccount(broker), wire)


def _open_alpaca(settings: Settings, clock: Clock, *, live_prices: bool) -> BrokerLink:
    seat = _alpaca_seat(settings, live_prices=live_prices)
    if isinstance(seat, BrokerRecord):
        return BrokerLink(seat)
    headers = {
        "apca-api-key-id": settings.alpaca_key_id.get_secret_value(),
        "apca-api-secret-key": settings.alpaca_secret_key.get_secret_value(),
    }
    wire = OrderClient(settings.alpaca_base_url or seat.host, headers, clock)
    reader = AlpacaReader(seat, wire, clock)
    broker = AlpacaBroker(seat, wire, reader, live_allowed=settings.live_trading)
    return BrokerLink(_on(seat, settings), broker, AlpacaAccount(broker), wire)


def _on(seat: TradierSeat | AlpacaSeat, settings: Settings) -> BrokerRecord:
    name, _, _ = seat.account_id.partition("-")
    said = "no real money"
    if seat.mode == "live":
        allowed = settings.live_trading
        said = "LIVE orders allowed" if allowed else "LIVE_TRADING is off: read only"
    why = f"{seat.env} account {seat.number}, {said}; not checked yet"
    return BrokerRecord(name=name, on=True, why=why, account_id=seat.account_id)


def _tradier_seat(settings: Settings, *, live_prices: bool) -> TradierSeat | BrokerRecord:
    def off(why: str, todo: str) -> BrokerRecord:
        return BrokerRecord(name=tradier_seat.BROKER, on=False, why=why, todo=todo)

    if not settings.tradier_access_token.get_secret_value():
        todo = "Set TRADIER_ACCESS_TOKEN, TRADIER_ACCOUNT_ID and TRADIER_ENV."
        return off("TRADIER_ACCESS_TOKEN is not set", todo)
    if not settings.tradier_account_id:
        return off("TRADIER_ACCOUNT_ID is not set", "Set TRADIER_ACCOUNT_ID and restart.")
    try:
        seat = tradier_seat.build_seat(settings.tradier_env, settings.tradier_account_id)
    except Refusal as refusal:
        return off(refusal.message, "Correct TRADIER_ACCOUNT_ID or TRADIER_ENV.")
    return seat if live_prices else off(_REPLAYED, _replay_todo(settings))


def _alpaca_seat(settings: Settings, *, live_prices: bool) -> AlpacaSeat | BrokerRecord:
    def off(why: str, todo: str) -> BrokerRecord:
        return BrokerRecord(name=alpaca_seat.BROKER, on=False, why=why, todo=todo)

    given = {
        "ALPACA_KEY_ID": settings.alpaca_key_id.get_secret_value(),
        "ALPACA_SECRET_KEY": settings.alpaca_secret_key.get_secret_value(),
    }
    missing = [name for name, value in given.items() if not value]
    if len(missing) == 2:
        todo = f"Set {', '.join(given)}, ALPACA_ACCOUNT_ID and ALPACA_ENV."
        return off("ALPACA_KEY_ID is not set", todo)
    if missing:
        (other,) = (name for name in given if name not in missing)
        why = f"{missing[0]} is not set, and {other} alone opens nothing"
        return off(why, f"Set {missing[0]} and restart.")
    if not settings.alpaca_account_id:
        return off("ALPACA_ACCOUNT_ID is not set", "Set ALPACA_ACCOUNT_ID and restart.")
    try:
        seat = alpaca_seat.build_seat(settings.alpaca_env, settings.alpaca_account_id)
    except Refusal as refusal:
        return off(refusal.message, "Correct ALPACA_ACCOUNT_ID or ALPACA_ENV.")
    return seat if live_prices else off(_REPLAYED, _replay_todo(settings))


def _replay_todo(settings: Settings) -> str:
    if settings.feature_mock_mode:
        return "Remove FEATURE_MOCK_MODE, so that prices come from a provider."
    return "Set MASSIVE_API_KEY or TRADIER_ACCESS_TOKEN, so that prices come from a provider."
