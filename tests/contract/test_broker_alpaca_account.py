"""Owns the proof of connecting an account at Alpaca: what turns it on, its pages, its orders."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from app.broker import build_brokers
from app.broker_duty import tend_broker
from app.http.health import feature_records
from services.kit.environment import SettingsInvalid, load_settings
from services.ledger import portfolio
from services.market.quote import Provenance
from services.orders import store
from services.orders.alpaca_account import get_balances, list_history, list_orders, list_positions
from services.orders.broker import BrokerUnreachable, Change
from services.orders.order import OrderClass, OrderType, State, Tif
from services.orders.paper_tables import paper_orders
from tests.contract.houses import AlpacaHouse, order_for, port_of
from tests.contract.test_broker_connect import ProviderFeed
from tests.fakes import tradier_broker
from tests.fakes.alpaca_broker import ACCOUNT, KEY, SECRET, AlpacaBrokerage
from tests.fakes.order_desk import OrderDesk
from tests.fakes.trading_day import TradingDay

D = Decimal
REAL = "912345678"
GIVEN = {"ALPACA_KEY_ID": KEY, "ALPACA_SECRET_KEY": SECRET, "ALPACA_ACCOUNT_ID": ACCOUNT}


class Installation:
    """A whole product beside a fake Alpaca that holds 50,000 dollars and nothing else."""

    def __init__(self, home, label=Provenance.DELAYED, **changes) -> None:
        number = changes.get("ALPACA_ACCOUNT_ID", ACCOUNT)
        self.feed = ProviderFeed(label)
        self.house = AlpacaBrokerage(None, account=number).__enter__()
        self.house.owns("50000.00")
        given = {**GIVEN, "ALPACA_BASE_URL": self.house.base_url, **changes}
        self.day = TradingDay(home, environment=given, feed=self.feed)
        self.house.clock = self.house.book._clock = self.day.clock
        self.product, self.runtime = self.day.product, self.day.runtime
        self.account_id = f"alpaca-{number}"

    def tend(self) -> None:
        assert tend_broker(self.product) == 0
        self.day.clock.advance(seconds=31)
        self.feed.advance(seconds=31)

    def seat(self):
        return self.day.read(lambda ctx: portfolio.find_seat(ctx, self.account_id))

    def desk(self) -> OrderDesk:
        number = self.seat().portfolio_id
        return OrderDesk(self.runtime, self.feed, self.day.who, portfolio_id=number)

    def feature(self, name: str) -> dict:
        return next(one for one in feature_records(self.product) if one["name"] == name)

    def close(self) -> None:
        self.day.close()
        self.house.__exit__()


@pytest.fixture
def install(tmp_path):
    made = []

    def build(label=Provenance.DELAYED, **changes) -> Installation:
        made.append(Installation(tmp_path / f"home{len(made)}", label, **changes))
        return made[-1]

    yield build
    for one in made:
        one.close()


# What turns it on.


OFF = [
    ({"ALPACA_KEY_ID": "", "ALPACA_SECRET_KEY": ""}, True, "ALPACA_KEY_ID is not set"),
    ({"ALPACA_KEY_ID": ""}, True, "ALPACA_KEY_ID is not set, and ALPACA_SECRET_KEY alone"),
    ({"ALPACA_SECRET_KEY": ""}, True, "ALPACA_SECRET_KEY is not set, and ALPACA_KEY_ID alone"),
    ({"ALPACA_ACCOUNT_ID": ""}, True, "ALPACA_ACCOUNT_ID is not set"),
    ({"ALPACA_ACCOUNT_ID": REAL}, True, "is a live account, and ALPACA_ENV is paper"),
    ({"ALPACA_ENV": "live"}, True, "is a paper account, and ALPACA_ENV is live"),
    ({"ALPACA_ACCOUNT_ID": "pa-3"}, True, "must be an account number"),
    ({}, False, "replayed prices never trade outside"),
]


@pytest.mark.parametrize(("changes", "live_prices", "why"), OFF)
@pytest.mark.fault("F059")
def test_what_lacks_keeps_the_broker_off_and_says_why(changes, live_prices, why, clock):
    brokers = build_brokers(load_settings({**GIVEN, **changes}), clock, live_prices=live_prices)
    (record,) = [one.record for one in brokers.links if one.record.name == "alpaca"]
    assert not record.on
    assert why in record.why
    assert record.todo


@pytest.mark.parametrize(
    "given",
    [
        {"ALPACA_ENV": "live"},
        {**GIVEN},
        {**GIVEN, "ALPACA_ENV": "live", "FEATURE_MOCK_MODE": "true"},
        {**GIVEN, "ALPACA_ENV": "live", "ALPACA_SECRET_KEY": ""},
    ],
)
@pytest.mark.fault("F059")
def test_live_trading_does_not_start_without_an_account_of_real_money(given):
    with pytest.raises(SettingsInvalid, match="LIVE_TRADING: no live broker is configured"):
        load_settings({"LIVE_TRADING": "true", **given})


def test_trading_there_by_default_needs_an_account_there():
    with pytest.raises(SettingsInvalid, match="TRADING_BROKER: no account at Alpaca"):
        load_settings({"TRADING_BROKER": "alpaca", **GIVEN, "ALPACA_SECRET_KEY": ""})


def test_an_account_is_connected_once_with_its_cash_and_is_not_the_default(install):
    made = install()
    made.tend()
    seat = made.seat()
    assert (seat.broker, seat.mode, seat.id) == ("alpaca", "paper", f"alpaca-{ACCOUNT}")
    assert seat.day_trade_rule != "cash"
    assert made.desk().cash().posted.amount == D("50000.00")
    made.tend()
    assert made.seat() == seat
    assert made.day.write(portfolio.get_portfolio).id != seat.portfolio_id
    assert made.feature("alpaca broker")["on"]
    assert "connected" in made.feature("alpaca broker")["why"]
    assert not made.feature("tradier broker")["on"]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda house: house.facts.update(account_number="PA3OTHERACC"), "the keys are not those"),
        (lambda house: house.facts.update(status="ACCOUNT_CLOSED"), "is account_closed"),
        (lambda house: house.facts.update(trading_blocked=True), "has blocked trading"),
        (lambda house: house.facts.update(trade_suspended_by_user=True), "is suspended"),
        (lambda house: house.facts.update(currency="EUR"), "is kept in EUR"),
        (lambda house: house.documents.update({"/v2/positions": [_ibm()]}), "holds IBM"),
    ],
)
def test_an_account_that_can_not_be_taken_over_stays_off_and_says_why(install, change, why):
    made = install()
    change(made.house)
    if made.house.facts:
        made.house.owns("50000.00")
    made.tend()
    assert made.seat() is None
    assert not made.feature("alpaca broker")["on"]
    assert why in made.feature("alpaca broker")["why"]
    assert "ALPACA_KEY_ID" in made.feature("alpaca broker")["todo"]


def _ibm():
    return {"symbol": "IBM", "qty": "5", "side": "long", "asset_class": "us_equity"}


def test_an_account_that_does_not_answer_is_asked_again(install):
    made = install()
    made.house.down = True
    made.tend()
    assert made.seat() is None
    assert "not reached" in made.feature("alpaca broker")["why"]
    made.house.down = False
    made.tend()
    assert made.seat() is not None


# Through the whole product.


def test_an_order_goes_through_the_product_to_its_fill_and_not_to_paper(install):
    made = install()
    made.tend()
    desk = made.desk()
    order_id = desk.buy()
    made.day.work(2)
    assert desk.order(order_id).state is State.WORKING
    made.house.fill("10", "190.05")
    made.day.work(4)
    assert (desk.order(order_id).state, desk.held()) == (State.FILLED, D(10))
    assert desk.cash().posted.amount == D("50000.00") - D("1900.50")
    assert (len(made.house.posts), desk.count(paper_orders)) == (1, 0)
    assert made.day.faults() == []


def test_a_chat_message_becomes_a_card_of_the_account_that_is_the_default(install):
    made = install(TRADING_BROKER="alpaca")
    made.tend()
    made.day.say("buy 10 AAPL at market")
    (card,) = made.day.pending()
    assert (card.account_id, card.mode) == (f"alpaca-{ACCOUNT}", "paper")
    made.day.confirm(card.id)
    made.day.work(2)
    assert len(made.house.posts) == 1
    assert made.product.brokers.record.name == "alpaca"


def test_a_live_order_is_typed_and_labelled_live_from_card_to_fill(install):
    live = {"ALPACA_ENV": "live", "ALPACA_ACCOUNT_ID": REAL, "LIVE_TRADING": "true"}
    made = install(Provenance.LIVE, **live)
    made.tend()
    desk = made.desk()
    card = desk.propose("AAPL", quantity="2")
    assert card.mode == "live"
    assert desk.refused(lambda: desk.confirm(card.id)).code == "CONFIRM_TYPED_MISMATCH"
    desk.confirm(card.id, typed="AAPL 2")
    made.day.work(2)
    made.house.fill("2", "190.05")
    made.day.work(4)
    (fill,) = made.day.read(store.list_fills)
    assert (fill.provenance, fill.broker) == ("LIVE", "alpaca")
    assert made.feature("live trading")["on"]


def test_two_brokers_stand_side_by_side_and_each_order_goes_to_its_own(install):
    with tradier_broker.TradierBrokerage(None) as other:
        other.owns("20000.00")
        other.speaks_for(tradier_broker.ACCOUNT)
        made = install(
            TRADIER_ACCESS_TOKEN=tradier_broker.TOKEN,
            TRADIER_ACCOUNT_ID=tradier_broker.ACCOUNT,
            TRADIER_BASE_URL=other.base_url,
        )
        other.clock = made.day.clock
        made.tend()
        assert made.feature("tradier broker")["on"]
        assert made.feature("alpaca broker")["on"]
        made.desk().buy()
        made.day.work(2)
        assert (len(made.house.posts), other.posts) == (1, [])
        made.product.brokers.refuse("switched off", made.product.brokers.links[1])
        assert made.feature("tradier broker")["on"]


@pytest.mark.fault("F051")
def test_a_difference_that_stays_freezes_the_portfolio(install):
    made = install()
    made.tend()
    made.house.owns("50000.00", AAPL="1")
    for _ in range(2):
        made.tend()
    refusal = made.desk().refused(lambda: made.desk().propose("IBM"))
    assert refusal.code == "KILL_SWITCH"
    assert "AAPL 0 here, 1 there" in str(refusal)


@pytest.mark.fault("F050")
def test_an_order_of_the_brokers_own_page_is_told_once_and_a_change_of_ours_is_not(install):
    made = install()
    made.tend()
    desk = made.desk()
    desk.buy(type="limit", limit_price="189.00")
    made.day.work(2)
    name = made.house.posts[0]["client_order_id"]
    changed = {"limit_price": "188.00", "client_order_id": f"{name}-r1"}
    made.house.book.change(made.house.book.by_name[name], changed)
    made.house.place_by_hand("IBM", "5")
    made.tend()
    made.tend()
    (told,) = desk.audited("order.external")
    assert (told["facts"]["symbol"], told["facts"]["quantity"]) == ("IBM", "5")


# The pages of the account.


@pytest.fixture
def house(database, settings):
    made = AlpacaHouse(database, settings)
    yield made
    made.close()


def test_balances_say_cash_equity_and_buying_power(house):
    house.fake.owns("50000.25")
    money = get_balances(house.broker.reader)
    assert (money.cash, money.buying_power, money.type) == (D("50000.25"), D("50000.25"), "margin")


def test_balances_without_cash_are_no_answer(house):
    house.fake.documents["/v2/account"] = {"account_number": ACCOUNT}
    with pytest.raises(BrokerUnreachable):
        get_balances(house.broker.reader)


def test_positions_are_signed_and_sorted(house):
    house.fake.owns("1", IBM="-5", AAPL="3")
    found = list_positions(house.broker.reader)
    assert [(one.symbol, one.quantity) for one in found] == [("AAPL", D(3)), ("IBM", D(-5))]


def test_what_happened_is_read_page_by_page_and_day_by_day(house):
    rows = [_paid(number, "2026-05-04") for number in range(100)]
    house.fake.documents["/v2/account/activities"] = [*rows[:98], _paid(1, "2026-05-03")]
    start = end = date(2026, 5, 4)
    found = list_history(house.broker.reader, start=start, end=end)
    assert (len(found), found[0].type, found[0].amount) == (98, "div", D("1.5"))
    house.fake.documents["/v2/account/activities"] = rows
    with pytest.raises(BrokerUnreachable, match="more than 40 pages"):
        list_history(house.broker.reader, start=start, end=end)
    assert "page_token=id-99" in house.fake.reads[-1]


def _paid(number, on):
    return {"activity_type": "DIV", "id": f"id-{number}", "date": on, "net_amount": "1.5"}


def test_a_group_is_one_order_and_a_change_goes_by_its_first_id(house):
    exits = {"take_profit": D(210), "stop_loss": D(185)}
    group = order_for(house, order_class=OrderClass.OTOCO, tif=Tif.GTC, **exits)
    house.broker.submit(port_of(house), group)
    house.broker.submit(port_of(house), order_for(house, 2))
    change = Change(type=OrderType.LIMIT, tif=Tif.DAY, limit_price=D(189))
    house.broker.replace(port_of(house), house.account_id, "cm-2", change)
    house.fake.place_by_hand()
    found = {one.tag: one for one in list_orders(house.broker.reader)}
    assert sorted(found) == ["broker-6", "cm-1", "cm-2"]
    assert found["cm-2"].broker_order_id == house.fake.of("cm-2")["id"]
    assert found["cm-2"].status == "open"


def test_a_day_of_many_orders_is_read_page_by_page(house):
    for _ in range(1203):
        house.fake.place_by_hand()
        house.desk.runtime.clock.advance(seconds=1)
    assert len(list_orders(house.broker.reader)) == 1203
    assert len([path for path in house.fake.reads if path.startswith("/v2/orders?")]) == 3


def test_only_the_orders_of_the_eastern_day_are_listed(house):
    house.broker.submit(port_of(house), order_for(house))
    assert len(list_orders(house.broker.reader)) == 1
    house.desk.runtime.clock.advance(hours=24)
    assert list_orders(house.broker.reader) == []
