"""Owns the proof of stated chances: figures against the base rate, tables, and the gate."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from services.kit.money import from_float, rounded
from services.market.param import require
from services.research.score_stats import brier, reliability
from services.strategy.confidence import wilson

ZERO, ONE = Decimal(0), Decimal(1)
PLACES = 6
ENOUGH = 20
"""A bin with fewer is shown, and marked as too small to read."""
GATE_TRADES, GATE_ECE, GATE_BIN, GATE_SLACK = 100, Decimal("0.08"), 50, Decimal("0.05")
_FLOOR = 1e-9


@dataclass(frozen=True, slots=True)
class Bin:
    """One row of a reliability table: how many, how often, and Wilson's interval of that."""

    n: int
    hits: int
    mean_p: Decimal
    ci95: tuple[Decimal, Decimal]
    place: int

    @property
    def hit_rate(self) -> Decimal:
        """Return the share that happened."""
        return Decimal(self.hits) / self.n


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """How good chances were that were stated before the outcome; figures at 6 decimals.

    The references are those of always saying the base rate of these very outcomes, which nobody
    knew beforehand. `skill` is null when every outcome is the same.
    """

    n: int
    hits: int
    brier: Decimal
    reference: Decimal
    skill: Decimal | None
    ece: Decimal
    ece_equal_count: Decimal
    log_loss: Decimal
    log_loss_reference: Decimal
    bins: tuple[Bin, ...]
    equal_count: tuple[Bin, ...]

    def metrics(self) -> dict[str, Decimal]:
        """Return the figures by name, for a document."""
        found = {
            "brier": self.brier,
            "reference": self.reference,
            "ece": self.ece,
            "log_loss": self.log_loss,
            "log_loss_reference": self.log_loss_reference,
        }
        return found if self.skill is None else {**found, "skill": self.skill}


def prove(p: Sequence[Decimal], y: Sequence[int]) -> Proof:
    """Return the proof of stated chances against what happened (1 or 0), in the same order.

    Raises `PARAM_INVALID` without any. Worked: chances 0.2, 0.8 with outcomes 0, 1 have Brier
    0.04 against 0.25, and log loss 0.223144.
    """
    score, table = brier(p, y), reliability(p, y)
    counted = _equal_count(p, y)
    base = Decimal(sum(y)) / len(y)
    apart = sum((one.n * abs(one.mean_p - one.hit_rate) for one in counted), ZERO) / len(p)
    return Proof(
        n=len(p),
        hits=sum(y),
        brier=rounded(score.brier, PLACES),
        reference=rounded(score.reference, PLACES),
        skill=None if score.skill is None else rounded(score.skill, PLACES),
        ece=rounded(table.ece, PLACES),
        ece_equal_count=rounded(apart, PLACES),
        log_loss=log_loss(p, y),
        log_loss_reference=log_loss([base] * len(y), y),
        bins=tuple(
            Bin(row.n, row.hits, row.mean_p, wilson(row.hits, row.n), row.bin) for row in table.bins
        ),
        equal_count=counted,
    )


def log_loss(p: Sequence[Decimal], y: Sequence[int]) -> Decimal:
    """Return -mean(ln of the chance given to what happened), 6 decimals.

    A chance of 0 or 1 counts as 1e-9 away from it. Worked: 0.5 for anything is 0.693147.
    """
    require(p, "p", value=0, rule="needs a stated chance")
    given = (float(one) if hit else 1.0 - float(one) for one, hit in zip(p, y, strict=True))
    return from_float(-math.fsum(math.log(max(x, _FLOOR)) for x in given) / len(p), PLACES)


def passes_gate(proof: Proof) -> bool:
    """Return whether a calibrator may speak.

    It needs 100 or more out of sample, ECE at most 0.08, skill above 0, and every bin of 50 or
    more with its mean within Wilson's interval and 0.05 more.
    """
    if proof.n < GATE_TRADES or proof.ece > GATE_ECE or not proof.skill or proof.skill < 0:
        return False
    return all(
        row.ci95[0] - GATE_SLACK <= row.mean_p <= row.ci95[1] + GATE_SLACK
        for row in proof.bins
        if row.n >= GATE_BIN
    )


def _equal_count(p: Sequence[Decimal], y: Sequence[int], count: int = 10) -> tuple[Bin, ...]:
    """Return bins of about as many chances each; equal chances stay in one bin."""
    pairs = sorted(zip(p, y, strict=True))
    rows: list[Bin] = []
    begin = 0
    for place in range(count):
        end = max((place + 1) * len(pairs) // count, begin)
        while 0 < end < len(pairs) and pairs[end][0] == pairs[end - 1][0]:
            end += 1
        if end > begin:
            part = pairs[begin:end]
            n, hits = len(part), sum(hit for _, hit in part)
            mean = sum((one for one, _ in part), ZERO) / n
            rows.append(Bin(n, hits, mean, wilson(hits, n), place))
        begin = end
    return tuple(rows)
