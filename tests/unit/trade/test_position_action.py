"""Proves the rules of acting on a position in tables: parts, stops that only come nearer, hedges."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal as D  # noqa: N817 - tables of numbers read better short
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kit.errors import Refusal
from services.trade.position_action import (
    Change,
    PositionFacts,
    Working,
    build_hedge,
    moved_stop,
    nearest_stop,
    part_units,
    share_of,
)
from services.trade.position_check import checklist, open_risk

LONG = PositionFacts(
    symbol="AAPL",
    side="long",
    quantity=D(100),
    entry=D(100),
    bid=D("107.45"),
    ask=D("107.55"),
    last=D("107.50"),
    tick=D("0.01"),
    lot_step=D(1),
    min_quantity=D(1),
    equity=D(50_000),
    one_r=D(500),
    stop=D(95),
    stop_source="plan_1",
    planned_stop=D(95),
    target=D(110),
    basis="plan_1",
    quote_age_s=D(2),
    quote_age_max_s=D(15),
    provenance="LIVE",
    source="hand",
)
SHORT = replace(
    LONG,
    side="short",
    last=D("92.50"),
    bid=D("92.45"),
    ask=D("92.55"),
    stop=D(105),
    planned_stop=D(105),
    target=D(90),
)


def line(facts, change, name):
    return next(one for one in checklist(facts, change) if one.name == name)


@pytest.mark.parametrize(
    ("text", "share"),
    [("half", (1, 2)), ("third", (1, 3)), ("quarter", (1, 4)), ("25%", (1, 4)), ("7%", (7, 100))],
)
def test_a_share_is_read_exactly(text, share):
    assert share_of(text) == Fraction(*share)


@pytest.mark.parametrize(
    ("held", "lot", "share", "units"),
    [
        ("25", "1", "half", "12"),
        ("9", "1", "third", "3"),
        ("100", "1", "33%", "33"),
        ("0.5", "0.001", "third", "0.166"),
        ("150", "100", "99%", "100"),
    ],
)
def test_a_share_is_cut_down_to_the_lot(held, lot, share, units):
    facts = replace(LONG, quantity=D(held), lot_step=D(lot), min_quantity=D(lot))
    assert part_units(facts, share=share_of(share)) == D(units)


@pytest.mark.parametrize(
    ("given_units", "share", "code"),
    [
        (None, None, "PARAM_INVALID"),
        ("10", "half", "PARAM_INVALID"),
        ("101", None, "INSUFFICIENT_POSITION"),
        ("0", None, "QTY_INVALID"),
        ("-5", None, "QTY_INVALID"),
        ("1.5", None, "QTY_INVALID"),
        (None, "0%", "PARAM_INVALID"),
    ],
)
def test_a_part_that_is_none_is_refused(given_units, share, code):
    with pytest.raises(Refusal) as caught:
        part_units(
            LONG,
            units=None if given_units is None else D(given_units),
            share=None if share is None else share_of(share),
        )
    assert caught.value.code == code


def test_half_of_one_unit_is_no_order():
    with pytest.raises(Refusal) as caught:
        part_units(replace(LONG, quantity=D(1)), share=share_of("half"))
    assert caught.value.code == "QTY_INVALID"


@given(held=st.integers(1, 10**6), top=st.integers(1, 99))
def test_a_part_is_never_more_than_is_held_and_always_on_the_lot(held, top):
    facts = replace(LONG, quantity=D(held))
    if held * top < 100:
        with pytest.raises(Refusal, match="QTY_INVALID"):
            part_units(facts, share=Fraction(top, 100))
        return
    units = part_units(facts, share=Fraction(top, 100))
    assert 0 < units <= held
    assert units == held * top // 100


@pytest.mark.parametrize(
    ("facts", "price", "code"),
    [
        (LONG, "95", ""),
        (LONG, "107.44", ""),
        (LONG, "94.99", "STOP_LOOSENED"),
        (LONG, "107.45", "STOP_AT_MARKET"),
        (LONG, "120", "STOP_AT_MARKET"),
        (LONG, "100.005", "PRICE_OFF_TICK"),
        (LONG, "0", "PRICE_NON_POSITIVE"),
        (LONG, "-3", "PRICE_NON_POSITIVE"),
        (SHORT, "105", ""),
        (SHORT, "92.56", ""),
        (SHORT, "105.01", "STOP_LOOSENED"),
        (SHORT, "92.55", "STOP_AT_MARKET"),
        (SHORT, "80", "STOP_AT_MARKET"),
        (replace(LONG, stop=None), "1", ""),
    ],
)
def test_a_stop_may_only_come_nearer_and_never_touch_the_market(facts, price, code):
    if not code:
        assert moved_stop(facts, D(price)) == D(price)
        return
    with pytest.raises(Refusal) as caught:
        moved_stop(facts, D(price))
    assert caught.value.code == code
    assert caught.value.hint


def test_a_stop_order_that_covers_all_at_this_price_stands():
    covered = replace(LONG, working=(Working("ord_1", D(100), D(98)),), stop=D(98))
    with pytest.raises(Refusal) as caught:
        moved_stop(covered, D(98))
    assert caught.value.code == "STOP_STANDS"
    partly = replace(LONG, working=(Working("ord_1", D(60), D(98)),), stop=D(98))
    assert moved_stop(partly, D(98)) == D(98)


@pytest.mark.parametrize(
    ("side", "stops", "found"),
    [("long", ["95", "98", "90"], "98"), ("short", ["105", "102"], "102"), ("long", [], None)],
)
def test_the_nearest_stop_protects_most(side, stops, found):
    chosen = nearest_stop(side, [D(one) for one in stops])
    assert chosen == (None if found is None else D(found))


@pytest.mark.parametrize(
    ("facts", "change", "verdict", "said"),
    [
        (LONG, Change("trim", D(50)), "warn", "neither target nor stop"),
        (replace(LONG, last=D("108.75")), Change("trim", D(50)), "pass", "first target"),
        (replace(LONG, last=D("108.74")), Change("trim", D(50)), "warn", "neither"),
        (replace(LONG, last=D(95)), Change("close", D(100)), "pass", "planned stop is reached"),
        (replace(LONG, target=None), Change("trim", D(50)), "pass", "first R is earned"),
        (replace(LONG, target=None, last=D(104)), Change("trim", D(50)), "warn", "neither"),
        (LONG, Change("move_stop", stop=D(100)), "pass", "toward profit"),
        (replace(LONG, last=D(104)), Change("move_stop", stop=D(100)), "warn", "break-even"),
        (replace(LONG, last=D(104)), Change("move_stop", stop=D(97)), "pass", "toward profit"),
        (SHORT, Change("close", D(100)), "warn", "neither"),
        (replace(LONG, planned_stop=None), Change("close", D(1)), "warn", "no plan or stop"),
    ],
)
def test_the_plan_line_says_what_the_plan_says(facts, change, verdict, said):
    found = line(facts, change, "plan")
    assert found.verdict == verdict
    assert said in found.text


def test_the_price_is_told_in_r_of_the_planned_stop():
    assert LONG.r_now == D("1.5")
    assert SHORT.r_now == D("1.5")
    assert replace(LONG, last=D(95)).r_now == -1
    assert line(LONG, Change("close", D(100)), "plan").value == D("1.5")


@pytest.mark.parametrize(
    ("change", "after", "verdict"),
    [
        (Change("trim", D(40)), "750", "pass"),
        (Change("close", D(100)), "0", "pass"),
        (Change("move_stop", stop=D(104)), "350", "pass"),
    ],
)
def test_the_risk_line_has_the_money_before_and_after(change, after, verdict):
    found = line(LONG, change, "risk")
    assert (found.limit, found.value, found.verdict) == (D(1250), D(after), verdict)
    assert found.source == "plan_1"


def test_without_a_stop_all_of_the_value_is_at_risk_and_that_is_a_warning():
    bare = replace(LONG, stop=None, stop_source="")
    found = line(bare, Change("trim", D(40)), "risk")
    assert (found.limit, found.value, found.verdict) == (D(10_750), D(6450), "warn")
    assert "no stop is known" in found.text
    assert line(bare, Change("close", D(100)), "risk").verdict == "pass"
    assert open_risk(bare, D(100), D(120)) == 0


def test_an_account_in_breach_is_told_with_its_reason():
    bad = replace(LONG, account_state="breach", account_reason="day_loss")
    found = line(bad, Change("trim", D(40)), "risk")
    assert found.verdict == "warn"
    assert "breach (day_loss)" in found.text


def test_what_stays_is_held_against_the_limit_of_one_symbol():
    full = line(replace(LONG, symbol_limit=D("0.1")), Change("trim", D(40)), "size")
    assert (full.value, full.limit, full.verdict) == (D("0.129"), D("0.1"), "warn")
    assert line(LONG, Change("trim", D(40)), "size").verdict == "pass"
    assert "nothing stays" in line(LONG, Change("close", D(100)), "size").text


@pytest.mark.parametrize(
    ("working", "change", "verdict"),
    [
        ((), Change("trim", D(40)), "pass"),
        ((Working("o", D(60), D(95)),), Change("trim", D(40)), "pass"),
        ((Working("o", D(61), D(95)),), Change("trim", D(40)), "fail"),
        ((Working("o", D(60), D(95)),), Change("move_stop", stop=D(97)), "fail"),
        ((Working("o", D(60), None),), Change("move_stop", stop=D(97)), "pass"),
    ],
)
def test_units_that_an_order_promises_stand_in_the_way(working, change, verdict):
    assert line(replace(LONG, working=working), change, "orders").verdict == verdict


def test_prices_that_are_not_live_are_a_warning():
    assert line(LONG, Change("trim", D(1)), "data").verdict == "pass"
    replayed = line(replace(LONG, provenance="REPLAY"), Change("trim", D(1)), "data")
    assert replayed.verdict == "warn"
    assert "REPLAY" in replayed.text
    assert (replayed.value, replayed.limit, replayed.source) == (D(2), D(15), "hand")


def test_a_hedge_covers_whole_contracts_and_bounds_the_loss():
    held = replace(LONG, quantity=D(250), last=D(190))
    made = build_hedge(held, strike=D(180), ask=D("3.20"), multiplier=D(100))
    assert made is not None
    assert (made.contracts, made.covered, made.uncovered) == (2, 200, 50)
    assert (made.cost, made.floor_loss, made.cost_pct) == (D(640), D(2640), D("1.68"))


@pytest.mark.parametrize("facts", [replace(LONG, quantity=D(99)), SHORT])
def test_less_than_a_contract_or_a_short_position_has_no_put(facts):
    assert build_hedge(facts, strike=D(90), ask=D(2), multiplier=D(100)) is None
