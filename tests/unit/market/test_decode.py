"""The readers shared by all providers' decoders, option symbols and news links."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given as fed
from hypothesis import settings
from hypothesis import strategies as st

from services.kit.errors import Refusal
from services.market import decode
from services.market.decode import Given
from services.market.massive_decode import decode_massive
from services.market.massive_fields import FIELDS as MASSIVE_KINDS
from services.market.news_url import canonical_url
from services.market.osi import find_option, osi_text
from services.market.tradier_decode import _BUILDERS, decode_tradier


def code_of(act):
    with pytest.raises(Refusal) as caught:
        act()
    return caught.value.code


@pytest.mark.parametrize(
    ("given", "due"),
    [
        (1601316752, "2020-09-28T18:12:32+00:00"),
        (1601316752683, "2020-09-28T18:12:32.683000+00:00"),
        (1601316752683746, "2020-09-28T18:12:32.683746+00:00"),
        (1601316752683746999, "2020-09-28T18:12:32.683746+00:00"),
        ("1601316752683", "2020-09-28T18:12:32.683000+00:00"),
        ("2025-12-09T18:03:51.029067177Z", "2025-12-09T18:03:51.029067+00:00"),
        ("2020-11-10T17:37:37-05:00", "2020-11-10T22:37:37+00:00"),
        ("2024-07-10T09:30:00", "2024-07-10T13:30:00+00:00"),
        ("2024-01-10 09:30:00", "2024-01-10T14:30:00+00:00"),
    ],
)
def test_an_instant_is_read_by_magnitude_or_by_its_text(given, due):
    assert decode.instant(given) == datetime.fromisoformat(due)


@pytest.mark.parametrize(
    "given", [0, -5, None, "", "null", "soon", True, 10**25, "2024-13-40T00:00Z"]
)
def test_what_is_no_instant_is_absent(given):
    assert decode.instant(given) is None


@pytest.mark.parametrize(
    ("given", "due"),
    [
        (None, []),
        ("null", []),
        ("", []),
        ([], []),
        ({"a": 1}, [{"a": 1}]),
        ([None, "null", 1], [1]),
        ("X", ["X"]),
    ],
)
def test_one_or_many_becomes_a_list(given, due):
    assert decode.as_list(given) == due


@pytest.mark.parametrize(
    ("given", "due"),
    [
        (1, "1"),
        ("281.1200", "281.1200"),
        (Decimal("0.1"), "0.1"),
        ("1e3", "1000"),
        (True, None),
        ("NaN", None),
        ("1,000", None),
        ("١٢", None),
        ("null", None),
        ("1e999", None),
    ],
)
def test_a_number_is_exact_or_absent(given, due):
    assert decode.number(given) == (None if due is None else Decimal(due))


def test_json_numbers_stay_exact_and_nanoseconds_stay_whole():
    found = decode.read_json(b'{"p": 0.1, "t": 1605195918306274001}', "Test")
    assert found == {"p": Decimal("0.1"), "t": 1605195918306274001}


@pytest.mark.fault("F023")
@pytest.mark.parametrize(
    ("body", "due"),
    [
        (b"<html><body>504</body></html>", "PROVIDER_UNAVAILABLE"),
        (b" \n<!DOCTYPE html>", "PROVIDER_UNAVAILABLE"),
        (b'{"results": [{"c": 1', "PROVIDER_BODY_INVALID"),
        (b"", "PROVIDER_BODY_INVALID"),
        (b'{"p": NaN}', "PROVIDER_BODY_INVALID"),
        (b'{"p": 1e400}', "PROVIDER_BODY_INVALID"),
        (b'{"p": ' + b"9" * 5000 + b"}", "PROVIDER_BODY_INVALID"),
        (b"[" * 100_000, "PROVIDER_BODY_INVALID"),
        (b"\xff\xfe", "PROVIDER_BODY_INVALID"),
    ],
)
def test_a_body_that_is_no_document_is_refused(body, due):
    assert code_of(lambda: decode.read_json(body, "Test")) == due


@pytest.mark.parametrize(
    "name", ["AAPL  270115C00182500", "AAPL270115C00182500", "O:AAPL270115C00182500"]
)
def test_every_spelling_of_an_option_is_one_symbol(name):
    option = find_option(name)
    assert (option.osi, option.root) == ("AAPL  270115C00182500", "AAPL")
    assert (option.expiry, option.right, option.strike) == (
        date(2027, 1, 15),
        "call",
        Decimal("182.5"),
    )


def test_an_adjusted_root_keeps_its_digit():
    assert osi_text("AAPL7150117C00430000") == "AAPL7 150117C00430000"


@pytest.mark.parametrize(
    "name", ["AAPL", "AAPL271399C00182500", "", None, 7, "O:AAPL270115X00182500"]
)
def test_what_is_no_option_symbol_is_none(name):
    assert find_option(name) is None


@pytest.mark.parametrize(
    ("given", "due"),
    [
        (
            "HTTPS://www.Example.com:443/news/apple-beats/?utm_source=x&b=2&a=1#top",
            "https://example.com/news/apple-beats?a=1&b=2",
        ),
        (
            "http://example.com/a/../b/%7Euser?ref=tw&q=caf%C3%A9",
            "https://example.com/b/~user?q=caf%C3%A9",
        ),
        ("https://www.m.amp.example.com./x//y/amp", "https://example.com/x/y"),
        ("https://m.com/index.html", "https://m.com/"),
        ("https://u:p@example.com:8443", "https://example.com:8443/"),
        ("https://example.com/a%2Fb/%ff?GCLID=1&z=", "https://example.com/a%2Fb/%FF?z="),
        ("https://b\u00fccher.example/x", "https://xn--bcher-kva.example/x"),
    ],
)
def test_a_news_link_has_one_canonical_form(given, due):
    assert canonical_url(given) == due
    assert canonical_url(due) == due


@pytest.mark.parametrize(
    "given",
    ["ftp://example.com/x", "javascript:alert(1)", "", "https://", "https://[x", "https://a b"],
)
def test_what_is_no_web_link_is_refused(given):
    assert code_of(lambda: canonical_url(given)) == "NEWS_URL_INVALID"


KEYS = [
    "results",
    "ticker",
    "tickers",
    "status",
    "ev",
    "sym",
    "T",
    "t",
    "p",
    "s",
    "o",
    "h",
    "l",
    "c",
    "type",
    "id",
    "symbol",
    "quotes",
    "quote",
    "orders",
    "order",
    "options",
    "option",
    "history",
    "day",
    "series",
    "data",
    "strikes",
    "strike",
    "leg",
    "event",
    "details",
    "price",
    "date",
    "calendar",
    "days",
    "open",
    "symbols",
    "ticker_change",
    "cash_amount",
    "last_quote",
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=5)
    ),
    max_leaves=20,
)


@settings(max_examples=150, deadline=None)
@fed(
    document=JSON,
    massive=st.sampled_from(sorted(MASSIVE_KINDS)),
    tradier=st.sampled_from(sorted(_BUILDERS)),
)
def test_any_document_becomes_records_or_a_refusal(document, massive, tradier):
    body = json.dumps(document).encode()
    for decoder, kind in ((decode_massive, massive), (decode_tradier, tradier)):
        try:
            records = decoder(kind, body, Given(symbol="AAPL"))
        except Refusal as refusal:
            outcome = refusal.code.startswith(("PROVIDER_", "BROKER_", "SYMBOL_UNKNOWN"))
        else:
            outcome = all(isinstance(record, dict) for record in records)
        assert outcome


def test_now_is_not_needed_to_read_an_instant():
    assert decode.instant(1704205800) == datetime(2024, 1, 2, 14, 30, tzinfo=UTC)
