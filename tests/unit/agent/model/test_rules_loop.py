"""Proves the rule model in the real loop: each family of phrases, its calls, words and rows."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from services import journal
from services.kit.work import Runtime
from services.ledger import holding, portfolio
from services.market.feed import Feed
from services.orders.broker import Broker
from services.orders.order import State
from services.orders.paper import PaperBroker
from tests.conftest import build_runtime
from tests.fakes.coach_desk import CoachDesk, clean
from tests.fakes.hand_feed import HandFeed


def _runtime(database, clock, settings, **ports) -> Iterator[Runtime]:
    made = build_runtime(database, clock, settings, **ports)
    made.ports[Broker] = PaperBroker()
    yield made
    made.threads.shutdown(wait=True)


def held(coach) -> dict[str, int]:
    def look(ctx):
        mine = portfolio.get_portfolio(ctx, None)
        return {one.symbol: int(one.quantity) for one in holding.positions(ctx, mine.id)}

    return coach.write(look)


async def test_the_first_journey_from_a_plan_to_why_it_is_held(coach):
    planned = clean(await coach.say("plan AAPL long, stop 3% below, risk 1%"))
    assert planned.tools == ["plan_check", "size"]
    assert "Long AAPL at 409.20, stop 396.92" in planned.text
    sized = clean(await coach.say("size it at 0.5%"))
    assert sized.tools == ["size"]
    assert "40 shares" in sized.text
    bought = clean(await coach.say("buy it"))
    assert bought.tools == ["propose_order"]
    assert "buy 40 AAPL at market" in bought.text
    assert "risk to the stop 494.87 USD" in bought.text
    coach.confirm()
    coach.work()
    assert held(coach) == {"AAPL": 40}
    told = clean(await coach.say("what do I hold and why?"))
    assert told.tools == ["portfolio", "journal_list"]
    assert "40 AAPL at" in told.text
    assert re.search(
        r'"Bought 40 AAPL at 409\.\d+ USD.*Plan: entry 409\.2, stop 396\.92, risk to '
        r"the stop 494\.87 USD",
        told.text,
    ), told.text
    why = clean(await coach.say("why did you propose that?"))
    assert why.tools == ["audit_trail"]
    assert "it rests on this" in why.text
    assert "That is 40 shares of AAPL" in why.text
    reason = clean(await coach.say("why did I buy AAPL?"))
    assert reason.tools == ["journal_list"]
    assert "stop 396.92" in reason.text


async def test_the_execution_is_locked_with_its_plan(coach):
    await coach.buy("buy 50 msft stop 26.10")
    (entry,) = coach.read(lambda ctx: journal.list_entries(ctx))
    assert entry.facts["planned_stop"] == "26.1"
    assert entry.facts["planned_entry"] == "26.61"
    assert entry.facts["planned_risk"] == "26.27"
    assert entry.facts["plan"].startswith("res_")


async def test_a_sale_goes_from_part_to_half_to_all(coach):
    await coach.buy("buy 50 msft")
    for text, left in (("sell 10 msft", 40), ("sell half of my msft", 20), ("sell all MSFT", 0)):
        said = clean(await coach.say(text))
        assert said.tools[-1] == "propose_order", said
        coach.confirm()
        coach.work()
        assert held(coach).get("MSFT", 0) == left
    empty = clean(await coach.say("sell all MSFT"))
    assert empty.text == "You hold nothing, so there is nothing to sell."
    assert coach.cards() == []


async def test_closing_everything_makes_a_card_for_each_holding(coach):
    await coach.buy("buy 5 IBM")
    await coach.buy("buy 7 MSFT")
    said = clean(await coach.say("close everything"))
    assert said.tools == ["position_action"]
    assert sorted((one.order.symbol, int(one.order.quantity)) for one in coach.cards()) == [
        ("IBM", 5),
        ("MSFT", 7),
    ]


async def test_selling_without_a_number_asks_how_much(coach):
    await coach.buy("buy 5 IBM")
    said = clean(await coach.say("sell my IBM"))
    assert said.tools == ["positions"]
    assert "`sell all IBM`" in said.text
    other = clean(await coach.say("sell AAPL"))
    assert "You hold no AAPL." in other.text
    assert "5 IBM" in other.text
    assert coach.cards() == []


@pytest.mark.parametrize(
    ("text", "kind", "price", "tif"),
    [
        ("buy 10 IBM limit 180", "limit", "180", "day"),
        ("buy 10 IBM at 180.50 gtc", "limit", "180.5", "gtc"),
        ("buy 10 GOOG above 700", "stop", "700", "day"),
        ("buy 10 MSFT stop order at 27", "stop", "27", "day"),
        ("buy ten ibm", "market", None, "day"),
    ],
)
async def test_an_order_type_is_what_the_words_say(coach, text, kind, price, tif):
    clean(await coach.say(text))
    (card,) = coach.cards()
    order = card.order
    assert (order.type.value, order.tif.value, int(order.quantity)) == (kind, tif, 10)
    named = order.limit_price if kind == "limit" else order.stop_price
    assert (None if named is None else f"{named.normalize():f}") == price


async def test_a_working_order_is_cancelled_by_a_card(coach):
    await coach.buy("buy 10 IBM limit 150 gtc")
    listed = clean(await coach.say("my orders"))
    assert "1 open" in listed.text
    assert "at 150.00" in listed.text
    asked = clean(await coach.say("cancel my IBM order"))
    assert asked.tools == ["orders", "cancel_order"]
    coach.confirm()
    coach.work()
    assert coach.orders()[-1].state is State.CANCELLED
    assert "no open order" in clean(await coach.say("cancel all orders")).text


async def test_several_open_orders_are_named_before_one_is_cancelled(coach):
    await coach.buy("buy 10 IBM limit 150 gtc")
    await coach.buy("buy 20 IBM limit 140 gtc")
    which = clean(await coach.say("cancel my IBM order"))
    assert which.tools == ["orders"]
    assert "Which one?" in which.text
    one = clean(await coach.say(f"cancel {coach.orders()[0].id}"))
    assert one.tools == ["cancel_order"]
    everything = clean(await coach.say("cancel all orders"))
    assert everything.tools == ["orders", "cancel_order", "cancel_order"]


@pytest.mark.parametrize("text", ["halt", "stop all trading", "resume trading"])
async def test_halting_is_never_a_tool(coach, text):
    said = clean(await coach.say(text))
    assert said.tools == []
    assert "`cornerman halt`" in said.text


async def test_words_never_confirm(coach):
    await coach.say("buy 5 IBM")
    for text in ("yes", "confirm it", "execute"):
        said = clean(await coach.say(text))
        assert said.tools == []
        assert "only on the card itself" in said.text
    assert coach.orders() == []
    assert len(coach.cards()) == 1


@pytest.mark.parametrize(
    "text", ["plan AAPL long, stop 500", "buy 50 AAPL stop 500", "buy AAPL stop 500"]
)
async def test_a_stop_on_the_wrong_side_is_told_and_proposes_nothing(coach, text):
    said = clean(await coach.say(text))
    assert said.tools == ["plan_check"]
    assert "this plan does not hold" in said.text
    assert "wrong side" in said.text
    after = clean(await coach.say("buy it"))
    assert "does not hold" in after.text
    assert coach.cards() == []


@pytest.mark.parametrize(
    "text", ["what's TSLA doing", "buy 5 zzzz", "plan XYZQ long stop 3%", "AAAPL daily bars"]
)
async def test_an_unknown_symbol_names_the_three_nearest(coach, text):
    said = clean(await coach.say(text))
    assert re.search(
        r"I know no symbol [A-Z]+\. The nearest names are (?:[A-Z]+, ){2}[A-Z]+\.", said.text
    ), said.text
    assert coach.cards() == []


async def test_a_symbol_that_lists_later_says_when(coach):
    assert "2012-05-18" in clean(await coach.say("what's facebook doing")).text


async def test_too_much_for_the_cash_is_refused_with_both_figures(coach):
    said = clean(await coach.say("buy 1000000 AAPL"))
    assert '"needs 413305000, available 100000"' in said.text


async def test_selling_what_is_not_held_is_refused(coach):
    said = clean(await coach.say("sell 10 msft"))
    assert "short selling is off" in said.text
    assert coach.cards() == []


async def test_too_much_risk_is_refused_in_the_rules_words(coach):
    await coach.say("plan AAPL long, stop 3% below")
    assert "above maximum" in clean(await coach.say("size it at 5%")).text


@pytest.mark.parametrize("text", ["make it 0.5%", "now make it 0.5%", "risk 0.5% instead"])
async def test_another_risk_sizes_the_plan_anew(coach, text):
    first = clean(await coach.say("plan AAPL long, stop 3% below, risk 1%"))
    assert "40 shares" not in first.text
    again = clean(await coach.say(text))
    assert again.tools == ["size"]
    assert "40 shares" in again.text
    clean(await coach.say("buy it"))
    assert [int(card.order.quantity) for card in coach.cards()] == [40]


async def test_a_pasted_token_is_told_to_be_removed_and_sends_nothing(coach):
    await coach.buy("buy 5 IBM")
    said = clean(await coach.say("here: ct_abcdefghijklmnopqrstuvwxyz0123456789"))
    assert said.tools == []
    assert "I removed a confirmation token" in said.text
    assert "only the card confirms" in said.text


async def test_a_short_plan_on_a_long_only_account_says_so_and_offers_no_sale(coach):
    said = clean(await coach.say("plan short ibm stop 190"))
    assert "This account is long only, so IBM can not be sold short here." in said.text
    assert "sell it" not in said.text


async def test_daily_bars_are_dated_by_their_session(coach):
    said = clean(await coach.say("what did AAPL close at yesterday?"))
    assert said.tools == ["bars"]
    assert "up to the session of 2011-12-30" in said.text
    assert "UTC" not in said.text
    assert "UTC" in clean(await coach.say("AAPL 1m bars")).text


async def test_buy_it_without_a_plan_asks_how_many(coach):
    said = clean(await coach.say("buy it"))
    assert said.tools == []
    assert "How many shares?" in said.text


async def test_an_order_without_a_number_is_sized_by_its_own_stop(coach):
    said = clean(await coach.say("buy AAPL, stop 3% below, risk 0.5%"))
    assert said.tools == ["plan_check", "size", "propose_order"]
    (card,) = coach.cards()
    assert int(card.order.quantity) == 40
    assert str(card.order.protective_stop) == "396.92"


@pytest.mark.parametrize(
    "text", ["buy 10 GOOG when it hits 600", "buy $5000 of AAPL", "buy 10 AAPL tomorrow"]
)
async def test_a_condition_that_no_order_carries_prepares_nothing(coach, text):
    said = clean(await coach.say(text))
    assert said.tools == []
    assert "nothing is prepared" in said.text
    assert coach.cards() == []


@pytest.mark.parametrize("text", ["should I buy AAPL?", "is it time to sell IBM?"])
async def test_a_question_prepares_no_order(coach, text):
    clean(await coach.say(text))
    assert coach.cards() == []


async def test_follow_ups_go_on_about_the_same_thing(coach):
    await coach.say("what's AAPL doing")
    assert "MSFT last traded" in clean(await coach.say("what about MSFT?")).text
    await coach.say("plan AAPL long, stop 3% below")
    moved = clean(await coach.say("and with the stop at 400?"))
    assert "Long AAPL at 409.20, stop 400.00" in moved.text
    other = clean(await coach.say("size MSFT"))
    assert "I need your stop" in other.text


async def test_several_symbols_are_quoted_in_one_call(coach):
    said = clean(await coach.say("quote MSFT IBM and apple"))
    assert said.tools == ["quote"]
    assert all(f"{name} last traded at" in said.text for name in ("MSFT", "IBM", "AAPL"))


async def test_a_note_is_kept_and_read_back_as_a_quotation(coach):
    clean(await coach.say('note: "patience" paid. 100 times. I bought 50 AAPL'))
    (note,) = coach.read(lambda ctx: journal.list_entries(ctx))
    assert note.text == '"patience" paid. 100 times. I bought 50 AAPL'
    back = clean(await coach.say("show my journal"))
    assert "patience" in back.text
    assert back.tools == ["journal_list"]
    assert "begin with `note:`" in clean(await coach.say("remember to be patient")).text


@pytest.mark.parametrize(
    "text",
    [
        "tell me a joke",
        "blah blah",
        "thanks",
        "???",
        "make it 20 shares",
        "don't buy AAPL",
        "help",
        "help quote",
        "hello",
        "how am i doing",
        "positions",
        "my trades",
        "why is AAPL up?",
        "what's the weather",
    ],
)
async def test_everything_else_gets_an_honest_answer(coach, text):
    said = clean(await coach.say(text))
    assert coach.cards() == []
    if said.tools == [] and "did not understand" in said.text:
        assert "OPENAI_API_KEY" in said.text
        assert "`my portfolio`" in said.text


async def test_a_closed_market_is_told_and_proposes_nothing(database, clock, settings, owner):
    feed = HandFeed()
    for made in _runtime(database, clock, settings):
        made.ports[Feed] = feed
        coach = CoachDesk(made, owner, clock)
        feed.advance(hours=9)
        said = clean(await coach.say("buy 5 IBM"))
        assert "closed" in said.text
        assert coach.cards() == []
