"""Owns the first conversation of a stranger: plan, buy it, by rules, on real tools and history."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from agent import conversation
from agent.log import replay
from agent.loop import Coach
from agent.model.rules import RuleModel
from agent.order_rules import broken_rules
from agent.toolbox import Toolbox
from app.look import look
from services.kit.work import Runtime
from services.market.feed import Feed
from services.orders.broker import Broker
from services.orders.paper import PaperBroker
from services.orders.proposal import list_proposals
from tests.conftest import build_runtime


@pytest.fixture
def real(database, clock, settings) -> Iterator[Runtime]:
    made = build_runtime(database, clock, settings)
    made.ports[Broker] = PaperBroker()
    yield made
    made.threads.shutdown(wait=True)


async def _say(real, owner, conversation_id, text):
    posted = real.write(owner, lambda ctx: conversation.post_message(ctx, conversation_id, text))
    feed = real.ports[Feed]
    listed = real.read(owner, lambda ctx: [(one.symbol, one.name) for one in feed.instruments(ctx)])
    rules = RuleModel(listed)
    coach = Coach(real, model=rules, fallback=rules, toolbox=Toolbox(), look=look)
    await coach.run(owner, posted.run_id)
    items = real.read(owner, lambda ctx: conversation.messages(ctx, conversation_id))["items"]
    return items[-1]


async def test_a_plan_and_buy_it_make_one_card(real, owner):
    opened = real.write(owner, conversation.start)
    planned = await _say(real, owner, opened.id, "plan AAPL long, stop 3% below, risk 1%")
    assert planned["marks"] == [], planned["text"]
    bought = await _say(real, owner, opened.id, "buy it")
    cards = real.read(owner, lambda ctx: list_proposals(ctx, "pending"))
    assert [card.order.symbol for card in cards] == ["AAPL"], bought["text"]
    assert cards[0].conversation_id == opened.id
    assert bought["marks"] == [], bought["text"]
    events = real.read(owner, lambda ctx: replay(ctx, opened.id, limit=1000))
    assert [event.type for event in events].count("proposal.pending") == 1
    assert broken_rules(events) == []


async def test_an_order_by_company_name_in_lower_case_makes_its_card(real, owner):
    opened = real.write(owner, conversation.start)
    said = await _say(real, owner, opened.id, "buy 5 microsoft")
    cards = real.read(owner, lambda ctx: list_proposals(ctx, "pending"))
    assert [(card.order.symbol, card.order.quantity) for card in cards] == [("MSFT", 5)], said


@pytest.mark.parametrize(
    "text",
    [
        "what's AAPL doing",
        "quote MSFT IBM",
        "AAPL daily bars",
        "what do I hold and why?",
        "my orders",
        "my portfolio",
        "note: waited for the pullback",
        "show my journal",
        "help",
        "size AAPL long entry 400 stop 390 risk 1%",
        "buy 5 MSFT",
        "hello there",
        "sell all IBM",
        "cancel my AAPL order",
        "why did you propose that?",
    ],
)
async def test_what_the_rules_say_is_never_withheld(real, owner, text):
    opened = real.write(owner, conversation.start)
    item = await _say(real, owner, opened.id, text)
    assert item["text"]
    assert item["marks"] == [], item["text"]
