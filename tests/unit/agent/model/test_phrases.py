"""Proves what ordinary phrases are read as: the errand, and every value with its role."""

from __future__ import annotations

import pytest

from agent.intake import REDACTED
from agent.model.phrases import Errand, read

NAMES = {
    "aapl": "AAPL",
    "apple": "AAPL",
    "msft": "MSFT",
    "microsoft": "MSFT",
    "ibm": "IBM",
    "goog": "GOOG",
    "google": "GOOG",
    "fb": "FB",
    "facebook": "FB",
}

TABLE = [
    ("what's AAPL doing", Errand.QUOTE, {"symbols": ("AAPL",)}),
    ("what\u2019s aapl doing?", Errand.QUOTE, {"symbols": ("AAPL",)}),
    ("quote MSFT IBM", Errand.QUOTE, {"symbols": ("MSFT", "IBM")}),
    ("how is apple trading", Errand.QUOTE, {"symbols": ("AAPL",)}),
    ("what about MSFT?", Errand.QUOTE, {"symbols": ("MSFT",)}),
    ("compare AAPL and MSFT", Errand.QUOTE, {"symbols": ("AAPL", "MSFT")}),
    ("price of xyzq", Errand.QUOTE, {"symbols": ("XYZQ",)}),
    ("what's tsla doing", Errand.QUOTE, {"symbols": ("TSLA",)}),
    ("AAPL", Errand.QUOTE, {"symbols": ("AAPL",)}),
    ("fb", Errand.QUOTE, {"symbols": ("FB",)}),
    ("why is AAPL up?", Errand.QUOTE, {"symbols": ("AAPL",)}),
    ("AAPL daily bars", Errand.BARS, {"timeframe": "1d"}),
    ("show me 5 minute candles for IBM", Errand.BARS, {"timeframe": "5m", "symbols": ("IBM",)}),
    ("chart of AAPL weekly", Errand.BARS, {"timeframe": "1w"}),
    (
        "plan AAPL long, stop 3% below, risk 1%",
        Errand.PLAN,
        {"symbols": ("AAPL",), "side": "long", "stop": "3%", "risk": "1%"},
    ),
    (
        "plan AAPL long entry 410 stop 400 targets 420, 430 and 440",
        Errand.PLAN,
        {"entry": "410", "stop": "400", "targets": ("420", "430", "440")},
    ),
    ("plan IBM short, stop 2% above", Errand.PLAN, {"side": "short", "stop": "2%"}),
    ("check MSFT long with a 4% stop", Errand.PLAN, {"stop": "4%", "symbols": ("MSFT",)}),
    ("plan it", Errand.PLAN, {"refers_back": True, "stop": None}),
    ("and with the stop at 395?", Errand.PLAN, {"stop": "395", "symbols": ()}),
    ("AAPL long stop 400 target 430", Errand.PLAN, {"stop": "400", "targets": ("430",)}),
    ("size it at 1%", Errand.SIZE, {"risk": "1%", "refers_back": True}),
    ("size it at 0.5%", Errand.SIZE, {"risk": "0.5%"}),
    ("how many AAPL shares with stop 400", Errand.SIZE, {"stop": "400"}),
    ("risk 2%", Errand.SIZE, {"risk": "2%"}),
    (
        "buy 50 msft stop 26.10",
        Errand.ORDER,
        {
            "symbols": ("MSFT",),
            "quantity": "50",
            "stop": "26.10",
            "stop_order": False,
            "side": "long",
            "sells": False,
        },
    ),
    ("buy it", Errand.ORDER, {"refers_back": True, "quantity": None, "unread": None}),
    ("Buy 1,000 shares of IBM", Errand.ORDER, {"quantity": "1000", "symbols": ("IBM",)}),
    ("buy five ibm", Errand.ORDER, {"quantity": "5"}),
    ("please buy 10 AAPL", Errand.ORDER, {"quantity": "10"}),
    ("i want to buy 5 AAPL with a stop at 400", Errand.ORDER, {"quantity": "5", "stop": "400"}),
    ("can you buy 5 aapl", Errand.ORDER, {"quantity": "5", "symbols": ("AAPL",)}),
    ("get me 5 shares of apple", Errand.ORDER, {"quantity": "5", "symbols": ("AAPL",)}),
    ("go long AAPL stop 3%", Errand.ORDER, {"side": "long", "stop": "3%", "quantity": None}),
    (
        "buy AAPL, stop 3% below, risk 1%",
        Errand.ORDER,
        {"quantity": None, "stop": "3%", "risk": "1%"},
    ),
    ("buy 10 IBM limit 180", Errand.ORDER, {"limit": "180", "quantity": "10"}),
    ("buy 10 IBM at 180 gtc", Errand.ORDER, {"limit": "180", "tif": "gtc"}),
    ("buy 10 IBM @ $180.50", Errand.ORDER, {"limit": "180.50"}),
    ("buy 50 msft for 26.50", Errand.ORDER, {"limit": "26.50", "quantity": "50"}),
    ("buy 50 msft below 26.50", Errand.ORDER, {"limit": "26.50", "stop_order": False}),
    ("buy 10 GOOG above 700", Errand.ORDER, {"stop": "700", "stop_order": True, "limit": None}),
    ("buy 10 MSFT stop order at 27", Errand.ORDER, {"stop": "27", "stop_order": True}),
    ("buy MSFT 50 stop 26", Errand.ORDER, {"quantity": "50", "stop": "26"}),
    ("buy 50 msft stop 26.10 target 28", Errand.ORDER, {"stop": "26.10", "targets": ("28",)}),
    ("sell 10 msft", Errand.ORDER, {"quantity": "10", "sells": True, "side": "short"}),
    ("sell 10 msft stop 25", Errand.ORDER, {"stop": "25", "stop_order": True, "sells": True}),
    ("sell 10 msft below 25", Errand.ORDER, {"stop": "25", "stop_order": True}),
    ("sell 10 msft above 30", Errand.ORDER, {"limit": "30", "stop_order": False}),
    ("trim 5 msft at 30 gtc", Errand.ORDER, {"limit": "30", "quantity": "5", "tif": "gtc"}),
    ("sell all AAPL", Errand.ORDER, {"everything": True, "quantity": None}),
    ("sell half of my msft", Errand.ORDER, {"half": True, "quantity": None}),
    ("close my position", Errand.ORDER, {"everything": True, "sells": True}),
    ("close everything", Errand.ORDER, {"everything": True}),
    ("get out of IBM", Errand.ORDER, {"everything": True, "symbols": ("IBM",)}),
    ("sell it", Errand.ORDER, {"refers_back": True, "sells": True}),
    ("short IBM stop 190", Errand.ORDER, {"side": "short", "sells": False, "stop": "190"}),
    ("take the trade", Errand.ORDER, {"refers_back": True}),
    ("should I buy AAPL?", Errand.ORDER, {"symbols": ("AAPL",)}),
    ("buy 5 zzzz", Errand.ORDER, {"symbols": ("ZZZZ",), "quantity": "5"}),
    ("buy $5000 of AAPL", Errand.ORDER, {"quantity": None, "unread": "$5000"}),
    ("buy 10 GOOG when it hits 600", Errand.ORDER, {"unread": "600"}),
    ("buy 10 AAPL if it dips", Errand.ORDER, {"unread": "if"}),
    ("buy 10 AAPL tomorrow", Errand.ORDER, {"unread": "tomorrow"}),
    ("sell 10 IBM limit 190 stop 170", Errand.ORDER, {"unread": "190"}),
    ("buy \uff15\uff10 msft", Errand.ORDER, {"quantity": None}),
    ("don't buy AAPL", Errand.NOTHING, {}),
    ("cancel my msft order", Errand.CANCEL, {"symbols": ("MSFT",)}),
    ("cancel ord_0123456789abcdef", Errand.CANCEL, {"ref": "ord_0123456789abcdef"}),
    ("cancel all orders", Errand.CANCEL, {"everything": True}),
    ("my orders", Errand.ORDERS, {}),
    ("show my open orders", Errand.ORDERS, {}),
    ("is my order filled?", Errand.ORDERS, {}),
    ("my trades", Errand.ORDERS, {}),
    ("what do I hold and why?", Errand.HOLDINGS, {}),
    ("positions", Errand.HOLDINGS, {}),
    ("what do i own", Errand.HOLDINGS, {}),
    ("do I have any AAPL", Errand.HOLDINGS, {}),
    ("how am i doing", Errand.PORTFOLIO, {}),
    ("what is my cash balance", Errand.PORTFOLIO, {}),
    ("my portfolio", Errand.PORTFOLIO, {}),
    ("note: waited for the pullback", Errand.NOTE, {}),
    ("remember to be patient", Errand.NOTE, {}),
    ("add to my journal: patience pays", Errand.NOTE, {}),
    ("show my journal", Errand.JOURNAL, {"days": None}),
    ("show my journal of the last 7 days", Errand.JOURNAL, {"days": 7}),
    ("journal entries about AAPL today", Errand.JOURNAL, {"symbols": ("AAPL",), "days": 1}),
    ("why did you propose that?", Errand.WHY, {}),
    ("why did I buy AAPL?", Errand.WHY, {"symbols": ("AAPL",)}),
    ("why did you\u2026", Errand.WHY, {}),
    ("what happened to ord_0123456789abcdef", Errand.WHY, {"ref": "ord_0123456789abcdef"}),
    ("help", Errand.HELP, {}),
    ("hello there", Errand.HELP, {}),
    ("what can you do", Errand.HELP, {}),
    ("halt", Errand.HALT, {}),
    ("stop all trading", Errand.HALT, {}),
    ("resume trading", Errand.HALT, {}),
    ("yes", Errand.CONFIRM, {}),
    ("confirm it", Errand.CONFIRM, {}),
    ("make it 20 shares", Errand.EDIT, {}),
    ("change the limit to 175", Errand.EDIT, {}),
    ("[confirmation token removed]", Errand.PASTE, {}),
    ("confirm with [confirmation token removed] please", Errand.PASTE, {}),
    ("make it 2%", Errand.SIZE, {"risk": "2%"}),
    ("now make it 2%", Errand.SIZE, {"risk": "2%"}),
    ("risk 2% instead", Errand.SIZE, {"risk": "2%"}),
    ("ok, now risk 0.5% instead", Errand.SIZE, {"risk": "0.5%"}),
    ("change the risk to 1.5%", Errand.SIZE, {"risk": "1.5%"}),
    ("2% instead", Errand.SIZE, {"risk": "2%"}),
    ("what did AAPL close at yesterday?", Errand.BARS, {"symbols": ("AAPL",)}),
    ("news on AAPL", Errand.NEWS, {"symbols": ("AAPL",)}),
    ("any headlines?", Errand.NEWS, {"symbols": ()}),
    ("AAPL NEWS", Errand.NEWS, {"symbols": ("AAPL",)}),
    ("tsla news", Errand.NEWS, {"symbols": ("TSLA",)}),
    ("buy 5 AAPL after reading the news", Errand.ORDER, {"quantity": "5"}),
    ("when does IBM report?", Errand.EARNINGS, {"symbols": ("IBM",)}),
    ("earnings of apple", Errand.EARNINGS, {"symbols": ("AAPL",)}),
    ("AAPL options", Errand.CHAIN, {"symbols": ("AAPL",)}),
    ("show me calls on msft", Errand.CHAIN, {"symbols": ("MSFT",)}),
    ("option chain for ibm 2027-01-15", Errand.CHAIN, {"symbols": ("IBM",)}),
    ("is the market open?", Errand.MARKET, {}),
    ("what time does the market close today", Errand.MARKET, {}),
    ("market status", Errand.MARKET, {}),
    ("add NVDA to my watchlist", Errand.WATCH, {"symbols": ("NVDA",)}),
    ("tell me a joke", Errand.UNKNOWN, {}),
    ("blah blah", Errand.UNKNOWN, {}),
    ("thanks", Errand.UNKNOWN, {"symbols": ()}),
]


@pytest.mark.parametrize(("text", "errand", "values"), TABLE, ids=[row[0] for row in TABLE])
def test_an_ordinary_phrase_is_read_as_what_it_means(text, errand, values):
    wish = read(text, NAMES)
    assert wish.errand is errand
    assert {name: getattr(wish, name) for name in values} == values


def test_the_table_is_wide_enough():
    assert len(TABLE) >= 80
    assert {row[1] for row in TABLE} == set(Errand)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "\u202e",
        "9" * 3000,
        "stop " * 2000,
        "buy " * 500,
        "\ud800",
        "a\x00b",
        "\uff21\uff21\uff30\uff2c",
        "%" * 400,
    ],
)
def test_any_text_is_read_without_a_fault(text):
    assert read(text, NAMES).text == text[:2000]


def test_the_mark_of_a_removed_token_is_the_one_that_intake_leaves():
    assert read(REDACTED, NAMES).errand is Errand.PASTE
