"""What a ticket at Alpaca says of its names: chains add up, exits end as one, ids stay."""

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.market.alpaca_decode import decode_alpaca
from services.market.decode import Given
from services.orders.alpaca_look import roots_of
from services.orders.alpaca_view import Ticket, build_view, find_fault
from services.orders.broker import BrokerStatus

D = Decimal
NOW = datetime(2027, 1, 12, 15, tzinfo=UTC)
WORDS = (
    *("new", "held", "pending_new", "partially_filled", "pending_cancel", "done_for_day"),
    *("filled", "canceled", "expired", "rejected", "strange"),
)


def order(number="id-1", filled="0", status="new", **fields):
    """Return a decoded order: sell 10 at 210, till cancelled."""
    row = {
        "id": number,
        "client_order_id": fields.pop("name", f"name-{number}"),
        "symbol": "AAPL",
        "qty": "10",
        "filled_qty": filled,
        "filled_avg_price": "210" if D(filled) else None,
        "side": "sell",
        "type": "limit",
        "limit_price": "210",
        "time_in_force": "gtc",
        "status": status,
        **fields,
    }
    (record,) = decode_alpaca("order", json.dumps(row).encode(), Given())
    return record


def view(ticket, name="cm-1"):
    return build_view(name, ticket, now=NOW, provenance="SIMULATED")


def group(entry, *legs):
    first = {**order("id-0", *entry, name="cm-1"), "class": "otoco"}
    return Ticket((first,), tuple((one,) for one in legs))


ENDS = [
    (("0", "new"), ("0", "held"), BrokerStatus.OPEN, 0),
    (("4", "partially_filled"), ("0", "held"), BrokerStatus.OPEN, 4),
    (("10", "filled"), ("0", "canceled"), BrokerStatus.FILLED, 10),
    (("4", "canceled"), ("6", "filled"), BrokerStatus.FILLED, 10),
    (("4", "canceled"), ("0", "canceled"), BrokerStatus.CANCELLED, 4),
    (("0", "canceled"), ("0", "rejected"), BrokerStatus.REJECTED, 0),
    (("0", "expired"), ("0", "canceled"), BrokerStatus.EXPIRED, 0),
    (("0", "canceled"), ("0", "strange"), BrokerStatus.OPEN, 0),
]


@pytest.mark.parametrize(("target", "stop", "status", "filled"), ENDS)
def test_two_exits_stand_as_one_order(target, stop, status, filled):
    ticket = group(("10", "filled"), order("id-1", *target), order("id-2", *stop))
    seen = view(ticket, "cm-1-x")
    assert (seen.status, seen.filled) == (status, filled)
    assert seen.broker_order_id == "id-1"
    assert view(ticket).status is BrokerStatus.FILLED
    assert view(ticket).broker_order_id == "id-0"


def test_fills_on_both_sides_have_their_weighted_average():
    target = order("id-1", "4", "canceled")
    stop = order("id-2", "6", "filled", filled_avg_price="185")
    total = view(group(("10", "filled"), target, stop), "cm-1-x").total
    assert (total.quantity, total.price) == (D(10), D(195))


def test_a_refused_stop_beside_a_working_target_is_a_fault():
    stop = order("id-2", "0", "rejected", type="stop", reject_reason="why")
    broken = group(("10", "filled"), order("id-1"), stop)
    assert find_fault(broken) == "the stop of the exits was refused: why"
    assert find_fault(group(("10", "filled"), order("id-1"), order("id-2"))) == ""
    assert find_fault(Ticket((order("id-1", "0", "rejected"),))) == ""


def test_a_changed_order_of_an_earlier_day_goes_back_as_far_as_it_is_listed():
    first = order("id-1", status="replaced", replaced_by="id-2", name="cm-1")
    second = order("id-2", status="replaced", replaces="id-1", replaced_by="id-3")
    third = order("id-3", replaces="id-2")
    leg = order("id-5", status="held")
    whole = {**order("id-4"), "legs": [leg]}
    roots = roots_of([third, second, first, whole])
    assert roots["id-3"]["broker_order_id"] == roots["id-2"]["broker_order_id"] == "id-1"
    assert roots["id-5"]["broker_order_id"] == "id-4"
    assert roots_of([third])["id-3"]["broker_order_id"] == "id-3"


PARTS = st.tuples(st.integers(0, 10), st.sampled_from(WORDS))


@given(parts=st.lists(PARTS, min_size=1, max_size=5), price=st.decimals("0.0001", 9999, places=4))
@settings(max_examples=120, deadline=None)
def test_a_chain_counts_every_fill_once_and_is_filled_only_when_all_are(parts, price):
    chain = []
    for number, (filled, word) in enumerate(parts, 1):
        last = number == len(parts)
        made = order(f"id-{number}", str(filled), word if last else "replaced")
        if filled:
            made["avg_fill_price"] = price
        chain.append(made)
    seen = view(Ticket(tuple(chain)))
    units = sum(filled for filled, _ in parts)
    assert seen.filled == units
    assert seen.broker_order_id == "id-1"
    assert (seen.status is BrokerStatus.FILLED) == (units >= 10)
    if units:
        assert seen.total.price == price
    assert seen == view(Ticket(tuple(chain)))
