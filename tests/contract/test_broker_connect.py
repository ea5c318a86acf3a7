"""Owns the proof of connecting an account outside: what turns it on, what keeps it off, drift."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from agent.intent import Intent
from agent.pinned import pinned
from agent.reality import Reality
from app.broker import build_brokers
from app.broker_duty import tend_broker
from app.http.health import feature_records
from services.kit.environment import SettingsInvalid, load_settings
from services.kit.outbox import outbox_rows
from services.ledger import portfolio
from services.market.provider import ProviderRecord
from services.market.quote import Provenance
from services.orders import store
from services.orders.connect import Drift, Holdings, find_drift
from services.orders.order import State
from services.orders.paper_tables import paper_orders
from tests.fakes.hand_feed import HandFeed
from tests.fakes.order_desk import OrderDesk
from tests.fakes.tradier_broker import ACCOUNT, TOKEN, TradierBrokerage
from tests.fakes.trading_day import TradingDay

D = Decimal
REAL = "6YA00001"


class ProviderFeed(HandFeed):
    """Prices that come from somewhere, labelled as a test says."""

    def __init__(self, label: Provenance) -> None:
        self.provenance = label
        super().__init__()

    def record(self) -> ProviderRecord:
        return ProviderRecord(name="hand", host="prices.example", on=True, why="a test feed")


class Installation:
    """A whole product beside a fake Tradier that holds 50,000 dollars and nothing else."""

    def __init__(self, home, feed, **changes) -> None:
        number = changes.get("TRADIER_ACCOUNT_ID", ACCOUNT)
        self.feed = feed
        self.house = TradierBrokerage(None, account=number).__enter__()
        self.house.owns("50000.00")
        self.house.speaks_for("VA999999", number)
        given = {
            "TRADIER_ACCESS_TOKEN": TOKEN,
            "TRADIER_ACCOUNT_ID": number,
            "TRADIER_BASE_URL": self.house.base_url,
            **changes,
        }
        self.day = TradingDay(home, environment=given, feed=feed)
        self.house.clock = self.day.clock
        self.product, self.runtime = self.day.product, self.day.runtime

    def tend(self) -> None:
        assert tend_broker(self.product) == 0
        self.day.clock.advance(seconds=31)
        self.feed.advance(seconds=31)

    def seat(self):
        number = self.house.account
        return self.day.read(lambda ctx: portfolio.find_seat(ctx, f"tradier-{number}"))

    def desk(self) -> OrderDesk:
        return OrderDesk(
            self.runtime, self.feed, self.day.who, portfolio_id=self.seat().portfolio_id
        )

    def feature(self, name: str) -> dict:
        return next(one for one in feature_records(self.product) if one["name"] == name)

    def close(self) -> None:
        self.day.close()
        self.house.__exit__()


@pytest.fixture
def install(tmp_path):
    made = []

    def build(label=Provenance.DELAYED, **changes) -> Installation:
        feed = changes.pop("feed", None) or ProviderFeed(label)
        made.append(Installation(tmp_path / f"home{len(made)}", feed, **changes))
        return made[-1]

    yield build
    for one in made:
        one.close()


OFF = [
    ({"TRADIER_ACCESS_TOKEN": ""}, True, "TRADIER_ACCESS_TOKEN is not set"),
    ({"TRADIER_ACCOUNT_ID": ""}, True, "TRADIER_ACCOUNT_ID is not set"),
    ({"TRADIER_ACCOUNT_ID": REAL}, True, "is a production account"),
    ({"TRADIER_ENV": "production"}, True, "is a sandbox account"),
    ({}, False, "replayed prices never trade outside"),
]


@pytest.mark.parametrize(("changes", "live_prices", "why"), OFF)
@pytest.mark.fault("F059")
def test_what_lacks_keeps_the_broker_off_and_says_why(changes, live_prices, why, clock):
    given = {"TRADIER_ACCESS_TOKEN": TOKEN, "TRADIER_ACCOUNT_ID": ACCOUNT, **changes}
    brokers = build_brokers(load_settings(given), clock, live_prices=live_prices)
    assert not brokers.record.on
    assert why in brokers.record.why
    assert brokers.record.todo


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"TRADIER_ACCESS_TOKEN": TOKEN, "TRADIER_ACCOUNT_ID": ACCOUNT},
        {"TRADIER_ENV": "production", "TRADIER_ACCESS_TOKEN": TOKEN},
        {
            "TRADIER_ENV": "production",
            "TRADIER_ACCESS_TOKEN": TOKEN,
            "TRADIER_ACCOUNT_ID": REAL,
            "FEATURE_MOCK_MODE": "true",
        },
    ],
)
@pytest.mark.fault("F059")
def test_live_trading_does_not_start_without_an_account_of_real_money(given):
    with pytest.raises(SettingsInvalid, match="LIVE_TRADING: no live broker is configured"):
        load_settings({"LIVE_TRADING": "true", **given})


def test_an_account_is_connected_once_with_its_cash_and_is_not_the_default(install):
    made = install()
    made.tend()
    seat = made.seat()
    assert (seat.broker, seat.mode, seat.id) == ("tradier", "paper", f"tradier-{ACCOUNT}")
    assert seat.day_trade_rule == "cash"
    assert made.desk().cash().posted.amount == D("50000.00")
    assert len(made.desk().audited("broker.connected")) == 1
    made.tend()
    assert made.seat() == seat
    usual = made.day.write(portfolio.get_portfolio)
    assert usual.id != seat.portfolio_id
    assert made.feature("tradier broker")["on"]
    assert "connected" in made.feature("tradier broker")["why"]


def test_an_order_of_the_account_goes_through_the_product_to_its_fill(install):
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
    assert len(made.house.posts) == 1
    assert made.day.faults() == []


def test_orders_without_an_account_stay_on_paper(install):
    made = install()
    made.tend()
    desk = OrderDesk(made.runtime, made.feed, made.day.who)
    desk.buy()
    made.day.work(2)
    assert (made.house.posts, desk.count(paper_orders)) == ([], 1)


@pytest.mark.parametrize("given", [{}, {"TRADIER_ACCESS_TOKEN": TOKEN}])
def test_trading_there_by_default_needs_an_account_there(given):
    with pytest.raises(SettingsInvalid, match="TRADING_BROKER: no account at Tradier"):
        load_settings({"TRADING_BROKER": "tradier", **given})


def test_the_owner_may_make_it_the_default_and_then_it_is_never_paper_instead(install):
    made = install(TRADING_BROKER="tradier")
    desk = OrderDesk(made.runtime, made.feed, made.day.who)
    refusal = desk.refused(desk.propose)
    assert (refusal.code, refusal.facts["feature"]) == ("FEATURE_OFF", "trading at tradier")
    made.tend()
    order_id = desk.buy()
    made.day.work(1)
    assert desk.order(order_id).account_id == f"tradier-{ACCOUNT}"
    assert (len(made.house.posts), desk.count(paper_orders)) == (1, 0)


def test_a_chat_message_becomes_a_card_of_the_account_and_its_fill_a_position(install):
    made = install(TRADING_BROKER="tradier")
    made.tend()
    made.day.say("buy 10 AAPL at market")
    (card,) = made.day.pending()
    assert (card.account_id, card.mode) == (f"tradier-{ACCOUNT}", "paper")
    made.day.confirm(card.id)
    made.day.work(2)
    made.house.fill("10", "190.05")
    made.day.work(4)
    (order,) = made.day.orders()
    assert (order.state, order.filled_quantity) == (State.FILLED, 10)
    assert len(made.house.posts) == 1
    assert made.day.faults() == []


def test_a_broker_that_is_off_sends_nothing_and_fills_nothing_on_paper(install, tmp_path):
    made = install()
    made.tend()
    order_id = made.desk().buy()
    made.product.brokers.refuse("switched off by a test")
    made.day.work(4)
    order = made.desk().order(order_id)
    assert (order.state, order.reason) == (State.EXPIRED, "never sent: switched off by a test")
    assert (made.house.posts, made.desk().count(paper_orders)) == ([], 0)
    assert made.desk().cash().reserved.amount == 0


REFUSED = [
    (lambda house: house.speaks_for("VA999999"), "does not speak for"),
    (lambda house: house.speaks_for(ACCOUNT, status="closed"), "is closed"),
    (lambda house: house.owns("50000", IBM="5"), "holds IBM"),
    (lambda house: house.owns("0"), "has no cash"),
]


@pytest.mark.parametrize(("change", "why"), REFUSED)
def test_an_account_that_can_not_be_taken_over_stays_off_and_says_why(install, change, why):
    made = install()
    change(made.house)
    made.tend()
    assert made.seat() is None
    assert not made.feature("tradier broker")["on"]
    assert why in made.feature("tradier broker")["why"]
    assert made.feature("tradier broker")["todo"]


def test_an_account_that_does_not_answer_is_asked_again(install):
    made = install()
    made.house.down = True
    made.tend()
    assert made.seat() is None
    assert "not reached" in made.feature("tradier broker")["why"]
    made.house.down = False
    made.tend()
    assert made.seat() is not None


# Drift.


@pytest.mark.fault("F051")
def test_a_difference_that_stays_freezes_the_portfolio_and_corrects_nothing(install):
    made = install()
    made.tend()
    made.house.owns("50000.00", **{"AAPL": "1", "BRK/B": "2"})
    made.tend()
    assert made.product.brokers.drift[1].what == "BRK.B"
    assert made.desk().propose("MSFT").status == "pending"
    made.tend()
    desk = made.desk()
    refusal = desk.refused(lambda: desk.propose("IBM"))
    assert refusal.code == "KILL_SWITCH"
    assert "AAPL 0 here, 1 there" in str(refusal)
    assert (desk.held(), desk.cash().posted.amount) == (0, D("50000.00"))
    assert OrderDesk(made.runtime, made.feed, made.day.who).propose("IBM").status == "pending"


@pytest.mark.fault("F051")
def test_a_cent_is_no_drift_and_two_are(install):
    made = install()
    for cash, drifts in (("50000.01", False), ("49999.99", False), ("50000.02", True)):
        made.house.owns("50000.00")
        made.tend()
        made.house.owns(cash)
        made.tend()
        assert bool(made.product.brokers.drift) is drifts
    assert made.product.brokers.drift == [Drift("cash", D(50000), D("50000.02"))]


def test_a_fill_that_was_not_read_yet_is_no_drift(install):
    made = install()
    made.tend()
    desk = made.desk()
    order_id = desk.buy()
    made.day.work(1)
    made.tend()
    made.house.fill("10", "190.00")
    made.house.owns("48100.00", AAPL="10")
    made.tend()
    made.day.work(4)
    made.tend()
    made.tend()
    assert desk.order(order_id).state is State.FILLED
    assert made.product.brokers.drift == []
    assert desk.propose("IBM").status == "pending"


@pytest.mark.fault("F050")
def test_an_order_of_the_brokers_own_page_is_told_once_and_its_fill_is_drift(install):
    made = install()
    made.tend()
    made.desk().buy()
    made.day.work(1)
    row = made.house.place_by_hand("IBM", "5")
    made.tend()
    made.tend()
    (told,) = made.desk().audited("order.external")
    facts = told["facts"]
    assert (facts["symbol"], facts["quantity"], facts["tag"]) == ("IBM", "5", "")
    alerts = [
        json.loads(one.payload) for one in made.desk().rows(outbox_rows, outbox_rows.c.dedupe_key)
    ]
    (alert,) = [one for one in alerts if one.get("code") == "ORDER_EXTERNAL"]
    assert "not on its way from here: buy 5 IBM" in alert["message"]
    assert len(made.day.orders()) == 1
    made.house.fill("5", "180.00", row)
    made.house.owns("49100.00", IBM="5")
    made.tend()
    made.tend()
    assert made.desk().refused(lambda: made.desk().propose("MSFT")).code == "KILL_SWITCH"
    assert made.desk().held("IBM") == 0


def test_an_order_that_was_refused_in_words_and_booked_all_the_same_is_told(install):
    made = install()
    made.tend()
    made.house.answers = ["booked:errors"]
    order_id = made.desk().buy(quantity="3")
    made.day.work(1)
    assert made.desk().order(order_id).state is State.REJECTED
    made.tend()
    (told,) = made.desk().audited("order.external")
    assert told["facts"]["tag"] == made.house.posts[0]["tag"]


def test_a_broker_that_does_not_answer_is_never_flat(install):
    made = install()
    made.tend()
    path = f"/v1/accounts/{ACCOUNT}/positions"
    made.house.documents[path] = {"errors": {"error": "Datastore Error"}}
    made.tend()
    made.tend()
    assert made.product.brokers.drift == []
    assert made.desk().propose("IBM").status == "pending"


def test_drift_is_counted_by_symbol_and_cash():
    mine = Holdings(cash=D(100), units={"AAPL": D(10), "IBM": D(1)})
    theirs = Holdings(cash=D("100.02"), units={"AAPL": D(11), "MSFT": D(2)})
    assert find_drift(mine, theirs) == [
        Drift("AAPL", D(10), D(11)),
        Drift("IBM", D(1), D(0)),
        Drift("MSFT", D(0), D(2)),
        Drift("cash", D(100), D("100.02")),
    ]
    assert find_drift(mine, mine) == []


# Real money.


def live(install, label=Provenance.LIVE, **changes):
    made = install(label, TRADIER_ENV="production", TRADIER_ACCOUNT_ID=REAL, **changes)
    made.tend()
    return made


@pytest.mark.fault("F059")
def test_an_account_of_real_money_is_read_only_without_the_process_flag(install):
    made = live(install)
    assert made.seat().mode == "live"
    desk = made.desk()
    assert desk.refused(lambda: desk.propose("AAPL")).code == "MODE_MISMATCH"
    assert made.feature("live trading")["on"] is False
    assert "LIVE_TRADING" in made.feature("live trading")["todo"]


@pytest.mark.fault("F059")
def test_a_live_order_is_typed_and_labelled_live_from_card_to_fill(install):
    made = live(install, LIVE_TRADING="true")
    desk = made.desk()
    card = desk.propose("AAPL", quantity="2")
    assert card.mode == "live"
    assert desk.refused(lambda: desk.confirm(card.id)).code == "CONFIRM_TYPED_MISMATCH"
    order_id = desk.confirm(card.id, typed="AAPL 2")["order_id"]
    made.day.work(2)
    made.house.fill("2", "190.05")
    made.day.work(4)
    order = desk.order(order_id)
    assert (order.state, order.order.mode, order.order.provenance) == (State.FILLED, "live", "LIVE")
    (fill,) = made.day.read(store.list_fills)
    assert (fill.provenance, fill.broker) == ("LIVE", "tradier")
    assert made.feature("live trading")["on"]
    assert made.day.faults() == []


@pytest.mark.parametrize("label", [Provenance.DELAYED, Provenance.REPLAY, Provenance.SIMULATED])
def test_prices_that_are_not_live_never_reach_real_money(install, label):
    made = live(install, label, LIVE_TRADING="true")
    desk = made.desk()
    refusal = desk.refused(lambda: desk.propose("AAPL"))
    assert refusal.facts["guard"] == "provenance_tradable"
    assert made.house.posts == []


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "Mode: paper. Orders go to the paper broker"),
        ({"TRADING_BROKER": "tradier"}, f"Mode: paper (sandbox). Orders go to account {ACCOUNT}"),
        (
            {"TRADING_BROKER": "tradier", "TRADIER_ENV": "production", "TRADIER_ACCOUNT_ID": REAL},
            f"Mode: live, real money. Orders go to account {REAL}",
        ),
    ],
)
def test_the_coach_is_told_where_orders_go(install, given, said):
    made = install(**given)
    text = made.day.read(lambda ctx: pinned(ctx, Reality(), Intent.ASK))
    assert said in text
