"""Owns the tool `journal_add`: a note in the person's journal."""

from __future__ import annotations

from pydantic import Field

from services import journal
from services.kit.context import Context
from tools.registry import Args, Effect, Result, tool


class JournalAddArgs(Args):
    """What to write."""

    text: str = Field(min_length=1, max_length=4000, description="The note, in the person's words.")


class JournalAddResult(Result):
    """The stored note."""

    id: str


@tool(effect=Effect.NOTE)
def journal_add(ctx: Context, args: JournalAddArgs) -> JournalAddResult:
    """Add a note to the person's journal."""
    entry = journal.add(ctx, args.text)
    return JournalAddResult(id=entry.id, summary="Noted in your journal.")
