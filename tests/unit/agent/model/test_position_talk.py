"""Proves what the rule model says of the account and does with positions, in the real loop."""

from __future__ import annotations

from decimal import Decimal

import pytest

from agent.intent import Intent, intent_of
from agent.model.phrases import Errand, read
from agent.model.position_errands import leaves
from agent.provenance import Grounds, check_call
from services.kit.errors import Refusal
from services.ledger import book, holding, portfolio
from services.orders import store
from tests.fakes.coach_desk import clean

NAMES = {"aapl": "AAPL", "apple": "AAPL", "msft": "MSFT", "ibm": "IBM"}


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


def held(coach) -> dict[str, int]:
    def look(ctx):
        mine = portfolio.get_portfolio(ctx, None)
        return {one.symbol: int(one.quantity) for one in holding.positions(ctx, mine.id)}

    return coach.write(look)


@pytest.mark.parametrize(
    ("text", "action"),
    [
        ("trim half of AAPL", "trim"),
        ("please trim 25% of my AAPL", "trim"),
        ("trim 5 msft", "trim"),
        ("close half of AAPL", "trim"),
        ("close AAPL", "close"),
        ("exit my AAPL position", "close"),
        ("get out of IBM", "close"),
        ("close all my AAPL", "close"),
        ("close everything", "close_all"),
        ("liquidate all", "close_all"),
        ("trim AAPL", None),
        ("trim 5 msft at 30 gtc", None),
        ("close AAPL at 420", None),
        ("close 25% of AAPL at 420", None),
        ("close AAPL if it falls", None),
        ("sell half of my msft", None),
        ("buy 5 AAPL", None),
    ],
)
def test_words_of_leaving_at_the_market_are_an_action_and_any_other_is_an_order(text, action):
    assert leaves(read(text, NAMES)) == action


@pytest.mark.parametrize(
    "text",
    [
        "move my AAPL stop to 405",
        "raise the stop on AAPL to $405.50",
        "tighten my stop to 405",
        "hedge my AAPL",
        "please hedge my AAPL",
        "roll my AAPL call",
        "how can I hedge AAPL?",
    ],
)
def test_managing_a_position_is_read_as_that(text):
    assert read(text, NAMES).errand is Errand.MANAGE


@pytest.mark.parametrize(
    ("text", "errand"),
    [
        ("move my AAPL alert to 405", Errand.ALERT_CHANGE),
        ("AAPL long stop 400 target 430", Errand.PLAN),
        ("plan AAPL long, stop 3% below, risk 1%", Errand.PLAN),
        ("why this stop?", Errand.WHY),
    ],
)
def test_other_sentences_with_a_stop_stay_what_they_were(text, errand):
    assert read(text, NAMES).errand is errand


async def test_trim_then_close_go_from_half_to_nothing_by_cards_alone(coach):
    await coach.buy("buy 25 AAPL")
    said = clean(await coach.say("trim half of AAPL"))
    assert said.tools == ["position_action"]
    assert "Prepared, in this order: sell 12 AAPL" in said.text
    assert "- plan: warn" in said.text
    assert held(coach) == {"AAPL": 25}
    coach.confirm()
    coach.work()
    assert held(coach) == {"AAPL": 13}
    closed = clean(await coach.say("close my position"))
    assert closed.tools == ["positions", "position_action"]
    coach.confirm()
    coach.work()
    assert held(coach) == {}


async def test_a_moved_stop_is_said_to_be_kept_and_going_back_is_refused_in_words(coach):
    await coach.buy("buy 25 AAPL stop 396")
    said = clean(await coach.say("move my AAPL stop to 400"))
    assert "kept at 400.00 (it was 396.00)" in said.text
    assert "kept is not placed" in said.text
    assert "stop 400" in said.text.split("Prepared")[1]
    back = await coach.say("move my AAPL stop to 390")
    assert back.calls == (("position_action", False),)
    assert "stop may only move toward profit" in back.text
    assert "Keep the stop, or move it toward profit" in back.text
    bare = clean(await coach.say("move my AAPL stop to break-even"))
    assert "To which price?" in bare.text


