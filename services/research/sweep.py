"""Owns the parameter sweep: many rules over the same series, by the code of a single backtest."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from decimal import Decimal
from itertools import product

from services.kit.errors import Refusal
from services.kit.money import decimal_text, from_float
from services.market.param import require
from services.research.config import BacktestConfig, RuleTerms
from services.research.costs import round_trip_cost
from services.research.series import Frame, Series, build_frames
from services.research.trip import trips

GRID_MAX = 2_000
_PLACES = 6
PARAMETERS = tuple(one.name for one in fields(RuleTerms) if one.name not in ("name", "side"))
Grid = Mapping[str, Sequence[int | Decimal]]
"""The values to try of each parameter of a rule, by its name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepRow:
    """One parameter set: its trades over all symbols, and R after expected costs, 6 decimals."""

    name: str
    terms: RuleTerms
    n: int
    wins: int
    expectancy_r: Decimal | None
    total_r: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """Every set that can stand, best expectancy first.

    `trials` counts them all: the best of many looks better than it is. `refused` are sets that are
    no rule, such as fast above slow.
    """

    rows: tuple[SweepRow, ...]
    trials: int
    refused: int


def grid_of(base: RuleTerms, grid: Grid) -> tuple[list[RuleTerms], int]:
    """Return every rule of a grid around `base`, and how many of its sets are no rule.

    Raises `PARAM_INVALID` for an unknown parameter, a fraction where a count is due, and for more
    than 2000 sets.
    """
    names = sorted(grid)
    for name in names:
        require(name in PARAMETERS, name[:40], value="", rule=f"must be one of {PARAMETERS}")
    sets = list(product(*([_typed(base, name, value) for value in grid[name]] for name in names)))
    require(len(sets) <= GRID_MAX, "grid", value=len(sets), rule=f"at most {GRID_MAX} sets")
    found, refused = [], 0
    for values in sets:
        try:
            found.append(replace(base, **dict(zip(names, values, strict=True))))  # type: ignore[arg-type]
        except Refusal:
            refused += 1
    return found, refused


def _typed(base: RuleTerms, name: str, value: int | Decimal) -> int | Decimal:
    """Return a value as the parameter holds it: a multiple is exact, a count is whole."""
    if isinstance(getattr(base, name), Decimal):
        return Decimal(value)
    require(value == int(value), name, value=value, rule="must be whole")
    return int(value)


def name_of(terms: RuleTerms, grid: Grid) -> str:
    """Return a set's name. Worked: `fast 10, slow 30`."""
    return ", ".join(
        f"{name} {decimal_text(Decimal(getattr(terms, name)))}" for name in sorted(grid)
    )


def sweep(
    config: BacktestConfig,
    series: Mapping[str, Series],
    *,
    grid: Grid,
    progress: Callable[[int, int, str], None] | None = None,
) -> Sweep:
    """Return every set of `grid` on prepared series.

    The trips are those of a single run, with the same signals and the same fills; indicators are
    made once per length. Sums are of floats and the costs expected ones: book the chosen set with
    `run` for its exact figures.
    """
    require(config.kind == "rule", "kind", value=config.kind, rule="a sweep is of a rule")
    rules, refused = grid_of(config.rule, grid)
    frames = {name: build_frames(series[name], config.listing(name)) for name in config.symbols}
    rows = []
    for number, terms in enumerate(rules, start=1):
        one = replace(config, rule=terms)
        rows.append(_row(one, frames, name_of(terms, grid)))
        if progress is not None:
            progress(number, len(rules), rows[-1].name)
    rows.sort(key=lambda row: (-(row.expectancy_r or Decimal(-1000)), row.name))
    return Sweep(rows=tuple(rows), trials=len(rules), refused=refused)


def _row(config: BacktestConfig, frames: Mapping[str, list[Frame]], name: str) -> SweepRow:
    n = wins = 0
    total = 0.0
    unit = float(round_trip_cost(Decimal(1), replace(config.costs, commission_share=Decimal(0))))
    fees = 2 * float(config.costs.commission_share)
    for symbol in config.symbols:
        step = float(config.listing(symbol).tick)
        for _, trip in trips(frames[symbol], config):
            found = trip.walk
            if found.status != "closed":
                continue
            entry = found.entry
            risk = trip.sign * (entry - trip.stop * step)
            r = (trip.sign * (found.exit - entry) - entry * unit - fees) / risk
            n += 1
            wins += r > 0
            total += r
    return SweepRow(
        name=name,
        terms=config.rule,
        n=n,
        wins=wins,
        expectancy_r=from_float(total / n, _PLACES) if n else None,
        total_r=from_float(total, _PLACES),
    )
