"""Owns the proof of what a draft may say, and of the account's own limits at the desk."""

from __future__ import annotations

from decimal import Decimal

import pytest

from services.kit.context import Actor
from services.ledger import portfolio
from services.orders import proposal, reconcile, store, switch
from services.orders.order import State
from services.orders.tables import day_loss_latches, order_intents


@pytest.mark.parametrize(
    ("rest", "code", "field"),
    [
        ({"side": "hold"}, "PARAM_INVALID", "side"),
        ({"type": "iceberg"}, "PARAM_INVALID", "type"),
        ({"tif": "ioc"}, "PARAM_INVALID", "tif"),
        ({"type": "limit"}, "PARAM_INVALID", "limit_price"),
        ({"limit_price": "190.00"}, "PARAM_INVALID", "limit_price"),
        ({"type": "stop", "stop_price": "-1"}, "PRICE_NON_POSITIVE", "stop_price"),
        ({"type": "stop", "stop_price": "189.00"}, "PARAM_INVALID", "stop_price"),
        ({"type": "limit", "limit_price": "189.005"}, "PRICE_OFF_TICK", "limit_price"),
        ({"protective_stop": "190.10"}, "STOP_WRONG_SIDE", "protective_stop"),
        ({"protective_stop": "-1"}, "PRICE_NON_POSITIVE", "protective_stop"),
        ({"symbol": "NOPE"}, "SYMBOL_UNKNOWN", None),
        ({"quantity": "0"}, "QTY_INVALID", None),
    ],
)
def test_a_draft_that_means_nothing_is_refused(desk, rest, code, field):
    refusal = desk.refused(lambda: desk.propose(**rest))
    assert refusal.code == code
    assert field is None or refusal.facts["field"] == field
    assert desk.read(proposal.list_proposals) == []


@pytest.mark.fault("F055")
def test_a_loss_at_the_days_limit_is_latched_for_the_session(desk, feed):
    desk.buy(quantity="500", protective_stop="189.00")
    desk.work()
    feed.set("AAPL", "183.00", "183.10")
    assert desk.refused(lambda: desk.propose("MSFT")).code == "RISK_BREACH"
    feed.set("AAPL", "190.00", "190.10")
    card = desk.propose("MSFT")
    feed.set("AAPL", "183.00", "183.10")
    assert desk.refused(lambda: desk.confirm(card.id)).code == "RISK_BREACH"
    assert desk.count(day_loss_latches) == 1
    feed.set("AAPL", "190.00", "190.10")
    assert desk.refused(lambda: desk.propose("MSFT")).code == "RISK_BREACH"
    assert desk.propose("AAPL", "sell", "500").status == "pending"


@pytest.mark.parametrize(
    ("rule", "code"), [("pdt_legacy", "PDT_LIMIT"), ("cash", "UNSETTLED_FUNDS")]
)
def test_the_accounts_day_trade_rule_counts_todays_trades(desk, feed, rule, code):
    for symbol, better in (("AAPL", "191"), ("MSFT", "401"), ("GOOG", "151")):
        desk.buy(symbol, "buy", "100")
        desk.work()
        feed.set(symbol, better, f"{better}.10")
        desk.buy(symbol, "sell", "100")
        desk.work()
    desk.sql(f"UPDATE accounts SET day_trade_rule = '{rule}'")
    quantity = "5"
    if rule == "pdt_legacy":
        assert desk.propose("IBM", quantity=quantity).status == "pending"
        desk.write(
            lambda ctx: portfolio.withdraw(
                ctx, portfolio.list_portfolios(ctx)[0].id, Decimal(76_000), key="w1"
            )
        )
        quantity = "6"
    else:
        quantity = "400"
    assert desk.refused(lambda: desk.propose("IBM", quantity=quantity)).code == code


def test_orders_and_fills_are_listed_newest_first(desk):
    first, second = desk.buy(), desk.buy("MSFT", type="limit", limit_price="390.00")
    desk.work()
    assert {one.id for one in desk.read(store.list_orders)} == {first, second}
    (waiting,) = desk.read(lambda ctx: store.list_orders(ctx, open_only=True))
    assert (waiting.id, waiting.symbol, waiting.side, waiting.remaining) == (
        second,
        "MSFT",
        "buy",
        Decimal(10),
    )
    assert waiting.is_open
    (fill,) = desk.read(lambda ctx: store.list_fills(ctx, order_id=first))
    assert (fill.symbol, fill.quantity) == ("AAPL", 10)
    assert [step.to_state for step in desk.read(lambda ctx: store.list_transitions(ctx, first))][
        -1
    ] == "FILLED"
    assert desk.refused(lambda: desk.order("ord_none")).code == "ORDER_UNKNOWN"


@pytest.mark.parametrize(("seconds", "state"), [(0, State.QUEUED), (601, State.EXPIRED)])
def test_an_order_claimed_by_a_dead_worker_was_provably_not_sent(desk, clock, seconds, state):
    order_id = desk.buy()
    desk.sql("UPDATE order_intents SET state = 'CLAIMED', epoch = 1")
    clock.advance(seconds=seconds)
    reconcile.resolve_in_doubt(desk.runtime, boot=True)
    assert desk.order(order_id).state is state


def test_a_refused_broker_answer_in_the_books_stops_nobody_else(desk, feed):
    desk.buy("AAPL")
    other = desk.buy("MSFT")
    desk.sql("UPDATE order_intents SET order_hash = 'sha256:0' WHERE symbol = 'AAPL'")
    desk.work()
    states = {row.symbol: row.state for row in desk.rows(order_intents)}
    assert states["AAPL"] == "DENIED"
    assert states["MSFT"] in ("FILLED", "DENIED")
    assert desk.order(other).state in (State.FILLED, State.DENIED)


def test_resuming_needs_a_reason_and_a_person(desk):
    desk.write(lambda ctx: switch.halt(ctx, "", reduce_only=True))
    assert desk.read(switch.state).state == "REDUCE_ONLY"
    assert desk.refused(lambda: desk.propose()).code == "REDUCE_ONLY"
    assert (
        desk.refused(lambda: desk.write(lambda ctx: switch.resume(ctx, "  "))).code
        == "RESUME_REASON"
    )
    coach = desk.as_user(actor=Actor.AGENT)
    assert (
        desk.refused(lambda: coach.write(lambda ctx: switch.resume(ctx, "go"))).code
        == "SCOPE_MISSING"
    )
    desk.write(lambda ctx: switch.resume(ctx, "looked at it"))
    assert desk.propose().status == "pending"


@pytest.mark.parametrize("scope", ["listing:XNAS:AAPL", "tenant"])
def test_a_switch_holds_for_its_scope(desk, scope):
    desk.write(lambda ctx: switch.halt(ctx, "news", scope=scope))
    assert desk.refused(lambda: desk.propose("AAPL")).code == "KILL_SWITCH"
    if scope != "tenant":
        assert desk.propose("MSFT").status == "pending"


def test_pending_cards_expire_by_themselves(desk, clock):
    card = desk.propose()
    clock.advance(seconds=601)
    assert desk.read(lambda ctx: proposal.list_proposals(ctx, "pending")) == []
    desk.work()
    assert desk.status(card.id) == "expired"
