"""Owns a setup's record and calibrator, and the confidence that follows from them."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from typing import Literal

from services.kit.canonical import tagged_hash
from services.kit.errors import check
from services.kit.money import from_float, rounded
from services.strategy.confidence import CEILING, FLOOR, pooled_confidence, wilson
from services.strategy.curve import IsotonicFit, PlattFit
from services.strategy.setup import Setup
from services.strategy.survival import survival_at, survival_grid
from services.strategy.view import Side

Tier = Literal["prior", "platt", "isotonic"]
Horizon = Literal["intraday", "hours", "swing"]
ONE = Decimal(1)
PLACES = 4
_HORIZONS: dict[str, Horizon] = {
    "5m": "intraday",
    "15m": "intraday",
    "60m": "hours",
    "1d": "swing",
    "1w": "swing",
}


def horizon_of(timeframe: str) -> Horizon:
    """Return how long trades of a timeframe's setups are held: their records are kept apart."""
    check(timeframe in _HORIZONS, "detectors run on known timeframes", timeframe=timeframe)
    return _HORIZONS[timeframe]


@dataclass(frozen=True, slots=True)
class RecordKey:
    """Whose history it is: one detector's version, on one side, of one holding period."""

    setup_id: str
    version: int
    side: Side
    horizon: str

    @property
    def text(self) -> str:
        """Return the key as documents are filed under: `orb/1/long/intraday`."""
        return f"{self.setup_id}/{self.version}/{self.side}/{self.horizon}"


def key_of(setup: Setup) -> RecordKey:
    """Return the key of a setup's own history."""
    horizon = horizon_of(setup.timeframe)
    return RecordKey(setup.setup_id, setup.version, setup.side, horizon)


@dataclass(frozen=True, kw_only=True)
class SetupRecord:
    """What became of every past setup of one kind.

    `wins` reached 1 R before the stop and the time stop. `mfe_free_r` is how far each went in R of
    its plan without a target, ascending, 6 decimals; `give_back` the median share of it that
    winners gave back, None without one; `pool` (wins, n) of every setup held as long, this one
    among them; `labels_hash` that of the labelled setups.
    """

    key: RecordKey
    n: int
    wins: int
    mfe_free_r: tuple[Decimal, ...]
    give_back: Decimal | None
    labels_hash: str
    pool: tuple[int, int] = (0, 0)

    @cached_property
    def survival(self) -> Mapping[Decimal, Decimal]:
        """Return S(x) on the grid of 0.1 R."""
        return survival_grid(self.mfe_free_r)

    def wins_at(self, x: Decimal) -> int:
        """Return how many setups reached x R before their stop."""
        return self.n - bisect_left(self.mfe_free_r, x)

    def body(self) -> dict[str, object]:
        """Return the document `setup_record/v1`."""
        return {
            **_key_body(self.key),
            "n": self.n,
            "wins": self.wins,
            "mfe_free_r": list(self.mfe_free_r),
            "give_back": self.give_back,
            "pool": {"wins": self.pool[0], "n": self.pool[1]},
            "labels_hash": self.labels_hash,
        }

    @cached_property
    def hash(self) -> str:
        """Return the document's tagged hash."""
        return tagged_hash("setup_record/v1", self.body())


@dataclass(frozen=True, kw_only=True)
class Calibrator:
    """A curve from score to chance with its proof: fitted offline, judged out of sample.

    `bins` are (bin of ten, n, hits) of the out-of-sample reliability table, `metrics` its figures
    at 6 decimals. Only an `accepted` one may speak; `target_r` is the multiple it was fitted for.
    """

    key: RecordKey
    tier: Literal["platt", "isotonic"]
    n: int
    wins: int
    curve: IsotonicFit | PlattFit
    bins: tuple[tuple[int, int, int], ...]
    metrics: Mapping[str, Decimal] = field(default_factory=dict)
    accepted: bool = False
    target_r: Decimal = ONE
    labels_hash: str = ""

    @cached_property
    def hash(self) -> str:
        """Return the tagged hash (`calib/v1`) of `body`."""
        return tagged_hash("calib/v1", self.body())

    def body(self) -> dict[str, object]:
        """Return the document `calib/v1`; every number is text or a whole number."""
        if isinstance(self.curve, IsotonicFit):
            knots = zip(self.curve.scores, self.curve.chances, strict=True)
            fitted: dict[str, object] = {"knots": [[score, chance] for score, chance in knots]}
        else:
            slope, intercept = (
                from_float(self.curve.slope, 12),
                from_float(self.curve.intercept, 12),
            )
            fitted = {"slope": slope, "intercept": intercept}
        return {
            **_key_body(self.key),
            **fitted,
            "tier": self.tier,
            "n": self.n,
            "wins": self.wins,
            "bins": [list(row) for row in self.bins],
            "metrics": dict(self.metrics),
            "accepted": self.accepted,
            "target_r": self.target_r,
            "labels_hash": self.labels_hash,
        }

    def interval(self, chance: Decimal) -> tuple[Decimal, Decimal]:
        """Return Wilson's interval of the bin of a chance; of all trades where it is empty."""
        place = min(int(10 * chance), 9)
        found = next((row for row in self.bins if row[0] == place), (place, self.n, self.wins))
        return wilson(found[2], found[1])


