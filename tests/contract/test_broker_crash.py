"""Owns the proof that a process may die at every arrow around a broker over a wire."""

from __future__ import annotations

import subprocess
import sys
import threading
from decimal import Decimal

import pytest

from services import invariant
from services.kit.failpoint import FailpointHit, arm
from services.orders import execute, reconcile
from services.orders.order import State
from services.orders.tables import fills, submit_attempts
from tests.contract.houses import SENT_ONCE, WIRED

SENDING = (
    "execute.before_attempt_commit",
    "execute.after_attempt",
    "execute.after_submit",
    "execute.after_outcome",
    "settle.before_commit",
)
SENT = {"execute.after_submit", "execute.after_outcome", "settle.before_commit"}
_START_S = 60


@pytest.fixture(params=sorted(WIRED))
def house(request, database, settings):
    made = WIRED[request.param](database, settings)
    made.name = request.param
    yield made
    arm("")
    made.close()
    assert made.desk.read(invariant.check_all) == []


@pytest.fixture
def desk(house):
    return house.desk


def die(desk, point):
    arm(f"{point}:raise")
    with pytest.raises(FailpointHit):
        desk.work()
    arm("")


def rise(desk):
    """Start again: reconcile, then work for a while."""
    reconcile.at_boot(desk.runtime)
    for _ in range(5):
        desk.runtime.clock.advance(seconds=40)
        desk.feed.advance(seconds=40)
        desk.work()


@pytest.mark.parametrize("answer", ["accept", "lost", "booked:page_502"])
@pytest.mark.parametrize("point", SENDING)
@pytest.mark.fault("F067")
def test_a_death_around_the_submit_sends_nothing_twice_and_loses_nothing(
    house, desk, point, answer
):
    order_id = desk.buy()
    house.fake.answers = [answer]
    if point == "settle.before_commit" and answer != "accept":
        desk.work()
    die(desk, point)
    rise(desk)
    order = desk.order(order_id)
    if point == "execute.after_attempt" and house.name in SENT_ONCE:
        assert (order.state, house.fake.posts) == (State.PRESUMED_NOT_ACCEPTED, [])
        return
    assert order.state is State.WORKING
    house.meet()
    desk.work()
    assert (desk.order(order_id).state, desk.held()) == (State.FILLED, Decimal(10))
    assert len(house.fake.posts) == len(house.fake.booked) == 1


@pytest.mark.parametrize("point", ["settle.after_post", "settle.before_commit"])
@pytest.mark.fault("F067")
def test_a_death_while_a_fill_is_booked_posts_it_once(house, desk, point):
    order_id = desk.buy()
    desk.work()
    house.fake.fill("4", "190.00")
    die(desk, point)
    assert (desk.held(), desk.count(fills)) == (0, 0)
    house.fake.fill("6", "190.10")
    rise(desk)
    order = desk.order(order_id)
    assert (order.state, desk.held(), desk.count(fills)) == (State.FILLED, Decimal(10), 1)
    assert order.avg_price == Decimal("190.06")


@pytest.mark.fault("F067")
def test_a_death_after_the_cancel_leaves_the_order_cancelled(house, desk):
    order_id = desk.buy()
    desk.work()
    desk.write(lambda ctx: execute.cancel(ctx, order_id))
    die(desk, "execute.after_cancel")
    rise(desk)
    assert desk.order(order_id).state is State.CANCELLED


@pytest.mark.parametrize("point", ["execute.after_attempt", "execute.after_submit"])
@pytest.mark.fault("F067")
def test_a_killed_process_leaves_at_most_one_order_behind(house, desk, sqlite_url, point):
    order_id = desk.buy()
    ended = subprocess.run(
        [
            sys.executable,
            "-m",
            "tests.contract.killed",
            house.name,
            str(desk.runtime.settings.cornerman_home),
            sqlite_url,
            house.fake.base_url,
            f"{point}:exit",
        ],
        timeout=_START_S,
        check=False,
        capture_output=True,
    )
    assert ended.returncode == 137, ended.stderr.decode()
    rise(desk)
    sent = point in SENT or house.name not in SENT_ONCE
    state = State.WORKING if sent else State.PRESUMED_NOT_ACCEPTED
    assert desk.order(order_id).state is state
    again = int(sent and point not in SENT)
    assert (len(house.fake.posts), desk.count(submit_attempts)) == (int(sent), 1 + again)


@pytest.mark.fault("F045")
def test_many_workers_at_once_send_each_order_once(house, desk):
    ids = [desk.buy(symbol, quantity="2") for symbol in ("AAPL", "MSFT", "GOOG", "IBM")]
    start = threading.Barrier(4)

    def work() -> None:
        start.wait(timeout=20)
        for _ in range(3):
            execute.work_once(desk.runtime)

    workers = [threading.Thread(target=work) for _ in range(4)]
    for one in workers:
        one.start()
    for one in workers:
        one.join(timeout=60)
    assert not any(one.is_alive() for one in workers)
    assert [desk.order(order_id).state for order_id in ids] == [State.WORKING] * 4
    sent = house.sent()
    assert len(sent) == len(set(sent)) == 4
    for name in house.kept():
        house.execute(name, "2", "190.00")
    desk.work(2)
    assert [desk.order(order_id).state for order_id in ids] == [State.FILLED] * 4
    assert desk.count(fills) == 4
