"""The strict body parser: the hostile corpus is refused with a code, ordinary JSON passes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.http.body import DEPTH_MAX, parse_json, require_plain
from services.kit.errors import Refusal

HOSTILE = {
    "lone surrogate": b'{"s": "\\ud800"}',
    "surrogate in a key": b'{"\\udfff": 1}',
    "NUL": b'{"s": "\\u0000"}',
    "raw control": b'{"s": "\x01"}',
    "escape character": b'{"s": "\\u001b[31m"}',
    "DEL": b'{"s": "\\u007f"}',
    "NaN": b'{"n": NaN}',
    "Infinity": b'{"n": -Infinity}',
    "1e400": b'{"n": 1e400}',
    "1e1000000": b'{"n": 1e1000000}',
    "a fraction": b'{"n": 0.1}',
    "5,000 digits": b'{"n": ' + b"9" * 5000 + b"}",
    "2^53": b'{"n": 9007199254740992}',
    "duplicate keys": b'{"a": 1, "a": 2}',
    "deep list": b"[" * 100_000,
    "deep objects": b'{"a":' * 33 + b"1" + b"}" * 33,
    "not UTF-8": b'{"s": "\xff\xfe"}',
    "overlong UTF-8": b'{"s": "\xc0\x80"}',
    "no JSON": b"a=b&c=d",
    "two documents": b"{} {}",
    "a bare word": b"undefined",
    "300 members": b"{" + b",".join(b'"k%d": 1' % n for n in range(300)) + b"}",
}


@pytest.mark.fault("F091")
@pytest.mark.fault("F092")
@pytest.mark.fault("F093")
@pytest.mark.fault("F094")
@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_body_is_refused(body):
    with pytest.raises(Refusal) as refused:
        parse_json(body)
    assert refused.value.code == "BODY_INVALID"
    assert len(refused.value.message) < 120


def test_brackets_inside_text_do_not_count_as_nesting():
    text = "[" * 500
    assert parse_json(b'{"s": "' + text.encode() + b'"}') == {"s": text}


def test_nesting_up_to_the_limit_passes():
    body = b"[" * DEPTH_MAX + b"]" * DEPTH_MAX
    assert parse_json(body) is not None


def test_tabs_and_line_ends_pass_and_a_pair_of_surrogates_is_one_character():
    assert parse_json(b'{"s": "a\\tb\\nc \\ud83d\\ude00"}') == {"s": "a\tb\nc \U0001f600"}


SAFE_TEXT = st.text(
    st.characters(blacklist_categories=("Cs", "Cc"), blacklist_characters="\ufffe\uffff"),
    max_size=20,
)
DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | SAFE_TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(SAFE_TEXT, inner, max_size=4),
    max_leaves=20,
)


@given(DOCUMENTS)
def test_an_ordinary_document_comes_through_unchanged(document):
    import json

    assert parse_json(json.dumps(document).encode()) == document
    assert parse_json(json.dumps(document, ensure_ascii=False).encode()) == document


@given(st.binary(max_size=200))
def test_any_bytes_give_a_document_or_a_refusal_and_nothing_else(body):
    refused = None
    try:
        parse_json(body)
    except Refusal as refusal:
        refused = refusal.code
    assert refused in (None, "BODY_INVALID")


@pytest.mark.parametrize("text", ["a\x00b", "a\r\n\x1b", "\ud800"])
def test_a_path_with_control_characters_is_refused(text):
    with pytest.raises(Refusal):
        require_plain(text, "path")
