"""When a story counts, which stories are one, and earnings inside the window of a plan."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kit.errors import Refusal
from services.market.news_rule import (
    Story,
    cluster_stories,
    earnings_window,
    is_relevant,
    merge_stories,
    news_id,
    story_time,
    title_words,
)

NOON = datetime(2026, 3, 9, 16, 0, tzinfo=UTC)
TITLE = "Apple beats estimates on strong iPhone sales in China again this quarter"


def story(name="a", title=TITLE, publisher="Reuters", at=NOON, symbols=("AAPL",)):
    return Story(id=name, title=title, publisher=publisher, at=at, symbols=tuple(symbols))


def shown(clusters):
    return [(one.representative.id, one.duplicates_count) for one in clusters]


@pytest.mark.parametrize(
    ("minutes", "used"), [(None, "seen"), (-60, "published"), (5, "published"), (6, "seen")]
)
def test_a_publication_time_that_can_not_be_gives_way_to_the_first_sight(minutes, used):
    published = None if minutes is None else NOON + timedelta(minutes=minutes)
    seen = NOON - timedelta(minutes=1)
    at, flags = story_time(published, seen, as_of=NOON)
    assert at == (seen if used == "seen" else published)
    assert flags == (("PUBLISHED_AT_SUSPECT",) if used == "seen" else ())


@pytest.mark.parametrize(
    ("style", "at", "relevant"),
    [
        ("intraday", NOON - timedelta(hours=24), True),
        ("intraday", NOON - timedelta(hours=24, seconds=1), False),
        ("swing", datetime(2026, 3, 3, 15, 0, tzinfo=UTC), True),
        ("swing", datetime(2026, 3, 2, 20, 0, tzinfo=UTC), True),
        ("swing", datetime(2026, 3, 2, 14, 0, tzinfo=UTC), False),
    ],
)
def test_relevance_is_a_day_or_five_sessions(style, at, relevant):
    assert is_relevant(at, NOON, style=style, calendar="XNYS") is relevant


def test_the_id_is_the_hash_of_the_link():
    assert news_id("https://example.com/a") == news_id("https://example.com/a")
    assert news_id("https://example.com/a") != news_id("https://example.com/b")
    assert news_id("https://example.com/a").startswith("sha256:")


def test_the_same_id_is_one_story_with_all_symbols_and_the_earliest_time():
    late = story(at=NOON + timedelta(hours=1), symbols=["MSFT"])
    (one,) = merge_stories([late, story()])
    assert (one.at, one.symbols) == (NOON, ("AAPL", "MSFT"))


@pytest.mark.parametrize(
    ("title", "publisher", "words"),
    [
        ("Apple beats, again - Reuters", "Reuters", {"apple", "beats", "again"}),
        ("Apple buys Reuters", "Reuters", {"apple", "buys", "reuters"}),
        ("\uff21pple\u2019s day | CNBC", "cnbc", {"apples", "day"}),
        ("...", "", set()),
    ],
)
def test_titles_become_words(title, publisher, words):
    assert title_words(title, publisher) == words


@pytest.mark.parametrize(
    ("other", "clusters"),
    [
        ({"title": TITLE + " - Yahoo", "publisher": "Yahoo"}, [("a", 1)]),
        ({"title": TITLE.upper() + "!"}, [("a", 1)]),
        ({"symbols": ["MSFT"]}, [("a", 0), ("b", 0)]),
        ({"at": NOON + timedelta(hours=24)}, [("a", 1)]),
        ({"at": NOON + timedelta(hours=24, seconds=1)}, [("a", 0), ("b", 0)]),
        ({"at": NOON - timedelta(hours=1)}, [("b", 1)]),
        ({"publisher": "AP"}, [("b", 1)]),
        ({"title": "Tesla recalls every car"}, [("a", 0), ("b", 0)]),
    ],
)
def test_near_duplicates_fold_into_the_earliest(other, clusters):
    found = cluster_stories([story(), story("b", **other)], publishers=["AP", "Reuters"])
    assert shown(found) == clusters


def test_four_of_five_words_are_enough_and_less_is_not():
    one, same, less = "a b c d", "a b c d e", "a b c d e f"
    assert shown(cluster_stories([story(title=one), story("b", same)])) == [("a", 1)]
    assert shown(cluster_stories([story(title=one), story("b", less)])) == [("a", 0), ("b", 0)]
    assert len(cluster_stories([story(title="!"), story("b", "?")])) == 2


STORIES = st.lists(
    st.builds(
        story,
        st.text("abcd", min_size=1, max_size=2),
        st.sampled_from(["a b c d", "a b c d e", "a b c d e f", "x y"]),
        st.sampled_from(["AP", "Reuters"]),
        st.integers(0, 30).map(lambda hour: NOON + timedelta(hours=hour)),
        st.lists(st.sampled_from(["AAPL", "MSFT"]), min_size=1, max_size=2),
    ),
    max_size=8,
)


@given(STORIES, st.randoms(use_true_random=False))
def test_the_order_of_stories_does_not_matter(stories, chance):
    mixed = list(stories)
    chance.shuffle(mixed)
    found = cluster_stories(stories, publishers=["AP"])
    assert cluster_stories(mixed, publishers=["AP"]) == found
    total = sum(1 + one.duplicates_count for one in found)
    assert total == len({one.id for one in stories})


@pytest.mark.parametrize(
    ("horizon", "report", "time", "inside", "until"),
    [
        ("2025-12-12", "2025-12-04", "amc", True, 8),
        ("2025-11-28", "2025-12-04", "amc", False, 8),
        ("2025-12-04", "2025-12-04", "bmo", True, 8),
        ("2025-12-04", "2025-12-05", "amc", False, 9),
        ("2025-12-12", "2025-11-21", "unknown", True, 0),
        ("2025-12-12", "2025-11-20", "amc", False, None),
        ("2025-12-12", "2025-11-22", "bmo", True, 0),
        ("2025-11-21", "2025-11-21", "bmo", True, 0),
        ("2025-11-21", "2025-11-24", "bmo", False, 1),
        ("2025-11-21", "2025-11-24", "amc", True, 1),
        ("2025-11-21", "2025-11-24", "unknown", True, 1),
        ("2025-11-21", "2025-11-25", "amc", False, 2),
    ],
)
def test_a_report_inside_the_plan_is_flagged(horizon, report, time, inside, until):
    found = earnings_window(
        "XNYS",
        date(2025, 11, 21),
        horizon_end=date.fromisoformat(horizon),
        earnings_date=date.fromisoformat(report),
        time=time,
    )
    assert (found.in_window, found.sessions_until) == (inside, until)
    assert found.flags == (("EARNINGS_IN_WINDOW",) if inside else ())


@pytest.mark.parametrize(
    ("calendar", "horizon", "code"),
    [("XNYS", date(2025, 11, 20), "PARAM_INVALID"), ("XMOON", NOON.date(), "CALENDAR_UNKNOWN")],
)
def test_a_window_that_can_not_be_is_refused(calendar, horizon, code):
    day = date(2025, 11, 21)
    with pytest.raises(Refusal) as caught:
        earnings_window(calendar, day, horizon_end=horizon, earnings_date=day, time="bmo")
    assert caught.value.code == code
