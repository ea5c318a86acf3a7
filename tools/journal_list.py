"""Owns the tool `journal_list`: what the journal says."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from services import journal
from services.kit.context import Context
from tools.registry import Args, Effect, Result, tool
from tools.wording.figures import Moment, Row
from tools.wording.quotation import quotation

_SHOWN_MAX = 8


class JournalListArgs(Args):
    """Which entries."""

    query: str | None = Field(None, max_length=100, description="Text or symbol to look for.")
    days: Annotated[int, Field(ge=1, le=3660)] | None = Field(None, description="Newest days only.")
    limit: Annotated[int, Field(ge=1, le=50)] | None = Field(None, description="Most entries.")


class JournalRow(Row):
    """One entry: an execution's record or a note."""

    id: str
    kind: str
    symbol: str | None
    text: str
    at: Moment


class JournalListResult(Result):
    """The entries, newest first."""

    entries: tuple[JournalRow, ...]


@tool(effect=Effect.READ, tainted=True)
def journal_list(ctx: Context, args: JournalListArgs) -> JournalListResult:
    """Return journal entries, newest first: records of executions and the person's notes."""
    found = journal.list_entries(ctx, args.query, days=args.days, limit=args.limit or 20)
    rows = tuple(
        JournalRow(
            id=item.id,
            kind=item.kind,
            symbol=item.symbol or None,
            text=" ".join(item.text.split()),
            at=item.market_at,
        )
        for item in found
    )
    if not rows:
        about = " about that" if args.query else ""
        return JournalListResult(entries=(), summary=f"The journal holds nothing{about} yet.")
    lines = [_line(row) for row in rows[:_SHOWN_MAX]]
    return JournalListResult(entries=rows, summary="\n".join(["From the journal:", "", *lines]))


def _line(row: JournalRow) -> str:
    """Return an entry as a quotation, so that its words are nobody's claim."""
    return f"- {row.at:%Y-%m-%d %H:%M} UTC: {quotation(row.text)}"
