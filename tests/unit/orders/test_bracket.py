"""Owns the proof of an entry's exits: exactly what the entry named, never more than was filled."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from services.kit.errors import InvariantBroken
from services.orders.bracket import build_exit, exit_client_id, find_entry_client_id
from services.orders.order import Order, OrderClass, OrderType, Side, Tif

D = Decimal
ENTRY = Order(
    instrument_id="XNAS:AAPL",
    symbol="AAPL",
    side=Side.BUY,
    quantity=D(10),
    type=OrderType.MARKET,
    tif=Tif.DAY,
    currency="USD",
    worst_price=D("202.02"),
    account_id="acc_1",
    portfolio_id="pf_1",
    mode="paper",
    provenance="SIMULATED",
    client_order_id="cm-1",
    protective_stop=D(190),
    basis_ref="plan_1",
    order_class=OrderClass.OTOCO,
    take_profit=D(210),
    stop_loss=D(190),
)


def test_a_bracket_exits_at_its_target_or_at_its_stop() -> None:
    exits = build_exit(ENTRY, D(10))
    assert (exits.side, exits.quantity, exits.tif) == (Side.SELL, D(10), Tif.GTC)
    assert (exits.type, exits.limit_price, exits.stop_loss) == (OrderType.LIMIT, D(210), D(190))
    assert (exits.order_class, exits.client_order_id) == (OrderClass.OCO, "cm-1-x")
    assert (exits.stop_price, exits.take_profit, exits.protective_stop) == (None, None, None)
    assert exits.worst_price == D(190)


@pytest.mark.parametrize(
    ("target", "stop", "kind", "limit", "trigger"),
    [(D(210), None, OrderType.LIMIT, D(210), None), (None, D(190), OrderType.STOP, None, D(190))],
)
def test_one_exit_is_a_plain_order(
    target: Decimal | None,
    stop: Decimal | None,
    kind: OrderType,
    limit: Decimal | None,
    trigger: Decimal | None,
) -> None:
    entry = replace(ENTRY, order_class=OrderClass.OTO, take_profit=target, stop_loss=stop)
    exits = build_exit(entry, D(4))
    assert (exits.type, exits.limit_price, exits.stop_price) == (kind, limit, trigger)
    assert (exits.order_class, exits.stop_loss, exits.quantity) == (None, None, D(4))
    assert exits.worst_price == (target or stop)


@pytest.mark.parametrize("quantity", [D(0), D(-1), D(11)])
def test_exits_never_close_more_than_was_bought(quantity: Decimal) -> None:
    with pytest.raises(InvariantBroken):
        build_exit(ENTRY, quantity)


def test_only_an_entry_with_exits_has_exits() -> None:
    with pytest.raises(InvariantBroken):
        build_exit(replace(ENTRY, order_class=None, take_profit=None, stop_loss=None), D(1))


def test_the_client_id_of_exits_names_the_entry() -> None:
    assert exit_client_id("cm-1") == "cm-1-x"
    assert find_entry_client_id("cm-1-x") == "cm-1"
    assert find_entry_client_id("cm-1") is None
    assert find_entry_client_id("-x") is None
