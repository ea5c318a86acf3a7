"""Owns what a broker's contract needs of each adapter: a desk at it, and hands on its market.

To put another adapter under the contract, write one class here with the members of `House` and
name it in `HOUSES`; a broker reached over a wire also goes into `WIRED`, with the members of
`WiredHouse` and a fake of it that takes plans as that of Tradier does. Nothing in the contract
names an adapter. `SENT_ONCE` are those that would take a repeated order twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Protocol

from services.kit.bus.memory import MemoryBus
from services.kit.bus.port import Bus
from services.kit.clock import Clock, HandClock
from services.kit.ids import CountedIds
from services.kit.work import Runtime
from services.ledger.portfolio import Seat, open_portfolio
from services.market.feed import Feed
from services.market.quote import Provenance
from services.orders.alpaca import AlpacaBroker
from services.orders.alpaca_scan import AlpacaReader
from services.orders.alpaca_seat import build_seat as build_alpaca_seat
from services.orders.broker import Broker, Desk
from services.orders.broker_routes import BrokerRoutes
from services.orders.order import Order, OrderType, Side
from services.orders.order_client import OrderClient, WireLimits
from services.orders.paper import PaperBroker
from services.orders.tradier import TradierBroker
from services.orders.tradier_scan import TradierReader
from services.orders.tradier_seat import build_seat
from tests.fakes import alpaca_broker, tradier_broker
from tests.fakes.alpaca_broker import AlpacaBrokerage
from tests.fakes.hand_feed import HandFeed
from tests.fakes.order_desk import OrderDesk
from tests.fakes.tradier_broker import ACCOUNT, TradierBrokerage
from tests.unit.orders.test_order import ORDER

BID, ASK = Decimal("190.00"), Decimal("190.10")
TRADIER_DEFINITE = (
    *("errors", "errors_list", "old_errors", "text_400", "json_400"),
    *("account_401", "token_401"),
)
"""What Tradier says that is a clear no to an order."""
FAST = WireLimits(connect_s=10, read_s=10, total_s=20)


class House(Protocol):
    """One adapter with its market: AAPL stands at 190.00 / 190.10 until `trades` moves it."""

    desk: OrderDesk
    broker: Broker
    account_id: str

    def meet(self) -> None:
        """Let what can trade at the market as it stands trade whole."""

    def trades(self, price: str, quantity: str) -> None:
        """Let the market trade there, with `quantity` for every order that it reaches."""

    def close_session(self) -> None:
        """Move the time past the end of the session."""

    def outage(self) -> Any:
        """Return a block in which the broker can not be asked."""


@dataclass(frozen=True, kw_only=True)
class Kept:
    """What a broker has of one of our orders."""

    filled: Decimal
    left: Decimal
    is_open: bool


@dataclass(frozen=True, kw_only=True)
class Plans:
    """The faults that a fake broker takes: those of submits, of cancels and of reading."""

    definite: tuple[str, ...]
    unclear: tuple[str, ...]
    cancels: tuple[str, ...]
    readings: tuple[str, ...]


class WiredHouse(House, Protocol):
    """A house behind a fake over HTTP."""

    fake: Any
    plans: Plans

    def sent(self) -> list[str]:
        """Return the client id of every request to place an order, in order."""

    def kept(self) -> dict[str, Kept]:
        """Return what the broker has of our orders by client id, the first of two with one id."""

    def execute(self, client_order_id: str, quantity: str, price: str) -> None:
        """Let one order trade, whatever the market says."""


class DelayedFeed(HandFeed):
    """The prices of a sandbox."""

    provenance = Provenance.DELAYED


def _open_desk(
    database: Any, settings: Any, feed: HandFeed, broker: Broker, *, clock: HandClock, seat: Seat
) -> OrderDesk:
    ports = {Bus: MemoryBus(), Feed: feed, Broker: broker}
    desk = OrderDesk(Runtime(database, clock, CountedIds(), settings, ports=ports), feed)
    desk.portfolio_id = desk.write(lambda ctx: open_portfolio(ctx, "Desk", seat=seat)).id
    return desk


class PaperHouse:
    """The built-in broker: its market is the feed's tape, and a tenth of it is ours."""

    def __init__(self, database: Any, settings: Any) -> None:
        self.broker, self.feed = PaperBroker(), HandFeed()
        self.feed.minute_volume = Decimal(0)
        self.account_id = "acc_1"
        self.desk = _open_desk(
            database,
            settings,
            self.feed,
            self.broker,
            clock=HandClock(self.feed.time),
            seat=Seat(id=self.account_id),
        )

    def close(self) -> None: ...

    def meet(self) -> None:
        self.feed.trade("AAPL", str((BID + ASK) / 2))

    def trades(self, price: str, quantity: str) -> None:
        self.feed.trade("AAPL", price, size=str(Decimal(quantity) * 10))

    def close_session(self) -> None:
        self.feed.advance(hours=7)
        self.desk.runtime.clock.advance(hours=7)  # type: ignore[attr-defined]

    @contextmanager
    def outage(self) -> Iterator[None]:
        self.feed.broken = True
        yield
        self.feed.broken = False


