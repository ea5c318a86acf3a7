"""A working order changed in place, through its card, at every house: sent once, then looked for."""

from __future__ import annotations

from decimal import Decimal

import pytest

from services import invariant
from services.kit import failpoint
from services.kit.outbox import outbox_rows
from services.ledger import portfolio
from services.orders import execute, propose, switch
from services.orders.broker import Desk
from services.orders.change_tables import order_changes
from services.orders.order import OrderType, State, Tif, stored_hash
from services.orders.replace import NewTerms, propose_replace
from services.orders.tables import order_intents, proposals
from tests.contract.houses import HOUSES, TradierHouse

LOWER = NewTerms(limit_price=Decimal("189.00"))
HIGHER = NewTerms(limit_price=Decimal("190.05"), tif="gtc")


@pytest.fixture(params=sorted(HOUSES))
def house(request, database, settings):
    made = HOUSES[request.param](database, settings)
    yield made
    made.close()


@pytest.fixture
def tradier(database, settings):
    made = TradierHouse(database, settings)
    yield made
    made.close()


def working(house, **terms):
    """Return the id of an order that waits at the broker: buy 10 AAPL at 189.50, today."""
    usual = {"type": "limit", "limit_price": "189.50", **terms}
    order_id = house.desk.buy("AAPL", usual.pop("side", "buy"), **usual)
    house.desk.work()
    assert house.desk.order(order_id).state is State.WORKING
    return order_id


def wish(house, order_id, terms=LOWER):
    return house.desk.write(lambda ctx: propose_replace(ctx, order_id, terms))


def change(house, order_id, terms=LOWER):
    """Propose and confirm a change; return the id of its proposal."""
    made = wish(house, order_id, terms)
    done = house.desk.confirm(made.id)
    assert done["order_id"] == order_id
    return made.id


def state_of(house, proposal_id):
    (row,) = [one for one in house.desk.rows(order_changes) if one.proposal_id == proposal_id]
    return row.state


def refused(house, order_id, terms=LOWER):
    return house.desk.refused(lambda: wish(house, order_id, terms))


def later(house, seconds):
    house.feed.advance(seconds=seconds)
    house.desk.runtime.clock.advance(seconds=seconds)


def sound(house):
    assert house.desk.read(invariant.check_all) == []


def told(house, words):
    rows = house.desk.rows(outbox_rows)
    return [row for row in rows if row.kind == "alert" and words in row.payload]


# What becomes of a change.


def test_a_confirmed_change_stands_at_the_broker_and_in_our_books(house):
    order_id = working(house)
    made = wish(house, order_id, HIGHER)
    house.desk.confirm(made.id)
    assert house.desk.order(order_id).order.limit_price == Decimal("189.50")
    house.desk.work()
    order = house.desk.order(order_id)
    assert (order.order.limit_price, order.order.tif) == (Decimal("190.05"), Tif.GTC)
    assert (order.state, order.order.quantity) == (State.WORKING, 10)
    (row,) = house.desk.rows(order_intents)
    assert row.order_hash == made.order_hash == stored_hash(row.order_json)
    (view,) = house.broker.look(
        Desk(house.desk.runtime, house.desk.who.tenant_id), house.account_id, [row.client_order_id]
    )
    assert view.terms.limit_price == Decimal("190.05")
    assert state_of(house, made.id) == "done"
    sound(house)


def test_the_audit_names_both_hashes_of_a_change(house):
    order_id = working(house)
    before = house.desk.rows(order_intents)[0].order_hash
    change(house, order_id)
    house.desk.work()
    (done,) = house.desk.audited("order.change_done")
    assert done["facts"]["before_hash"] == before
    assert done["facts"]["order_hash"] == house.desk.rows(order_intents)[0].order_hash
    assert done["facts"]["reason"] == "limit 189.50, day became limit 189.00, day"


