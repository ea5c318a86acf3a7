"""Owns a book of many orders and a broker in the same process that holds them too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

from sqlalchemy import select

from services.kit.bus.memory import MemoryBus
from services.kit.bus.port import Bus
from services.kit.clock import HandClock
from services.kit.context import Context
from services.kit.db import Database
from services.kit.environment import load_settings
from services.kit.ids import CountedIds
from services.kit.work import Runtime
from services.ledger.portfolio import Seat, open_portfolio
from services.market.feed import Feed
from services.market.quote import Provenance
from services.orders.broker import (
    Accepted,
    Broker,
    BrokerStatus,
    BrokerTotal,
    BrokerTraits,
    BrokerView,
    Desk,
    Outcome,
    Rejected,
)
from services.orders.connect import Holdings
from services.orders.external import OrderFact
from services.orders.order import Order, State
from services.orders.tables import order_intents
from tests.fakes.hand_feed import HandFeed
from tests.fakes.order_desk import OrderDesk

ACCOUNT = "tradier-VA000001"
QUIET = timedelta(seconds=60)
_START_CASH = Decimal(1_000_000_000)
_CHUNK = 500
_NAMED = ("id", "proposal_id", "client_order_id", "broker_order_id")


class _Delayed(HandFeed):
    provenance = Provenance.DELAYED


@dataclass
class BookBroker:
    """A broker outside that holds every order of `facts`; it answers from memory."""

    account_id: str = ACCOUNT
    broker: str = "tradier"
    mode: str = "paper"
    title: str = "Outside"
    traits: BrokerTraits = BrokerTraits(name="tradier", dedupes_client_id=False)  # noqa: RUF009 - frozen
    views: dict[str, BrokerView] = field(default_factory=dict)
    facts: dict[str, OrderFact] = field(default_factory=dict)
    owned: Holdings = Holdings(cash=_START_CASH, units={})  # noqa: RUF009 - frozen
    looks: int = 0

    def submit(self, _desk: Desk, order: Order) -> Outcome:
        self.hold(order.client_order_id, "b0")
        return Accepted("b0")

    def cancel(self, _desk: Desk, _account_id: str, _client_order_id: str) -> Outcome:
        return Rejected("not today")

    def look(self, _desk: Desk, _account_id: str, names: Sequence[str]) -> list[BrokerView]:
        self.looks += 1
        return [self.views[name] for name in names if name in self.views]

    def check(self) -> None: ...

    def holdings(self) -> Holdings:
        return self.owned

    def orders(self) -> list[OrderFact]:
        return list(self.facts.values())

    def hold(self, tag: str, broker_order_id: str, *, foreign: bool = False) -> None:
        """Take one order of one unit; a foreign one has a tag that is not ours."""
        self.facts[broker_order_id] = OrderFact(
            broker_order_id=broker_order_id,
            tag=tag,
            symbol="AAPL",
            side="buy",
            type="limit",
            quantity=Decimal(1),
            status="open",
        )
        if not foreign:
            self.views[tag] = BrokerView(
                client_order_id=tag, broker_order_id=broker_order_id, status=BrokerStatus.OPEN
            )

    def fill(self, tag: str, price: str) -> None:
        """Fill an order whole, as a broker that only counts says it; the account follows."""
        at = HandFeed().time
        total = BrokerTotal(quantity=Decimal(1), price=Decimal(price), at=at, provenance="DELAYED")
        self.views[tag] = replace(self.views[tag], status=BrokerStatus.FILLED, total=total)
        units = {"AAPL": self.owned.units.get("AAPL", Decimal(0)) + 1}
        self.owned = replace(self.owned, cash=self.owned.cash - Decimal(price), units=units)


@dataclass
class OrderBook:
    """A runtime with many working orders, and the broker that holds every one of them."""

    runtime: Runtime
    desk: OrderDesk
    broker: BookBroker
    tags: list[str]

    @property
    def system(self) -> Desk:
        return Desk(self.runtime, self.desk.who.tenant_id)

    def rest(self) -> None:
        """Let a minute pass, so that no order has moved lately."""
        self.runtime.clock.advance(seconds=QUIET.total_seconds())  # type: ignore[attr-defined]


def opened(url: str, home: Path) -> tuple[OrderDesk, BookBroker]:
    """Open a desk at a broker outside, on a migrated database; every value repeats."""
    feed, broker = _Delayed(), BookBroker()
    ports = {Bus: MemoryBus(), Feed: feed, Broker: broker}
    settings = load_settings({"CORNERMAN_HOME": str(home)})
    runtime = Runtime(Database(url), HandClock(feed.time), CountedIds(), settings, ports=ports)
    desk = OrderDesk(runtime, feed)
    seat = Seat(id=ACCOUNT, broker="tradier", mode="paper")
    desk.portfolio_id = desk.write(
        lambda ctx: open_portfolio(ctx, "Outside", start_cash=_START_CASH, seat=seat)
    ).id
    return desk, broker


def build_book(url: str, home: Path, orders: int) -> OrderBook:
    """Place one order, and write its likes beside it: `orders` in all, each of one unit."""
    desk, broker = opened(url, home)
    first = desk.buy(quantity="1", type="limit", limit_price="180.00", tif="gtc")
    desk.work()
    tags = desk.write(lambda ctx: _write_likes(ctx, first, orders - 1))
    for tag in tags:
        broker.hold(tag, _broker_id(tag))
    book = OrderBook(desk.runtime, desk, broker, tags)
    book.rest()
    return book


def set_state(book: OrderBook, tags: Sequence[str], state: State) -> None:
    """Put orders into another state, as a process that died would have left them."""
    table = order_intents.c

    def act(ctx: Context) -> None:
        for tag in tags:
            change = order_intents.update().where(table.client_order_id == tag)
            ctx.db.change(change.values(state=state.value))

    book.desk.write(act)


def _write_likes(ctx: Context, order_id: str, count: int) -> list[str]:
    row = ctx.db.row(select(order_intents).where(order_intents.c.id == order_id))
    like = {name: value for name, value in row._mapping.items() if name != "tenant_id"}
    made = [
        like | {name: f"{name[:2]}-{number:07}" for name in _NAMED} | {"state": State.WORKING.value}
        for number in range(1, count + 1)
    ]
    for at in range(0, count, _CHUNK):
        ctx.db.insert(order_intents, *made[at : at + _CHUNK])
    return [one["client_order_id"] for one in made]


def _broker_id(tag: str) -> str:
    return f"br-{tag.partition('-')[2]}"