class TradierHouse:
    """The sandbox of Tradier as a fake over HTTP; polling is not slowed down."""

    plans = Plans(
        definite=TRADIER_DEFINITE,
        unclear=tuple(sorted(set(tradier_broker.ANSWERS) - set(TRADIER_DEFINITE))),
        cancels=("page_502", "text_400", "account_401"),
        readings=("page_502", "half_json", "limited_429", "text_403", "cut"),
    )

    def __init__(self, database: Any, settings: Any, *, limits: WireLimits = FAST) -> None:
        self.feed, self.seat = DelayedFeed(), build_seat("sandbox", ACCOUNT)
        self.account_id = self.seat.account_id
        clock = HandClock(self.feed.time)
        self.fake = TradierBrokerage(clock).__enter__()
        routes = self.broker_at(self.fake.base_url, clock, limits)
        self.broker = routes.of(self.account_id)
        seat = Seat(id=self.account_id, broker="tradier", mode=self.seat.mode)
        self.desk = _open_desk(database, settings, self.feed, routes, clock=clock, seat=seat)

    @staticmethod
    def broker_at(base_url: str, clock: Clock, limits: WireLimits = FAST) -> BrokerRoutes:
        """Return the broker port of a process that works at this house."""
        seat = build_seat("sandbox", ACCOUNT)
        wire = OrderClient(base_url, TradierBrokerage(clock).headers, clock, limits=limits)
        reader = TradierReader(seat, wire, clock, requests_minute=100_000)
        broker = TradierBroker(seat, wire, reader, poll_s=0)
        return BrokerRoutes(PaperBroker(), {seat.account_id: broker})

    def close(self) -> None:
        self.broker._wire.close()
        self.fake.__exit__()

    def meet(self) -> None:
        for row in self._open():
            far = ASK if row["side"] == "buy" else BID
            if _reached(row, far, touch=True) and row["type"] in ("market", "limit"):
                self.fake.fill(row["remaining_quantity"], str(far), row)

    def trades(self, price: str, quantity: str) -> None:
        for row in self._open():
            if _reached(row, Decimal(price), touch="stop_price" in row):
                left = min(Decimal(quantity), Decimal(row["remaining_quantity"]))
                self.fake.fill(str(left), row.get("price", price), row)

    def close_session(self) -> None:
        self.feed.advance(hours=7)
        self.desk.runtime.clock.advance(hours=7)  # type: ignore[attr-defined]
        for row in self._open():
            if row["duration"] == "day":
                self.fake.end("expired", row)

    @contextmanager
    def outage(self) -> Iterator[None]:
        self.fake.down = True
        yield
        self.fake.down = False

    def sent(self) -> list[str]:
        return [form["tag"] for form in self.fake.posts]

    def kept(self) -> dict[str, Kept]:
        rows = [one.row for one in self.fake.booked.values() if one.row.get("tag")]
        return {row["tag"]: self._kept(row) for row in rows[::-1]}

    def execute(self, client_order_id: str, quantity: str, price: str) -> None:
        self.fake.fill(quantity, price, self.fake.of(client_order_id))

    def _kept(self, row: dict[str, Any]) -> Kept:
        filled, left = Decimal(row["exec_quantity"]), Decimal(row["remaining_quantity"])
        is_open = row["status"] in ("open", "partially_filled")
        return Kept(filled=filled, left=left, is_open=is_open)

    def _open(self) -> list[dict[str, Any]]:
        rows = [one.row for one in self.fake.booked.values()]
        return [row for row in rows if row["status"] in ("open", "partially_filled")]