def test_a_changed_order_trades_at_its_new_price_only(house):
    order_id = working(house)
    change(house, order_id)
    house.desk.work()
    house.trades("189.40", "10")
    house.desk.work()
    assert house.desk.order(order_id).state is State.WORKING
    house.trades("188.90", "10")
    house.desk.work()
    order = house.desk.order(order_id)
    assert (order.state, order.avg_price) == (State.FILLED, Decimal("189.00"))
    assert house.desk.cash().reserved.amount == 0
    sound(house)


def test_a_limit_becomes_a_stop_and_back(house):
    order_id = working(house)
    stop = NewTerms(type="stop", stop_price=Decimal("195.00"))
    if house.broker.traits.changes_anew:
        assert refused(house, order_id, stop).code == "REPLACE_UNAVAILABLE"
        return
    change(house, order_id, stop)
    house.desk.work()
    order = house.desk.order(order_id).order
    assert (order.type, order.stop_price, order.limit_price) == (OrderType.STOP, 195, None)
    change(house, order_id, NewTerms(type="limit", limit_price=Decimal("189.00")))
    house.desk.work()
    assert house.desk.order(order_id).order.type is OrderType.LIMIT
    sound(house)


def test_the_stop_of_a_position_is_moved_in_place(house):
    house.desk.buy()
    house.desk.work()
    house.meet()
    house.desk.work()
    assert house.desk.held() == 10
    stop_id = working(house, side="sell", type="stop", limit_price=None, stop_price="185.00")
    change(house, stop_id, NewTerms(stop_price=Decimal("187.00")))
    house.desk.work()
    assert house.desk.order(stop_id).order.stop_price == 187
    sound(house)


# What is held.


def test_cash_of_a_dearer_change_is_held_before_it_is_sent(house):
    order_id = working(house)
    before = house.desk.cash().reserved.amount
    change(house, order_id, HIGHER)
    held = house.desk.cash().reserved.amount
    assert held - before == Decimal("5.50")  # 10 x (190.05 - 189.50)
    house.desk.work()
    assert house.desk.cash().reserved.amount == held


def test_cash_of_a_cheaper_change_is_free_when_it_is_proven(house):
    order_id = working(house)
    before = house.desk.cash().reserved.amount
    change(house, order_id)
    assert house.desk.cash().reserved.amount == before
    house.desk.work()
    assert before - house.desk.cash().reserved.amount == Decimal("5.00")


def test_a_change_that_the_cash_does_not_cover_is_refused_at_confirm(house):
    order_id = working(house, quantity="520")
    made = wish(house, order_id, HIGHER)
    free = house.desk.cash().available.amount - 100
    book = house.desk.portfolio_id
    house.desk.write(lambda ctx: portfolio.withdraw(ctx, book, free, key="gone"))
    before = house.desk.cash().reserved.amount
    refusal = house.desk.refused(lambda: house.desk.confirm(made.id))
    assert refusal.code == "INSUFFICIENT_CASH"
    assert house.desk.cash().reserved.amount == before
    assert house.desk.status(made.id) == "invalidated"
    sound(house)


# What is refused.


def test_a_change_that_changes_nothing_is_refused(house):
    order_id = working(house)
    assert refused(house, order_id, NewTerms(limit_price=Decimal("189.5"))).code == "EDIT_EMPTY"


@pytest.mark.parametrize(
    ("terms", "code"),
    [
        (NewTerms(limit_price=Decimal("189.005")), "PRICE_OFF_TICK"),
        (NewTerms(limit_price=Decimal("250.00")), "GUARD_REFUSED"),
        (NewTerms(type="market"), "PARAM_INVALID"),
        (NewTerms(type="stop", stop_price=Decimal("180.00")), "PARAM_INVALID"),
        (NewTerms(stop_price=Decimal("180.00")), "PARAM_INVALID"),
        (NewTerms(limit_price=Decimal(-1)), "PRICE_NON_POSITIVE"),
    ],
)
def test_the_guards_look_at_the_changed_order(house, terms, code):
    assert refused(house, working(house), terms).code == code


