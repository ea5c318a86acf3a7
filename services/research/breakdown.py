"""Owns the tables of a backtest: results by setup, the distribution of R, what is ambiguous."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from decimal import ROUND_FLOOR, Decimal

from services.kit.money import rounded
from services.research.score_stats import RStats, quantile, r_stats
from services.research.trade_log import Trade
from services.strategy.confidence import wilson

ENOUGH = 30
"""Below this many trades a setup is "not enough data" and nothing more is said."""
WIDTH = Decimal("0.5")
ZERO = Decimal(0)
_PLACES = 6
P90 = Decimal("0.9")


@dataclass(frozen=True, slots=True, kw_only=True)
class SetupRow:
    """One setup: how many trades, how many reached each target, and R; 6 decimals.

    `ci95` is Wilson's interval of the win rate. With fewer than 30 trades `enough` is False, and
    every rate is null. `mae_of_winners_p90` is the depth that nine of ten winners did not pass.
    """

    setup_id: str
    version: int
    n: int
    enough: bool
    targets_hit: tuple[int, int, int]
    win_rate: Decimal | None = None
    ci95: tuple[Decimal, Decimal] | None = None
    expectancy_r: Decimal | None = None
    sqn: Decimal | None = None
    median_mfe_r: Decimal | None = None
    mae_of_winners_p90: Decimal | None = None


@dataclass(frozen=True, slots=True)
class RBin:
    """Trades with `low` <= R < `low` + 0.5."""

    low: Decimal
    n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ambiguity:
    """Trades whose last bar held several touches, and expectancy in R with both readings.

    `material` says that the sign differs. Null bounds without a trade.
    """

    n: int
    low_r: Decimal | None
    high_r: Decimal | None
    material: bool


def by_setup(trades: Sequence[Trade]) -> tuple[SetupRow, ...]:
    """Return one row per setup and version, by id."""
    groups: dict[tuple[str, int], list[Trade]] = {}
    for trade in trades:
        groups.setdefault((trade.setup_id, trade.version), []).append(trade)
    return tuple(_setup_row(key, rows) for key, rows in sorted(groups.items()))


def _setup_row(key: tuple[str, int], trades: list[Trade]) -> SetupRow:
    n = len(trades)
    hit = [sum(trade.legs_filled >= leg for trade in trades) for leg in (1, 2, 3)]
    row = SetupRow(
        setup_id=key[0],
        version=key[1],
        n=n,
        enough=n >= ENOUGH,
        targets_hit=(hit[0], hit[1], hit[2]),
    )
    if not row.enough:
        return row
    stats = r_stats([trade.r for trade in trades])
    wins = [trade for trade in trades if trade.r > 0]
    low, high = wilson(len(wins), n)
    mfe = sorted(trade.mfe_r for trade in trades if trade.mfe_r is not None)
    depth = sorted(-trade.mae_r for trade in wins if trade.mae_r is not None)
    return SetupRow(
        setup_id=key[0],
        version=key[1],
        n=n,
        enough=True,
        targets_hit=row.targets_hit,
        win_rate=rounded(stats.win_rate, _PLACES),
        ci95=(rounded(low, _PLACES), rounded(high, _PLACES)),
        expectancy_r=rounded(stats.expectancy_r, _PLACES),
        sqn=None if stats.sqn is None else rounded(stats.sqn, _PLACES),
        median_mfe_r=rounded(quantile(mfe, Decimal("0.5")), _PLACES) if mfe else None,
        mae_of_winners_p90=rounded(-quantile(depth, P90), _PLACES) if depth else None,
    )


def r_histogram(r: Sequence[Decimal]) -> tuple[RBin, ...]:
    """Return the trades by bins of 0.5 R, ascending, empty ones between the ends included.

    Worked: -1, -0.2 and 0.5 are one each in [-1, -0.5), [-0.5, 0) and [0.5, 1).
    """
    counts = Counter(int((one / WIDTH).to_integral_value(rounding=ROUND_FLOOR)) for one in r)
    if not counts:
        return ()
    return tuple(RBin(at * WIDTH, counts[at]) for at in range(min(counts), max(counts) + 1))


def ambiguity(trades: Sequence[Trade]) -> Ambiguity:
    """Return the count of ambiguous trades and expectancy with each reading of them."""
    if not trades:
        return Ambiguity(n=0, low_r=None, high_r=None, material=False)
    low = sum((trade.r for trade in trades), ZERO) / len(trades)
    gained = sum(
        (trade.at_target_r - trade.gross_r for trade in trades if trade.at_target_r is not None),
        ZERO,
    )
    high = low + gained / len(trades)
    return Ambiguity(
        n=sum(trade.ambiguous for trade in trades),
        low_r=rounded(low, _PLACES),
        high_r=rounded(high, _PLACES),
        material=(low > 0) != (high > 0),
    )


def distribution(trades: Sequence[Trade]) -> RStats | None:
    """Return the figures of R at 6 decimals; None without a trade."""
    if not trades:
        return None
    stats = r_stats([trade.r for trade in trades])
    figures = {
        one.name: None if (value := getattr(stats, one.name)) is None else rounded(value, _PLACES)
        for one in fields(stats)
        if one.name != "n"
    }
    return replace(stats, **figures)  # type: ignore[arg-type]
