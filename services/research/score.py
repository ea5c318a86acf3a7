"""Owns the coach's own score: what was stated about each suggestion against what became of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import select
from sqlalchemy.engine import Row

from services.kit.context import Context
from services.kit.money import rounded
from services.market.quote import Provenance
from services.research.reliability import Proof, prove
from services.research.settle import ENTERED
from services.research.suggestion_tables import suggestions
from services.strategy.confidence import wilson

ENOUGH = 30
"""Below this many outcomes nothing is claimed."""
PLACES = 4
RECENT_MAX = 50
OWN = "own levels"


@dataclass(frozen=True, slots=True, kw_only=True)
class SetupScore:
    """One kind of suggestion: how many ended, how often target 1 came first, what was stated.

    `hit_rate`, `stated` and `mean_r` are at 4 decimals, null without an outcome; `stated` is the
    mean over the outcomes that had a chance stated. `enough` says whether 30 ended. `real` is False
    for what was settled on replayed or simulated bars.
    """

    key: str
    real: bool
    taken: int
    ended: int
    hits: int
    hit_rate: Decimal | None
    ci95: tuple[Decimal, Decimal] | None
    stated: Decimal | None
    mean_r: Decimal | None
    enough: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ReliabilityRow:
    """One bin of stated chances: `low` inclusive to `high`, and how often it happened."""

    low: Decimal
    high: Decimal
    n: int
    hits: int
    mean_p: Decimal
    hit_rate: Decimal
    ci95: tuple[Decimal, Decimal]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scoreboard:
    """Every suggestion by what became of it; `without` counts those that have neither (none).

    The figures of stated chances are of real outcomes, and of replayed ones only while there is
    no real one; `real` tells which.
    """

    total: int
    states: Mapping[str, int]
    reasons: Mapping[str, int]
    by_setup: tuple[SetupScore, ...]
    real: bool
    stated_n: int
    brier: Decimal | None
    reference: Decimal | None
    ece: Decimal | None
    bins: tuple[ReliabilityRow, ...]
    recent: tuple[Mapping[str, Any], ...]
    without: int = 0

    @property
    def ended(self) -> int:
        """Return how many suggestions became a trade that is over."""
        return sum(self.states.get(state, 0) for state in ENTERED)


def read_score(ctx: Context) -> Scoreboard:
    """Return the scoreboard of the tenant.

    A setup that was planned again and again counts once in the rates, as it was stated first;
    every suggestion counts in `states`.
    """
    rows = ctx.db.rows(select(suggestions).order_by(suggestions.c.made_at, suggestions.c.ref))
    firsts = first_of_each(rows)
    known = [row for row in firsts if row.state in ENTERED and row.stated is not None]
    real = any(is_real(row) for row in known)
    proof = _proof([row for row in known if is_real(row) == real])
    groups: dict[tuple[str, bool], list[Row[Any]]] = {}
    for row in firsts:
        groups.setdefault((row.record_key or OWN, is_real(row)), []).append(row)
    told = [row for row in rows if row.state == "not_followed"]
    return Scoreboard(
        total=len(rows),
        states=dict(sorted(Counter(row.state for row in rows).items())),
        reasons=dict(sorted(Counter(row.reason for row in told).items())),
        by_setup=tuple(_setup_score(*key, mine) for key, mine in sorted(groups.items())),
        real=real,
        stated_n=proof.n if proof else 0,
        brier=rounded(proof.brier, PLACES) if proof else None,
        reference=rounded(proof.reference, PLACES) if proof else None,
        ece=rounded(proof.ece, PLACES) if proof else None,
        bins=_bins(proof) if proof else (),
        recent=tuple(_recent(row) for row in reversed(rows[-RECENT_MAX:])),
        without=sum(1 for row in told if not row.reason),
    )


def first_of_each(rows: Iterable[Row[Any]]) -> list[Row[Any]]:
    """Return the rows that count: of one setup its first suggestion, of own levels every one."""
    seen: set[str] = set()
    kept = []
    for row in rows:
        if row.state == "not_followed" or row.setup_key in seen:
            continue
        if row.setup_key:
            seen.add(row.setup_key)
        kept.append(row)
    return kept


def is_real(row: Row[Any]) -> bool:
    """Return whether no replayed or simulated bar settled it; what waits yet counts as real."""
    return row.provenance not in (Provenance.REPLAY, Provenance.SIMULATED)


def _proof(rows: Sequence[Row[Any]]) -> Proof | None:
    if not rows:
        return None
    return prove([row.stated for row in rows], [int(row.state == "target") for row in rows])


def _setup_score(key: str, real: bool, rows: Sequence[Row[Any]]) -> SetupScore:  # noqa: FBT001 - a group's key
    ended = [row for row in rows if row.state in ENTERED]
    hits = sum(row.state == "target" for row in ended)
    stated = [row.stated for row in ended if row.stated is not None]
    return SetupScore(
        key=key,
        real=real,
        taken=len(rows),
        ended=len(ended),
        hits=hits,
        hit_rate=_mean([Decimal(row.state == "target") for row in ended]),
        ci95=_pair(wilson(hits, len(ended))) if ended else None,
        stated=_mean(stated),
        mean_r=_mean([row.r for row in ended if row.r is not None]),
        enough=len(ended) >= ENOUGH,
    )


def _bins(proof: Proof) -> tuple[ReliabilityRow, ...]:
    return tuple(
        ReliabilityRow(
            low=Decimal(row.place) / 10,
            high=Decimal(row.place + 1) / 10,
            n=row.n,
            hits=row.hits,
            mean_p=rounded(row.mean_p, PLACES),
            hit_rate=rounded(row.hit_rate, PLACES),
            ci95=_pair(row.ci95),
        )
        for row in proof.bins
    )


_RECENT = (
    *("ref", "kind", "symbol", "side", "record_key", "stated", "tier", "state", "reason"),
    "provenance",
    *("made_at", "entered_at", "ended_at", "r", "mae_r", "mfe_free_r"),
)


def _recent(row: Row[Any]) -> dict[str, Any]:
    found = {name: getattr(row, name) for name in _RECENT}
    return {**found, "symbol": row.symbol.rpartition(":")[2], "ambiguous": bool(row.ambiguous)}


def _mean(values: Sequence[Decimal]) -> Decimal | None:
    return rounded(sum(values, Decimal(0)) / len(values), PLACES) if values else None


def _pair(pair: tuple[Decimal, Decimal]) -> tuple[Decimal, Decimal]:
    return rounded(pair[0], PLACES), rounded(pair[1], PLACES)
