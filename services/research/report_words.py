"""Owns the words of a backtest: its summary, and one plain paragraph that claims no more."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from services.kit.money import decimal_text, rounded
from services.research.breakdown import ENOUGH
from services.research.fold_time import WalkForward
from services.research.report import Report
from services.research.stated import Calibration

ZERO = Decimal(0)


def summary_of(report: Report) -> dict[str, Any]:
    """Return the figures that a list or an answer shows, as a document."""
    figures, r = report.performance, report.r
    return {
        "trades": len(report.trades),
        "expectancy_r": r.expectancy_r if r else None,
        "win_rate": r.win_rate if r else None,
        "sqn": r.sqn if r else None,
        "max_drawdown_r": r.max_drawdown_r if r else None,
        "total_return": figures.total_return,
        "max_drawdown": figures.max_drawdown,
        "profit_factor": figures.trades.profit_factor,
        "ambiguous": report.ambiguity.n,
        "expectancy_low_r": report.ambiguity.low_r,
        "expectancy_high_r": report.ambiguity.high_r,
        "trials": report.trials,
        "flags": list(report.flags),
        "calibration": _calibration(report.calibration),
        "walk_forward": None if report.walk_forward is None else _folds(report.walk_forward),
        "by_setup": [
            {
                "setup_id": row.setup_id,
                "n": row.n,
                "enough": row.enough,
                "win_rate": row.win_rate,
                "expectancy_r": row.expectancy_r,
            }
            for row in report.by_setup
        ],
    }


def _calibration(told: Calibration) -> dict[str, Any]:
    return {
        "trades": told.n,
        "mean_stated": told.mean_stated,
        "hit_rate": told.hit_rate,
        "skill": told.metrics.get("skill"),
        "uncalibrated": told.uncalibrated,
    }


def _folds(walked: WalkForward) -> dict[str, Any]:
    """Return the figures of the test windows together; no rate below 30 trades."""
    enough = walked.n >= ENOUGH
    return {
        "folds": len(walked.folds),
        "trades": walked.n,
        "expectancy_r": walked.expectancy_r if enough else None,
        "win_rate": rounded(Decimal(walked.wins) / walked.n, 6) if enough else None,
        "ci95": walked.ci95,
        "trials": walked.trials,
    }


def words_of(name: str, summary: Mapping[str, Any]) -> str:
    """Return what a backtest says in a few sentences; few trades are called not enough.

    `summary` may be a stored document: its numbers are texts.
    """
    n = summary["trades"]
    folds = summary.get("walk_forward")
    if folds is not None:
        return " ".join([*_fold_words(name, folds), *_stated_words(summary)])
    if not n:
        return f"{name}: no trade."
    mean, rate = _number(summary, "expectancy_r"), _number(summary, "win_rate")
    mean_words = f"expectancy {decimal_text(rounded(mean, 3))} R after costs"
    said = [f"{name}: {n} trades, {_percent(rate)} won, {mean_words}."]
    if n < ENOUGH:
        said.append(f"Fewer than {ENOUGH} trades: not enough data to judge.")
    elif mean <= 0:
        said.append("No edge in this history.")
    if summary.get("max_drawdown_r") is not None:
        worst = rounded(_number(summary, "max_drawdown_r"), 1)
        said.append(f"Deepest fall {decimal_text(worst)} R.")
    if "AMBIGUITY_MATERIAL" in summary["flags"]:
        said.append("The sign depends on the order of touches inside bars.")
    if "SURVIVORSHIP" in summary["flags"]:
        said.append("The symbols were chosen knowing how they ended, which flatters.")
    return " ".join([*said, *_stated_words(summary)])


def _fold_words(name: str, folds: Mapping[str, Any]) -> list[str]:
    """Return what the test windows say together: they alone were not fitted on."""
    n, count = folds["trades"], folds["folds"]
    said = [f"{name}: {n} trades in {count} test windows, each after what it was fitted on."]
    if n < ENOUGH:
        return [*said, f"Fewer than {ENOUGH} trades: not enough data to judge."]
    mean, rate = _number(folds, "expectancy_r"), _number(folds, "win_rate")
    words = decimal_text(rounded(mean, 3))
    said.append(f"Out of sample: {_percent(rate)} won, expectancy {words} R after costs.")
    if mean <= 0:
        said.append("No edge in what it had not seen.")
    if folds["trials"] > 1:
        said.append(f"{folds['trials']} parameter sets were tried.")
    return said


def _stated_words(summary: Mapping[str, Any]) -> list[str]:
    """Return what was stated against what happened; a run that states nothing says so."""
    told = summary.get("calibration")
    if told is None:
        return []
    n, silent = told["trades"], told["uncalibrated"]
    if not n and not silent:
        return []
    if not n:
        return ["Confidence: uncalibrated, no record was in force at the time."]
    stated, hit = _percent(_number(told, "mean_stated")), _percent(_number(told, "hit_rate"))
    if n < ENOUGH:
        return [f"Only {n} of them had a stated chance: not enough to judge it."]
    return [f"Of {n} with a stated chance, {stated} on average, {hit} reached target 1."]


def fold_lines(report: Report) -> list[str]:
    """Return a line per fold: its test days, what was fitted, its trades; none without folds."""
    if report.walk_forward is None:
        return []
    lines = []
    for one in report.walk_forward.folds:
        first, end = one.fold.test
        by = f"{one.fitted} past setups" if one.fitted else str(one.chosen or "no set chosen")
        plural = "" if one.test_n == 1 else "s"
        mean = "" if one.test_expectancy_r is None else f", {one.test_expectancy_r} R"
        lines.append(f"  {first} to {end}, by {by}: {one.test_n} trade{plural}{mean}")
    return lines


def _number(summary: Mapping[str, Any], name: str) -> Decimal:
    value = summary.get(name)
    return ZERO if value is None else Decimal(str(value))


def _percent(share: Decimal) -> str:
    return f"{decimal_text(rounded(share * 100, 1))} %"
