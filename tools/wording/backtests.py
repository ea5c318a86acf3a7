"""Owns the rows of backtests in results: by setup, the test windows, what was stated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from tools.registry import Result
from tools.wording.figures import Exact, Row

FoldMonths = Annotated[int, Field(ge=1, le=120)]
FoldDays = Annotated[int, Field(ge=0, le=400)]
_WHOLE = ("trades", "expectancy_r", "win_rate")


class BacktestRow(Row):
    """What became of one setup; no rate below 30 trades."""

    setup_id: str
    n: int
    enough: bool
    win_rate: Exact | None = None
    expectancy_r: Exact | None = None


class OutOfSample(Row):
    """All test windows together: trades of what was fitted before them; no rate below 30."""

    folds: int
    trades: int
    expectancy_r: Exact | None = None
    win_rate: Exact | None = None
    trials: int


class StatedRow(Row):
    """Stated chances of target 1 against what happened; `uncalibrated` trades state nothing."""

    trades: int
    mean_stated: Exact | None = None
    hit_rate: Exact | None = None
    skill: Exact | None = None
    uncalibrated: int


class BacktestFigures(Result):
    """The figures of a backtest that is done; all of them are null before."""

    trades: int | None = None
    expectancy_r: Exact | None = None
    win_rate: Exact | None = None
    by_setup: tuple[BacktestRow, ...] = ()
    out_of_sample: OutOfSample | None = None
    stated: StatedRow | None = None


def backtest_rows(summary: Mapping[str, Any]) -> dict[str, Any]:
    """Return the figures and rows of a backtest's summary by the result's field."""
    folds, told = summary.get("walk_forward"), summary.get("calibration")
    return {
        **{name: summary.get(name) for name in _WHOLE},
        "by_setup": tuple(BacktestRow.model_validate(row) for row in summary["by_setup"]),
        "out_of_sample": None if folds is None else OutOfSample.model_validate(folds),
        "stated": None if told is None else StatedRow.model_validate(told),
    }
