"""Owns the proof of a bracket at every house, from words in the chat to ledger, journal and audit."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from decimal import Decimal

import pytest

from services import audit, invariant, journal
from services.kit.failpoint import FailpointHit, arm
from services.kit.outbox import outbox_rows
from services.ledger import portfolio
from services.orders import reconcile
from services.orders.order import OrderClass, State
from services.orders.store import find_exit_of, list_fills
from services.orders.tables import order_intents, submit_attempts
from tests.contract.houses import PaperHouse
from tests.contract.test_broker_groups import GROUPED
from tests.fakes.coach_desk import CoachDesk, clean

D = Decimal
HOUSES = {"paper": PaperHouse, **GROUPED}
EXITS = {"take_profit": D("210.00"), "stop_loss": D("185.00")}
AT = {"target": ("211.00", "210"), "stop": ("184.90", "184.9")}
_START_S = 60


@pytest.fixture(params=sorted(HOUSES))
def house(request, database, settings):
    made = HOUSES[request.param](database, settings)
    made.name = request.param
    yield made
    arm("")
    made.close()
    assert made.desk.read(invariant.check_all) == []


@pytest.fixture
def desk(house):
    return house.desk


def lasts(house) -> str:
    """Return a time in force that the house takes an entry with exits in."""
    return getattr(house.broker.traits, "group_tifs", ("day",))[0]


def work(house, rounds=3):
    for _ in range(rounds):
        house.desk.runtime.clock.advance(seconds=40)
        house.desk.feed.advance(seconds=40)
        house.desk.work()


def exits_of(desk, order_id):
    return desk.read(lambda ctx: find_exit_of(ctx, order_id))


def entered(house) -> str:
    """Confirm a bracket of 10 and let its entry fill; return the entry."""
    order_id = house.desk.buy(tif=lasts(house), **EXITS)
    work(house, 1)
    house.meet()
    work(house)
    assert house.desk.order(order_id).state is State.FILLED
    return order_id


@pytest.mark.parametrize("way", sorted(AT))
def test_an_entry_fills_and_one_exit_closes_it_while_the_other_ends(house, desk, way):
    order_id = entered(house)
    exits = exits_of(desk, order_id)
    assert (exits.state, exits.order.order_class) == (State.WORKING, OrderClass.OCO)
    assert desk.held() == 10
    price, _ = AT[way]
    house.trades(price, "10")
    work(house)
    assert (exits_of(desk, order_id).state, desk.held()) == (State.FILLED, 0)
    other = AT["stop" if way == "target" else "target"][0]
    house.trades(other, "10")
    work(house)
    assert (exits_of(desk, order_id).filled_quantity, desk.held()) == (10, 0)


def test_a_bracket_leaves_its_record_in_journal_ledger_and_audit(house, desk):
    order_id = entered(house)
    house.trades(AT["target"][0], "10")
    work(house)
    exits = exits_of(desk, order_id)
    made = desk.read(list_fills)
    assert sum(one.quantity for one in made if one.side == "buy") == 10
    assert sum(one.quantity for one in made if one.side == "sell") == 10
    written = desk.read(lambda ctx: journal.list_entries(ctx))
    told = {one.facts["order_id"] for one in written if one.kind == "execution"}
    assert told == {order_id, exits.id}
    kinds = [one.kind for one in desk.read(lambda ctx: audit.trail(ctx, exits.id))]
    assert kinds[0] == "order.protect"
    assert kinds[-1] == "order.fill"
    notices = [row.payload for row in desk.rows(outbox_rows, outbox_rows.c.seq)]
    assert any("the exits sold 10 at 210" in said for said in notices)


def test_a_part_of_the_entry_is_protected_when_the_rest_is_cancelled(house, desk):
    from services.orders import execute

    order_id = desk.buy(type="limit", limit_price="189.00", tif=lasts(house), **EXITS)
    work(house, 1)
    house.trades("188.90", "4")
    work(house, 1)
    assert desk.order(order_id).filled_quantity == 4
    desk.write(lambda ctx: execute.cancel(ctx, order_id))
    work(house, 6)
    assert desk.order(order_id).state is State.CANCELLED
    exits = exits_of(desk, order_id)
    assert exits.quantity == 4
    told = [row.payload for row in desk.rows(outbox_rows, outbox_rows.c.seq)]
    protected = exits.state is State.WORKING
    assert protected or any("4 units stand without their exits" in said for said in told)


def test_an_exit_that_the_broker_refuses_alone_is_told_at_once(house, desk):
    if house.name != "tradier":
        pytest.skip("only the fake of Tradier can refuse one leg of a group")
    order_id = entered(house)
    leg = house.fake.only["leg"][-1]
    leg |= {"status": "rejected", "reason_description": "no stop there", "remaining_quantity": 0}
    work(house, 2)
    exits = exits_of(desk, order_id)
    assert exits.state is State.WORKING
    told = [row.payload for row in desk.rows(outbox_rows, outbox_rows.c.seq)]
    assert sum("only one of the exits works" in said for said in told) == 1


@pytest.mark.fault("F037")
def test_an_answer_that_is_lost_leads_to_one_bracket_and_no_second_order(house, desk):
    if house.name == "paper":
        pytest.skip("the built-in broker answers in the same process")
    order_id = desk.buy(tif=lasts(house), **EXITS)
    house.fake.answers = ["lost"]
    desk.work()
    assert desk.order(order_id).state is State.UNKNOWN
    work(house)
    house.meet()
    work(house)
    assert desk.order(order_id).state is State.FILLED
    house.trades(AT["stop"][0], "10")
    work(house)
    assert (exits_of(desk, order_id).state, desk.held()) == (State.FILLED, 0)
    assert len(house.sent()) == 1


@pytest.mark.parametrize(
    "point", ["execute.after_submit", "settle.before_commit", "exits.before_commit"]
)
def test_a_death_between_entry_and_exits_leaves_neither_out_nor_doubled(house, desk, point):
    order_id = desk.buy(tif=lasts(house), **EXITS)
    if point == "exits.before_commit":
        work(house, 1)
        house.meet()
    arm(f"{point}:raise")
    with pytest.raises(FailpointHit):
        desk.work()
    arm("")
    reconcile.at_boot(desk.runtime)
    work(house)
    house.meet()
    work(house)
    assert (desk.order(order_id).state, desk.held()) == (State.FILLED, 10)
    assert exits_of(desk, order_id).state is State.WORKING
    assert desk.count(order_intents) == 2


@pytest.mark.fault("F067")
def test_a_killed_process_leaves_a_bracket_that_another_one_finishes(house, desk, sqlite_url):
    if house.name == "paper":
        pytest.skip("the built-in broker dies with the process; tests/crash kills it")
    order_id = desk.buy(tif=lasts(house), **EXITS)
    home = str(desk.runtime.settings.cornerman_home)
    words = [house.name, home, sqlite_url, house.fake.base_url, "execute.after_submit:exit"]
    command = [sys.executable, "-m", "tests.contract.killed", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_START_S, check=False)
    assert done.returncode == 137, done.stderr
    reconcile.at_boot(desk.runtime)
    work(house)
    house.meet()
    work(house)
    house.trades(AT["target"][0], "10")
    work(house)
    assert desk.order(order_id).state is State.FILLED
    assert (exits_of(desk, order_id).state, desk.held()) == (State.FILLED, 0)
    assert len(house.sent()) == 1
    assert desk.count(submit_attempts) == 1


async def test_words_in_the_chat_become_a_card_and_then_a_protected_position(
    house, desk, monkeypatch
):
    monkeypatch.setattr(portfolio, "LOCAL_TENANT", desk.who.tenant_id)
    coach = coach_at(house)
    time = "gtc" if lasts(house) == "gtc" else ""
    said = clean(await coach.say(f"bracket 10 AAPL stop 185 target 210 {time}"))
    assert said.tools == ["propose_bracket"]
    assert "with stop 185 and target 210" in said.text
    order_id = coach.confirm()
    work(house, 1)
    house.meet()
    work(house)
    exits = coach.read(lambda ctx: find_exit_of(ctx, order_id))
    assert (exits.state, exits.broker) == (State.WORKING, house.name)
    house.trades(AT["target"][0], "10")
    work(house)
    answer = clean(await coach.say("my fills"))
    assert "sell 10 AAPL at 210" in answer.text
    assert coach.read(invariant.check_all) == []


def coach_at(house) -> CoachDesk:
    """Return the owner in the chat, whose default portfolio is the house's account."""
    runtime = house.desk.runtime
    if house.name != "paper":
        number = house.account_id.partition("-")[2]
        named = {"trading_broker": house.name, f"{house.name}_account_id": number}
        runtime = replace(runtime, settings=runtime.settings.model_copy(update=named))
        house.desk.runtime = runtime
    return CoachDesk(runtime, house.desk.who, runtime.clock)
