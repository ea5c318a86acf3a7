"""Canonical form and hashes are the same for the same facts, and refuse what has no one form."""

import json
from datetime import UTC, datetime
from decimal import Decimal as D  # noqa: N817

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from services.kit.canonical import canonical, tagged_hash
from services.kit.errors import Refusal

_leaf = st.one_of(
    st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=8),
    st.integers(-(2**53) + 1, 2**53 - 1),
    st.booleans(),
)
_documents = st.dictionaries(
    st.text(st.characters(codec="utf-8"), max_size=6),
    st.recursive(
        _leaf,
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=4), inner, max_size=3)
        ),
        max_leaves=8,
    ),
)


@given(_documents)
def test_the_hash_survives_a_round_trip_and_key_order(document):
    again = dict(reversed(list(json.loads(canonical(document)).items())))
    assert tagged_hash("plan/v1", again) == tagged_hash("plan/v1", document)


def test_decimals_instants_and_absent_fields_have_one_form():
    moment = datetime(2025, 11, 21, 15, 0, 0, 999, tzinfo=UTC)
    assert (
        canonical({"b": D("1.50"), "a": moment, "gone": None})
        == b'{"a":"2025-11-21T15:00:00.000Z","b":"1.5"}'
    )


@pytest.mark.parametrize(
    ("document", "path"),
    [({"a": 1.5}, "$.a"), ({"a": [{"b": float("nan")}]}, "$.a[0].b"), ({"n": 2**53}, "$.n")],
)
def test_floats_and_unsafe_integers_are_refused_with_their_path(document, path):
    with pytest.raises(Refusal) as refused:
        canonical(document)
    assert refused.value.code == "CANON_FLOAT"
    assert refused.value.facts["path"] == path


def _planted(item, places, value):
    """Return `item` with `value` in place of one of its leaves."""
    if isinstance(item, dict) and item:
        key = sorted(item)[places % len(item)]
        return {**item, key: _planted(item[key], places // 2, value)}
    if isinstance(item, list) and item:
        at = places % len(item)
        return [*item[:at], _planted(item[at], places // 2, value), *item[at + 1 :]]
    return value


@given(_documents, st.integers(0, 99), st.floats())
def test_a_float_anywhere_in_a_document_is_refused(document, places, value):
    with pytest.raises(Refusal, match="CANON_FLOAT"):
        canonical({"kept": _planted(document, places, value)})


def test_the_tag_is_part_of_the_hash():
    assert tagged_hash("order/v1", {"a": 1}) != tagged_hash("plan/v1", {"a": 1})


_any_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
_any = st.recursive(
    st.one_of(_any_text, st.integers(-(2**53) + 1, 2**53 - 1), st.booleans()),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_any_text, inner, max_size=4),
    max_leaves=12,
)


@given(_any)
def test_the_bytes_are_those_of_the_reference_implementation(document):
    assert canonical(document) == rfc8785.dumps(document)


@pytest.mark.parametrize("text", ["\ud800", "a\udfff"])
def test_a_lone_surrogate_has_no_canonical_form(text):
    with pytest.raises((UnicodeEncodeError, rfc8785.CanonicalizationError)):
        canonical({"a": text})
