"""Calibration: fits, scores, the R of trades and the walk-forward plan."""

from decimal import Decimal as D  # noqa: N817 - tables of numbers read better short

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kit.errors import Refusal
from services.kit.money import rounded
from services.research.calibrate import fit_isotonic, fit_platt
from services.research.score_stats import barrier_prior, brier, r_stats, reliability
from services.research.walk_forward import Fold, walk_forward

P = [D(x) for x in ["0.1", "0.2", "0.35", "0.4", "0.55", "0.6", "0.62", "0.7", "0.8", "0.9"]]
Y = [0, 0, 1, 0, 1, 1, 0, 1, 1, 1]
R = [D(x) for x in ["2.0", "-1.0", "-1.0", "1.5", "-1.0", "3.0", "-0.4", "-1.0", "2.0", "1.0"]]
LABELLED = st.lists(
    st.tuples(st.integers(0, 20).map(lambda n: D(n) / 20), st.integers(0, 1)),
    min_size=1,
    max_size=60,
)


def test_brier_and_calibration_error():
    found = brier(P, Y)
    assert (rounded(found.brier, 6), found.reference) == (D("0.151940"), D("0.24"))
    assert rounded(found.skill, 6) == D("0.366917")
    table = reliability(P, Y)
    assert table.ece == D("0.262")
    assert [row.bin for row in table.bins] == [1, 2, 3, 4, 5, 6, 7, 8, 9]


def test_a_base_rate_of_one_has_no_skill_and_a_chance_of_one_its_own_bin():
    assert brier([D(1), D(1)], [1, 1]).skill is None
    assert reliability([D(1), D("0.95")], [1, 1]).bins[0].n == 2


def test_isotonic_pools_violators_and_equal_scores():
    scores = [D(x) for x in ["0.15", "0.25", "0.4", "0.45", "0.6", "0.75"]]
    fit = fit_isotonic(scores, [0, 1, 0, 0, 1, 1])
    assert [rounded(fit.at(score), 6) for score in scores] == [
        D(0),
        *[D("0.333333")] * 3,
        D(1),
        D(1),
    ]
    assert [rounded(fit.at(D(x)), 6) for x in ("0.05", "0.2", "0.5", "0.8")] == [
        D(0),
        D("0.166667"),
        D("0.555556"),
        D(1),
    ]
    pooled = fit_isotonic([D("0.5"), D("0.5"), D("0.6")], [1, 0, 1])
    assert (pooled.scores, pooled.chances) == ((D("0.5"), D("0.6")), (D("0.5"), D(1)))


@given(LABELLED)
def test_isotonic_never_falls_and_fits_no_worse_than_the_scores(rows):
    scores, outcomes = zip(*rows, strict=True)
    fit = fit_isotonic(scores, outcomes)
    assert all(a <= b for a, b in zip(fit.chances, fit.chances[1:], strict=False))
    assert all(0 <= chance <= 1 for chance in fit.chances)
    fitted = [fit.at(score) for score in scores]
    assert brier(fitted, outcomes).brier <= brier(scores, outcomes).brier + D("1e-20")
    assert 0 <= reliability(fitted, outcomes).ece <= 1


def test_platt_on_eight_scores():
    scores = [D(x) for x in ["0.3", "0.35", "0.42", "0.5", "0.55", "0.64", "0.7", "0.81"]]
    fit = fit_platt(scores, [0, 0, 1, 0, 0, 1, 1, 1])
    assert (f"{fit.slope:.3f}", f"{fit.intercept:.3f}") == ("6.108", "-3.248")
    assert rounded(fit.at(D("0.4")), 3) == D("0.309")


@given(LABELLED)
def test_platt_ends_within_zero_and_one_whatever_the_labels(rows):
    scores, outcomes = zip(*rows, strict=True)
    fit = fit_platt(scores, outcomes)
    assert all(0 < fit.at(score) < 1 for score in scores)


def test_the_r_of_trades():
    found = r_stats(R)
    assert (found.n, found.expectancy_r, found.win_rate) == (10, D("0.51"), D("0.5"))
    assert (found.avg_win_r, found.avg_loss_r) == (D("1.9"), D("-0.88"))
    assert (rounded(found.sd_r, 6), rounded(found.sqn, 6)) == (D("1.556670"), D("1.036033"))
    assert (found.p25, found.median, found.p75) == (D(-1), D("0.3"), D("1.875"))
    assert found.max_drawdown_r == D(-2)
    single = r_stats([D(1)])
    assert (single.sd_r, single.sqn, single.avg_loss_r) == (None, None, None)


def test_a_driftless_price_meets_the_nearer_barrier_more_often():
    assert rounded(barrier_prior(D(2), D(1)), 6) == D("0.333333")
    with pytest.raises(Refusal):
        barrier_prior(D(0), D(1))


def test_folds_leave_an_embargo_and_end_with_the_bars():
    folds = walk_forward(1000, train=500, test=125, step=125, embargo=10)
    assert folds == [
        Fold((0, 500), (510, 635)),
        Fold((125, 625), (635, 760)),
        Fold((250, 750), (760, 885)),
    ]
    assert walk_forward(500, train=500, test=125, step=125, embargo=10) == []


def test_an_embargo_shorter_than_a_trade_is_refused():
    with pytest.raises(Refusal) as caught:
        walk_forward(1000, train=500, test=125, step=125, embargo=10, holding_max=11)
    assert caught.value.code == "EMBARGO_TOO_SHORT"


@pytest.mark.parametrize(
    "bad", [([], []), ([D("0.5")], [2]), ([D("1.5")], [1]), ([D("0.5")], [1, 0])]
)
def test_outcomes_that_do_not_fit_are_refused(bad):
    with pytest.raises(Refusal):
        brier(*bad)
