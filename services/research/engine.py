"""Owns a backtest: from a config and bars to the report, the same bytes for the same inputs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from services.kit.money import use_context
from services.kit.policy import DEFAULT_POLICY, Policy
from services.market.bar import Bar
from services.market.param import require
from services.research.booking import Book
from services.research.config import BacktestConfig
from services.research.equity import performance, run_books, share_exposed
from services.research.known_then import NOTHING_KNOWN, KnownThen
from services.research.outcome import Outcome, outcome_of
from services.research.report import About, Report, build_report
from services.research.series import Frame, Series, build_frames
from services.research.setup_run import FoundSetups, SetupRun
from services.research.trip import Minutes, minutes_of, trips

Progress = Callable[[int, int, str], None]
"""Called with the symbols done, their number, and the symbol that was done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Extras:
    """What a run may have beside its bars.

    `minutes` are 1-minute bars that judge ambiguous bars, `finer` the bars below the trigger
    timeframe that detectors need, `trials` how many parameter sets were tried in all. `known` are
    records and curves with the times they spoke; `found` keeps the runs of setups by symbol and
    first bar, so that a second pass detects nothing again.
    """

    minutes: Mapping[str, Sequence[Bar]] = field(default_factory=dict)
    policy: Policy = DEFAULT_POLICY
    progress: Progress | None = None
    trials: int = 1
    known: KnownThen = NOTHING_KNOWN
    found: FoundSetups | None = None


@dataclass(slots=True)
class _Found:
    """What the symbols gave so far."""

    outcomes: list[Outcome] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    held: int = 0
    bars: int = 0


NO_EXTRAS = Extras()


def run(
    config: BacktestConfig, bars: Mapping[str, Sequence[Bar]], *, extras: Extras = NO_EXTRAS
) -> Report:
    """Return the report of `config` on complete bars of its timeframe by symbol.

    Raises `PARAM_INVALID` for a symbol without bars, `BAR_INVALID` for bars that can not be true.
    """
    return run_series(config, chosen_series(config, bars), extras=extras)


def run_series(
    config: BacktestConfig, series: Mapping[str, Series], *, extras: Extras = NO_EXTRAS
) -> Report:
    """Return the report on series that are prepared already; a sweep prepares them once."""
    use_context()
    found = _Found()
    for number, symbol in enumerate(config.symbols, start=1):
        one = series[symbol]
        _run_symbol(config, one, found, extras=extras)
        if extras.progress is not None:
            extras.progress(number, len(config.symbols), symbol)
    book = Book(config)
    points = run_books(book, found.outcomes, {name: series[name] for name in config.symbols})
    exposed = share_exposed(found.held, found.bars)
    return build_report(
        config,
        book,
        hashes={symbol: series[symbol].hash for symbol in config.symbols},
        equity=points,
        figures=performance(book, points, exposure=exposed),
        about=About(
            left_out=found.left_out + book.left_out,
            policy_hash=extras.policy.hash,
            trials=extras.trials,
            documents=extras.known.hashes,
        ),
    )


def chosen_series(config: BacktestConfig, bars: Mapping[str, Sequence[Bar]]) -> dict[str, Series]:
    """Return the series of a config's symbols and span. Raises `PARAM_INVALID` without bars."""
    found: dict[str, Series] = {}
    for symbol in config.symbols:
        rows = [
            bar
            for bar in bars.get(symbol, ())
            if (config.first is None or bar.t_open.date() >= config.first)
            and (config.last is None or bar.t_open.date() <= config.last)
        ]
        require(rows, "symbols", value=symbol, rule="has no bars in this span")
        found[symbol] = Series(symbol, config.timeframe, rows)
    return found


def _run_symbol(config: BacktestConfig, series: Series, found: _Found, *, extras: Extras) -> None:
    minutes = extras.minutes.get(series.symbol)
    inside: Minutes = minutes_of(series.bars, minutes) if minutes else {}
    found.bars += len(series.bars)
    frames = build_frames(series, config.listing(series.symbol))
    if config.kind == "rule":
        made = _rule_outcomes(config, frames, found, inside=inside)
    else:
        made = _setup_outcomes(setup_runs(config, frames, inside, found.left_out, extras=extras))
    for one in made:
        if not _listed(config, one):
            found.left_out["NOT_LISTED"] += 1
            continue
        last = one.leaves[-1].bar if one.leaves else len(series.bars) - 1
        found.held += last - one.entry_bar + 1
        found.outcomes.append(one)


def _rule_outcomes(
    config: BacktestConfig, frames: list[Frame], found: _Found, *, inside: Minutes
) -> list[Outcome]:
    made = []
    for frame, trip in trips(frames, config, inside):
        outcome = outcome_of(frame, trip, config)
        if outcome is not None:
            made.append(outcome)
        elif trip.walk.status == "rejected":
            found.left_out["ENTRY_THROUGH_STOP"] += 1
        else:
            found.left_out["UNFILLED"] += 1
    return made


def setup_runs(
    config: BacktestConfig,
    frames: list[Frame],
    inside: Minutes,
    left_out: Counter[str],
    *,
    extras: Extras,
) -> list[SetupRun]:
    """Return the run of each frame; what it detects is kept in `extras.found`."""
    return [
        SetupRun(
            frame,
            config,
            extras.policy,
            left_out,
            inside if frame.first == 0 and not frame.factors else {},
            extras.known,
            {} if extras.found is None else extras.found,
        )
        for frame in frames
    ]


def _setup_outcomes(runs: list[SetupRun]) -> list[Outcome]:
    made: list[Outcome] = []
    for one in runs:
        last = made[-1] if made else None
        free = 0 if last is None else last.leaves[-1].bar if last.leaves else one.frame.end
        made.extend(one.outcomes(free))
    return made


def _listed(config: BacktestConfig, outcome: Outcome) -> bool:
    listing, day = config.listing(outcome.symbol), outcome.entry_ts.date()
    after = listing.listed is None or day >= listing.listed
    return after and (listing.delisted is None or day < listing.delisted)
