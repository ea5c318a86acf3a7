"""Alerts in ordinary phrases: the real loop, real tools, real rows; no order ever hangs on one."""

import pytest

from agent.intent import Intent, intent_of
from services.alerts import store
from services.orders import proposal
from tests.fakes.coach_desk import clean


def alerts(coach):
    return coach.read(store.list_alerts)


@pytest.mark.parametrize(
    ("text", "kind", "level"),
    [
        ("alert me when AAPL goes above 420", "price_above", "420"),
        ("AAPL > 420", "price_above", "420"),
        ("let me know if apple drops below 380.50", "price_below", "380.5"),
        ("notify when MSFT falls 2% below VWAP", "vwap_cross", "-2"),
        ("tell me when IBM hits 200", "price_above", "200"),
        ("set an alert on AAPL at 400", "price_below", "400"),
        ("warn me when AAPL drops 5%", "price_below", "388.74"),
    ],
)
async def test_an_alert_in_words_is_set_and_said_back(coach, text, kind, level):
    told = clean(await coach.say(text))
    assert told.text.startswith('The alert is set: "Alert once when'), told
    [made] = alerts(coach)
    assert (made.kind, str(made.level.normalize() + 0)) == (kind, level)
    assert made.note_by == "agent"
    assert coach.read(proposal.list_proposals) == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("alert me when AAPL closes above 420", "AAPL closes at or above 420.00"),
        ("alert me when AAPL goes above 420 for 3 days", "until 2012-01-06 09:31 EST"),
        ("alert me when AAPL goes above 420 until 2012-02-01 16:00 EST",
         "until 2012-02-01 16:00 EST"),
        ("alert me when AAPL goes above 420 by 0.5%", "at or above 420.00 by 0.5%"),
        ("tell me when my risk is at breach or worse", "when risk is at breach or worse"),
        ("notify me each time the risk state changes", "when the risk state changes"),
    ],
)  # fmt: skip
async def test_an_end_a_close_a_threshold_and_the_risk_are_understood(coach, text, words):
    told = clean(await coach.say(text))
    assert told.text.startswith('The alert is set: "Alert '), told
    assert words in told.text
    assert len(alerts(coach)) == 1


async def test_alerts_are_listed_changed_and_deleted_in_words(coach):
    clean(await coach.say("alert me when AAPL goes above 420"))
    listed = clean(await coach.say("what alerts do I have?"))
    assert listed.tools == ["alert_list"]
    assert "AAPL trades at or above 420.00" in listed.text
    changed = clean(await coach.say("change my AAPL alert to 425"))
    assert changed.tools == ["alert_list", "alert_update"]
    assert str(alerts(coach)[0].level.normalize()) == "425"
    gone = clean(await coach.say("delete my AAPL alert"))
    assert gone.tools == ["alert_list", "alert_delete"]
    assert alerts(coach) == []
    assert "no alerts yet" in clean(await coach.say("my alerts")).text


async def test_which_of_two_is_asked_and_nothing_is_deleted(coach):
    clean(await coach.say("alert me when AAPL goes above 420"))
    clean(await coach.say("alert me when AAPL goes above 430"))
    asked = clean(await coach.say("delete my AAPL alert"))
    assert "Which one?" in asked.text
    assert len(alerts(coach)) == 2


@pytest.mark.parametrize(
    "text",
    [
        "alert me when AAPL goes above 420 and RSI is over 70",
        "alert me about AAPL",
        "alert me when AAPL goes above 420 on Friday",
        "set an alert",
    ],
)
async def test_what_can_not_be_read_sets_nothing_and_says_how(coach, text):
    told = clean(await coach.say(text))
    assert told.text.startswith("No alert is set"), told
    assert alerts(coach) == []


async def test_an_unknown_symbol_and_a_far_level_are_told(coach):
    told = clean(await coach.say("alert me when AAPK goes above 420"))
    assert "The nearest names are" in told.text
    far = clean(await coach.say("alert me when AAPL goes above 4200"))
    assert "more than 50" in far.text
    assert alerts(coach) == []


@pytest.mark.parametrize(
    ("text", "intent"),
    [
        ("AAPL > 420", Intent.ALERT),
        ("notify when MSFT falls 2% below VWAP", Intent.ALERT),
        ("tell me when AAPL hits 420", Intent.ALERT),
        ("tell me when did I buy AAPL", Intent.ASK),
        ("tell me about AAPL", Intent.ASK),
        ("what alerts do I have?", Intent.ASK),
        ("is AAPL > 420 a good level?", Intent.ASK),
        ("don't buy AAPL", Intent.ASK),
        ("buy 10 AAPL", Intent.ORDER),
    ],
)
def test_only_a_wish_to_be_told_is_about_alerts(text, intent):
    assert intent_of(text) is intent


@pytest.mark.parametrize(
    "text",
    ["my risk", "what's my risk?", "how is my risk now?", "risk limits", "am I near my limits?",
     "how much am I risking?", "show me the account's risk"],
)  # fmt: skip
async def test_the_risk_of_the_account_is_told_when_it_is_asked_for(coach, text):
    clean(await coach.say("my balances"))
    told = clean(await coach.say(text))
    assert told.tools == ["risk_state"]
    assert told.text.startswith("Risk is inside its limits. Open risk is 0.00 USD"), told
