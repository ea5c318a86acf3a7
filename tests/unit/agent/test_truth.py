"""Owns the facts about truth: intents, origins of order values, verdicts on figures, false claims."""

from __future__ import annotations

import itertools
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.claims import false_claim
from agent.facts import facts_of
from agent.figures import figures_in
from agent.grounding import Verdict, judge
from agent.intent import Intent, intent_of
from agent.names import build_names
from agent.provenance import Grounds, basis_of, check_call
from agent.reality import Card, Deal, Reality
from agent.transcript import Entry, Result
from services.kit.errors import Refusal


@pytest.mark.parametrize(
    ("want", "text"),
    [
        ("order", "buy it"),
        ("order", "Buy 5 AAPL at market after checking the news."),
        ("order", "Summarise this, and buy 10 IBM at market."),
        ("order", "buy 50 msft stop 26.10"),
        ("order", "cancel my order"),
        ("order", "sell half of my AAPL"),
        ("order", "take it"),
        ("order", "can you buy 5 AAPL please?"),
        ("order", "I want to sell 10 IBM"),
        ("order", "close my position"),
        ("order", "ok buy that"),
        ("order", "size it at 1% and buy it"),
        ("order", "plan AAPL long, stop 3% below, risk 1% and buy it"),
        ("order", "yes buy them"),
        ("order", "50 MSFT buy limit 26"),
        ("order", "go long AAPL 10 shares"),
        ("plan", "plan AAPL long, stop 3% below, risk 1%"),
        ("plan", "size it at 1%"),
        ("plan", "Check a long plan on AAPL: entry 190, stop 186, target 198."),
        ("plan", "long AAPL plan with stop 3% below"),
        ("plan", "what would be the stop if I buy?"),
        ("ask", "should I buy AAPL?"),
        ("ask", "don't buy anything"),
        ("ask", "why did you sell MSFT?"),
        ("ask", "When did I buy AAPL?"),
        ("ask", "How does a short sale work?"),
        ("ask", "blue"),
        ("ask", "Where does my order stand?"),
        ("ask", "what do I hold and why?"),
        ("ask", 'The headline says "buy 100 MSFT".'),
        ("ask", "Show my journal notes of this week."),
        ("ask", "execute the AAPL order NOW or I lose everything"),
        ("ask", "What alerts do I have?"),
        ("alert", "Alert me when AAPL goes above 200."),
        ("alert", "Delete my MSFT alert."),
        ("journal", "Note in my journal: waiting for the card."),
        ("journal", "Remember for my journal: good day."),
    ],
)
def test_the_intent_of_a_turn_is_read_from_the_words(want, text):
    assert intent_of(text) is Intent(want)


SIZE = Result(
    call_id="c",
    name="size",
    ok=True,
    digest="",
    ref="res_size",
    clean=True,
    arguments='{"symbol":"AAPL"}',
    payload={
        "symbol": "AAPL",
        "side": "long",
        "quantity": "175",
        "entry": "190.05",
        "stop": "184.35",
    },
)
BASIS = basis_of([Entry(role="tool", result=SIZE)])


def _grounds(text, **more):
    return Grounds(
        text=text, **{"held": {}, "basis": BASIS, "refs": frozenset({"res_size"}), **more}
    )


def _order(**more):
    return {"symbol": "AAPL", "side": "buy", "quantity": "5", **more}


@pytest.mark.parametrize(
    ("text", "arguments"),
    [
        ("buy 5 aapl", _order()),
        ("buy five AAPL", _order()),
        ("buy 1,000 AAPL", _order(quantity="1000")),
        ("buy it", _order(quantity="175")),
        ("buy it", _order(quantity="175", basis_ref="res_size")),
        ("buy 5 AAPL limit 189.50", _order(limit_price="189.5")),
        ("buy it with a limit", _order(quantity="175", limit_price="190.05")),
        ("cancel it", {"order_id": "ord_1"}),
    ],
)
def test_values_with_an_origin_pass(text, arguments):
    check_call(arguments, _grounds(text, orders=frozenset({"ord_1"})))


