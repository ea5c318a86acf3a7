"""Units: pence and pounds, lots, contracts and shares are types that do not mix."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kit.errors import Refusal
from services.kit.money import Money, Price, Quantity
from services.market.instrument import tick_size
from services.market.tick_table import TICKS
from services.market.unit import (
    Contracts,
    Lots,
    Quoted,
    major_price,
    notional,
    quoted_price,
    shares_of_contracts,
    shares_of_lots,
)
from services.market.venue import VENUES, build_listing, unit_scale

LONDON = build_listing("XLON:VOD", "Vodafone Group", tick_rule="rts11_6")
APPLE = build_listing("XNAS:AAPL", "Apple Inc.")
OPTION = build_listing("XNAS:AAPL", "Apple call", asset_class="option")


def contract_of(multiplier):
    return replace(OPTION, multiplier=Decimal(multiplier))


def test_a_london_share_quotes_in_pence_and_is_worth_pounds():
    assert (LONDON.currency, LONDON.quote_unit, LONDON.price_scale) == (
        "GBP",
        "GBX",
        Decimal("0.01"),
    )
    assert LONDON.calendar == "XLON"
    pence = Quoted(Decimal("345.5"), "GBX")
    assert major_price(pence, LONDON) == Price(Decimal("3.455"), "GBP")
    assert quoted_price(Price(Decimal("3.455"), "GBP"), LONDON) == pence
    assert notional(Price(Decimal("3.455"), "GBP"), Quantity(Decimal(100)), LONDON) == Money(
        Decimal("345.5"), "GBP"
    )


def test_pounds_of_a_pence_listing_are_taken_as_pounds():
    assert major_price(Quoted(Decimal("3.455"), "GBP"), LONDON).per_unit == Decimal("3.455")


@pytest.mark.parametrize(
    ("value", "unit", "listing"),
    [("345.5", "USD", LONDON), ("345.5", "GBX", APPLE), ("3.4", "ZAC", LONDON)],
)
def test_another_unit_is_refused_and_never_guessed_from_the_number(value, unit, listing):
    with pytest.raises(Refusal, match="CURRENCY_MISMATCH"):
        major_price(Quoted(Decimal(value), unit), listing)


def test_units_that_differ_can_not_be_added_multiplied_or_compared():
    pence, pounds = Quoted(Decimal(345), "GBX"), Price(Decimal("3.45"), "GBP")
    for mixed in (
        lambda: pence + pounds,
        lambda: pence * Quantity(Decimal(1)),
        lambda: pounds * Lots(Decimal(1)),
        lambda: pounds * Contracts(Decimal(1)),
        lambda: Lots(Decimal(1)) + Contracts(Decimal(1)),
        lambda: pence < pounds,
    ):
        with pytest.raises((TypeError, AttributeError)):
            mixed()


def test_lots_and_contracts_become_shares_by_the_listing_alone():
    tokyo = build_listing("XPAR:AIR", "Airbus", lot_step=Decimal(100))
    assert shares_of_lots(Lots(Decimal(3)), tokyo) == Quantity(Decimal(300))
    assert shares_of_contracts(Contracts(Decimal(2)), contract_of(100)) == Quantity(Decimal(200))
    with pytest.raises(Refusal, match="MULTIPLIER_UNKNOWN"):
        shares_of_contracts(Contracts(Decimal(2)), APPLE)


def test_contracts_count_with_their_multiplier():
    price = Price(Decimal("2.50"), "USD")
    worth = notional(price, Contracts(Decimal(3)), contract_of(100))
    assert worth == Money(Decimal(750), "USD")


@given(st.decimals("0.0001", "100000", places=4))
def test_a_price_there_and_back_is_the_same(value):
    quoted = Quoted(value, "GBX")
    assert quoted_price(major_price(quoted, LONDON), LONDON) == quoted


@pytest.mark.parametrize(
    ("rule", "price", "tick"),
    [
        ("rts11_6", "71.32", "0.01"),
        ("rts11_6", "3455", "0.5"),
        ("rts11_1", "71.5", "0.5"),
        ("rts11_1", "0.05", "0.0005"),
        ("rts11_6", "0.05", "0.0001"),
        ("rts11_3", "1.5", "0.002"),
        ("rts11_4", "60000", "50"),
        ("us_option_penny", "2.99", "0.01"),
        ("us_option_penny", "3.00", "0.05"),
        ("us_option", "3.00", "0.10"),
    ],
)
def test_ticks_by_rule_and_price(rule, price, tick):
    listing = build_listing("XLON:VOD", "Vodafone Group", tick_rule=rule)
    assert tick_size(listing, Decimal(price), date(2026, 6, 1)) == Decimal(tick)


def test_a_rule_has_no_ticks_before_its_day():
    with pytest.raises(Refusal, match="TICK_UNKNOWN"):
        tick_size(LONDON, Decimal(70), date(2018, 1, 2))


def test_a_listing_without_a_tick_rule_is_known_but_can_not_be_ordered():
    plain = build_listing("XETR:SAP", "SAP SE")
    assert plain.currency == "EUR"
    with pytest.raises(Refusal, match="TICK_UNKNOWN"):
        tick_size(plain, Decimal(100), date(2026, 6, 1))


def test_ticks_never_fall_as_prices_rise():
    for table in TICKS.values():
        for _, steps in table:
            assert list(steps) == sorted(steps, reverse=True)


def test_every_venue_quotes_in_a_unit_of_its_currency():
    for venue in VENUES.values():
        assert unit_scale(venue.quote_unit) == (venue.currency, venue.price_scale)


@pytest.mark.parametrize("text", ["VOD", "XXXX:VOD", "XLON:", "XLON:../etc"])
def test_a_listing_of_no_known_venue_is_refused(text):
    with pytest.raises(Refusal, match="PARAM_INVALID"):
        build_listing(text, "nobody")
