"""Owns what the stated chances of a backtest were worth: each against whether target 1 came."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from services.kit.money import rounded
from services.research.reliability import ENOUGH, Bin, prove
from services.research.trade_log import Trade

PLACES = 6
ZERO = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedBin:
    """One bin of stated chances at 6 decimals; `enough` is 20 trades or more."""

    n: int
    hits: int
    mean_p: Decimal
    hit_rate: Decimal
    ci95: tuple[Decimal, Decimal]
    enough: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """Trades with a stated chance of target 1, how many reached it, and the proof of that.

    `uncalibrated` counts trades of setups for which no record and no curve spoke at their
    trigger: they state nothing. The figures are at 6 decimals, null without a stated trade.
    """

    n: int
    hits: int
    uncalibrated: int
    mean_stated: Decimal | None
    hit_rate: Decimal | None
    metrics: dict[str, Decimal]
    bins: tuple[StatedBin, ...]


def calibration_of(trades: Sequence[Trade]) -> Calibration:
    """Return what was stated in `trades` against what became of it.

    Worked: 0.2 and 0.4 stated, the second reached: mean 0.3, half reached, Brier 0.2.
    """
    told = [(row.confidence, int(row.legs_filled > 0)) for row in trades]
    pairs = [(chance, hit) for chance, hit in told if chance is not None]
    silent = sum(row.confidence is None and row.confidence_tier is not None for row in trades)
    n, hits = len(pairs), sum(hit for _, hit in pairs)
    if not n:
        return Calibration(
            n=0, hits=0, uncalibrated=silent, mean_stated=None, hit_rate=None, metrics={}, bins=()
        )
    proof = prove([chance for chance, _ in pairs], [hit for _, hit in pairs])
    return Calibration(
        n=n,
        hits=hits,
        uncalibrated=silent,
        mean_stated=rounded(sum((chance for chance, _ in pairs), ZERO) / n, PLACES),
        hit_rate=rounded(Decimal(hits) / n, PLACES),
        metrics=proof.metrics(),
        bins=tuple(_row(one) for one in proof.bins),
    )


def _row(one: Bin) -> StatedBin:
    return StatedBin(
        n=one.n,
        hits=one.hits,
        mean_p=rounded(one.mean_p, PLACES),
        hit_rate=rounded(one.hit_rate, PLACES),
        ci95=(rounded(one.ci95[0], PLACES), rounded(one.ci95[1], PLACES)),
        enough=one.n >= ENOUGH,
    )
