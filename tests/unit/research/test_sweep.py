"""Sweeps and walk-forward: the code of a single run, fitted on train, told on test alone."""

from dataclasses import replace
from datetime import date
from decimal import Decimal as D  # noqa: N817 - tables of numbers read better short

import pytest

from services.kit.errors import Refusal
from services.research.config import BacktestConfig, FoldTerms, RuleTerms
from services.research.engine import run
from services.research.fold_time import add_months, holding_days, time_folds, walk_forward_on_time
from services.research.series import Series
from services.research.sweep import name_of, sweep
from tests.unit.research import crosscheck

GRID = {"fast": [5, 10, 40], "slow": [30, 50], "stop_atr": [D(2), D(3)]}
CONFIG = BacktestConfig(name="sweep", kind="rule", symbols=("GOOG",), rule=RuleTerms(side="both"))


@pytest.fixture(scope="module")
def goog():
    return crosscheck.goog_bars()


@pytest.fixture(scope="module")
def found(goog):
    config = replace(CONFIG, costs=crosscheck.FREE)
    return sweep(config, {"GOOG": Series("GOOG", "1d", goog)}, grid=GRID)


def test_every_set_that_is_a_rule_is_tried_and_counted(found):
    assert (found.trials, found.refused) == (10, 2)
    assert len(found.rows) == 10
    means = [row.expectancy_r for row in found.rows]
    assert means == sorted(means, reverse=True)
    assert "fast 10, slow 30, stop_atr 2" in {row.name for row in found.rows}


def test_a_row_of_a_sweep_is_the_run_of_its_set(goog, found):
    for row in found.rows[:4]:
        config = replace(CONFIG, costs=crosscheck.FREE, rule=row.terms)
        report = run(config, {"GOOG": goog})
        assert row.n == len(report.trades)
        assert row.wins == sum(trade.r > 0 for trade in report.trades)
        assert row.expectancy_r == pytest.approx(report.r.expectancy_r, abs=D("0.000002"))
        assert name_of(row.terms, GRID) == row.name


def test_a_grid_of_unknown_or_too_many_values_is_refused(goog):
    series = {"GOOG": Series("GOOG", "1d", goog[:100])}
    for grid in ({"speed": [1]}, {"fast": list(range(1, 3000))}):
        with pytest.raises(Refusal, match="PARAM_INVALID"):
            sweep(CONFIG, series, grid=grid)


def test_the_worked_folds_on_time():
    folds = time_folds(date(2020, 1, 1), date(2021, 7, 1), FoldTerms())
    assert [(fold.train, fold.test) for fold in folds] == [
        ((date(2020, 1, 1), date(2021, 1, 1)), (date(2021, 1, 31), date(2021, 4, 30)))
    ]
    many = time_folds(date(2005, 1, 1), date(2010, 1, 1), FoldTerms(embargo_days=40))
    assert len(many) == 15
    for fold in many:
        assert fold.train[1] < fold.test[0]
        assert (fold.test[0] - fold.train[1]).days == 40


def test_a_month_without_that_day_ends_on_its_last():
    assert add_months(date(2024, 1, 31), 1) == date(2024, 2, 29)
    assert add_months(date(2023, 11, 30), 3) == date(2024, 2, 29)
    assert add_months(date(2024, 2, 29), 12) == date(2025, 2, 28)


def test_an_embargo_below_the_longest_trade_is_refused():
    with pytest.raises(Refusal, match="EMBARGO_TOO_SHORT"):
        time_folds(date(2020, 1, 1), date(2022, 1, 1), FoldTerms(embargo_days=5), holding_days=6)


def test_tests_are_told_of_what_was_chosen_on_train_alone(goog):
    names = {"a": RuleTerms(side="both", fast=5, slow=15), "b": RuleTerms(side="both")}
    runs = {
        name: run(replace(CONFIG, rule=rule), {"GOOG": goog}).trades for name, rule in names.items()
    }
    longest = max(holding_days(trades) for trades in runs.values())
    terms = FoldTerms(embargo_days=longest, train_months=24, test_months=6, step_months=6)
    folds = time_folds(goog[0].t_open.date(), goog[-1].t_open.date(), terms, holding_days=longest)
    found = walk_forward_on_time(runs, folds)
    assert found.trials == 2
    assert found.n == sum(row.test_n for row in found.folds) > 0
    for row in found.folds:
        if row.chosen is None:
            continue
        means = {}
        for name, trades in runs.items():
            train = [
                one.r
                for one in trades
                if row.fold.train[0] <= one.trigger_ts.date() < row.fold.train[1]
                and one.exit_ts.date() < row.fold.train[1]
            ]
            if len(train) >= 5:
                means[name] = sum(train) / len(train)
        assert means[row.chosen] == max(means.values())


def test_what_happens_after_train_changes_no_choice(goog):
    bars = goog[:1500]
    runs = {"a": run(CONFIG, {"GOOG": bars}).trades}
    folds = time_folds(bars[0].t_open.date(), date(2009, 1, 1), FoldTerms(embargo_days=120))
    spoiled = [
        replace(row, r=-row.r) if row.exit_ts.date() >= folds[0].train[1] else row
        for row in runs["a"]
    ]
    first, second = (walk_forward_on_time({"a": rows}, folds[:1]) for rows in (runs["a"], spoiled))
    assert first.folds[0].train_expectancy_r == second.folds[0].train_expectancy_r
