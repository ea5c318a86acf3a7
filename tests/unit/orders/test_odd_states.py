"""Odd moments of an order: late cards, lost storage, a silent market, and what a card then says."""

import re
from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import event

from services.kit.errors import Refusal
from services.orders import confirm as gate
from services.orders import execute, propose, switch
from services.orders.broker import Ambiguous, BrokerUnreachable, Desk, NotSent, Rejected
from services.orders.cancel import request_cancel
from services.orders.order import State
from services.orders.paper import PaperBroker
from services.orders.paper_tables import paper_orders
from services.orders.tables import order_intents, submit_attempts
from tests.fakes.order_desk import draft


def lines(desk, proposal_id):
    shown = desk.issue(proposal_id).card
    return shown, {line.label: line.value for line in shown.lines}


@pytest.fixture
def read_only(desk):
    """Call the result to make the storage read-only until the test ends."""
    engine, state = desk.runtime.database.engine, {"wound": "OFF"}

    def taken(connection, _record, _proxy):
        connection.execute(f"PRAGMA query_only={state['wound']}")

    event.listen(engine, "checkout", taken)
    yield lambda wound="ON": state.update(wound=wound)
    event.remove(engine, "checkout", taken)


@pytest.mark.fault("F058")
def test_client_ids_are_short_lower_case_and_our_own(desk):
    made = [desk.propose(symbol).order.client_order_id for symbol in ("AAPL", "MSFT", "IBM")]
    desk.work()
    order_id = desk.buy("GOOG", type="limit", limit_price="149.00", tif="gtc")
    made.append(desk.write(lambda ctx: propose.propose_cancel(ctx, order_id)).order.client_order_id)
    assert len(set(made)) == 4
    assert [one for one in made if not re.fullmatch(r"[a-z0-9-]{1,36}", one)] == []


def test_a_card_of_a_cancel_names_the_order_and_asks_for_no_typing(desk):
    order_id = desk.buy(type="limit", limit_price="189.00", tif="gtc")
    card = desk.write(lambda ctx: propose.propose_cancel(ctx, order_id))
    shown, said = lines(desk, card.id)
    assert shown.title.startswith("Cancel: Buy 10 AAPL limit 189")
    assert said["Cancel order"] == order_id
    assert said["Order"].startswith("buy 10 AAPL limit 189")
    assert shown.typed is None
    again = desk.write(lambda ctx: propose.propose_cancel(ctx, order_id))
    assert again.id == card.id


def test_a_cancel_card_is_closed_when_its_order_ends_without_it(desk):
    order_id = desk.buy(type="limit", limit_price="189.00", tif="gtc")
    card = desk.write(lambda ctx: propose.propose_cancel(ctx, order_id))
    shown = desk.issue(card.id)
    desk.write(lambda ctx: request_cancel(ctx, order_id, reason="the owner's button"))
    assert desk.order(order_id).state is State.CANCELLED
    assert desk.status(card.id) == "invalidated"
    late = desk.refused(lambda: desk.confirm(card.id, shown))
    assert late.code == "PROPOSAL_NOT_PENDING"
    assert "its order has ended: CANCELLED" in late.message


def test_a_cancel_card_is_closed_when_its_order_is_filled(desk):
    order_id = desk.buy()
    card = desk.write(lambda ctx: propose.propose_cancel(ctx, order_id))
    desk.work(4)
    assert desk.order(order_id).state is State.FILLED
    assert desk.status(card.id) == "invalidated"


def test_the_card_that_ends_its_order_is_confirmed_and_not_closed(desk):
    order_id = desk.buy(type="limit", limit_price="189.00", tif="gtc")
    card = desk.write(lambda ctx: propose.propose_cancel(ctx, order_id))
    assert desk.confirm(card.id)["order_id"] == order_id
    assert desk.order(order_id).state is State.CANCELLED
    assert desk.status(card.id) == "confirmed"


def test_a_card_of_a_sale_tells_its_least_price_and_no_cost(desk):
    desk.buy(quantity="20")
    desk.work()
    shown, said = lines(
        desk, desk.propose(side="sell", quantity="5", type="limit", limit_price="190.50").id
    )
    assert shown.title.startswith("Sell 5 AAPL limit 190.5")
    assert said["Price band"].startswith("at least 190.5")
    assert "Estimated cost" not in said
    _, stopped = lines(
        desk, desk.propose(side="sell", quantity="5", type="stop", stop_price="180.00").id
    )
    assert stopped["Order"].startswith("Sell 5 AAPL stop 180")


def test_a_card_warns_of_outside_text_and_of_an_order_made_twice(desk):
    desk.buy()
    made = desk.write(
        lambda ctx: propose.propose(ctx, draft(), taint=("quantity from a headline",))
    )
    shown = desk.issue(made.id).card
    assert "some values came from outside text: quantity from a headline" in shown.warnings
    assert shown.typed.expected_hint == "AAPL 10"


