"""Targets and runner: chances, fractions, whole lots, and the extension."""

from decimal import Decimal as D  # noqa: N817 - tables of numbers read better short

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kit.errors import Refusal
from services.kit.money import rounded
from services.trade.target import (
    Survival,
    runner_extension,
    scale_targets,
    split_quantity,
    target_price,
)

GRID = {D(1): D("0.61"), D(2): D("0.41"), D(3): D("0.27"), D(4): D("0.20")}
RUNNER = (D("0.45"), D("0.20"))
R123 = (D(1), D(2), D(3))


def scaled(n=320, grid=None, **terms):
    return scale_targets(
        R123, Survival(grid=GRID if grid is None else grid, n=n), runner=RUNNER, **terms
    )


def four(values):
    return [str(rounded(value, 4)) for value in values]


def test_the_worked_scaling():
    found = scaled()
    assert four(found.fractions) == ["0.3783", "0.2543", "0.1674"]
    assert four([found.runner_conditional, found.runner_fraction, found.ev_r]) == [
        "0.7407",
        "0.2000",
        "0.1711",
    ]


def test_the_worked_legs():
    legs = split_quantity(D(97), scaled())
    assert (legs.quantities, legs.runner) == ((D(38), D(24), D(16)), D(19))


def test_a_confidence_is_the_chance_of_the_first_target():
    assert four(scaled(confidence=D("0.58")).p) == ["0.5800", "0.3898", "0.2567"]


def test_a_short_history_takes_the_driftless_chance_and_no_runner():
    found = scaled(n=49)
    assert four(found.p) == ["0.5000", "0.3333", "0.2500"]
    assert (found.runner_fraction, found.flags) == (D(0), ("TARGETS_DEFAULT",))


@pytest.mark.parametrize(("n", "first"), [(50, "0.5550"), (199, "0.5879"), (200, "0.6100")])
def test_a_middling_history_is_shrunk_toward_the_driftless_chance(n, first):
    found = scaled(n=n)
    assert four(found.p)[0] == first
    assert found.flags == ()


def test_chances_never_rise_and_an_off_grid_target_takes_the_next_point():
    bumpy = {D(1): D("0.4"), D("2.5"): D("0.6")}
    assert four(scaled(grid=bumpy).p) == ["0.4000", "0.4000", "0.0000"]


def test_the_runner_needs_its_threshold():
    weak = GRID | {D(4): D("0.12")}
    found = scaled(grid=weak)
    assert four([found.runner_conditional]) == ["0.4444"]
    assert found.runner_fraction == 0


def test_costs_come_off_the_expected_value():
    assert scaled().ev_r - scaled(cost_r=D("0.03")).ev_r == D("0.03")


@pytest.mark.parametrize(
    ("quantity", "legs", "runner"),
    [(1, (1, 0, 0), 0), (2, (2, 0, 0), 0), (3, (2, 1, 0), 0), (5, (3, 1, 1), 0), (6, (3, 1, 1), 1)],
)
def test_too_little_for_every_leg_drops_the_runner_then_the_last_targets(quantity, legs, runner):
    found = split_quantity(D(quantity), scaled())
    assert (found.quantities, found.runner) == (tuple(map(D, legs)), D(runner))


def test_equal_thirds_are_whole():
    even = scaled(grid={D(3): D("0.5")})
    assert split_quantity(D(3), even).quantities == (D(1), D(1), D(1))


@given(quantity=st.integers(1, 5000), n=st.integers(0, 400))
def test_legs_add_up_to_the_quantity_in_whole_lots(quantity, n):
    legs = split_quantity(D(quantity) / 100, scaled(n=n), lot=D("0.01"))
    assert sum(legs.quantities) + legs.runner == D(quantity) / 100
    assert all(leg >= 0 and leg % D("0.01") == 0 for leg in (*legs.quantities, legs.runner))


@pytest.mark.parametrize(
    ("tp_r", "grid", "n"),
    [
        ((), GRID, 60),
        ((D(0),), GRID, 60),
        ((D(2), D(1)), GRID, 60),
        (R123, {D(1): D(2)}, 60),
        (R123, {}, 200),
        (R123, GRID, -1),
    ],
)
def test_bad_scalings_are_refused(tp_r, grid, n):
    with pytest.raises(Refusal) as caught:
        scale_targets(tp_r, Survival(grid=grid, n=n), runner=RUNNER)
    assert caught.value.code == "PARAM_INVALID"


MFE = tuple(map(D, ("2.1", "2.6", "1.4", "2.0", "3.3", "4.2", "2.9", "5.5")))


def test_the_extension_is_the_upper_quartile_of_those_that_got_there():
    x = runner_extension(MFE, last_tp_r=D(2))
    assert x == D("3.75")
    price = target_price("long", D("64.10"), stop_distance=D("0.85"), x=x, tick=D("0.01"))
    assert price == D("67.28")


@pytest.mark.parametrize(("quantile", "x"), [("0", "2"), ("1", "5.5"), ("0.5", "2.9")])
def test_quantiles_reach_both_ends(quantile, x):
    assert runner_extension(MFE, last_tp_r=D(2), quantile=D(quantile)) == D(x)


def test_no_trade_beyond_the_last_target_is_refused():
    with pytest.raises(Refusal) as caught:
        runner_extension(MFE, last_tp_r=D(6))
    assert caught.value.code == "PARAM_INVALID"


def test_the_target_of_a_short_rounds_up():
    assert target_price("short", D(50), stop_distance=D("0.333"), x=D(1), tick=D("0.01")) == D(
        "49.67"
    )