def test_an_ended_order_is_not_changed(house):
    order_id = working(house)
    house.desk.write(lambda ctx: execute.cancel(ctx, order_id))
    assert refused(house, order_id).code == "ORDER_BUSY"
    house.desk.work(2)
    assert refused(house, order_id).code == "ORDER_FINAL"


def test_one_change_at_a_time_is_on_its_way(house):
    order_id = working(house)
    other = wish(house, order_id, HIGHER)
    change(house, order_id)
    assert refused(house, order_id).code == "ORDER_BUSY"
    refusal = house.desk.refused(lambda: house.desk.confirm(other.id))
    assert refusal.code == "ORDER_BUSY"


def test_a_card_of_older_terms_is_refused_when_the_order_has_changed(house):
    order_id = working(house)
    older = wish(house, order_id, HIGHER)
    change(house, order_id)
    house.desk.work()
    refusal = house.desk.refused(lambda: house.desk.confirm(older.id))
    assert refusal.code == "ORDER_CHANGED"


def test_the_same_wish_twice_is_one_card(house):
    order_id = working(house)
    assert wish(house, order_id).id == wish(house, order_id).id


def test_a_change_can_not_be_edited_into_an_order(house):
    made = wish(house, working(house))
    refusal = house.desk.refused(
        lambda: house.desk.write(lambda ctx: propose.edit(ctx, made.id, {"quantity": Decimal(5)}))
    )
    assert refusal.code == "EDIT_EMPTY"


def test_a_halt_between_confirm_and_send_drops_the_change(house):
    order_id = working(house)
    made = change(house, order_id)
    house.desk.write(lambda ctx: switch.halt(ctx, "stop"))
    house.desk.work()
    assert state_of(house, made) == "dropped"
    assert house.desk.order(order_id).order.limit_price == Decimal("189.50")
    assert told(house, "KILL_SWITCH")
    sound(house)


def test_a_card_with_another_order_in_it_is_tampered_with(house):
    first = working(house)
    second = working(house, quantity="7")
    made = wish(house, first)
    token = house.desk.issue(made.id)
    house.desk.sql(f"UPDATE proposals SET target_order_id = '{second}' WHERE id = '{made.id}'")
    refusal = house.desk.refused(lambda: house.desk.confirm(made.id, token))
    assert refusal.code == "ORDER_HASH_MISMATCH"


# A fill or a cancel meanwhile wins.


def test_a_fill_before_the_change_is_sent_wins(house):
    order_id = working(house)
    made = change(house, order_id)
    house.trades("189.40", "10")
    house.desk.work(2)
    order = house.desk.order(order_id)
    assert (order.state, order.avg_price) == (State.FILLED, Decimal("189.50"))
    assert state_of(house, made) in ("refused", "overtaken")
    assert told(house, "was not made")
    assert house.desk.cash().reserved.amount == 0
    sound(house)


def test_a_part_fill_meanwhile_stays_and_the_rest_is_changed(house):
    order_id = working(house)
    made = change(house, order_id, HIGHER)
    house.trades("189.40", "4")
    house.desk.work(2)
    order = house.desk.order(order_id)
    assert (order.state, order.filled_quantity) == (State.PARTIALLY_FILLED, 4)
    sound(house)
    if house.broker.traits.changes_anew:
        assert order.order.limit_price == Decimal("189.50")
        assert state_of(house, made) == "refused"
        assert refused(house, order_id).code == "REPLACE_UNAVAILABLE"
        return
    assert order.order.limit_price == Decimal("190.05")
    assert state_of(house, made) == "done"


def test_a_cancel_before_the_change_is_sent_wins(house):
    order_id = working(house)
    made = change(house, order_id)
    house.desk.write(lambda ctx: execute.cancel(ctx, order_id))
    house.desk.work(3)
    assert house.desk.order(order_id).state is State.CANCELLED
    assert state_of(house, made) in ("dropped", "overtaken")
    sound(house)


def test_a_cards_order_that_ends_closes_the_card(house):
    order_id = working(house)
    made = wish(house, order_id)
    house.trades("189.40", "10")
    house.desk.work()
    assert house.desk.status(made.id) == "invalidated"