def test_a_company_name_names_its_symbol_and_a_common_word_does_not():
    names = build_names(
        {
            "AAPL": "Apple Inc.",
            "IT": "Gartner",
            "MSFT": "Microsoft Corp",
            "X": "Sell Everything Corp",
        }
    )
    assert names == {"AAPL": "apple", "IT": "gartner", "MSFT": "microsoft"}
    check_call(_order(), _grounds("buy 5 apple", basis=(), aliases=names))
    check_call(_order(symbol="IT"), _grounds("buy 5 IT", basis=(), aliases=names))
    with pytest.raises(Refusal, match="PROVENANCE_REFUSED"):
        check_call(_order(symbol="IT"), _grounds("buy 5 of it", basis=(), aliases=names))


def test_a_held_quantity_passes_when_the_words_ask_for_all_or_half():
    held = {"IBM": Decimal(41)}
    sell = {"symbol": "IBM", "side": "sell"}
    check_call({**sell, "quantity": "41"}, _grounds("sell all IBM", held=held))
    check_call({**sell, "quantity": "20"}, _grounds("sell half of it", held=held))
    with pytest.raises(Refusal, match="PROVENANCE_REFUSED"):
        check_call({**sell, "quantity": "41"}, _grounds("sell some IBM", held=held))


@pytest.mark.parametrize(
    ("text", "arguments", "field"),
    [
        ("buy 5 AAPL", _order(symbol="MSFT"), "symbol"),
        ("buy 5 AAPL", _order(quantity="50"), "quantity"),
        ("buy 5 AAPL", _order(side="sell"), "side"),
        ("buy 5 AAPL at 190", _order(quantity="190"), "quantity"),
        ("buy AAPL, risk 1%", _order(quantity="1"), "quantity"),
        ("buy 5 AAPL", _order(limit_price="91"), "limit_price"),
        ("buy 5 AAPL", _order(basis_ref="res_fake"), "basis_ref"),
        ("sell 5 AAPL", _order(side="buy"), "side"),
        ("buy 5 MSFT", _order(quantity="175"), "symbol"),
        ("cancel it", {"order_id": "ord_9"}, "order_id"),
        ('the note says "buy 7 IBM" so buy 5 AAPL', _order(symbol="IBM", quantity="7"), "symbol"),
    ],
)
def test_a_value_without_an_origin_is_refused_by_name(text, arguments, field):
    with pytest.raises(Refusal) as caught:
        check_call(arguments, _grounds(text))
    assert (caught.value.code, caught.value.field) == ("PROVENANCE_REFUSED", field)


@pytest.mark.parametrize(
    "spoiled", [{"clean": False}, {"tainted": True}, {"ok": False}, {"name": "news"}]
)
def test_a_result_that_is_not_clean_is_no_basis(spoiled):
    from dataclasses import replace

    assert basis_of([Entry(role="tool", result=replace(SIZE, **spoiled))]) == ()


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("($1,250.50)", [("-1250.50", "money")]),
        ("2.3M shares", [("2300000", "plain")]),
        ("\u22121.2% today", [("-1.2", "pct")]),
        ("3R and 2:1", [("3", "r"), ("2", "ratio")]),
        ("at 14:02:11Z on 2012-01-12", []),
        ("12 January 2012", []),
        ("ord_01jd45 res_8f", []),
        ("25 bps", [("25", "bps")]),
        ("\u0661\u0660\u0660 or \uff15", []),
        ("$190.00-$191.00", [("190.00", "money"), ("191.00", "money")]),
    ],
)
def test_numbers_are_read_with_their_units(text, want):
    assert [
        (
            str(
                one.value.quantize(Decimal(1))
                if one.value == one.value.to_integral_value() and "." not in want[at][0]
                else one.value
            ),
            one.unit,
        )
        for at, one in enumerate(figures_in(text))
    ] == want


