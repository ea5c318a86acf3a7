"""Links to one story become one text, and nothing is fetched to get there."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kit.errors import Refusal
from services.market.news_url import canonical_url


@pytest.mark.parametrize(
    ("link", "plain"),
    [
        (
            "HTTPS://www.Example.com:443/news/apple-beats/?utm_source=x&b=2&a=1#top",
            "https://example.com/news/apple-beats?a=1&b=2",
        ),
        (
            "http://example.com/a/../b/%7Euser?ref=tw&q=caf%C3%A9",
            "https://example.com/b/~user?q=caf%C3%A9",
        ),
        ("https://a.example/a%2fb/x%26y", "https://a.example/a%2Fb/x%26y"),
        ("https://m.news.example.com/story/index.html", "https://news.example.com/story"),
        ("https://user:secret@example.com:8443/", "https://example.com:8443/"),
    ],
)
def test_each_link_has_its_canonical_form(link, plain):
    assert canonical_url(link) == plain


@pytest.mark.parametrize(
    "link", ["ftp://example.com/x", "javascript:alert(1)", "//x", "", "https://"]
)
def test_other_links_are_refused(link):
    with pytest.raises(Refusal, match="NEWS_URL_INVALID"):
        canonical_url(link)


@given(st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), max_size=30))
def test_the_canonical_form_is_its_own_canonical_form(path):
    try:
        once = canonical_url(f"https://example.com/{path}")
    except Refusal:
        return
    assert canonical_url(once) == once
