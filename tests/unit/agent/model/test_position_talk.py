"""Proves what the rule model says of the account and does with positions, in the real loop."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import pytest

from agent.model.phrases import Errand, read
from services.ledger import book, portfolio
from services.orders import store
from services.orders.broker import Broker
from services.orders.paper import PaperBroker
from tests.conftest import build_runtime
from tests.fakes.coach_desk import CoachDesk

NAMES = {"aapl": "AAPL", "apple": "AAPL", "msft": "MSFT", "ibm": "IBM"}


@pytest.fixture
def coach(database, clock, settings, owner) -> Iterator[CoachDesk]:
    made = build_runtime(database, clock, settings)
    made.ports[Broker] = PaperBroker()
    yield CoachDesk(made, owner, clock)
    made.threads.shutdown(wait=True)


def clean(turn):
    """No figure without a source, no sentence replaced, and something said."""
    assert turn.unverified == (), turn
    assert turn.marks == (), turn
    assert turn.text.strip(), turn
    assert turn.stop == "final", turn
    return turn


@pytest.mark.parametrize(
    ("text", "errand"),
    [
        ("my fills", Errand.FILLS),
        ("show my recent fills", Errand.FILLS),
        ("fills", Errand.FILLS),
        ("list executions", Errand.FILLS),
        ("my balances", Errand.BALANCES),
        ("balance", Errand.BALANCES),
        ("show account balances", Errand.BALANCES),
        ("my trades", Errand.ORDERS),
        ("what is my cash balance", Errand.PORTFOLIO),
    ],
)
def test_a_phrase_about_the_account_is_its_errand(text, errand):
    assert read(text, NAMES).errand is errand


async def test_my_fills_are_the_posted_fills_and_nothing_before_the_first(coach):
    empty = clean(await coach.say("my fills"))
    assert empty.text == "There are no fills yet."
    await coach.buy("buy 5 IBM")
    said = clean(await coach.say("my fills"))
    assert said.tools == ["fills"]
    (fill,) = coach.read(lambda ctx: store.list_fills(ctx))
    assert f"buy 5 IBM at {fill.price:.2f}" in said.text
    assert f"commission {fill.commission:.2f} USD" in said.text
    assert fill.order_id in said.text


async def test_my_balances_tell_cash_held_back_apart_from_free_cash(coach):
    await coach.say("buy 5 IBM limit 100 gtc")
    coach.confirm()
    coach.work()
    said = clean(await coach.say("my balances"))
    assert said.tools == ["balances"]
    money = coach.read(lambda ctx: book.cash(ctx, portfolio.get_portfolio(ctx, None).id))
    assert money.reserved.amount >= Decimal(500)
    assert f"{money.reserved.amount:.2f} held back by open orders" in said.text
    assert f"{money.available.amount:.2f} free" in said.text
