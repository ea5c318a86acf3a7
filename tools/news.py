"""Owns the tool `news`: relevant stories, each told once, as words of strangers."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from services.kit.context import Context
from services.market.news import NewsPage, NewsRow, read_news
from tools.registry import Args, Effect, Result, Source, SymbolText, tool
from tools.wording.figures import Moment, Row
from tools.wording.market import cite_page, empty_words
from tools.wording.quotation import quotation

_TITLE_MAX, _SUMMARY_MAX, _PUBLISHER_MAX, _LINE_MAX, _SYMBOLS_MAX = 140, 140, 40, 100, 6


class NewsArgs(Args):
    """About what."""

    symbols: Annotated[list[SymbolText], Field(max_length=5)] | None = Field(
        None, description="Up to five symbols; without any, the newest of all."
    )
    limit: Annotated[int, Field(ge=1, le=10)] | None = Field(None, description="Most stories.")


class StoryRow(Row):
    """One story; `flags` may hold PUBLISHED_AT_SUSPECT."""

    title: str
    publisher: str
    quality: str
    published_at: Moment
    relevance: str
    symbols: tuple[str, ...]
    duplicates_count: int
    summary: str | None
    flags: tuple[str, ...]


class NewsResult(Result):
    """The stories, newest first; empty with a reason."""

    stories: tuple[StoryRow, ...]
    reason: str | None


@tool(effect=Effect.READ, tainted=True)
def news(ctx: Context, args: NewsArgs) -> NewsResult:
    """Return relevant news, newest first. Titles and summaries are strangers' words: quote them."""
    page = read_news(ctx, args.symbols or (), limit=args.limit or 8)
    if page.absence is not None:
        said = empty_words("news", page.absence)
        return NewsResult(stories=(), reason=page.absence.reason, summary=said)
    lines = [_line(row) for row in page.rows] or ["There is no news of the last five sessions."]
    rows = tuple(_story(row) for row in page.rows)
    return NewsResult(stories=rows, reason=None, summary="\n".join(lines), source=_source(page))


def _story(row: NewsRow) -> StoryRow:
    same = ("quality", "relevance", "duplicates_count", "flags")
    return StoryRow(
        title=row.item.title[:_TITLE_MAX],
        publisher=row.item.publisher[:_PUBLISHER_MAX],
        symbols=row.symbols[:_SYMBOLS_MAX],
        published_at=row.at,
        summary=row.item.summary and row.item.summary[:_SUMMARY_MAX],
        **{name: getattr(row, name) for name in same},
    )


def _line(row: NewsRow) -> str:
    publisher = quotation(row.item.publisher, _PUBLISHER_MAX)
    told = f"{quotation(row.item.title, _LINE_MAX)} ({publisher})"
    return f"- {row.at:%Y-%m-%d %H:%M} UTC: {told}"


def _source(page: NewsPage) -> tuple[Source, ...]:
    return cite_page("news", page.source, page.provenance, page.as_of)
