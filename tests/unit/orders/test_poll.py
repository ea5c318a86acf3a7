"""A poll of many orders looks at each only when the broker says something that the books lack."""

from datetime import UTC, datetime
from decimal import Decimal
from itertools import product

import pytest
from sqlalchemy import event

from services.orders.broker import BrokerFill, BrokerStatus, BrokerTotal, BrokerView
from services.orders.order import State
from services.orders.settle import has_news, is_quiet
from services.orders.store import order_row

AT = datetime(2027, 1, 12, 15, 0, tzinfo=UTC)
PRICE = Decimal("180.00")


def _resting(desk, quantity="10"):
    order_id = desk.buy(quantity=quantity, type="limit", limit_price="180.00", tif="gtc")
    desk.work()
    return order_id


def _views(row):
    fill = BrokerFill(
        exec_id="e1", quantity=Decimal(1), price=PRICE, commission=Decimal(0), at=AT,
        provenance="SIMULATED",
    )  # fmt: skip
    totals = [
        None if filled is None else BrokerTotal(
            quantity=Decimal(filled), price=PRICE, at=AT, provenance="SIMULATED"
        )
        for filled in (None, 0, 1, 10)
    ]  # fmt: skip
    for status, total, fills in product(BrokerStatus, totals, ((), (fill,))):
        yield BrokerView(
            client_order_id=row.client_order_id,
            broker_order_id="b1",
            status=status,
            total=total,
            fills=fills,
        )


@pytest.mark.parametrize("state", list(State))
def test_what_is_quiet_never_holds_news(desk, state):
    order_id = _resting(desk)
    desk.sql(f"UPDATE order_intents SET state = '{state.value}'")
    row = desk.read(lambda ctx: order_row(ctx, order_id))
    quiet = [view for view in _views(row) if is_quiet(row, view)]
    assert not [
        view for view in quiet if desk.read(lambda ctx, view=view: has_news(ctx, row, view))
    ]
    assert len(quiet) == (2 if state in (State.WORKING, State.PARTIALLY_FILLED) else 0)


def test_an_order_whose_cancel_is_wanted_is_never_quiet(desk):
    order_id = _resting(desk)
    desk.sql("UPDATE order_intents SET cancel_wanted = 'by the owner'")
    row = desk.read(lambda ctx: order_row(ctx, order_id))
    assert not any(is_quiet(row, view) for view in _views(row))


def test_a_round_asks_the_books_no_more_for_more_resting_orders(desk):
    asked = []
    event.listen(
        desk.runtime.database.engine,
        "before_cursor_execute",
        lambda *seen: asked.append(seen[2]) if "order_intents" in seen[2] else None,
    )
    counts = []
    for number in range(1, 4):
        _resting(desk, quantity=str(number))
        asked.clear()
        desk.work()
        counts.append(len(asked))
    assert counts[0] == counts[1] == counts[2]
