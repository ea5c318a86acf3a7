"""Actions on positions on both engines: cards and nothing else, stops that only come nearer."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal as D  # noqa: N817 - a desk of numbers reads better short
from fractions import Fraction

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from services.kit.db import Database
from services.ledger import holding, portfolio, split
from services.market.feed import Split
from services.orders import execute, proposal, switch
from services.orders.broker import Broker, BrokerTraits
from services.orders.order import State, Status
from services.orders.paper import PaperBroker
from services.orders.position_actions import Ask, act, close_all, require_roll
from services.orders.tables import order_intents
from services.trade.position_stop import find_stop, keep_stop
from services.trade.position_stop_tables import position_stops
from tests.fakes.hand_feed import listed


@pytest.fixture
def database(database_url):
    database = Database(database_url)
    yield database
    database.close()


def bought(desk, symbol="AAPL", quantity="20", **rest):
    order_id = desk.buy(symbol, quantity=quantity, **rest)
    desk.work(2)
    assert desk.order(order_id).state is State.FILLED
    return order_id


def do(desk, action, symbol="AAPL", **rest):
    return desk.write(lambda ctx: act(ctx, Ask(action=action, symbol=symbol, **rest)))


def kept(desk, symbol="AAPL"):
    def look(ctx):
        book = portfolio.list_portfolios(ctx)[0].id
        held = next(one for one in holding.positions(ctx, book) if one.symbol == symbol)
        found = find_stop(ctx, book, held)
        return None if found is None else found.stop

    return desk.read(look)


def confirmed(desk, card):
    order_id = desk.confirm(card.id)["order_id"]
    desk.work(2)
    return order_id


def verdicts(done):
    return {one.name: one.verdict for one in done.checks}


def test_a_trim_is_one_card_that_sells_the_part_and_executes_nothing(desk):
    bought(desk, quantity="25", protective_stop="185.00")
    before = desk.count(order_intents)
    done = do(desk, "trim", share=Fraction(1, 2))
    (card,) = done.cards
    assert (card.order.side, card.order.quantity, card.order.type) == ("sell", 12, "market")
    assert card.status is Status.PENDING
    assert {one["severity"] for one in card.guards} <= {"ok", "warn", "typed"}
    assert len(card.guards) > 10
    assert desk.count(order_intents) == before
    assert desk.held() == 25
    confirmed(desk, card)
    assert desk.held() == 13


def test_the_same_action_again_is_the_same_card(desk):
    bought(desk)
    first, second = do(desk, "trim", units=D(5)), do(desk, "trim", units=D(5))
    assert first.cards[0].id == second.cards[0].id
    assert len(desk.read(lambda ctx: proposal.list_proposals(ctx, "pending"))) == 1


def test_a_close_sells_all_and_the_checklist_names_every_source(desk):
    bought(desk, protective_stop="185.00")
    done = do(desk, "close")
    assert done.cards[0].order.quantity == 20
    assert [one.name for one in done.checks] == ["plan", "size", "risk", "orders", "data"]
    assert all(one.source for one in done.checks)
    risk = next(one for one in done.checks if one.name == "risk")
    assert (risk.limit, risk.value) == (D("101.00"), 0)
    assert verdicts(done)["data"] == "warn"


def test_closing_all_makes_a_card_each_and_tells_what_can_not(desk, feed):
    bought(desk, "AAPL")
    bought(desk, "IBM", quantity="5")
    both = desk.write(close_all)
    assert [one.order.symbol for one in both.cards] == ["AAPL", "IBM"]
    assert [one.order.quantity for one in both.cards] == [20, 5]
    assert both.skipped == ()
    feed.set("IBM", "0", "0")
    done = desk.write(close_all)
    assert [one.order.symbol for one in done.cards] == ["AAPL"]
    (skipped,) = done.skipped
    assert (skipped.symbol, skipped.code) == ("IBM", "DQ_BLOCK")


@pytest.mark.parametrize("action", ["trim", "close", "move_stop"])
def test_what_is_not_held_is_refused_with_what_to_do(desk, action):
    refusal = desk.refused(lambda: do(desk, action, "MSFT", units=D(1), stop=D(1)))
    assert refusal.code == "POSITION_NONE"
    assert "what you hold" in refusal.hint
    assert desk.refused(lambda: desk.write(close_all)).code == "POSITION_NONE"


def test_bad_data_blocks_every_action(desk, feed):
    bought(desk)
    feed.set("AAPL", "0", "0")
    for action in ("trim", "close", "move_stop"):
        refusal = desk.refused(lambda a=action: do(desk, a, units=D(1), stop=D(188)))
        assert refusal.code == "DQ_BLOCK"
    assert desk.count(position_stops) == 0


def test_units_that_orders_promise_are_freed_by_cancel_cards_first(desk):
    bought(desk)
    working = desk.buy("AAPL", "sell", "15", type="limit", limit_price="250.00", tif="gtc")
    desk.work(2)
    small = do(desk, "trim", units=D(5))
    assert small.cards[0].kind == "order"
    done = do(desk, "close")
    (card,) = done.cards
    assert (card.kind, card.target_order_id) == ("cancel", working)
    assert "say close again" in done.step
    assert verdicts(done)["orders"] == "fail"


def test_a_moved_stop_is_kept_and_its_card_is_a_stop_order_that_works_once_confirmed(desk):
    bought(desk, protective_stop="185.00")
    done = do(desk, "move_stop", stop=D("188.00"))
    assert (done.stop, done.before, kept(desk)) == (D(188), D(185), D(188))
    (card,) = done.cards
    order = card.order
    assert (order.type, order.stop_price, order.tif, order.quantity) == ("stop", 188, "gtc", 20)
    (told,) = desk.audited("position.stop")
    assert (told["facts"]["stop"], told["facts"]["before"]) == ("188", "185")
    order_id = confirmed(desk, card)
    assert desk.order(order_id).state is State.WORKING
    assert desk.held() == 20


@pytest.mark.parametrize("stop", ["187.99", "185", "1"])
def test_a_stop_that_was_moved_never_goes_back(desk, stop):
    bought(desk, protective_stop="185.00")
    do(desk, "move_stop", stop=D("188.00"))
    refusal = desk.refused(lambda: do(desk, "move_stop", stop=D(stop)))
    assert refusal.code == "STOP_LOOSENED"
    assert kept(desk) == D(188)
    assert desk.count(position_stops) == 1


def test_the_planned_stop_is_where_the_ratchet_begins(desk):
    bought(desk, protective_stop="185.00")
    refusal = desk.refused(lambda: do(desk, "move_stop", stop=D("184.00")))
    assert (refusal.code, refusal.facts["old"]) == ("STOP_LOOSENED", "185")
    assert desk.count(position_stops) == 0


def test_a_stop_at_or_through_the_market_is_refused(desk):
    bought(desk)
    refusal = desk.refused(lambda: do(desk, "move_stop", stop=D("190.00")))
    assert refusal.code == "STOP_AT_MARKET"
    assert "below" in refusal.hint


def test_a_looser_stop_order_is_moved_in_place_by_its_card(desk):
    bought(desk, protective_stop="185.00")
    first = confirmed(desk, do(desk, "move_stop", stop=D("186.00")).cards[0])
    done = do(desk, "move_stop", stop=D("188.00"))
    (card,) = done.cards
    assert (card.kind, card.target_order_id, done.step) == ("replace", first, "")
    desk.confirm(card.id)
    desk.work(2)
    moved = desk.order(first)
    assert (moved.state, moved.order.stop_price, moved.quantity) == (State.WORKING, D(188), 20)
    same = desk.refused(lambda: do(desk, "move_stop", stop=D("188.00")))
    assert same.code == "STOP_STANDS"


def test_a_stop_order_that_is_on_its_way_is_not_moved_now(desk):
    bought(desk, protective_stop="185.00")
    first = confirmed(desk, do(desk, "move_stop", stop=D("186.00")).cards[0])
    desk.write(lambda ctx: execute.cancel(ctx, first))
    done = do(desk, "move_stop", stop=D("188.00"))
    assert done.cards == ()
    assert "can not be moved now" in done.step
    assert kept(desk) == D(188)


class Unchanging(PaperBroker):
    """A broker that takes no changes of a working order."""

    traits = BrokerTraits(name="paper", dedupes_client_id=True)


def test_a_looser_stop_order_is_cancelled_by_card_where_the_broker_changes_none(desk, clock):
    desk.runtime.ports[Broker] = Unchanging()
    bought(desk, protective_stop="185.00")
    first = confirmed(desk, do(desk, "move_stop", stop=D("186.00")).cards[0])
    done = do(desk, "move_stop", stop=D("188.00"))
    (cancel,) = done.cards
    assert (cancel.kind, cancel.target_order_id) == ("cancel", first)
    assert "say it again" in done.step
    desk.confirm(cancel.id)
    desk.work(3)
    assert desk.order(first).state is State.CANCELLED
    looser = desk.refused(lambda: do(desk, "move_stop", stop=D("187.00")))
    assert looser.code == "STOP_LOOSENED"
    clock.advance(seconds=61)
    again = do(desk, "move_stop", stop=D("188.00"))
    assert (again.cards[0].kind, again.cards[0].order.stop_price) == ("order", D(188))
    stands = confirmed(desk, again.cards[0])
    assert desk.order(stands).state is State.WORKING
    same = desk.refused(lambda: do(desk, "move_stop", stop=D("188.00")))
    assert same.code == "STOP_STANDS"


def test_a_halt_keeps_the_stop_and_says_why_no_order_can_be_made(desk):
    bought(desk)
    desk.write(lambda ctx: switch.halt(ctx, reason="looks odd"))
    done = do(desk, "move_stop", stop=D("188.00"))
    assert done.cards == ()
    assert "no stop order can be made now" in done.step
    assert kept(desk) == D(188)
    assert desk.refused(lambda: do(desk, "close")).code == "KILL_SWITCH"


def test_a_position_that_is_opened_anew_starts_without_a_stop(desk):
    bought(desk)
    do(desk, "move_stop", stop=D("188.00"))
    for card in desk.read(lambda ctx: proposal.list_proposals(ctx, "pending")):
        desk.write(lambda ctx, one=card: proposal.decline(ctx, one.id))
    confirmed(desk, do(desk, "close").cards[0])
    assert desk.held() == 0
    bought(desk, quantity="3")
    assert kept(desk) is None
    assert do(desk, "move_stop", stop=D("180.00")).stop == D(180)
    assert [row.number for row in desk.rows(position_stops, position_stops.c.number)] == [1, 2]


def test_a_split_moves_the_kept_stop_with_the_shares(desk, feed):
    bought(desk)
    do(desk, "move_stop", stop=D("188.00"))
    feed.advance(days=1)
    day = (feed.time + timedelta(hours=1)).date()
    feed.split_list.append(Split(day, feed.time - timedelta(minutes=1), 1, 2))
    feed.set("AAPL", "95.00", "95.05")
    desk.write(split.apply_due_splits)
    assert desk.held() == 40
    assert kept(desk) == D(94)


def test_the_stops_of_a_person_can_not_be_changed_or_taken_back(desk):
    bought(desk)
    do(desk, "move_stop", stop=D("188.00"))
    for statement in ("UPDATE position_stops SET stop = 1", "DELETE FROM position_stops"):
        with pytest.raises(DBAPIError):
            desk.write(lambda ctx, said=statement: ctx.db.connection.execute(text(said)))
    assert kept(desk) == D(188)


def test_another_tenant_sees_no_stop(desk):
    bought(desk)
    do(desk, "move_stop", stop=D("188.00"))
    stranger = desk.as_user(tenant_id="t_other", user_id="u_other")
    assert stranger.count(position_stops) == 0


def test_the_same_stop_is_kept_once(desk):
    bought(desk)

    def keep(ctx):
        book = portfolio.list_portfolios(ctx)[0].id
        (held,) = holding.positions(ctx, book)
        return keep_stop(ctx, book, held, stop=D(188), before=None)

    assert desk.write(keep).number == 1
    assert desk.write(keep).number == 1
    assert desk.count(position_stops) == 1


def test_only_options_roll_and_no_account_here_takes_their_orders(desk, feed, monkeypatch):
    bought(desk)
    shares = desk.refused(lambda: desk.read(lambda ctx: require_roll(ctx, "AAPL")))
    assert shares.code == "ROLL_UNAVAILABLE"
    assert "only options are rolled" in shares.message
    option = replace(listed("AAPL"), asset_class="option")
    monkeypatch.setattr(feed, "instrument", lambda _ctx, _symbol: option)
    contract = desk.refused(lambda: desk.read(lambda ctx: require_roll(ctx, "AAPL")))
    assert "takes no orders for options" in contract.message
    assert "at the broker" in contract.hint
