"""Owns the proof of the transition table and of the order's hash."""

from __future__ import annotations

from dataclasses import fields, replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kit.errors import Refusal
from services.orders.order import (
    OPEN,
    TRANSITIONS,
    Event,
    Order,
    OrderClass,
    OrderType,
    Side,
    State,
    Tif,
    intent_hash,
    next_state,
    order_from_json,
    order_hash,
    order_json,
    stored_hash,
)

ORDER = Order(
    instrument_id="XNAS:AAPL",
    symbol="AAPL",
    side=Side.BUY,
    quantity=Decimal(10),
    type=OrderType.LIMIT,
    tif=Tif.DAY,
    currency="USD",
    worst_price=Decimal("190.10"),
    account_id="acc_1",
    portfolio_id="pf_1",
    mode="paper",
    provenance="SIMULATED",
    client_order_id="cm-1",
    limit_price=Decimal("190.10"),
    protective_stop=Decimal("187.10"),
    basis_ref="size_1",
)
OTHERS = {
    "instrument_id": "XNAS:MSFT",
    "symbol": "MSFT",
    "side": Side.SELL,
    "quantity": Decimal(11),
    "type": OrderType.MARKET,
    "tif": Tif.GTC,
    "currency": "GBP",
    "worst_price": Decimal(191),
    "account_id": "acc_2",
    "portfolio_id": "pf_2",
    "mode": "live",
    "provenance": "LIVE",
    "client_order_id": "cm-2",
    "limit_price": Decimal(191),
    "stop_price": Decimal(1),
    "protective_stop": Decimal(186),
    "basis_ref": None,
    "order_class": OrderClass.OTOCO,
    "take_profit": Decimal(210),
    "stop_loss": Decimal(187),
}


@pytest.mark.parametrize("state", list(State))
@pytest.mark.parametrize("event", list(Event))
def test_every_arrow_is_in_the_table_or_refused(state, event):
    if (state, event) in TRANSITIONS:
        assert next_state(state, event) is TRANSITIONS[state, event]
        return
    with pytest.raises(Refusal) as caught:
        next_state(state, event)
    assert caught.value.code == "ILLEGAL_TRANSITION"


@pytest.mark.parametrize("state", [State.FILLED, State.DENIED, State.DISPUTED])
def test_a_final_state_has_no_way_out(state):
    assert not [arrow for arrow in TRANSITIONS if arrow[0] is state]


@pytest.mark.parametrize("state", [State.CANCELLED, State.EXPIRED, State.REJECTED])
def test_an_ended_order_gains_late_fills_only(state):
    events = {event for start, event in TRANSITIONS if start is state}
    assert events == {Event.PART_FILL, Event.FILL, Event.DISPUTE}
    assert TRANSITIONS[state, Event.PART_FILL] is state


def test_only_a_queued_order_can_be_claimed():
    assert [start for start, event in TRANSITIONS if event is Event.CLAIM] == [State.QUEUED]


def test_what_may_be_at_the_broker_is_never_queued_again_except_after_a_look():
    back = {start for (start, _), target in TRANSITIONS.items() if target is State.QUEUED}
    assert back == {State.CLAIMED, State.SUBMITTING, State.UNKNOWN}


def test_every_open_state_can_end():
    for state in OPEN:
        ways = {target for (start, _), target in TRANSITIONS.items() if start is state}
        assert ways - set(OPEN), state


@pytest.mark.parametrize("name", [field.name for field in fields(Order)])
@pytest.mark.fault("F059")
def test_every_field_is_under_the_hash(name):
    assert order_hash(replace(ORDER, **{name: OTHERS[name]})) != order_hash(ORDER)


def test_the_wanted_order_ignores_only_its_id_and_the_moving_price():
    same = replace(ORDER, client_order_id="cm-9", worst_price=Decimal(195))
    assert intent_hash(same) == intent_hash(ORDER)
    for name in set(OTHERS) - {"client_order_id", "worst_price"}:
        assert intent_hash(replace(ORDER, **{name: OTHERS[name]})) != intent_hash(ORDER)


@given(
    quantity=st.decimals("0.00000001", "1000000", places=8),
    price=st.none() | st.decimals("0.0001", "100000", places=4),
)
def test_stored_text_gives_the_same_order_and_hash(quantity, price):
    order = replace(ORDER, quantity=quantity, limit_price=price)
    text = order_json(order)
    assert order_from_json(text) == order
    assert stored_hash(text) == order_hash(order)
