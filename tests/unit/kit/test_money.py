"""Exact numbers: text, ticks, units in the types."""

from decimal import Decimal as D  # noqa: N817

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kit.errors import InvariantBroken, Refusal
from services.kit.money import (
    FxRate,
    Money,
    Price,
    Quantity,
    decimal_text,
    floor_to,
    parse_decimal,
    tick_round,
)


@pytest.mark.parametrize(
    ("given_text", "plain"),
    [
        ("100.00", "100"),
        ("1E+3", "1000"),
        ("-0.0", "0"),
        ("12.3400", "12.34"),
        ("0.00000100", "0.000001"),
        ("-5.50", "-5.5"),
        ("0", "0"),
    ],
)
def test_decimals_are_written_in_plain_notation(given_text, plain):
    assert decimal_text(D(given_text)) == plain


@pytest.mark.parametrize(
    ("price", "tick", "mode", "expected"),
    [
        ("98.8149", "0.01", "floor", "98.81"),
        ("98.8101", "0.01", "ceil", "98.82"),
        ("2.987", "0.01", "nearest", "2.99"),
        ("3.07", "0.05", "floor", "3.05"),
        ("0.12345", "0.0001", "nearest", "0.1234"),
    ],
)
def test_prices_round_to_the_tick_in_the_direction_asked(price, tick, mode, expected):
    assert tick_round(D(price), D(tick), mode) == D(expected)


@pytest.mark.fault("F094")
@pytest.mark.fault("F095")
@pytest.mark.parametrize(
    "hostile",
    [
        "１２",
        "1e1000000",
        "NaN",
        "inf",
        "-Infinity",
        "0x10",
        "1,000",
        " 1",
        "1 ",
        "",
        "+1",
        ".5",
        "1.",
        "true",
        "1_000",
        "9" * 21,
        "0." + "1" * 19,
        "\x00",
        "\ud800",
    ],
)
def test_only_plain_ascii_decimals_are_numbers(hostile):
    with pytest.raises(Refusal, match="PARAM_INVALID"):
        parse_decimal(hostile)


@given(
    st.decimals(
        allow_nan=False, allow_infinity=False, places=8, min_value=-(10**9), max_value=10**9
    )
)
def test_plain_notation_reads_back_as_the_same_number(number):
    assert parse_decimal(decimal_text(number)) == number


def test_currencies_can_not_be_mixed():
    with pytest.raises(Refusal, match="CURRENCY_MISMATCH"):
        Money(D(1), "USD") + Money(D(1), "GBP")
    with pytest.raises(Refusal, match="CURRENCY_MISMATCH"):
        FxRate("USD", "GBP", D("0.79")).convert(Money(D(1), "EUR"))
    assert FxRate("USD", "GBP", D("0.79")).convert(Money(D(100), "USD")) == Money(D(79), "GBP")


def test_a_price_times_a_quantity_is_money_and_nothing_else_is():
    assert Price(D("10.50"), "USD") * Quantity(D(3)) == Money(D("31.50"), "USD")
    with pytest.raises(AttributeError):
        Price(D("10.50"), "USD") * D(3)
    with pytest.raises(InvariantBroken):
        Price(D(0), "USD")


def test_lots_round_toward_zero():
    assert floor_to(D("3.9069"), D("0.001")) == D("3.906")
    assert floor_to(D("-3.7"), D(1)) == D(-3)
