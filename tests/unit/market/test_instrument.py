"""Instruments: their ticks, and which text is a symbol."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from services.kit.errors import Refusal
from services.market.history.bundle import load_history
from services.market.instrument import require_listing, require_symbol, tick_size

APPLE = load_history()["AAPL"].instrument


@pytest.mark.parametrize(
    ("price", "tick"),
    [("411.23", "0.01"), ("1.00", "0.01"), ("0.9999", "0.0001"), ("0.0001", "0.0001")],
)
def test_a_us_share_steps_by_its_price(price, tick):
    assert tick_size(APPLE, Decimal(price), date(2012, 1, 3)) == Decimal(tick)


def test_an_unknown_tick_rule_is_refused():
    with pytest.raises(Refusal, match="TICK_UNKNOWN"):
        tick_size(replace(APPLE, tick_rule="lse"), Decimal(5), date(2012, 1, 3))


def test_instruments_are_named_by_market_and_symbol():
    assert [one.instrument.id for _, one in sorted(load_history().items())] == [
        "XNAS:AAPL",
        "XNAS:FB",
        "XNAS:GOOG",
        "XNYS:IBM",
        "XNAS:MSFT",
    ]
    assert {one.instrument.currency for one in load_history().values()} == {"USD"}


@pytest.mark.parametrize(
    ("text", "symbol"),
    [
        ("aapl", "AAPL"),
        (" $brk.b ", "BRK.B"),
        ("BF-B", "BF-B"),
        ("0700", "0700"),
        ("A" * 15, "A" * 15),
    ],
)
def test_symbol_text_is_put_into_capitals(text, symbol):
    assert require_symbol(text) == symbol


HOSTILE = [
    "",
    " ",
    "$",
    "A" * 16,
    "A" * 100_000,
    "AAPL MSFT",
    "AAPL\n",
    "AAPL\x00",
    "ＡＡＰＬ",
    "ΑAPL",
    "ß",
    "\ud800",
    "../etc",
    "AAPL;DROP",
    "<b>",
    ".A",
    "-A",
    "A'",
    "١٢",
    "\u017f",
    "\u212a",
]


@pytest.mark.parametrize("text", [*HOSTILE, "XNAS:AAPL", None, 5, ["AAPL"], b"AAPL"])
def test_other_text_is_no_symbol(text):
    with pytest.raises(Refusal) as told:
        require_symbol(text)
    assert (told.value.code, told.value.field) == ("PARAM_INVALID", "symbol")
    assert str(told.value.facts["value"]).isascii()
    assert len(str(told.value.facts["value"])) <= 40


def test_a_listing_is_a_symbol_or_an_instrument_id():
    assert require_listing("xnas:aapl") == "XNAS:AAPL"
    assert require_listing("aapl") == "AAPL"


@pytest.mark.parametrize("text", [*HOSTILE, ":", "X:AAPL", "XNAS:", "XNAS:AAPL:X", "XNAS: AAPL"])
def test_other_text_is_no_listing(text):
    with pytest.raises(Refusal, match="PARAM_INVALID"):
        require_listing(text)
