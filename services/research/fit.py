"""Owns fitting: records and calibrators from labels, judged only on setups they never saw."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Literal

from services.kit.money import rounded
from services.research.calibrate import fit_isotonic, fit_platt
from services.research.label import Label, labels_hash
from services.research.reliability import Proof, passes_gate, prove
from services.research.walk_forward import walk_forward
from services.strategy.confidence import CEILING, FLOOR, pooled_confidence
from services.strategy.curve import IsotonicFit, PlattFit
from services.strategy.record import Calibrator, RecordKey, SetupRecord

Curve = Literal["platt", "isotonic"]
PLATT_MIN, ISOTONIC_MIN = 100, 1000
TRAIN_MONTHS, TEST_MONTHS, EMBARGO_MONTHS = 12, 3, 1
"""The embargo of a month is longer than the ten sessions of the longest label."""
ONE, HALF = Decimal(1), Decimal("0.5")
PLACES = 6
FIT_PLACES = 12


@dataclass(frozen=True, slots=True)
class Stated:
    """A chance as it would have been stated before the outcome, and by which tier."""

    label: Label
    chance: Decimal
    tier: str


@dataclass(frozen=True, slots=True)
class Fitted:
    """Everything that came of a set of labels: documents, and the proof of what was stated.

    `stated` is what the product would have said in every test window; `candidates` the
    out-of-sample chances of each curve, whether it was let speak or not.
    """

    records: tuple[SetupRecord, ...]
    calibrators: tuple[Calibrator, ...]
    stated: tuple[Stated, ...]
    candidates: Mapping[tuple[str, Curve], tuple[Stated, ...]] = field(default_factory=dict)


def fit(labels: Sequence[Label], *, rolling: bool = False, pooled: bool = True) -> Fitted:
    """Return records, calibrators and what would have been stated, window by window.

    Windows test three months, from the thirteenth month on. They are fitted on labels that had
    ended a month before: on all of them, or (`rolling`) on those of the last twelve months;
    without `pooled` few trades lean on the driftless chance instead of on their like. The
    calibrators that are kept are fitted on every label, and accepted out of sample only.
    """
    stated: list[Stated] = []
    tried: dict[tuple[str, Curve], list[Stated]] = {}
    for train, test in _windows(labels, rolling=rolling):
        known = _by_key(train)
        for key, asked in _by_key(test).items():
            past = known.get(key, [])
            speaks = _speaker(past, key.text, tried)
            pool = pool_of(train, key.horizon) if pooled else (0, 0)
            stated += [_state(one, past, pool, speaks=speaks) for one in asked]
            for name, curve in _curves(past).items():
                chances = [_curved(one, curve, name) for one in asked if one.score is not None]
                tried.setdefault((key.text, name), []).extend(chances)
    keyed = _by_key(labels)
    return Fitted(
        records=tuple(
            build_record(key, mine, pool=pool_of(labels, key.horizon))
            for key, mine in keyed.items()
        ),
        calibrators=tuple(
            made for key, mine in keyed.items() if (made := _calibrator(key, mine, tried))
        ),
        stated=tuple(stated),
        candidates={name: tuple(rows) for name, rows in sorted(tried.items())},
    )


def pool_of(labels: Iterable[Label], horizon: str) -> tuple[int, int]:
    """Return (wins, n) of every setup of one holding period."""
    outcomes = [one.won for one in labels if one.key.horizon == horizon]
    return sum(outcomes), len(outcomes)


def build_record(
    key: RecordKey, labels: Sequence[Label], *, pool: tuple[int, int] = (0, 0)
) -> SetupRecord:
    """Return the record of labels of one kind.

    `give_back` is the median over winners of the free run of (MFE - R)/MFE, 6 decimals; None
    without a winner.
    """
    gave = sorted((one.mfe_free_r - one.free_r) / one.mfe_free_r for one in labels if _won(one))
    half = len(gave) // 2
    middle = None
    if gave:
        middle = gave[half] if len(gave) % 2 else (gave[half - 1] + gave[half]) / 2
    return SetupRecord(
        key=key,
        n=len(labels),
        wins=sum(one.won for one in labels),
        mfe_free_r=tuple(sorted(one.mfe_free_r for one in labels)),
        give_back=None if middle is None else rounded(middle, PLACES),
        labels_hash=labels_hash(labels),
        pool=pool,
    )


def _won(label: Label) -> bool:
    return label.free_r > 0 and label.mfe_free_r > 0


def _by_key(labels: Iterable[Label]) -> dict[RecordKey, list[Label]]:
    found: dict[RecordKey, list[Label]] = {}
    for one in sorted(labels, key=lambda label: (label.key.text, label.trigger_ts, label.symbol)):
        found.setdefault(one.key, []).append(one)
    return found


def _windows(
    labels: Sequence[Label], *, rolling: bool
) -> Iterable[tuple[list[Label], list[Label]]]:
    """Yield (train, test) per window: months since the first label, by `walk_forward`."""
    if not labels:
        return
    ordered = sorted(labels, key=lambda one: (one.trigger_ts, one.key.text, one.symbol))
    months = [_month(one.trigger_ts) for one in ordered]
    ends = [_month(one.ended_at) for one in ordered]
    first, longest = months[0], max(e - m for e, m in zip(ends, months, strict=True))
    padded = math.ceil((months[-1] - first + 1) / TEST_MONTHS + 1) * TEST_MONTHS
    for fold in walk_forward(
        padded,
        train=TRAIN_MONTHS,
        test=TEST_MONTHS,
        step=TEST_MONTHS,
        embargo=EMBARGO_MONTHS,
        holding_max=longest,
    ):
        low, high = (first + at for at in fold.test)
        begins = first + fold.train[0] if rolling else first
        test = ordered[bisect_right(months, low - 1) : bisect_right(months, high - 1)]
        known = ordered[bisect_right(months, begins - 1) : bisect_right(months, low - 1)]
        train = [one for one in known if _month(one.ended_at) < low - EMBARGO_MONTHS + 1]
        if test:
            yield train, test


def _month(moment: datetime) -> int:
    return moment.year * 12 + moment.month


def _curves(past: Sequence[Label]) -> dict[Curve, IsotonicFit | PlattFit]:
    """Return the curves that this many scored labels allow, the finest first."""
    scored = [one for one in past if one.score is not None]
    found: dict[Curve, IsotonicFit | PlattFit] = {}
    scores = [one.score for one in scored if one.score is not None]
    outcomes = [int(one.won) for one in scored]
    if len(scored) >= ISOTONIC_MIN:
        found["isotonic"] = fit_isotonic(scores, outcomes)
    if len(scored) >= PLATT_MIN:
        found["platt"] = fit_platt(scores, outcomes)
    return found


def _speaker(
    past: Sequence[Label], key: str, tried: Mapping[tuple[str, Curve], Sequence[Stated]]
) -> tuple[Curve, IsotonicFit | PlattFit] | None:
    """Return the finest curve whose earlier windows let it pass the gate."""
    for name, curve in _curves(past).items():
        proof = proof_of(tried.get((key, name), ()))
        if proof is not None and passes_gate(proof):
            return name, curve
    return None


def _state(
    label: Label,
    past: Sequence[Label],
    pool: tuple[int, int],
    *,
    speaks: tuple[Curve, IsotonicFit | PlattFit] | None,
) -> Stated:
    if speaks is not None and label.score is not None:
        return _curved(label, speaks[1], speaks[0])
    found = pooled_confidence(sum(one.won for one in past), len(past), rr_tp1=ONE, pool=pool)
    return Stated(label, rounded(found.value, 4), "prior")


def _curved(label: Label, curve: IsotonicFit | PlattFit, name: Curve) -> Stated:
    chance = curve.at(label.score if label.score is not None else HALF)
    return Stated(label, rounded(min(max(chance, FLOOR), CEILING), 4), name)


def proof_of(stated: Sequence[Stated]) -> Proof | None:
    """Return the proof of stated chances; None without any."""
    if not stated:
        return None
    return prove([one.chance for one in stated], [int(one.label.won) for one in stated])


def _calibrator(
    key: RecordKey, labels: Sequence[Label], tried: Mapping[tuple[str, Curve], Sequence[Stated]]
) -> Calibrator | None:
    """Return the finest curve that passed, else the last one tried, rejected; None without any."""
    rejected: Calibrator | None = None
    for name, curve in _curves(labels).items():
        proof = proof_of(tried.get((key.text, name), ()))
        made = Calibrator(
            key=key,
            tier=name,
            n=sum(one.score is not None for one in labels),
            wins=sum(one.won for one in labels if one.score is not None),
            curve=_short(curve),
            bins=tuple((row.place, row.n, row.hits) for row in proof.bins) if proof else (),
            metrics=proof.metrics() if proof else {},
            accepted=proof is not None and passes_gate(proof),
            labels_hash=labels_hash(labels),
        )
        if made.accepted:
            return made
        rejected = made
    return rejected


def _short(curve: IsotonicFit | PlattFit) -> IsotonicFit | PlattFit:
    """Return the curve as its document keeps it, at 12 decimals."""
    if isinstance(curve, PlattFit):
        return PlattFit(round(curve.slope, FIT_PLACES), round(curve.intercept, FIT_PLACES))
    chances = tuple(rounded(chance, FIT_PLACES) for chance in curve.chances)
    return IsotonicFit(curve.scores, chances)
