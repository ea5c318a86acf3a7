"""What the other orders of a listing mean for one is counted by the database, on both engines."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import select

from services.kit.bus.memory import MemoryBus
from services.kit.bus.port import Bus
from services.kit.db import Database
from services.kit.ids import CountedIds
from services.kit.work import Runtime
from services.market.feed import Feed
from services.orders.guard_facts import _others
from services.orders.order import IN_DOUBT, State, order_from_json
from services.orders.order import OPEN as OPEN_STATES
from services.orders.tables import order_intents
from tests.fakes.order_desk import OrderDesk

OPEN, LONG_AGO = "WORKING", 3600


@pytest.fixture
def desk(database_url, clock, settings, feed):
    ports = {Bus: MemoryBus(), Feed: feed}
    runtime = Runtime(Database(database_url), clock, CountedIds(), settings, ports=ports)
    yield OrderDesk(runtime, feed)
    runtime.close()


def _counted(desk, *others, asked="10"):
    """Write orders `(side, state, quantity, filled, age_s)`; return what they mean for a buy."""
    first = desk.buy(quantity="1", type="limit", limit_price="180.00", tif="gtc")

    def act(ctx):
        row = ctx.db.row(select(order_intents).where(order_intents.c.id == first))
        like = {name: value for name, value in row._mapping.items() if name != "tenant_id"}
        ctx.db.change(order_intents.delete().where(order_intents.c.id == first))
        for number, (side, state, quantity, filled, age_s) in enumerate(others):
            own = {name: f"{name}-{number}" for name in ("id", "client_order_id", "proposal_id")}
            own |= {
                "side": side,
                "state": state,
                "confirmed_at": ctx.now - timedelta(seconds=age_s),
            }
            units = {"quantity": Decimal(quantity), "filled_quantity": Decimal(filled)}
            ctx.db.insert(order_intents, like | own | units)
        order = replace(order_from_json(row.order_json), quantity=Decimal(asked))
        found = _others(ctx, order)
        return found.promised, found.in_doubt, found.alike

    return desk.write(act)


def test_without_other_orders_nothing_is_promised(desk):
    assert _counted(desk) == (0, 0, 0)


def test_open_sales_promise_what_they_have_not_sold(desk):
    sales = [("sell", OPEN, "10", "4", LONG_AGO), ("sell", "CANCEL_PENDING", "3.5", "0", LONG_AGO)]
    ended = [("sell", "FILLED", "7", "7", LONG_AGO), ("sell", "CANCELLED", "7", "1", 1)]
    bought = [("buy", OPEN, "9", "0", LONG_AGO)]
    assert _counted(desk, *sales, *ended, *bought) == (Decimal("9.5"), 0, 0)


@pytest.mark.parametrize("state", list(State))
def test_each_state_holds_units_or_is_in_doubt_as_the_machine_says(desk, state):
    promised, in_doubt, alike = _counted(desk, ("sell", state.value, "5", "0", LONG_AGO))
    assert promised == (5 if state in (*OPEN_STATES, State.PRESUMED_NOT_ACCEPTED) else 0)
    assert in_doubt == int(state in (*IN_DOUBT, State.DISPUTED))
    assert alike == 0


def test_the_same_order_of_just_now_is_alike_and_one_of_before_is_not(desk):
    same = ("buy", "FILLED", "10", "10", 1)
    others = [("buy", "FILLED", "10", "10", LONG_AGO), ("buy", "FILLED", "11", "11", 1)]
    assert _counted(desk, same, *others, ("sell", "FILLED", "10", "10", 1)) == (0, 0, 1)


@pytest.mark.parametrize("asked", ["0", "-10", "0.123456789", "99999999999"])
def test_a_quantity_that_no_order_can_have_is_like_none(desk, asked):
    assert _counted(desk, ("buy", "FILLED", "10", "10", 1), asked=asked) == (0, 0, 0)
