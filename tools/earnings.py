"""Owns the tool `earnings`: when companies report, confirmed or not, or that nobody knows."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from pydantic import Field

from services.kit.context import Context
from services.market.earnings import EarningsRow, Report, read_earnings
from tools.registry import Args, Effect, Result, SymbolText, tool
from tools.wording.figures import Row
from tools.wording.market import cite_page, empty_words, report_words


class EarningsArgs(Args):
    """Whose reports."""

    symbols: Annotated[list[SymbolText], Field(min_length=1, max_length=10)] = Field(
        description="One to ten ticker symbols, such as AAPL."
    )
    days: Annotated[int, Field(ge=1, le=90)] | None = Field(None, description="Days ahead.")


class ReportRow(Row):
    """One report; `bmo` is before the open, `amc` after the close."""

    date: date
    time: str
    confirmed: bool
    sessions_until: int | None
    flags: tuple[str, ...]


class SymbolRow(Row):
    """The next and the last report of one symbol."""

    symbol: str
    next: ReportRow | None
    last: ReportRow | None
    flags: tuple[str, ...]


class EarningsResult(Result):
    """One row per symbol; empty with a reason."""

    rows: tuple[SymbolRow, ...]
    reason: str | None


@tool(effect=Effect.READ)
def earnings(ctx: Context, args: EarningsArgs) -> EarningsResult:
    """Return the next and last earnings report of one to ten symbols, as far as it is known."""
    page = read_earnings(ctx, args.symbols, days=args.days or 30)
    if page.absence is not None:
        said = empty_words("earnings dates", page.absence)
        return EarningsResult(rows=(), reason=page.absence.reason, summary=said)
    return EarningsResult(
        rows=tuple(_row(row) for row in page.rows),
        reason=None,
        summary="\n".join(report_words(row, page.days) for row in page.rows),
        source=cite_page("earnings", page.source, page.provenance, page.as_of),
    )


def _row(row: EarningsRow) -> SymbolRow:
    return SymbolRow(
        symbol=row.symbol, next=_report(row.next), last=_report(row.last), flags=row.flags
    )


def _report(report: Report | None) -> ReportRow | None:
    return None if report is None else ReportRow.model_validate(report)
