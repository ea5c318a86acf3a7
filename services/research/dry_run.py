"""Owns a dry run as it was asked for: whole, or by folds with what was fitted before each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time

from services.kit.errors import refuse
from services.market.bar import Bar
from services.market.param import require
from services.research.config import BacktestConfig, FoldTerms, RuleTerms
from services.research.engine import (
    NO_EXTRAS,
    Extras,
    Progress,
    chosen_series,
    run_series,
    setup_runs,
)
from services.research.fit import fit
from services.research.fold_time import (
    FoldResult,
    TimeFold,
    WalkForward,
    holding_days,
    time_folds,
    walk_forward_on_time,
)
from services.research.known_then import KnownThen, Spoken
from services.research.label import Label
from services.research.report import Report, sealed
from services.research.series import Series, build_frames
from services.research.setup_label import labels_of_run
from services.research.setup_run import FoundSetups
from services.research.sweep import grid_of, name_of
from services.research.trade_log import Trade
from services.strategy.record import Calibrator, SetupRecord

SETS_MAX = 200
"""Parameter sets of a walk-forward: each is booked whole."""
_MIDNIGHT = time(0)


def dry_run(
    config: BacktestConfig, bars: Mapping[str, Sequence[Bar]], *, extras: Extras = NO_EXTRAS
) -> Report:
    """Return the report of `config` on complete bars by symbol, by folds when it asks for them.

    Raises as `engine.run`; by folds also `EMBARGO_TOO_SHORT` with the longest holding period, and
    `PARAM_INVALID` when no fold fits into the bars.
    """
    series = chosen_series(config, bars)
    if config.folds is None:
        return run_series(config, series, extras=extras)
    if config.kind == "rule":
        return _rule_folds(config, series, config.folds, extras=extras)
    return _setup_folds(config, series, config.folds, extras=extras)


def steps_of(config: BacktestConfig) -> int:
    """Return how many steps the progress of a run counts. Raises `PARAM_INVALID` for its grid."""
    passes = 1
    if config.folds is not None:
        passes = 2 if config.kind == "setup" else len(rule_sets(config))
    return passes * len(config.symbols)


def rule_sets(config: BacktestConfig) -> dict[str, RuleTerms]:
    """Return the parameter sets of a rule by name; the rule itself without a grid.

    Raises `PARAM_INVALID` for more than 200 sets, none, or what is no parameter.
    """
    if not config.grid:
        return {config.rule.name: config.rule}
    rules, _ = grid_of(config.rule, config.grid)
    rule = f"must hold 1 to {SETS_MAX} sets that are a rule"
    require(0 < len(rules) <= SETS_MAX, "grid", value=len(rules), rule=rule)
    return {name_of(one, config.grid): one for one in rules}


def _rule_folds(
    config: BacktestConfig, series: Mapping[str, Series], terms: FoldTerms, *, extras: Extras
) -> Report:
    """Return the rule's own run, with the folds of every parameter set."""
    sets, total = rule_sets(config), steps_of(config)
    runs: dict[str, Sequence[Trade]] = {}
    own: Report | None = None
    for number, (name, terms_of) in enumerate(sets.items()):
        at = replace(extras, trials=len(sets), progress=_shifted(extras, number, total))
        report = run_series(replace(config, rule=terms_of), series, extras=at)
        runs[name] = report.trades
        if terms_of == config.rule:
            own = replace(report, config=config, config_hash=config.hash)
    if own is None:
        own = run_series(config, series, extras=replace(extras, trials=len(sets), progress=None))
    longest = max(holding_days(trades) for trades in runs.values())
    folds = _folds(series, terms, longest)
    return sealed(replace(own, walk_forward=walk_forward_on_time(runs, folds)))


def _setup_folds(
    config: BacktestConfig, series: Mapping[str, Series], terms: FoldTerms, *, extras: Extras
) -> Report:
    """Return a run whose plans know, in each test window, only what was fitted before it."""
    total, seen = steps_of(config), FoundSetups()
    extras = replace(extras, found=seen)
    labels: list[Label] = []
    tell = _shifted(extras, 0, total)
    for number, symbol in enumerate(config.symbols, start=1):
        frames = build_frames(series[symbol], config.listing(symbol))
        for one in setup_runs(config, frames, {}, Counter(), extras=extras):
            labels += labels_of_run(one)
        if tell is not None:
            tell(number, len(config.symbols), f"{symbol}, what became of its setups")
    labels.sort(key=lambda one: (one.trigger_ts, one.key.text, one.symbol))
    longest = max(((one.ended_at - one.trigger_ts).days + 1 for one in labels), default=0)
    folds = _folds(series, terms, longest)
    fitted = [_fitted(labels, fold) for fold in folds]
    known = KnownThen(tuple(row for _, rows in fitted for row in rows))
    at = replace(extras, known=known, progress=_shifted(extras, 1, total))
    report = run_series(config, series, extras=at)
    walked = walk_forward_on_time({config.name: report.trades}, folds)
    return sealed(replace(report, walk_forward=_with_fits(walked, fitted)))


def _fitted(labels: Sequence[Label], fold: TimeFold) -> tuple[int, tuple[Spoken, ...]]:
    """Return how many setups of a train span had ended in it, and what they make for its test."""
    first, end = fold.train
    past = [
        one for one in labels if first <= one.trigger_ts.date() < end and one.ended_at.date() < end
    ]
    made = fit(past)
    spoken: list[SetupRecord | Calibrator] = [*made.records, *made.calibrators]
    since, until = _midnight(fold.test[0]), _midnight(fold.test[1])
    return len(past), tuple(Spoken(since=since, until=until, what=one) for one in spoken)


def _with_fits(
    walked: WalkForward, fitted: Sequence[tuple[int, tuple[Spoken, ...]]]
) -> WalkForward:
    folds: list[FoldResult] = [
        replace(one, fitted=count, documents=KnownThen(rows).hashes)
        for one, (count, rows) in zip(walked.folds, fitted, strict=True)
    ]
    return replace(walked, folds=tuple(folds))


def _folds(series: Mapping[str, Series], terms: FoldTerms, longest: int) -> list[TimeFold]:
    """Return the folds of the days that the bars span. Raises `PARAM_INVALID` when none fits."""
    days = [bar.t_open.date() for one in series.values() for bar in (one.bars[0], one.bars[-1])]
    found = time_folds(min(days), max(days), terms, holding_days=longest)
    if not found:
        raise refuse(
            "PARAM_INVALID",
            field="folds",
            name="folds",
            value=f"{terms.train_months} and {terms.test_months} months",
            rule=f"do not fit into the bars from {min(days)} to {max(days)}",
        )
    return found


def _midnight(day: date) -> datetime:
    return datetime.combine(day, _MIDNIGHT, UTC)


def _shifted(extras: Extras, passes: int, total: int) -> Progress | None:
    """Return the progress of one pass as part of all of them; None when nobody listens."""
    tell = extras.progress
    if tell is None:
        return None

    def told(done: int, of: int, name: str) -> None:
        tell(passes * of + done, total, name)

    return told