@dataclass(frozen=True, slots=True, kw_only=True)
class Confidence:
    """The chance of target 1 before the stop and the time stop; figures at 4 decimals.

    `edge` is the chance above break-even of target 1, taken before rounding. `flags` holds
    `UNCALIBRATED` for every prior: no accepted curve of enough setups is behind the number, and
    `CALIBRATION_REJECTED` when a calibrator exists that may not speak.
    """

    value: Decimal
    tier: Tier
    n: int
    wins: int
    p0: Decimal
    p_breakeven_tp1: Decimal
    ci95: tuple[Decimal, Decimal] | None
    calibrator_hash: str | None
    edge: Decimal
    flags: tuple[str, ...] = ()


def confidence_of(
    setup: Setup,
    score: Decimal | None,
    *,
    record: SetupRecord | None,
    calibrator: Calibrator | None,
    rr1: Decimal | None,
    tp1_r: Decimal = ONE,
) -> Confidence | None:
    """Return the confidence in the setup's target 1 at `tp1_r` R, net reward to risk `rr1`.

    An accepted calibrator with a score speaks; else the record's rate, shrunk to its pool's. For
    a target that is not at the multiple of its fit, the chance follows the record's survival.
    None without a usable `rr1`: the coach then says "uncalibrated".
    Worked: 22 of 40 at 1.5 is 0.4667, tier prior, interval 0.3983 to 0.6929.
    """
    own = key_of(setup)
    check(record is None or record.key == own, "a record speaks for its own setup", key=own.text)
    same = calibrator is None or calibrator.key == own
    check(same, "a calibrator speaks for its own setup", key=own.text)
    if rr1 is None or rr1 <= 0:
        return None
    if calibrator is not None and calibrator.accepted and score is not None:
        return _calibrated(calibrator, score, record=record, rr1=rr1, tp1_r=tp1_r)
    n, wins, pool = 0, 0, (0, 0)
    if record is not None:
        n, pool = record.n, record.pool
        wins = record.wins if tp1_r == ONE else record.wins_at(tp1_r)
    found = pooled_confidence(wins, n, rr_tp1=rr1, pool=pool)
    rejected = ("CALIBRATION_REJECTED",) if calibrator and not calibrator.accepted else ()
    return Confidence(
        value=rounded(found.value, PLACES),
        tier="prior",
        n=n,
        wins=wins,
        p0=rounded(found.p0, PLACES),
        p_breakeven_tp1=rounded(found.p_breakeven_tp1, PLACES),
        ci95=_rounded_pair(found.ci95),
        calibrator_hash=None,
        edge=rounded(found.edge, PLACES),
        flags=(*rejected, "UNCALIBRATED"),
    )


def _calibrated(
    calibrator: Calibrator,
    score: Decimal,
    *,
    record: SetupRecord | None,
    rr1: Decimal,
    tp1_r: Decimal,
) -> Confidence:
    chance = calibrator.curve.at(score)
    low, high = calibrator.interval(chance)
    shape = _shape(record, calibrator.target_r, tp1_r)
    chance, low, high = (min(x * shape, ONE) for x in (chance, low, high))
    value = min(max(chance, FLOOR), CEILING)
    if calibrator.tier == "platt":
        value = min(value, high)
    even = 1 / (1 + rr1)
    return Confidence(
        value=rounded(value, PLACES),
        tier=calibrator.tier,
        n=calibrator.n,
        wins=calibrator.wins,
        p0=rounded(even, PLACES),
        p_breakeven_tp1=rounded(even, PLACES),
        ci95=_rounded_pair((low, high)),
        calibrator_hash=calibrator.hash,
        edge=rounded(value - even, PLACES),
    )


def _shape(record: SetupRecord | None, fitted_r: Decimal, wanted_r: Decimal) -> Decimal:
    """Return S(wanted)/S(fitted): how much rarer or likelier another multiple of R is."""
    if wanted_r == fitted_r:
        return ONE
    if record is not None and (base := survival_at(record.survival, fitted_r)):
        return survival_at(record.survival, wanted_r) / base
    return (1 + fitted_r) / (1 + wanted_r)


def _rounded_pair(pair: tuple[Decimal, Decimal] | None) -> tuple[Decimal, Decimal] | None:
    return None if pair is None else (rounded(pair[0], PLACES), rounded(pair[1], PLACES))


def _key_body(key: RecordKey) -> dict[str, object]:
    return {
        "setup_id": key.setup_id,
        "version": key.version,
        "side": key.side,
        "horizon": key.horizon,
    }
