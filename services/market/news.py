"""Owns reading news: the port, one row per story told once, and how good its source is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from services.kit.context import Context
from services.kit.errors import Refusal, check
from services.market.absence import Absence, find_absence, no_provider
from services.market.feed import Capability, Feed
from services.market.news_rule import Story, StoryCluster, cluster_stories, is_relevant, story_time
from services.market.quote import Provenance

SYMBOLS_MAX = 10
ROWS_MAX = 50
_CALENDAR = "XNYS"
_NEWSROOMS = (
    *("Reuters", "Associated Press", "Dow Jones Newswires", "Bloomberg"),
    *("The Wall Street Journal", "Financial Times", "CNBC", "Barron's", "MarketWatch"),
)
_RELEASES = ("GlobeNewswire Inc.", "GlobeNewswire", "Business Wire", "PR Newswire")
_COMMENTARY = (
    *("Investing.com", "Benzinga", "Zacks Investment Research", "The Motley Fool"),
    *("Seeking Alpha", "InvestorPlace"),
)
PUBLISHERS = (*_NEWSROOMS, *_RELEASES, *_COMMENTARY)
"""Publishers from the best on: of two equal stories of one instant the better one is shown."""
_SPELLINGS = {name.casefold(): name for name in PUBLISHERS}

Quality = Literal["newsroom", "release", "commentary", "unrated"]
Relevance = Literal["intraday", "swing"]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewsItem:
    """One story as a provider tells it; `title`, `publisher`, `summary` are words of strangers."""

    id: str
    url: str
    title: str
    publisher: str
    published_at: datetime | None
    first_seen_at: datetime
    symbols: tuple[str, ...]
    provider: str
    provider_id: str
    summary: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewsBatch:
    """The newest stories of one question, and when and how really they were asked for.

    `unusable_count` were left out for a link that is no web address, such as a script, or for
    lack of a title.
    """

    items: tuple[NewsItem, ...]
    fetched_at: datetime
    provenance: Provenance
    source: str
    unusable_count: int = 0


class NewsFeed(Protocol):
    """Where news come from; may raise `PROVIDER_*`."""

    def stories(self, ctx: Context, symbol: str | None) -> NewsBatch:
        """Return the newest stories about a symbol, or about any; at most 120 s old."""
        ...

    def capability(self) -> Capability:
        """Return whether news are on, why, and what to do; never raises."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class NewsRow:
    """One story to show: `at` is the time it counts from, `duplicates_count` what tells the same.

    `relevance` is `intraday` for 24 hours, then `swing` for five sessions.
    """

    item: NewsItem
    at: datetime
    age_s: int
    symbols: tuple[str, ...]
    relevance: Relevance
    quality: Quality
    duplicates_count: int
    flags: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewsPage:
    """The stories, newest first; `older_count` were left out as no longer relevant.

    `unusable_count` were left out for a link that is no web address, or for lack of a title.
    Without a provider there are none, and `absence` says why.
    """

    rows: tuple[NewsRow, ...]
    as_of: datetime
    older_count: int = 0
    unusable_count: int = 0
    provenance: Provenance | None = None
    source: str | None = None
    absence: Absence | None = None


def read_news(ctx: Context, symbols: Sequence[str] = (), *, limit: int = 20) -> NewsPage:
    """Return the relevant stories about up to ten symbols (none: about any), each told once.

    Raises `PARAM_INVALID`, `SYMBOL_UNKNOWN` with the nearest names, and `PROVIDER_*` while the
    provider does not answer.
    """
    check(len(symbols) <= SYMBOLS_MAX and 1 <= limit <= ROWS_MAX, "the doors bound the question")
    if NewsFeed not in ctx.ports:
        return NewsPage(rows=(), as_of=ctx.now, absence=no_provider("news"))
    try:
        batches = _batches(ctx, symbols)
    except Refusal as refusal:
        absence = find_absence(refusal, "news")
        if absence is None:
            raise
        return NewsPage(rows=(), as_of=ctx.now, absence=absence)
    found = build_rows([item for batch in batches for item in batch.items], ctx.now)
    rows = [row for row in found if row is not None]
    delayed = any(batch.provenance is Provenance.DELAYED for batch in batches)
    return NewsPage(
        rows=tuple(rows[:limit]),
        as_of=min(batch.fetched_at for batch in batches),
        older_count=len(found) - len(rows),
        unusable_count=sum(batch.unusable_count for batch in batches),
        provenance=Provenance.DELAYED if delayed else Provenance.LIVE,
        source=batches[0].source,
    )


def find_capability(ctx: Context) -> Capability:
    """Return whether news are on, why, and what to do."""
    if NewsFeed in ctx.ports:
        return ctx.port(NewsFeed).capability()
    absence = no_provider("news")
    return Capability("news", on=False, why=absence.why, todo=absence.todo)


def _batches(ctx: Context, symbols: Sequence[str]) -> list[NewsBatch]:
    feed = ctx.port(Feed)
    known = dict.fromkeys(feed.instrument(ctx, symbol).symbol for symbol in symbols)
    asked: list[str | None] = [*known] or [None]
    port = ctx.port(NewsFeed)
    return [port.stories(ctx, symbol) for symbol in asked]


def build_rows(items: Sequence[NewsItem], as_of: datetime) -> list[NewsRow | None]:
    """Return the stories without repeats, newest first; None for each that is too old."""
    times = {
        item.id: story_time(item.published_at, item.first_seen_at, as_of=as_of) for item in items
    }
    by_id = {item.id: item for item in reversed(items)}
    stories = [_story(item, times[item.id][0]) for item in items]
    clusters = cluster_stories(stories, publishers=PUBLISHERS)
    newest = sorted(clusters, key=lambda one: one.representative.at, reverse=True)
    return [_row(one, by_id[one.representative.id], times, as_of) for one in newest]


def _story(item: NewsItem, at: datetime) -> Story:
    publisher = _SPELLINGS.get(item.publisher.casefold(), item.publisher)
    return Story(
        id=item.id, title=item.title, publisher=publisher, at=at, symbols=tuple(item.symbols)
    )


def _row(
    cluster: StoryCluster,
    item: NewsItem,
    times: dict[str, tuple[datetime, tuple[str, ...]]],
    as_of: datetime,
) -> NewsRow | None:
    story = cluster.representative
    relevance = find_relevance(story.at, as_of)
    if relevance is None:
        return None
    return NewsRow(
        item=item,
        at=story.at,
        age_s=max(0, int((as_of - story.at).total_seconds())),
        symbols=story.symbols,
        relevance=relevance,
        quality=quality_of(item.publisher),
        duplicates_count=cluster.duplicates_count,
        flags=times[item.id][1],
    )


def find_relevance(at: datetime, as_of: datetime) -> Relevance | None:
    """Return what a story still matters to: 24 hours, five session opens, or nothing (None)."""
    if is_relevant(at, as_of, style="intraday", calendar=_CALENDAR):
        return "intraday"
    return "swing" if is_relevant(at, as_of, style="swing", calendar=_CALENDAR) else None


def quality_of(publisher: str) -> Quality:
    """Return what kind of source a publisher is; an unknown name is `unrated`, not bad.

    Worked: `reuters` is a newsroom, `PR Newswire` a release.
    """
    name = _SPELLINGS.get(publisher.casefold())
    if name in _NEWSROOMS:
        return "newsroom"
    if name in _RELEASES:
        return "release"
    return "commentary" if name in _COMMENTARY else "unrated"