# What is in doubt is looked for; nothing is sent twice.


def test_a_lost_answer_is_resolved_by_looking(tradier):
    order_id = working(tradier)
    made = change(tradier, order_id)
    tradier.fake.cancel_answers = ["lost"]
    tradier.desk.work()
    assert state_of(tradier, made) == "sent"
    later(tradier, 4)
    tradier.desk.work()
    assert state_of(tradier, made) == "done"
    assert len(tradier.fake.changes) == 1
    sound(tradier)


def test_a_change_that_never_arrived_is_told_and_never_sent_again(tradier):
    order_id = working(tradier)
    made = change(tradier, order_id, HIGHER)
    held = tradier.desk.cash().reserved.amount
    tradier.fake.cancel_answers = ["lost_before"]
    for _ in range(12):
        tradier.desk.work()
        later(tradier, 15)
    assert state_of(tradier, made) == "unseen"
    assert len(tradier.fake.changes) == 1
    assert tradier.desk.order(order_id).order.limit_price == Decimal("189.50")
    assert tradier.desk.cash().reserved.amount == held
    assert told(tradier, "old terms")
    assert refused(tradier, order_id).code == "ORDER_BUSY"
    sound(tradier)
    tradier.fake.only["price"], tradier.fake.only["duration"] = "190.05", "gtc"
    later(tradier, 60)
    tradier.desk.work()
    assert state_of(tradier, made) == "done"
    assert tradier.desk.order(order_id).order.limit_price == Decimal("190.05")
    sound(tradier)


def test_a_refused_change_leaves_the_order_as_it_was(tradier):
    order_id = working(tradier)
    before = tradier.desk.cash().reserved.amount
    made = change(tradier, order_id, HIGHER)
    tradier.fake.cancel_answers = ["text_400"]
    tradier.desk.work()
    assert state_of(tradier, made) == "refused"
    assert tradier.desk.order(order_id).order.limit_price == Decimal("189.50")
    assert tradier.desk.cash().reserved.amount == before
    assert told(tradier, "multiple of 0.01")
    change(tradier, order_id)
    tradier.desk.work()
    assert len(tradier.fake.changes) == 2
    sound(tradier)


def test_a_broker_that_is_down_gets_the_change_when_it_is_back(tradier):
    order_id = working(tradier)
    made = change(tradier, order_id)
    with tradier.outage():
        tradier.desk.work()
    assert state_of(tradier, made) == "wanted"
    assert tradier.fake.changes == []
    tradier.desk.work()
    assert state_of(tradier, made) == "done"
    sound(tradier)


def test_a_change_that_waits_too_long_is_dropped(tradier):
    order_id = working(tradier)
    made = change(tradier, order_id)
    with tradier.outage():
        tradier.desk.work()
        later(tradier, 700)
    tradier.desk.work()
    assert state_of(tradier, made) == "dropped"
    assert tradier.fake.changes == []


def test_a_crash_after_the_claim_is_looked_for_and_not_sent_again(tradier):
    order_id = working(tradier)
    made = change(tradier, order_id)
    failpoint.arm("replace.after_request:raise")
    with pytest.raises(failpoint.FailpointHit):
        execute.work_once(tradier.desk.runtime, lambda _desk, _name, act: act())
    failpoint.arm("")
    assert state_of(tradier, made) == "sent"
    later(tradier, 4)
    tradier.desk.work()
    assert state_of(tradier, made) == "done"
    assert len(tradier.fake.changes) == 1
    sound(tradier)


def test_the_card_of_a_change_shows_old_and_new(house):
    made = wish(house, working(house), HIGHER)
    card = house.desk.issue(made.id).card
    lines = {line.label: line.value for line in card.lines}
    assert card.title == "Change: Buy 10 AAPL limit 189.50"
    assert lines["Limit price"] == "189.50 → 190.05"
    assert lines["Time in force"].endswith("→ good till cancelled")
    assert lines["Becomes"] == "Buy 10 AAPL limit 190.05, gtc"
    assert house.desk.count(proposals) == 2