class AlpacaHouse:
    """The paper account of Alpaca as a fake over HTTP; polling is not slowed down."""

    plans = Plans(
        definite=alpaca_broker.DEFINITE,
        unclear=tuple(sorted(set(alpaca_broker.ANSWERS) - set(alpaca_broker.DEFINITE))),
        cancels=("page_502", "text_400", "keys_401", "json_500"),
        readings=("page_502", "half_json", "limited_429", "text_403", "json_404", "cut"),
    )

    def __init__(self, database: Any, settings: Any, *, limits: WireLimits = FAST) -> None:
        number = alpaca_broker.ACCOUNT
        self.feed, self.seat = DelayedFeed(), build_alpaca_seat("paper", number)
        self.account_id = self.seat.account_id
        clock = HandClock(self.feed.time)
        self.fake = AlpacaBrokerage(clock).__enter__()
        routes = self.broker_at(self.fake.base_url, clock, limits)
        self.broker = routes.of(self.account_id)
        seat = Seat(id=self.account_id, broker="alpaca", mode=self.seat.mode)
        self.desk = _open_desk(database, settings, self.feed, routes, clock=clock, seat=seat)

    @staticmethod
    def broker_at(base_url: str, clock: Clock, limits: WireLimits = FAST) -> BrokerRoutes:
        """Return the broker port of a process that works at this house."""
        seat = build_alpaca_seat("paper", alpaca_broker.ACCOUNT)
        wire = OrderClient(base_url, AlpacaBrokerage(clock).headers, clock, limits=limits)
        reader = AlpacaReader(seat, wire, clock, requests_minute=100_000)
        broker = AlpacaBroker(seat, wire, reader, poll_s=0)
        return BrokerRoutes(PaperBroker(), {seat.account_id: broker})

    def close(self) -> None:
        self.broker._wire.close()
        self.fake.__exit__()

    def meet(self) -> None:
        for row in self._open():
            far = ASK if row["side"] == "buy" else BID
            if _reached(_alike(row), far, touch=True) and row["type"] in ("market", "limit"):
                self.fake.fill(str(_left(row)), str(far), row)

    def trades(self, price: str, quantity: str) -> None:
        for row in self._open():
            stops = row["stop_price"] is not None
            if row["id"] not in [one["id"] for one in self._open()]:
                continue
            if _reached(_alike(row), Decimal(price), touch=stops):
                at = price if stops else row["limit_price"] or price
                self.fake.fill(str(min(Decimal(quantity), _left(row))), at, row)

    def close_session(self) -> None:
        self.feed.advance(hours=7)
        self.desk.runtime.clock.advance(hours=7)  # type: ignore[attr-defined]
        for row in self._open():
            if row["time_in_force"] == "day":
                self.fake.end("expired", row)

    @contextmanager
    def outage(self) -> Iterator[None]:
        self.fake.down = True
        yield
        self.fake.down = False

    def sent(self) -> list[str]:
        return [document["client_order_id"] for document in self.fake.posts]

    def kept(self) -> dict[str, Kept]:
        return {
            one.row["client_order_id"]: Kept(
                filled=Decimal(one.row["filled_qty"]),
                left=_left(one.row),
                is_open=one.row["status"] in ("new", "partially_filled"),
            )
            for one in self.fake.booked.values()
            if not one.parent
        }

    def execute(self, client_order_id: str, quantity: str, price: str) -> None:
        self.fake.fill(quantity, price, self.fake.of(client_order_id))

    def _open(self) -> list[dict[str, Any]]:
        return self.fake.book.working()


def _alike(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row of Alpaca with the names that `_reached` reads."""
    prices = {"price": row["limit_price"], "stop_price": row["stop_price"]}
    named = {key: value for key, value in prices.items() if value is not None}
    return {"type": row["type"], "side": row["side"], **named}


def _left(row: dict[str, Any]) -> Decimal:
    return Decimal(row["qty"]) - Decimal(row["filled_qty"])


def _reached(row: dict[str, Any], price: Decimal, *, touch: bool) -> bool:
    """Return whether a trade at `price` reaches an order; a limit wants a better one to be sure."""
    if row["type"] == "market":
        return True
    named = Decimal(row.get("stop_price", row.get("price", "0")))
    better = price > named if (row["side"] == "buy") == ("stop_price" in row) else price < named
    return better or (touch and price == named)


WIRED: dict[str, Callable[..., Any]] = {"alpaca": AlpacaHouse, "tradier": TradierHouse}
HOUSES: dict[str, Callable[..., Any]] = {"paper": PaperHouse, **WIRED}
SENT_ONCE: dict[str, Callable[..., Any]] = {"tradier": TradierHouse}


def order_for(house: House, number: int = 1, **changes: Any) -> Order:
    """Return an order of the house's account: buy 10 AAPL at 190.10 or better, today."""
    label = str(house.desk.feed.provenance)
    order = replace(
        ORDER, account_id=house.account_id, provenance=label, client_order_id=f"cm-{number}"
    )
    order = replace(order, **changes)
    if order.type is OrderType.MARKET:
        order = replace(order, limit_price=None)
    if order.type is OrderType.STOP:
        order = replace(order, limit_price=None)
    if "worst_price" not in changes:
        usual = Decimal("192.01") if order.side is Side.BUY else BID
        order = replace(order, worst_price=order.limit_price or usual)
    return order


def port_of(house: House) -> Desk:
    """Return where the port is asked from."""
    return Desk(house.desk.runtime, house.desk.who.tenant_id)
