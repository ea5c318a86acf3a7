"""Owns walk-forward on time: months of train and test with an embargo, and what each test says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from services.kit.errors import refuse
from services.kit.money import rounded
from services.market.param import require
from services.research.config import FoldTerms
from services.research.trade_log import Trade

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
    """What one fold chose on its train span and made on its test span; R at 6 decimals."""

    fold: TimeFold
    chosen: str | None
    train_n: int
    train_expectancy_r: Decimal | None
    test_n: int
    test_expectancy_r: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WalkForward:
    """Every fold, and all of their test trades together: the only figures that count.

    `trials` is how many parameter sets were tried. `expectancy_r` is null without a test trade.
    """

    folds: tuple[FoldResult, ...]
    n: int
    wins: int
    expectancy_r: Decimal | None
    trials: int


def time_folds(
    first: date, last: date, terms: FoldTerms, *, holding_days: int = 0
) -> list[TimeFold]:
    """Return every fold that fits whole into `[first, last]`, oldest first.

    The embargo between train and test must cover the longest holding period, since labels overlap
    in time (De Prado 2018); else `EMBARGO_TOO_SHORT`. Worked: 2020-01-01 to 2021-07-01 by 12/3/3
    months and 30 days tests 2021-01-31 to 2021-04-30 alone.
    """
    require(first <= last, "first", value=first, rule="must not come after the last day")
    if terms.embargo_days < holding_days:
        raise refuse(
            "EMBARGO_TOO_SHORT",
            index=f"embargo {terms.embargo_days} days, longest trade {holding_days}",
        )
    folds: list[TimeFold] = []
    step = 0
    while True:
        begins = add_months(first, step)
        train = begins, add_months(begins, terms.train_months)
        opens = train[1] + timedelta(days=terms.embargo_days)
        test = opens, add_months(opens, terms.test_months)
        if test[1] > last + timedelta(days=1):
            return folds
        folds.append(TimeFold(train=train, test=test))
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
    """
    results, tested = [], []
    for fold in folds:
        chosen = _choose(runs, fold)
        name, train = chosen or (None, [])
        test = [] if name is None else _within(runs[name], fold.test, whole=False)
        tested += test
        results.append(
            FoldResult(
                fold=fold,
                chosen=name,
                train_n=len(train),
                train_expectancy_r=_mean(train),
                test_n=len(test),
                test_expectancy_r=_mean(test),
            )
        )
    return WalkForward(
        folds=tuple(results),
        n=len(tested),
        wins=sum(row.r > 0 for row in tested),
        expectancy_r=_mean(tested),
        trials=len(runs),
    )


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
