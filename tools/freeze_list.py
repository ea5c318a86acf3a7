"""Owns the tool `freeze_list`: what is frozen, why, and what ends it."""

from __future__ import annotations

from collections.abc import Mapping

from services.kit.clock import instant_text
from services.kit.context import Context
from services.market.freeze import list_freezes
from tools.registry import Args, Effect, Result, Source, tool
from tools.wording.figures import Moment, Row
from tools.wording.health import freeze_words


class FreezeListArgs(Args):
    """No arguments."""


class FreezeRow(Row):
    """One freeze that stands; `code` is `BOOK` or that of the finding that froze the data."""

    id: str
    scope: str
    code: str
    subject: str
    reason: str
    findings: tuple[Mapping[str, str], ...]
    opened_at: Moment
    auto_clear: bool
    clean_needed: int
    clean_seen: int
    unfreezes: str


class FreezeListResult(Result):
    """The freezes that stand, newest first."""

    freezes: tuple[FreezeRow, ...]


@tool(effect=Effect.READ)
def freeze_list(ctx: Context, args: FreezeListArgs) -> FreezeListResult:  # noqa: ARG001
    """Return every freeze of data or book that stands: what, why, and what ends it."""
    standing = list_freezes(ctx, open_only=True, limit=20)
    return FreezeListResult(
        freezes=tuple(FreezeRow.model_validate(one) for one in standing),
        summary=freeze_words(standing),
        source=(Source(provider="cornerman", dataset="freezes", as_of=instant_text(ctx.now)),),
    )
