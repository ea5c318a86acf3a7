"""Owns the rules of news: when a story counts, which stories are one, earnings inside a plan."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Literal

from services.kit.canonical import tagged_hash
from services.kit.errors import refuse
from services.market.session import sessions_between

SUSPECT_AFTER = timedelta(minutes=5)
CLUSTER_SPAN = timedelta(hours=24)
JACCARD_MIN = Decimal("0.8")
INTRADAY_SPAN = timedelta(hours=24)
SWING_SESSIONS = 5
_SEPARATORS = ("-", "|", "\u2013", "\u2014", ":")
_NEXT_SESSION_DAYS = 31


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """A news item as the rules see it; `at` is the time it counts from (`story_time`)."""

    id: str
    title: str
    publisher: str
    at: datetime
    symbols: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StoryCluster:
    """Stories that tell the same: the one to show, and how many others were folded into it."""

    representative: Story
    duplicates_count: int


@dataclass(frozen=True, slots=True)
class EarningsWindow:
    """Whether a report falls into a plan; `sessions_until` is null when it lies before it."""

    in_window: bool
    sessions_until: int | None
    flags: tuple[str, ...]


def news_id(url_canonical: str) -> str:
    """Return the id of a story: the tagged hash (`news/v1`) of its canonical link."""
    return tagged_hash("news/v1", {"url_canonical": url_canonical})


def story_time(
    published_at: datetime | None, first_seen_at: datetime, *, as_of: datetime
) -> tuple[datetime, tuple[str, ...]]:
    """Return the time a story counts from, and its flags.

    A time that is missing, or more than five minutes after `as_of`, gives way to the time we
    first saw the story, with `PUBLISHED_AT_SUSPECT`.
    """
    if published_at is None or published_at > as_of + SUSPECT_AFTER:
        return first_seen_at, ("PUBLISHED_AT_SUSPECT",)
    return published_at, ()


def is_relevant(
    at: datetime, as_of: datetime, *, style: Literal["intraday", "swing"], calendar: str
) -> bool:
    """Return whether a story still matters: 24 hours intraday, 5 session opens for a swing.

    Both ends are inclusive. Raises `CALENDAR_UNKNOWN`.
    """
    if style == "intraday":
        return as_of - at <= INTRADAY_SPAN
    around = timedelta(days=1)
    sessions = sessions_between(calendar, at.date() - around, as_of.date() + around)
    return sum(1 for session in sessions if at < session.open <= as_of) <= SWING_SESSIONS


def merge_stories(stories: Iterable[Story]) -> list[Story]:
    """Return one story per id, by id: its symbols joined, its earliest time kept."""
    merged: dict[str, Story] = {}
    for story in sorted(stories, key=lambda one: (one.id, one.at, one.publisher, one.title)):
        first = merged.setdefault(story.id, story)
        symbols = tuple(sorted({*first.symbols, *story.symbols}))
        merged[story.id] = replace(first, symbols=symbols)
    return list(merged.values())


def cluster_stories(
    stories: Iterable[Story], *, publishers: Sequence[str] = ()
) -> list[StoryCluster]:
    """Return the stories without near-duplicates, earliest first; order of input never matters.

    Two tell the same when they share a symbol, lie within 24 hours, and 0.8 of their title words
    (Jaccard). The earliest represents them; a tie goes by `publishers` (first is best), then id.
    """
    ranks = {name: rank for rank, name in enumerate(publishers)}

    def order(story: Story) -> tuple[datetime, int, str]:
        return story.at, ranks.get(story.publisher, len(ranks)), story.id

    found: list[tuple[Story, frozenset[str]]] = []
    counts: list[int] = []
    for story in sorted(merge_stories(stories), key=order):
        words = title_words(story.title, story.publisher)
        at = next((n for n, first in enumerate(found) if _same(first, (story, words))), None)
        if at is None:
            found.append((story, words))
            counts.append(0)
        else:
            counts[at] += 1
    return [StoryCluster(story, count) for (story, _), count in zip(found, counts, strict=True)]


def _same(one: tuple[Story, frozenset[str]], other: tuple[Story, frozenset[str]]) -> bool:
    first, second = one[0], other[0]
    near = abs(first.at - second.at) <= CLUSTER_SPAN
    related = not set(first.symbols).isdisjoint(second.symbols)
    return near and related and _alike(one[1], other[1])


def _alike(one: frozenset[str], other: frozenset[str]) -> bool:
    union = len(one | other)
    return union > 0 and len(one & other) >= JACCARD_MIN * union


def title_words(title: str, publisher: str = "") -> frozenset[str]:
    """Return the words of a title: NFKC, lower case, without punctuation and publisher suffix.

    Worked: `Apple beats, again - Reuters` by Reuters is apple, beats, again.
    """
    text = _folded(title)
    suffix = _folded(publisher)
    head = text.removesuffix(suffix).rstrip() if suffix else text
    if head != text and head.endswith(_SEPARATORS):
        text = head.rstrip("".join(_SEPARATORS))
    plain = "".join(char for char in text if not unicodedata.category(char).startswith("P"))
    return frozenset(plain.split())


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).lower().strip()


def earnings_window(
    calendar: str,
    plan_date: date,
    *,
    horizon_end: date,
    earnings_date: date,
    time: Literal["bmo", "amc", "unknown"],
) -> EarningsWindow:
    """Return whether a report falls into `[plan_date, horizon_end]`, both ends in.

    A plan of one day also looks at the next session when the report comes, or may come, after a
    close. `sessions_until` counts the sessions after the plan's date up to the report's.
    Worked: XNYS, plan 2025-11-21, horizon 2025-12-12, report 2025-12-04: in, 8 sessions.
    Raises `PARAM_INVALID` for a horizon before the plan, `CALENDAR_UNKNOWN`.
    """
    if horizon_end < plan_date:
        shown = horizon_end.isoformat()
        raise refuse(
            "PARAM_INVALID", name="horizon_end", value=shown, rule="must not lie before plan_date"
        )
    last = horizon_end
    if horizon_end == plan_date and time != "bmo":
        last = _next_session_date(calendar, plan_date)
    inside = plan_date <= earnings_date <= last
    until = None
    if earnings_date >= plan_date:
        until = len(sessions_between(calendar, plan_date, earnings_date))
        until -= len(sessions_between(calendar, plan_date, plan_date))
    return EarningsWindow(inside, until, ("EARNINGS_IN_WINDOW",) if inside else ())


def _next_session_date(calendar: str, day: date) -> date:
    after = day + timedelta(days=1)
    coming = sessions_between(calendar, after, day + timedelta(days=_NEXT_SESSION_DAYS))
    return coming[0].date if coming else day
