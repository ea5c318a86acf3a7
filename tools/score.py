"""Owns the tool `score`: what was stated about past suggestions against what became of them."""

from __future__ import annotations

from services.kit.clock import instant_text
from services.kit.context import Context
from services.research.score import read_score
from tools.registry import Args, Effect, Result, Source, tool
from tools.wording.figures import Exact, Row
from tools.wording.score import score_words

KINDS_MAX = 12
"""Kinds in one answer, those with the most outcomes first."""


class ScoreArgs(Args):
    """No arguments."""


class ScoreRow(Row):
    """One kind of suggestion; `real` is false for replayed outcomes, `enough` from 30 on."""

    key: str
    real: bool
    taken: int
    ended: int
    hits: int
    hit_rate: Exact | None
    ci95: tuple[Exact, Exact] | None
    stated: Exact | None
    mean_r: Exact | None
    enough: bool


class ScoreBin(Row):
    """One bin of stated chances and how often target 1 came first."""

    low: Exact
    high: Exact
    n: int
    hits: int
    mean_p: Exact
    hit_rate: Exact


class ScoreResult(Result):
    """The scoreboard; Brier score and calibration error are of the stated chances."""

    total: int
    ended: int
    states: dict[str, int]
    by_setup: tuple[ScoreRow, ...]
    real: bool
    stated_n: int
    brier: Exact | None
    reference: Exact | None
    ece: Exact | None
    bins: tuple[ScoreBin, ...]


@tool(effect=Effect.READ)
def score(ctx: Context, args: ScoreArgs) -> ScoreResult:  # noqa: ARG001
    """Return the coach's own record: every suggestion's outcome against the confidence stated."""
    board = read_score(ctx)
    kinds = sorted(board.by_setup, key=lambda one: (-one.ended, one.key, one.real))
    return ScoreResult(
        total=board.total,
        ended=board.ended,
        states=dict(board.states),
        by_setup=tuple(ScoreRow.model_validate(one) for one in kinds[:KINDS_MAX]),
        real=board.real,
        stated_n=board.stated_n,
        brier=board.brier,
        reference=board.reference,
        ece=board.ece,
        bins=tuple(ScoreBin.model_validate(one) for one in board.bins),
        summary=score_words(board),
        source=(Source(provider="cornerman", dataset="suggestions", as_of=instant_text(ctx.now)),),
    )
