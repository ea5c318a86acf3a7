"""Owns the report of a backtest, `backtest/v1`: its trades, tables, curve, inputs and hashes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from services.kit.canonical import canonical, tagged_hash
from services.research.booking import Book
from services.research.breakdown import (
    Ambiguity,
    RBin,
    SetupRow,
    ambiguity,
    by_setup,
    distribution,
    r_histogram,
)
from services.research.config import ENGINE, BacktestConfig
from services.research.equity import EquityPoint, Performance
from services.research.fold_time import WalkForward
from services.research.score_stats import RStats
from services.research.stated import Calibration, calibration_of
from services.research.trade_log import GENESIS, Trade

SCHEMA = "backtest/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One finished run. `run_hash` covers every other field, the trades by the seal of the last.

    `r` is null without a trade. `left_out` counts ideas by the code of why they became no trade,
    `open_at_end` those still open, which are in no figure but the curve. `trials` is how many
    parameter sets were tried: the best of many looks better than it is. `documents` are the hashes
    of the records and curves that could speak, `calibration` what they stated was worth.
    `walk_forward` tells the test windows apart, when the run was asked for by folds.
    """

    schema: str
    engine: str
    config: BacktestConfig
    config_hash: str
    data_hashes: Mapping[str, str]
    policy_hash: str
    trades: tuple[Trade, ...]
    by_setup: tuple[SetupRow, ...]
    r: RStats | None
    r_distribution: tuple[RBin, ...]
    ambiguity: Ambiguity
    equity: tuple[EquityPoint, ...]
    performance: Performance
    left_out: Mapping[str, int]
    open_at_end: int
    trials: int
    flags: tuple[str, ...]
    calibration: Calibration
    documents: tuple[str, ...] = ()
    walk_forward: WalkForward | None = None
    run_hash: str = ""

    @property
    def bytes(self) -> bytes:
        """Return the canonical bytes of the whole report."""
        return canonical(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What of a run is not in its books: see the fields of `Report`."""

    left_out: Counter[str]
    policy_hash: str
    trials: int
    documents: tuple[str, ...]


def build_report(
    config: BacktestConfig,
    book: Book,
    *,
    hashes: Mapping[str, str],
    equity: Sequence[EquityPoint],
    figures: Performance,
    about: About,
) -> Report:
    """Return the report of booked trades."""
    trades = tuple(book.trades)
    torn = ambiguity(trades)
    report = Report(
        schema=SCHEMA,
        engine=ENGINE,
        config=config,
        config_hash=config.hash,
        data_hashes=dict(hashes),
        policy_hash=about.policy_hash,
        trades=trades,
        by_setup=by_setup(trades),
        r=distribution(trades),
        r_distribution=r_histogram([trade.r for trade in trades]),
        ambiguity=torn,
        equity=tuple(equity),
        performance=figures,
        left_out=dict(sorted(about.left_out.items())),
        open_at_end=len(book.open),
        trials=about.trials,
        flags=_flags(config, figures, torn),
        calibration=calibration_of(trades),
        documents=about.documents,
    )
    return sealed(report)


def sealed(report: Report) -> Report:
    """Return a report with the hash of what it holds now."""
    head = report.trades[-1].hash if report.trades else GENESIS
    return replace(report, run_hash=tagged_hash(SCHEMA, {**summary(report), "trades": head}))


def summary(report: Report) -> dict[str, Any]:
    """Return every field but the rows of trades and the run's own hash."""
    names = [one.name for one in fields(report) if one.name not in ("trades", "run_hash")]
    return {name: getattr(report, name) for name in names}


def _flags(config: BacktestConfig, figures: Performance, torn: Ambiguity) -> tuple[str, ...]:
    found = [*figures.ratios.flags, *figures.trades.flags]
    if not config.universe_dated:
        found.append("SURVIVORSHIP")
    if torn.material:
        found.append("AMBIGUITY_MATERIAL")
    return tuple(sorted(dict.fromkeys(found)))
