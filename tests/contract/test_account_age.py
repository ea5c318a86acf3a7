"""An account that is not read for too long freezes its own orders, and a read thaws them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from services import invariant
from services.kit.outbox import outbox_rows
from services.market.quote import Provenance
from services.orders import execute
from services.orders.account_age import judge_age, stale_reason
from services.orders.account_tables import account_reads
from services.orders.freeze import list_freezes
from services.orders.order import State
from tests.contract.test_broker_connect import Installation, ProviderFeed
from tests.fakes.order_desk import OrderDesk


@pytest.fixture
def place(tmp_path):
    made = Installation(tmp_path / "home", ProviderFeed(Provenance.DELAYED))
    made.tend()
    yield made
    made.close()


def silent(place, rounds):
    place.house.down = True
    for _ in range(rounds):
        place.tend()


def freezes(place):
    return place.day.read(lambda ctx: list_freezes(ctx, open_only=True))


def told(place, code):
    rows = place.day.read(lambda ctx: ctx.db.rows(outbox_rows.select()))
    return [row for row in rows if row.kind == "alert" and f'"code":"{code}"' in row.payload]


def limit_order(desk):
    return desk.propose("AAPL", quantity="5", type="limit", limit_price="189.00")


def test_a_broker_that_is_down_freezes_its_account_after_the_limit(place):
    desk = place.desk()
    silent(place, 9)
    assert freezes(place) == []
    silent(place, 2)
    (freeze,) = freezes(place)
    assert freeze.scope == f"portfolio:{desk.portfolio_id}"
    assert "more than 300 s ago" in freeze.reason
    assert freeze.unfreezes == "It ends by itself when the account is read completely again."
    refusal = desk.refused(lambda: limit_order(desk))
    assert refusal.code == "FROZEN"
    assert "last read at" in refusal.facts["reason"]
    silent(place, 3)
    assert len(freezes(place)) == len(told(place, "FROZEN")) == 1
    assert "more than 300 s ago" in place.product.brokers.record.why


def test_a_complete_read_thaws_it_by_itself(place):
    desk = place.desk()
    silent(place, 11)
    place.house.down = False
    place.tend()
    assert freezes(place) == []
    assert len(told(place, "ACCOUNT_READ")) == 1
    assert desk.status(limit_order(desk).id) == "pending"
    assert place.day.read(invariant.check_all) == []


def test_half_a_read_thaws_nothing(place):
    silent(place, 11)
    place.house.down = False
    positions = f"/v1/accounts/{place.house.account}/positions"
    kept = place.house.documents.pop(positions)
    place.tend()
    assert len(freezes(place)) == 1
    place.house.documents[positions] = kept
    place.tend()
    assert freezes(place) == []


def test_cancels_pass_while_the_account_is_frozen(place):
    desk = place.desk()
    order_id = desk.confirm(limit_order(desk).id)["order_id"]
    desk.work()
    assert desk.order(order_id).state is State.WORKING
    silent(place, 11)
    desk.write(lambda ctx: execute.cancel(ctx, order_id))
    assert desk.order(order_id).state is State.CANCEL_PENDING


def test_a_card_from_before_does_not_confirm_into_a_frozen_account(place):
    desk = place.desk()
    made = limit_order(desk)
    place.house.down = True
    place.day.clock.advance(seconds=301)
    place.feed.advance(seconds=301)
    refusal = desk.refused(lambda: desk.confirm(made.id))
    assert refusal.code == "FROZEN"
    assert freezes(place) == []


def test_the_paper_account_is_not_touched(place):
    silent(place, 11)
    paper = OrderDesk(place.runtime, place.feed, place.day.who)
    assert paper.propose("IBM").status == "pending"
    (row,) = place.day.read(lambda ctx: ctx.db.rows(account_reads.select()))
    assert row.account_id == place.seat().id


def test_the_limit_itself_is_still_in_time(place):
    account = place.seat().id
    read_at = place.day.read(
        lambda ctx: ctx.db.scalar(account_reads.select().with_only_columns(account_reads.c.read_at))
    )
    clock = place.day.clock
    clock.advance(seconds=(read_at + timedelta(seconds=300) - clock.now()).total_seconds())
    assert place.day.read(lambda ctx: stale_reason(ctx, account)) == ""
    clock.advance(seconds=1)
    assert place.day.read(lambda ctx: stale_reason(ctx, account)) != ""


def test_an_account_of_before_counts_from_its_first_question(place):
    account, book = place.seat().id, place.seat().portfolio_id
    place.day.write(lambda ctx: ctx.db.change(account_reads.delete()))
    assert place.day.write(lambda ctx: judge_age(ctx, account, book)) == ""
    place.day.clock.advance(seconds=301)
    assert place.day.write(lambda ctx: judge_age(ctx, account, book)) != ""
