"""Owns how good stated chances were: Brier score, calibration error, and the R of trades."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from services.market.param import require

ZERO, ONE = Decimal(0), Decimal(1)
BINS = 10


@dataclass(frozen=True, slots=True)
class Brier:
    """Mean squared error of chances, that of always saying the base rate, and the skill over it."""

    brier: Decimal
    reference: Decimal
    skill: Decimal | None


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """One bin of stated chances: how many, how often it happened, and the means; unrounded."""

    bin: int
    n: int
    hits: int
    mean_p: Decimal
    hit_rate: Decimal


@dataclass(frozen=True, slots=True)
class Reliability:
    """The expected calibration error and its bins, empty ones left out, ascending."""

    ece: Decimal
    bins: tuple[ReliabilityBin, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RStats:
    """What a series of closed trades came to, in R and unrounded; null where undefined."""

    n: int
    expectancy_r: Decimal
    win_rate: Decimal
    avg_win_r: Decimal | None
    avg_loss_r: Decimal | None
    sd_r: Decimal | None
    sqn: Decimal | None
    p25: Decimal
    median: Decimal
    p75: Decimal
    max_drawdown_r: Decimal


def brier(p: Sequence[Decimal], y: Sequence[int]) -> Brier:
    """Return mean((p - y)^2), the base rate's own, and 1 - brier/reference; unrounded.

    Brier (1950). The skill is null when every outcome is the same. Raises `PARAM_INVALID`.
    Worked: the ten chances of the tests give 0.151940 against 0.24, skill 0.366917.
    """
    _require_pairs(p, y)
    n = Decimal(len(p))
    error = sum(((one - hit) ** 2 for one, hit in zip(p, y, strict=True)), ZERO) / n
    base = sum(y) / n
    reference = base * (1 - base)
    return Brier(error, reference, 1 - error / reference if reference else None)


def reliability(p: Sequence[Decimal], y: Sequence[int], *, bins: int = BINS) -> Reliability:
    """Return sum(n_k/n * |mean p - hit rate|) over equal-width bins, and the bins.

    The bin of p is floor(bins * p) in Decimal, p = 1 in the last: a float would put 0.6 below its
    edge. Naeini et al. (2015). Raises `PARAM_INVALID`. Worked: the same ten chances give 0.262.
    """
    _require_pairs(p, y)
    require(bins >= 1, "bins", value=bins, rule="must be 1 or more")
    members: dict[int, list[tuple[Decimal, int]]] = {}
    for one, hit in zip(p, y, strict=True):
        members.setdefault(min(int(bins * one), bins - 1), []).append((one, hit))
    rows = []
    for place, pairs in sorted(members.items()):
        n, hits = len(pairs), sum(hit for _, hit in pairs)
        mean = sum((one for one, _ in pairs), ZERO) / n
        rows.append(ReliabilityBin(place, n, hits, mean, Decimal(hits) / n))
    error = sum((row.n * abs(row.mean_p - row.hit_rate) for row in rows), ZERO) / len(p)
    return Reliability(error, tuple(rows))


def r_stats(r: Sequence[Decimal]) -> RStats:
    """Return the distribution of trade results in R; a win is above 0, all else a loss.

    Quartiles by linear interpolation, SQN = sqrt(n) * mean / sd (ddof 1; Van Tharp), drawdown of
    the running sum from 0. Raises `PARAM_INVALID` without a trade. Worked: the ten results of the
    tests have expectancy 0.51 and SQN 1.036033.
    """
    require(r, "r", value=0, rule="needs a closed trade")
    n = len(r)
    mean = sum(r, ZERO) / n
    wins, losses = [one for one in r if one > 0], [one for one in r if one <= 0]
    sd = (sum(((one - mean) ** 2 for one in r), ZERO) / (n - 1)).sqrt() if n > 1 else None
    ranked = sorted(r)
    return RStats(
        n=n,
        expectancy_r=mean,
        win_rate=Decimal(len(wins)) / n,
        avg_win_r=sum(wins, ZERO) / len(wins) if wins else None,
        avg_loss_r=sum(losses, ZERO) / len(losses) if losses else None,
        sd_r=sd,
        sqn=Decimal(n).sqrt() * mean / sd if sd else None,
        p25=quantile(ranked, Decimal("0.25")),
        median=quantile(ranked, Decimal("0.5")),
        p75=quantile(ranked, Decimal("0.75")),
        max_drawdown_r=_drawdown(r),
    )


def barrier_prior(up_r: Decimal, down_r: Decimal) -> Decimal:
    """Return the chance that a driftless price gains `up_r` before it loses `down_r`, unrounded.

    The gambler's ruin: down / (up + down). Raises `PARAM_INVALID`. Worked: 2 before 1 is 0.333333.
    """
    for name, value in (("up_r", up_r), ("down_r", down_r)):
        require(value > 0, name, value=value, rule="must be above 0")
    return down_r / (up_r + down_r)


def quantile(ranked: Sequence[Decimal], share: Decimal) -> Decimal:
    """Return the quantile of ascending values, linear between them. Worked: 1, 2 at 0.5 is 1.5."""
    place = share * (len(ranked) - 1)
    low = int(place)
    high = min(low + 1, len(ranked) - 1)
    return ranked[low] + (place - low) * (ranked[high] - ranked[low])


def _drawdown(r: Sequence[Decimal]) -> Decimal:
    total = peak = worst = ZERO
    for one in r:
        total += one
        peak = max(peak, total)
        worst = min(worst, total - peak)
    return worst


def _require_pairs(p: Sequence[Decimal], y: Sequence[int]) -> None:
    require(p, "p", value=0, rule="needs a stated chance")
    require(len(p) == len(y), "y", value=len(y), rule=f"must hold {len(p)} outcomes")
    for one in p:
        require(ZERO <= one <= ONE, "p", value=one, rule="must be 0 to 1")
    for hit in y:
        require(hit in (0, 1), "y", value=hit, rule="must be 0 or 1")
