"""Owns news of Massive: its articles as items with a canonical link and plain text."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import datetime

import structlog

from services.kit.clock import Clock
from services.kit.context import Context
from services.kit.errors import Refusal
from services.market.decode import Record
from services.market.feed import Capability
from services.market.fetching import Fetched
from services.market.instrument import require_symbol
from services.market.link import Ask, Link
from services.market.news import NewsBatch, NewsItem
from services.market.news_rule import news_id
from services.market.news_text import plain_line
from services.market.quote import Provenance

TTL_S = 120.0
"""How long an answer serves everybody who asks the same."""
_LIMIT = "50"
_SEEN_MAX = 20_000
_TITLE_MAX, _PUBLISHER_MAX, _SUMMARY_MAX, _SYMBOLS_MAX = 300, 80, 600, 20
_PRODUCT = "news"
_log = structlog.get_logger("news")


class MassiveNews:
    """The news of one account. It reads what the vendor wrote and never follows a link."""

    def __init__(self, link: Link, clock: Clock, source: str) -> None:
        self._link = link
        self._clock = clock
        self._source = source
        self._fetched = Fetched(clock, size_max=1_000)
        self._seen: dict[str, datetime] = {}
        self._lock = threading.Lock()

    def stories(self, ctx: Context, symbol: str | None) -> NewsBatch:  # noqa: ARG002 - the port
        """Return the newest fifty articles about a symbol, or about any; at most 120 s old."""
        return self._fetched.get((_PRODUCT, symbol), TTL_S, lambda: self._ask(symbol))

    def capability(self) -> Capability:
        """Return whether the plan and the key give news, as far as answers said."""
        record = self._link.record(self._source, Provenance.LIVE, {_PRODUCT: _PRODUCT})
        return record.products[0]

    def _ask(self, symbol: str | None) -> NewsBatch:
        page = self._link.page(
            Ask(
                kind="news_item",
                product=_PRODUCT,
                path="/v2/reference/news",
                template="/v2/reference/news",
                params={"limit": _LIMIT, "sort": "published_utc", "order": "desc"}
                | ({} if symbol is None else {"ticker": symbol}),
                symbol=symbol or "",
            )
        )
        now = self._clock.now()
        built = [build_item(record, self._source, now) for record in page.records]
        items = [self._first_seen(item) for item in built if item is not None]
        unusable = len(built) - len(items)
        if unusable:
            _log.warning("news.unusable", source=self._source, left_out=unusable)
        return NewsBatch(
            items=tuple(items),
            fetched_at=now,
            provenance=Provenance.DELAYED if page.delayed else Provenance.LIVE,
            source=self._source,
            unusable_count=unusable,
        )

    def _first_seen(self, item: NewsItem) -> NewsItem:
        """Return the item with the time that this process first saw it; the newest are kept."""
        with self._lock:
            first = self._seen.setdefault(item.id, item.first_seen_at)
            while len(self._seen) > _SEEN_MAX:
                self._seen.pop(next(iter(self._seen)))
        return replace(item, first_seen_at=first)


def build_item(record: Record, source: str, seen_at: datetime) -> NewsItem | None:
    """Return the item of a decoded article; None without a link or a title that can be read."""
    title = plain_line(record["title"], _TITLE_MAX)
    if record["url_canonical"] is None or not title:
        return None
    summary = plain_line(record["summary"] or "", _SUMMARY_MAX)
    return NewsItem(
        id=news_id(record["url_canonical"]),
        url=record["url_canonical"],
        title=title,
        publisher=plain_line(record["publisher"] or "", _PUBLISHER_MAX) or "unknown",
        published_at=record["published_at"],
        first_seen_at=seen_at,
        symbols=_symbols(record["symbols"] or []),
        provider=source,
        provider_id=plain_line(record["provider_id"], _PUBLISHER_MAX),
        summary=summary or None,
    )


def _symbols(words: list[str]) -> tuple[str, ...]:
    """Return the words that are symbols, each once; others are no part of the product."""
    found: dict[str, None] = {}
    for word in words[:_SYMBOLS_MAX]:
        try:
            found.setdefault(require_symbol(word))
        except Refusal:
            continue
    return tuple(found)