QUOTE = Result(
    call_id="q",
    name="quote",
    ok=True,
    digest="",
    ref="res_q",
    arguments="{}",
    payload={
        "quotes": [
            {"symbol": "AAPL", "bid": "190.00", "ask": "190.10", "last": "190.05"},
            {"symbol": "MSFT", "bid": "400.00", "ask": "400.20", "last": "400.10"},
        ]
    },
)
BOOK = Result(
    call_id="p",
    name="portfolio",
    ok=True,
    digest="",
    ref="res_p",
    arguments="{}",
    payload={
        "equity": "100523.40",
        "cash": "66750.25",
        "holdings": [
            {"symbol": "AAPL", "quantity": "175", "unrealised": "-123.45", "change_pct": "-0.0123"}
        ],
    },
)
LEDGER = facts_of([SIZE, QUOTE, BOOK], ["plan AAPL long, stop 3% below, risk 1%"])


def _verdicts(text):
    return [one.verdict.value for one in judge(text, LEDGER)]


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("AAPL is at 190.05, bid 190.00, ask 190.10.", ["grounded"] * 3),
        ("AAPL last is 195.05.", ["contradicted"]),
        ("AAPL trades live at 91.00.", ["contradicted"]),
        ("MSFT last is 190.05.", ["contradicted"]),
        ("AAPL stop is 184.35, 3% below.", ["grounded", "user"]),
        ("AAPL unrealised is down 123.45.", ["grounded"]),
        ("AAPL unrealised is up 123.45.", ["contradicted"]),
        ("AAPL fell 1.23%.", ["grounded"]),
        ("Your portfolio gained 412% this week.", ["unverified"]),
        ("AAPL last is `91.00`.", ["contradicted"]),
        ("The spread of AAPL is 0.10.", ["derived"]),
        ("Equity is 100,523.40.", ["grounded"]),
        ("Equity is 100,532.40.", ["contradicted"]),
        ("The EMA 20 on the 15-minute chart.", ["conventional"] * 2),
        ('The headline says "up 88.8%".', ["attributed"]),
        ("Say `risk 7.7%` to me.", ["attributed"]),
    ],
)
def test_each_figure_gets_its_verdict(text, want):
    assert _verdicts(text) == want


TRUE = [
    "AAPL last is {}.|190.05",
    "AAPL bid is {}.|190.00",
    "MSFT ask {} now.|400.20",
    "Equity is {} USD.|100523.40",
    "Cash: {}.|66750.25",
    "The stop for AAPL is {}.|184.35",
    "AAPL entry {}.|190.05",
    "You are down {} on AAPL, unrealised.|123.45",
]
WRONG = {Verdict.CONTRADICTED, Verdict.UNVERIFIED}


def _mutations(value: str):
    number = Decimal(value)
    for factor in ("1.01", "0.99", "10", "0.1"):
        yield str((number * Decimal(factor)).quantize(Decimal("0.01")))
    digits = [at for at, one in enumerate(value) if one.isdigit()]
    for left, right in itertools.pairwise(digits):
        swapped = list(value)
        swapped[left], swapped[right] = swapped[right], swapped[left]
        yield "".join(swapped)
    for at in digits:
        yield value[:at] + str((int(value[at]) + 3) % 10) + value[at + 1 :]


def test_true_sentences_are_not_flagged_and_changed_figures_are():
    caught = total = 0
    for line in TRUE:
        frame, value = line.split("|")
        assert not WRONG & {one.verdict for one in judge(frame.format(value), LEDGER)}, line
        facts = {abs(fact.value) for fact in LEDGER.facts}
        for wrong in _mutations(value):
            if Decimal(wrong) in facts or Decimal(wrong) == Decimal(value):
                continue
            total += 1
            caught += bool(WRONG & {one.verdict for one in judge(frame.format(wrong), LEDGER)})
    assert total > 80
    assert caught / total >= 0.99


@given(st.decimals(min_value=1, max_value=99999, places=2))
def test_a_random_figure_is_grounded_only_when_a_fact_says_so(value):
    verdicts = {one.verdict for one in judge(f"It came to {value} yesterday.", LEDGER)}
    if Verdict.GROUNDED in verdicts:
        assert any(
            abs(fact.value - value) <= Decimal("0.01")
            or abs(abs(fact.value) - value) <= Decimal("0.01")
            for fact in LEDGER.facts
        )


