"""Owns the tool `untaken`: advice that became no position, and what it would have come to."""

from __future__ import annotations

from pydantic import Field

from services.kit.clock import instant_text
from services.kit.context import Context
from services.research.untaken import read_untaken
from tools.registry import Args, Effect, Result, Source, tool
from tools.wording.figures import Exact, Row
from tools.wording.untaken import untaken_words


class UntakenArgs(Args):
    """How many of the newest to name."""

    limit: int = Field(10, ge=1, le=50, description="How many of the newest to name.")


class UntakenRow(Row):
    """One suggestion that was not taken: its fate, and the R of its own levels when it ended."""

    ref: str
    symbol: str
    side: str
    fate: str
    why: str
    state: str
    r: Exact | None
    real: bool


class FateRow(Row):
    """All advice of one fate; `real` is false for replayed outcomes."""

    fate: str
    real: bool
    n: int
    ended: int
    sum_r: Exact
    mean_r: Exact | None


class UntakenResult(Result):
    """What was not taken, newest first, and the sums by fate, what was taken among them."""

    rows: tuple[UntakenRow, ...]
    sums: tuple[FateRow, ...]


@tool(effect=Effect.READ)
def untaken(ctx: Context, args: UntakenArgs) -> UntakenResult:
    """Return advice that was refused, declined, ignored or expired, and what became of it."""
    found = read_untaken(ctx, limit=args.limit)
    return UntakenResult(
        rows=tuple(UntakenRow.model_validate(one) for one in found.rows),
        sums=tuple(FateRow.model_validate(one) for one in found.sums),
        summary=untaken_words(found),
        source=(Source(provider="cornerman", dataset="suggestions", as_of=instant_text(ctx.now)),),
    )
