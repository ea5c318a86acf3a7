"""The initial stop: candidates, methods, clamping, the tick and its refusals."""

from contextlib import suppress
from dataclasses import replace
from decimal import Decimal as D  # noqa: N817 - tables of numbers read better short

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kit.errors import Refusal
from services.kit.money import rounded
from services.trade.stop import StopInputs, build_stop, fit_stop, require_ratchet

LONG = StopInputs(
    entry_worst=D("100.20"),
    atr=D("1.10"),
    structure=D("99.05"),
    ema20=D("99.40"),
    k_atr=D("1.5"),
    tick=D("0.01"),
)
SHORT = StopInputs(
    entry_worst=D("99.80"),
    atr=D("1.10"),
    structure=D("100.95"),
    ema20=D("100.60"),
    k_atr=D("1.5"),
    tick=D("0.01"),
)


def refusal(call, *args, **kwargs):
    with pytest.raises(Refusal) as caught:
        call(*args, **kwargs)
    return caught.value.code


def test_the_worked_stop():
    stop = build_stop("long", LONG)
    assert stop.candidates == {"atr": D("98.55"), "structure": D("98.94"), "ema": D("99.125")}
    assert (stop.price, stop.distance, stop.flags) == (D("98.94"), D("1.26"), ())
    assert rounded(stop.atr_multiple, 4) == D("1.1455")


@pytest.mark.parametrize(
    ("side", "inputs", "method", "price"),
    [
        ("long", LONG, "atr", "98.55"),
        ("long", LONG, "structure", "98.94"),
        ("long", LONG, "tightest", "99.12"),
        ("long", LONG, "structure_ema", "98.94"),
        ("short", SHORT, "atr", "101.45"),
        ("short", SHORT, "structure", "101.06"),
        ("short", SHORT, "tightest", "100.88"),
        ("short", SHORT, "structure_ema", "101.06"),
    ],
)
def test_each_method_chooses_and_rounds_away_from_the_entry(side, inputs, method, price):
    assert build_stop(side, inputs, method=method).price == D(price)


@pytest.mark.parametrize(("structure", "price"), [("90", "96.90"), ("100.10", "99.65")])
def test_a_stop_out_of_bounds_is_moved_to_the_bound_and_flagged(structure, price):
    stop = build_stop("long", replace(LONG, structure=D(structure)), method="structure")
    assert (stop.price, stop.flags) == (D(price), ("STOP_CLAMPED",))


FINE = StopInputs(
    entry_worst=D("100.00"),
    atr=D("0.125"),
    structure=D("99.00"),
    ema20=D("99.90"),
    k_atr=D("1.5"),
    tick=D("0.01"),
)


@pytest.mark.parametrize(
    ("side", "changed", "built", "fitted", "flags"),
    [
        ("long", {}, "99.62", "99.63", ("STOP_CLAMPED",)),
        ("long", {"atr": D("0.13")}, "99.61", "99.61", ("STOP_CLAMPED",)),
        ("long", {"structure": D("99.70")}, "99.68", "99.68", ()),
        ("long", {"structure": D("99.6375")}, "99.62", "99.63", ("STOP_CLAMPED",)),
        ("long", {"structure": D("99.95"), "atr": D("0.013")}, "99.96", "99.97", ("STOP_CLAMPED",)),
        ("long", {"structure": D("99.95"), "tick": D("0.05")}, "99.90", "99.90", ()),
        ("short", {"structure": D("101.00")}, "100.38", "100.37", ("STOP_CLAMPED",)),
        ("short", {"structure": D("100.3625")}, "100.38", "100.37", ("STOP_CLAMPED",)),
        ("short", {"structure": D("100.20")}, "100.22", "100.22", ()),
    ],
)
def test_a_fitted_stop_keeps_its_bounds_after_the_tick(side, changed, built, fitted, flags):
    inputs = replace(FINE, **changed)
    first = build_stop(side, inputs, method="structure")
    found = fit_stop(side, inputs, method="structure")
    assert (first.price, found.price, found.flags) == (D(built), D(fitted), flags)
    assert D("0.5") <= found.atr_multiple <= 3
    assert found.distance == abs(inputs.entry_worst - found.price)
    assert found.atr_multiple == found.distance / inputs.atr


def test_a_stop_that_no_step_can_hold_is_refused():
    coarse = replace(FINE, atr=D("0.003"))
    assert build_stop("long", coarse, method="structure").price == D("99.99")
    assert refusal(fit_stop, "long", coarse, method="structure") == "STOP_TOO_WIDE"


@given(
    st.sampled_from(["long", "short"]),
    st.integers(1, 4000),
    st.integers(9000, 11000),
    st.sampled_from(["structure", "atr", "structure_ema", "tightest"]),
    st.sampled_from(["0.01", "0.05", "0.0001"]),
)
def test_every_fitted_stop_lies_within_its_bounds_and_on_tick(side, atr, structure, method, tick):
    inputs = replace(
        FINE, atr=D(atr) / 1000, structure=D(structure) / 100, tick=D(tick),
        ema20=D(100) - (D(1) if side == "long" else D(-1)) / 10,
    )  # fmt: skip
    with suppress(Refusal):
        found = fit_stop(side, inputs, method=method)
        _require_fitted(found, side, inputs, method)


def _require_fitted(found, side, inputs, method):
    assert D("0.5") <= found.atr_multiple <= 3
    assert found.price % inputs.tick == 0
    assert abs(found.price - build_stop(side, inputs, method=method).price) <= inputs.tick


def test_a_candidate_beyond_the_entry_is_refused_not_repaired():
    assert (
        refusal(build_stop, "long", replace(LONG, structure=D(101)), method="structure")
        == "STOP_WRONG_SIDE"
    )
    assert (
        refusal(build_stop, "short", replace(SHORT, structure=D(99)), method="structure")
        == "STOP_WRONG_SIDE"
    )


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"atr": D(0)}, "ATR_ZERO"),
        ({"atr": D(-1)}, "PARAM_INVALID"),
        ({"tick": D(0)}, "PARAM_INVALID"),
        ({"k_atr": D(0)}, "PARAM_INVALID"),
        ({"entry_worst": D(0)}, "PARAM_INVALID"),
        ({"ema20": D(0)}, "PARAM_INVALID"),
    ],
)
def test_bad_inputs_are_refused(changed, code):
    assert refusal(build_stop, "long", replace(LONG, **changed)) == code


def test_unknown_methods_and_bounds_are_refused():
    assert refusal(build_stop, "long", LONG, method="guess") == "PARAM_INVALID"
    assert refusal(build_stop, "long", LONG, bounds=(D(3), D(1))) == "PARAM_INVALID"


def test_a_stop_moves_only_toward_profit():
    assert require_ratchet("long", old=D(98), new=D(98)) == D(98)
    assert refusal(require_ratchet, "long", old=D(98), new=D("97.99")) == "STOP_LOOSENED"
    assert refusal(require_ratchet, "short", old=D(98), new=D("98.01")) == "STOP_LOOSENED"


@given(structure=st.integers(9000, 11000), method=st.sampled_from(["structure", "atr"]))
def test_a_short_is_the_mirror_of_a_long(structure, method):
    def outcome(side, inputs):
        try:
            return build_stop(side, inputs, method=method).distance
        except Refusal as found:
            return found.code

    long = replace(LONG, entry_worst=D(100), structure=D(structure) / 100, ema20=D(99))
    short = replace(long, structure=200 - long.structure, ema20=D(101))
    assert outcome("long", long) == outcome("short", short)