def test_a_decision_gives_its_order_or_raises_its_refusal(desk):
    made = desk.propose()
    seen = desk.issue(made.id)
    terms = {"version": seen.version, "order_hash": seen.order_hash}
    wrong = desk.write(lambda ctx: gate.redeem(ctx, made.id, token="ct_" + "A" * 43, **terms))
    with pytest.raises(Refusal) as told:
        wrong.require()
    assert told.value.code == "TOKEN_WRONG"
    right = desk.write(lambda ctx: gate.redeem(ctx, made.id, token=seen.token, **terms))
    assert right.require().value == made.order


def test_a_cancel_confirmed_after_the_fill_is_refused_and_its_card_is_dead(desk):
    order_id = desk.buy(type="limit", limit_price="189.00", tif="gtc")
    desk.work()
    card = desk.write(lambda ctx: propose.propose_cancel(ctx, order_id))
    seen = desk.issue(card.id)
    desk.feed.advance(seconds=5)
    desk.feed.set("AAPL", "188.00", "188.10")
    desk.feed.trade("AAPL", "188.00", "5000")
    desk.work(2)
    assert desk.order(order_id).state is State.FILLED
    assert desk.refused(lambda: desk.confirm(card.id, seen)).code == "PROPOSAL_NOT_PENDING"
    assert desk.status(card.id) == "invalidated"


def test_an_edit_of_a_cancel_and_of_an_unknown_field_is_refused(desk):
    order_id = desk.buy(type="limit", limit_price="189.00", tif="gtc")
    card = desk.write(lambda ctx: propose.propose_cancel(ctx, order_id))
    edit = lambda what, changes: desk.refused(  # noqa: E731 - one line reads better twice
        lambda: desk.write(lambda ctx: propose.edit(ctx, what, changes))
    )
    assert edit(card.id, {"quantity": Decimal(3)}).code == "EDIT_EMPTY"
    order = desk.propose("MSFT")
    refusal = edit(order.id, {"account_id": "acc_other"})
    assert (refusal.code, refusal.facts["field"]) == ("PARAM_INVALID", "account_id")
    assert desk.status(order.id) == "pending"


def test_an_order_waits_unsent_while_the_market_can_not_be_read(desk):
    order_id = desk.buy()
    desk.feed.broken = True
    desk.work()
    assert desk.order(order_id).state is State.QUEUED
    assert desk.count(submit_attempts) == 0
    desk.feed.broken = False
    desk.work()
    assert desk.order(order_id).state is State.FILLED


def test_a_halt_after_the_confirmation_denies_the_order_and_frees_its_cash(desk):
    order_id = desk.buy()
    desk.write(lambda ctx: switch.halt(ctx, "enough for today"))
    desk.work()
    view = desk.order(order_id)
    assert view.state is State.DENIED
    assert "KILL_SWITCH" in view.reason
    assert desk.cash().reserved.amount == 0
    assert desk.count(submit_attempts) == 0


@pytest.mark.fault("F070")
@pytest.mark.fault("F071")
def test_storage_that_can_not_be_written_confirms_nothing_and_sends_nothing(desk, read_only):
    waiting = desk.buy("MSFT")
    made = desk.propose()
    seen = desk.issue(made.id)
    read_only()
    assert desk.refused(lambda: desk.confirm(made.id, seen)).code == "DATABASE_UNAVAILABLE"
    desk.work()
    assert desk.order(waiting).state is State.QUEUED
    assert desk.status(made.id) == "pending"
    read_only("OFF")
    assert (desk.count(order_intents), desk.count(paper_orders)) == (1, 0)
    order_id = desk.confirm(made.id, seen)["order_id"]
    desk.work()
    assert desk.order(order_id).state is desk.order(waiting).state is State.FILLED


def test_the_paper_broker_says_what_became_of_a_request_that_storage_refused(desk, read_only):
    order = desk.propose().order
    broker, at = PaperBroker(), Desk(desk.runtime, desk.who.tenant_id)
    read_only()
    assert isinstance(broker.submit(at, order), (NotSent, Ambiguous))
    read_only("OFF")
    assert desk.count(paper_orders) == 0
    assert isinstance(broker.cancel(at, order.account_id, "cm-nobody"), (Rejected, Ambiguous))


def test_the_paper_broker_can_not_cancel_or_look_without_a_market(desk):
    order_id = desk.buy(type="limit", limit_price="189.00", tif="gtc")
    desk.work()
    row = desk.rows(order_intents, order_intents.c.id)[0]
    broker, at = PaperBroker(), Desk(desk.runtime, desk.who.tenant_id)
    desk.feed.advance(seconds=5)
    desk.feed.broken = True
    outcome = broker.cancel(at, row.account_id, row.client_order_id)
    assert isinstance(outcome, Ambiguous)
    with pytest.raises(BrokerUnreachable):
        broker.look(at, row.account_id, [row.client_order_id])
    desk.feed.broken = False
    desk.write(lambda ctx: execute.cancel(ctx, order_id))
    desk.work(2)
    assert desk.order(order_id).state is State.CANCELLED


def test_an_expired_confirmation_is_never_sent(desk, clock):
    order_id = desk.buy()
    clock.advance(seconds=3600)
    desk.feed.time += timedelta(seconds=3600)
    desk.work()
    assert desk.order(order_id).state is State.EXPIRED
    assert desk.cash().reserved.amount == 0