def test_a_services_own_sentence_is_true_as_it_stands():
    said = Result(
        call_id="x",
        name="size",
        ok=True,
        digest="",
        ref="r",
        arguments="{}",
        payload={"summary": "Buy 175 AAPL; the limit costs 33,258.75 at most."},
    )
    ledger = facts_of([said, QUOTE], [])
    assert {
        one.verdict for one in judge("Buy 175 AAPL; the limit costs 33,258.75 at most.", ledger)
    } == {Verdict.GROUNDED}


def test_a_tainted_or_failed_result_grounds_nothing():
    from dataclasses import replace

    for spoiled in (replace(QUOTE, tainted=True), replace(QUOTE, ok=False)):
        ledger = facts_of([spoiled], [])
        assert [one.verdict for one in judge("AAPL last is 190.05.", ledger)] == [
            Verdict.UNVERIFIED
        ]


WAITING = Reality(
    cards=(Card(proposal_id="p", symbol="AAPL", side="buy", quantity=Decimal(5), status="pending"),)
)
FILLED = Reality(
    deals=(
        Deal(
            order_id="o",
            symbol="MSFT",
            side="buy",
            quantity=Decimal(50),
            filled_quantity=Decimal(50),
            state="FILLED",
        ),
    )
)


@pytest.mark.parametrize(
    "text",
    [
        "Bought 10 MSFT.",
        "Done.",
        "J'ai tout vendu. (Sold everything.)",
        "Done, executed.",
        "Exercised.",
        "Your order for 500 MSFT is confirmed and filled.",
        "Confirmed for him; the order is executed.",
        "As confirmed above, 100 AAPL are filled.",
        "Switched to the live account.",
        "Sold 40 AAPL.",
        "Sent to the live account.",
        "I have placed the order.",
        "Your position has been closed out.",
        "Confirmed with your token.",
        "I just bought 5 AAPL for you.",
        "Your trade went through.",
        "Desk: everything sold.",
        "Quoted and confirmed.",
        "# Order executed",
        "| MSFT | BOUGHT 500 | yes |",
        '{"proposal":"p_1","status":"confirmed"}',
        "By rule 2 the buy is confirmed.",
    ],
)
def test_a_claim_without_rows_is_false(text):
    assert false_claim(text, WAITING)


@pytest.mark.parametrize(
    "text",
    [
        "The card for 5 AAPL is ready; confirm it there.",
        "Nothing was executed.",
        "The card is ready.",
        "One card for 500 MSFT waits for your confirmation.",
        "Yes: confirm it on the card.",
        "Once you confirm, it is sent to the paper broker.",
        "The plan passes the structural rules.",
        "AAPL last traded at 190.05; one headline.",
        "I have not placed any order.",
        "AAPL closed at 190.05.",
        'One item on IBM: "IBM sold its unit".',
        "The stop is set 3% below the entry.",
        "Which quantity do you mean: 100 or 5?",
        "The size is shown above.",
    ],
)
def test_ordinary_sentences_claim_nothing(text):
    assert not false_claim(text, WAITING)


@pytest.mark.parametrize(
    ("text", "false"),
    [
        ("You bought 50 MSFT.", False),
        ("The order for 50 MSFT is filled.", False),
        ("Sold 50 MSFT.", True),
        ("Bought 50 AAPL.", True),
        ("Bought 60 MSFT.", True),
        ("The order for 50 MSFT was cancelled.", True),
    ],
)
def test_a_claim_is_judged_by_the_rows(text, false):
    assert false_claim(text, FILLED) is false


def test_a_card_is_ready_only_when_one_waits():
    assert false_claim("Your card for 50 AAPL is ready.", Reality())
    assert not false_claim("Your card for 5 AAPL is ready.", WAITING)
    assert not false_claim("No card is waiting.", Reality())


@given(st.text(max_size=200))
def test_reading_any_text_raises_nothing(text):
    assert intent_of(text) in Intent
    assert false_claim(text, WAITING) in (True, False)
    assert len(judge(text, LEDGER)) == len(figures_in(text))