async def test_a_hedge_without_a_chain_says_why_and_makes_no_card(coach):
    await coach.buy("buy 5 IBM")
    said = clean(await coach.say("hedge my IBM"))
    assert "No hedge for IBM" in said.text
    assert "no configured provider" in said.text
    assert coach.cards() == []
    rolled = await coach.say("roll my IBM")
    assert "only options are rolled" in rolled.text
    assert coach.cards() == []


async def test_a_question_prepares_nothing(coach):
    await coach.buy("buy 5 IBM")
    for text in ("should I close IBM?", "should I move my IBM stop to 180?"):
        said = clean(await coach.say(text))
        assert "position_action" not in said.tools, said
    assert coach.cards() == []


async def test_two_positions_and_no_name_ask_which(coach):
    await coach.buy("buy 5 IBM")
    await coach.buy("buy 7 MSFT")
    said = clean(await coach.say("close my position"))
    assert said.tools == ["positions"]
    assert "Which one?" in said.text
    none = await coach.say("close AAPL")
    assert "you hold no AAPL" in none.text
    assert coach.cards() == []


@pytest.mark.parametrize(
    ("arguments", "said", "field"),
    [
        ({"action": "close_all"}, "close AAPL", "action"),
        ({"action": "close_all"}, "close all AAPL", "action"),
        ({"action": "close_all"}, "get me out", "action"),
        ({"action": "close", "symbol": "IBM"}, "close AAPL", "symbol"),
        ({"action": "trim", "symbol": "AAPL", "share": "half"}, "trim AAPL a bit", "share"),
        ({"action": "trim", "symbol": "AAPL", "share": "25%"}, "trim 125% of AAPL", "share"),
        ({"action": "trim", "symbol": "AAPL", "quantity": "50"}, "trim AAPL", "quantity"),
        ({"action": "trim", "symbol": "AAPL", "quantity": "100"}, "trim AAPL", "quantity"),
        ({"action": "move_stop", "symbol": "AAPL", "stop_price": "400"}, "move it", "stop_price"),
        ({"action": "hedge", "symbol": "TSLA"}, "hedge my AAPL", "symbol"),
    ],
)
def test_a_model_acts_on_nothing_that_the_person_did_not_say(arguments, said, field):
    grounds = Grounds(text=said, held={"AAPL": Decimal(100), "IBM": Decimal(5)})
    with pytest.raises(Refusal) as caught:
        check_call(arguments, grounds)
    assert (caught.value.code, caught.value.facts["field"]) == ("PROVENANCE_REFUSED", field)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"action": "close_all"}, "close everything"),
        ({"action": "close", "symbol": "AAPL"}, "close it"),
        ({"action": "trim", "symbol": "AAPL", "share": "25%"}, "trim 25 % of AAPL"),
        ({"action": "trim", "symbol": "AAPL", "quantity": "40"}, "trim 40 AAPL"),
        ({"action": "move_stop", "symbol": "AAPL", "stop_price": "405"}, "AAPL stop to 405"),
    ],
)
def test_what_the_person_said_passes(arguments, said):
    check_call(arguments, Grounds(text=said, held={"AAPL": Decimal(100), "IBM": Decimal(5)}))


@pytest.mark.parametrize(
    ("text", "intent"),
    [
        ("move my AAPL stop to 405", Intent.ORDER),
        ("hedge my AAPL", Intent.ORDER),
        ("please roll my call", Intent.ORDER),
        ("should I hedge AAPL?", Intent.ASK),
        ("don't move my stop to 405", Intent.PLAN),
        ("how far should the stop move?", Intent.PLAN),
    ],
)
def test_only_a_plain_wish_may_act_on_a_position(text, intent):
    assert intent_of(text) is intent
