"""Owns walk-forward on time: months of train and test with an embargo, and what each test says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import accumulate

from services.kit.errors import refuse
from services.kit.money import rounded
from services.market.param import require
from services.research.breakdown import ENOUGH, SetupRow, by_setup, distribution
from services.research.config import FoldTerms
from services.research.score_stats import RStats
from services.research.stated import Calibration, calibration_of
from services.research.trade_log import Trade
from services.strategy.confidence import wilson

TRADES_MIN = 5
"""A parameter set with fewer trades in a train window is not chosen."""
_PLACES = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeFold:
    """Half-open spans of days: fitted on `train`, reported on `test` only."""

    train: tuple[date, date]
    test: tuple[date, date]


@dataclass(frozen=True, slots=True, kw_only=True)
class FoldResult:
    """What one fold chose on its train span and made on its test span; figures at 6 decimals.

    `chosen` is null when no set had enough trades. `stated` is the mean chance of target 1 that
    was stated for test trades, `reached` the share of those trades that reached it; null where
    nothing was stated. `fitted` counts the past setups its records stand on, `documents` are the
    hashes of those.
    """

    fold: TimeFold
    chosen: str | None
    train_n: int
    train_expectancy_r: Decimal | None
    test_n: int
    test_wins: int
    test_expectancy_r: Decimal | None
    stated: Decimal | None = None
    reached: Decimal | None = None
    fitted: int = 0
    documents: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RPoint:
    """The running sum of R after one test trade, by the time it ended."""

    ts: datetime
    total_r: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class WalkForward:
    """Every fold, and all of their test trades together: the only figures that count.

    `trials` is how many parameter sets were tried. `expectancy_r` and `r` are null without a test
    trade, `ci95` (Wilson's, of the win rate) below 30; `by_setup`, `curve` and `calibration` are
    of test trades alone.
    """

    folds: tuple[FoldResult, ...]
    n: int
    wins: int
    expectancy_r: Decimal | None
    trials: int
    ci95: tuple[Decimal, Decimal] | None
    r: RStats | None
    by_setup: tuple[SetupRow, ...]
    calibration: Calibration
    curve: tuple[RPoint, ...]


def time_folds(
    first: date, last: date, terms: FoldTerms, *, holding_days: int = 0
) -> list[TimeFold]:
    """Return every fold that fits whole into `[first, last]`, oldest first.

    The embargo between train and test must cover the longest holding period, since labels overlap
    in time (De Prado 2018); else `EMBARGO_TOO_SHORT`. Tests of steps as long as a test follow each
    other without a gap or an overlap. Worked: 2020-01-01 to 2021-07-01 by 12/3/3
    months and 30 days tests 2021-01-31 to 2021-04-30 alone.
    """
    require(first <= last, "first", value=first, rule="must not come after the last day")
    if terms.embargo_days < holding_days:
        raise refuse(
            "EMBARGO_TOO_SHORT",
            index=f"embargo {terms.embargo_days} days, longest trade {holding_days}",
        )
    folds: list[TimeFold] = []
    embargo = timedelta(days=terms.embargo_days)
    base = add_months(first, terms.train_months) + embargo
    step = 0
    while True:
        opens = add_months(base, step)
        test = opens, add_months(base, step + terms.test_months)
        if test[1] > last + timedelta(days=1):
            return folds
        ends = opens - embargo
        folds.append(TimeFold(train=(add_months(ends, -terms.train_months), ends), test=test))
        step += terms.step_months


def add_months(day: date, months: int) -> date:
    """Return the same day so many months later; the month's last day where it has no such day."""
    at = day.year * 12 + day.month - 1 + months
    year, month = divmod(at, 12)
    for back in range(4):
        try:
            return date(year, month + 1, day.day - back)
        except ValueError:
            continue
    raise refuse("PARAM_INVALID", name="day", value=str(day), rule="must be a day")


def holding_days(trades: Sequence[Trade]) -> int:
    """Return the longest holding period in whole days, rounded up."""
    return max(((row.exit_ts - row.entry_ts).days + 1 for row in trades), default=0)


def walk_forward_on_time(
    runs: Mapping[str, Sequence[Trade]], folds: Sequence[TimeFold]
) -> WalkForward:
    """Return each fold's choice among `runs` (trades by parameter set) and its test trades.

    Chosen is the highest expectancy in R among sets with at least five trades that began and ended
    in the train span; ties go to the first name. A trade that outlives its train span is purged.
    A single set is no choice: it is tested in every fold.
    """
    results, tested = [], list[Trade]()
    for fold in folds:
        chosen = _choose(runs, fold) if len(runs) > 1 else _only(runs, fold)
        name, train = chosen or (None, [])
        test = [] if name is None else _within(runs[name], fold.test, whole=False)
        tested += test
        told = calibration_of(test)
        results.append(
            FoldResult(
                fold=fold,
                chosen=name,
                train_n=len(train),
                train_expectancy_r=_mean(train),
                test_n=len(test),
                test_wins=sum(row.r > 0 for row in test),
                test_expectancy_r=_mean(test),
                stated=told.mean_stated,
                reached=told.hit_rate,
            )
        )
    return _together(tuple(results), tested, len(runs))


def _together(folds: tuple[FoldResult, ...], tested: list[Trade], trials: int) -> WalkForward:
    """Return the folds with the figures of their test trades, in the order in which they ended."""
    ended = sorted(tested, key=lambda row: (row.exit_ts, row.symbol, row.n))
    wins, n = sum(row.r > 0 for row in ended), len(ended)
    low_high = wilson(wins, n) if n >= ENOUGH else None
    sums = accumulate(row.r for row in ended)
    return WalkForward(
        folds=folds,
        n=n,
        wins=wins,
        expectancy_r=_mean(ended),
        trials=trials,
        ci95=low_high and (rounded(low_high[0], _PLACES), rounded(low_high[1], _PLACES)),
        r=distribution(ended),
        by_setup=by_setup(ended),
        calibration=calibration_of(ended),
        curve=tuple(RPoint(row.exit_ts, total) for row, total in zip(ended, sums, strict=True)),
    )


def _only(runs: Mapping[str, Sequence[Trade]], fold: TimeFold) -> tuple[str, list[Trade]]:
    name, trades = next(iter(runs.items()))
    return name, _within(trades, fold.train, whole=True)


def _choose(runs: Mapping[str, Sequence[Trade]], fold: TimeFold) -> tuple[str, list[Trade]] | None:
    best: tuple[Decimal, str, list[Trade]] | None = None
    for name, trades in sorted(runs.items()):
        train = _within(trades, fold.train, whole=True)
        mean = _mean(train)
        if mean is not None and len(train) >= TRADES_MIN and (best is None or mean > best[0]):
            best = mean, name, train
    return None if best is None else (best[1], best[2])


def _within(trades: Sequence[Trade], span: tuple[date, date], *, whole: bool) -> list[Trade]:
    return [
        row
        for row in trades
        if span[0] <= row.trigger_ts.date() < span[1]
        and (not whole or row.exit_ts.date() < span[1])
    ]


def _mean(trades: Sequence[Trade]) -> Decimal | None:
    if not trades:
        return None
    return rounded(sum((row.r for row in trades), Decimal(0)) / len(trades), _PLACES)
