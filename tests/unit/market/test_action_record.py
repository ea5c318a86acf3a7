"""Recorded splits: who may say one, which word counts, and what prices, books and flags make of it."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest
from sqlalchemy.exc import DBAPIError

from services import audit
from services.kit.errors import Refusal
from services.ledger.fill_posting import FillFacts, post_fill
from services.ledger.portfolio import open_portfolio
from services.ledger.split import apply_due_splits
from services.ledger.valuation import value
from services.market.action_record import (
    known_splits,
    list_actions,
    record_by_person,
    record_split,
    recorded_splits,
)
from services.market.feed import Feed, Split
from services.market.freeze import active_freezes, listing_scope
from services.market.gate import admit, observed
from services.market.listing import find_listing, refresh_listings
from services.market.reference_job import refresh_splits
from services.market.session import get_session
from services.market.store_tables import corporate_actions
from tests.conftest import build_runtime
from tests.fakes.hand_feed import OPEN_TIME, HandFeed, listed

APPLE = listed("AAPL")
DAY = date(2027, 1, 13)
OPENS = get_session("XNYS", DAY).open
TEN = Split(DAY, OPENS, 1, 10)


class Desk:
    """Apple shares on a feed moved by hand, an owner who is an administrator, and the coach."""

    def __init__(self, runtime, owner, feed):
        self.runtime, self.feed = runtime, feed
        self.owner = replace(owner, scopes=frozenset({"admin", "read", "propose"}))

    def do(self, act):
        return self.runtime.write(self.owner, act)

    def say(self, old=1, new=10, day=DAY, note="the company's letter"):
        return self.do(lambda ctx: record_by_person(ctx, APPLE, day, (old, new), note))

    def tell(self, price, *, at=None):
        """Let the market show a price; return whether the gate let it in, and its codes."""
        self.feed.advance(seconds=(at - self.feed.time).total_seconds() if at else 5)
        self.feed.set("AAPL", price, str(Decimal(price) + Decimal("0.02")))
        quote = self.feed.quotes["AAPL"]
        done = self.do(lambda ctx: admit(ctx, observed(APPLE, quote)))
        return done.accepted, [one.code for one in done.findings]

    def known(self, until=OPENS):
        span = (OPEN_TIME, until)
        return self.do(lambda ctx: known_splits(ctx, APPLE.id, *span))

    def frozen(self):
        return [
            one.code for one in self.do(lambda ctx: active_freezes(ctx, (listing_scope(APPLE.id),)))
        ]

    def buy(self, quantity, price):
        def act(ctx):
            facts = FillFacts(
                order_id="o",
                portfolio_id=open_portfolio(ctx, "Main").id,
                exec_id="x",
                listing=APPLE.id,
                symbol="AAPL",
                side="buy",
                quantity=Decimal(quantity),
                price=Decimal(price),
                commission=Decimal(0),
                currency="USD",
                at=self.feed.time,
                provenance="SIMULATED",
            )
            return post_fill(ctx, facts)

        self.do(act)


@pytest.fixture
def desk(database, clock, settings, owner):
    feed, runtime = HandFeed(), build_runtime(database, clock, settings)
    return Desk(replace(runtime, ports={**runtime.ports, Feed: feed}), owner, feed)


@pytest.mark.fault("F026")
def test_a_split_that_a_person_records_explains_the_price_and_ends_the_freeze(desk):
    desk.tell("190.00")
    assert desk.tell("19.00", at=OPENS + timedelta(seconds=5)) == (False, ["DQ_SPLIT_SUSPECT"])
    assert desk.frozen() == ["DQ_SPLIT_SUSPECT"]
    desk.say()
    assert desk.tell("19.01")[0]
    assert desk.frozen() == []


@pytest.mark.fault("F026")
def test_a_holding_follows_a_recorded_split_once_and_is_open_until_then(desk):
    desk.buy("7", "190")
    desk.tell("190.00")
    desk.say(new=3, old=2)
    desk.tell("126.66", at=OPENS + timedelta(seconds=5))
    [held] = desk.do(value).holdings
    assert (held.missing, held.market_value) == ("CORPORATE_ACTION_PENDING", None)
    assert len(desk.do(apply_due_splits)) == 1
    assert desk.do(apply_due_splits) == []
    [held] = desk.do(value).holdings
    assert (held.quantity, held.market_value) == (10, Decimal("1266.70"))


def test_of_a_day_the_newest_word_counts_and_one_for_one_withdraws(desk):
    desk.feed.split_list = [TEN]
    assert desk.known() == [TEN]
    desk.say(new=5)
    assert desk.known() == [replace(TEN, ratio_to=5)]
    desk.say(new=1)
    assert desk.known() == []
    assert [one.ratio_to for one in desk.do(lambda ctx: list_actions(ctx, APPLE.id))] == [5, 1]


def test_a_split_counts_from_its_open_on_and_only_once_it_was_said(desk):
    desk.say()
    assert desk.known(OPENS - timedelta(seconds=1)) == []
    assert desk.known() == [TEN]
    said_at = desk.feed.time
    desk.feed.time = said_at - timedelta(seconds=1)
    assert desk.do(lambda ctx: recorded_splits(ctx, APPLE.id, OPEN_TIME, OPENS)) == []


def test_what_a_provider_says_is_recorded_once_and_flags_the_listing(desk):
    desk.do(lambda ctx: refresh_listings(ctx, [APPLE], "hand"))
    desk.feed.split_list = [TEN]
    desk.feed.advance(seconds=(OPENS - desk.feed.time).total_seconds() + 5)
    done = desk.do(lambda ctx: refresh_splits(ctx, ["AAPL"]))
    assert (done["splits"], done["recorded"]) == (1, 1)
    again = desk.do(lambda ctx: refresh_splits(ctx, ["AAPL"]))
    assert (again["splits"], again["recorded"]) == (1, 0)
    flags = desk.do(lambda ctx: find_listing(ctx, "AAPL")).flags
    assert flags == ("SPLIT 2027-01-13 1:10",)
    desk.say(new=5)
    desk.do(lambda ctx: refresh_splits(ctx, ["AAPL"]))
    assert desk.known() == [replace(TEN, ratio_to=5)]


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"day": date(2027, 1, 16)}, "ex_date"),
        ({"day": date(2028, 2, 1)}, "ex_date"),
        ({"new": 0}, "ratio_to"),
        ({"old": 10_001}, "ratio_from"),
    ],
)
def test_a_day_without_a_session_and_a_ratio_out_of_range_are_refused(desk, said, field):
    with pytest.raises(Refusal) as caught:
        desk.say(**said)
    assert (caught.value.code, caught.value.field) == ("PARAM_INVALID", field)


def test_only_an_administrator_records_and_it_is_audited(desk):
    made = desk.say()
    [event] = [one for one in desk.do(audit.trail) if one.kind == "data.action_recorded"]
    assert (event.subject, event.facts["ratio"], event.facts["action"]) == (
        APPLE.id,
        "1:10",
        made.id,
    )
    assert (made.source, made.recorded_by) == ("person", desk.owner.user_id)
    for who in (desk.owner.as_agent(), replace(desk.owner, scopes=frozenset({"propose"}))):
        with pytest.raises(Refusal, match="SCOPE_MISSING"):
            desk.runtime.write(
                who, lambda ctx: record_by_person(ctx, APPLE, DAY, (1, 10), "a guess")
            )


def test_what_was_said_is_never_changed(desk):
    desk.do(lambda ctx: record_split(ctx, APPLE, TEN, "hand"))
    with pytest.raises(DBAPIError, match="append-only"):
        desk.do(lambda ctx: ctx.db.change(corporate_actions.update().values(ratio_to=2)))
