"""Trend votes, the confluence score, and what of it may be missing."""

from decimal import Decimal as D  # noqa: N817 - tables of numbers read better short

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kit.errors import Refusal
from services.kit.money import rounded
from services.strategy.confluence import COMPONENTS, confluence, mtf

_WEIGHTS = ("0.35", "0.15", "0.15", "0.15", "0.10", "0.05", "0.05")
_VALUES = ("0.883333", "1", "0.6", "0.75", "0.5", "1", "0.5")
WEIGHTS = dict(zip(COMPONENTS, map(D, _WEIGHTS), strict=True))
VALUES = dict(zip(COMPONENTS, map(D, _VALUES), strict=True))
FRAMES = {"1d": D("0.35"), "60m": D("0.30"), "15m": D("0.20"), "5m": D("0.15")}
VOTES = {"1d": [1, 1, 1], "60m": [1, 1, 0], "15m": [1, -1, 1], "5m": [1, 1, 1]}


def test_votes_agree_with_a_side():
    found = mtf("long", VOTES, weights=FRAMES)
    assert rounded(found.mtf, 6) == D("0.883333")
    assert {name: rounded(x, 6) for name, x in found.trend.items()} == {
        "1d": D(1),
        "60m": D("0.666667"),
        "15m": D("0.333333"),
        "5m": D(1),
    }
    assert rounded(mtf("short", VOTES, weights=FRAMES).mtf, 6) == D("0.116667")


@given(
    st.dictionaries(
        st.sampled_from(sorted(FRAMES)),
        st.lists(st.sampled_from([-1, 0, 1]), min_size=3, max_size=3),
        min_size=1,
    )
)
def test_long_and_short_share_the_weight_between_them(votes):
    weights = {name: FRAMES[name] for name in votes}
    long, short = (mtf(side, votes, weights=weights) for side in ("long", "short"))
    assert long.trend == short.trend
    assert abs(long.mtf + short.mtf - sum(weights.values())) < D("1e-30")
    mirrored = {name: [-vote for vote in cast] for name, cast in votes.items()}
    assert mtf("short", mirrored, weights=weights).mtf == long.mtf


@pytest.mark.parametrize(
    ("side", "votes", "weights"),
    [
        ("up", VOTES, FRAMES),
        ("long", {}, {}),
        ("long", {"1d": [1, 1, 1]}, FRAMES),
        ("long", VOTES | {"1d": [1, 1]}, FRAMES),
        ("long", VOTES | {"1d": [1, 1, 2]}, FRAMES),
        ("long", {"2m": [1, 1, 1]}, {"2m": D(1)}),
        ("long", {"1d": [1, 1, 1]}, {"1d": D("1.1")}),
        ("long", {"1d": [1, 1, 1]}, {"1d": D("-0.1")}),
        ("long", {"1d": [1] * 3, "5m": [1] * 3}, {"1d": D("0.6"), "5m": D("0.6")}),
    ],
)
def test_votes_that_make_no_sense_are_refused(side, votes, weights):
    with pytest.raises(Refusal) as caught:
        mtf(side, votes, weights=weights)
    assert caught.value.code == "PARAM_INVALID"


@pytest.mark.parametrize(
    ("absent", "score", "coverage"),
    [
        ([], "0.7867", "1"),
        (["market", "momentum"], "0.8373", "0.85"),
        (["momentum", "room", "volatility"], "0.8202", "0.70"),
        (["market", "momentum", "room", "volatility"], None, "0.65"),
        (["mtf"], None, "0.65"),
        (list(COMPONENTS), None, "0"),
    ],
)
def test_a_score_needs_seven_tenths_of_its_weight(absent, score, coverage):
    given_null = confluence(VALUES | dict.fromkeys(absent), WEIGHTS)
    left_out = confluence({k: v for k, v in VALUES.items() if k not in absent}, WEIGHTS)
    assert given_null == left_out
    assert given_null.missing == tuple(sorted(absent))
    assert given_null.coverage == D(coverage)
    assert (given_null.score is None) == (score is None)
    assert score is None or rounded(given_null.score, 4) == D(score)
    assert given_null.flags == (("CONFLUENCE_COVERAGE_LOW",) if score is None else ())


@pytest.mark.parametrize(
    ("values", "weights"),
    [
        (VALUES | {"rvol": D("1.01")}, WEIGHTS),
        (VALUES | {"rvol": D("-0.01")}, WEIGHTS),
        ({"luck": D(1)}, WEIGHTS),
        (VALUES, WEIGHTS | {"luck": D("0.1")}),
        (VALUES, WEIGHTS | {"mtf": D("0.36")}),
    ],
)
def test_components_that_make_no_sense_are_refused(values, weights):
    with pytest.raises(Refusal) as caught:
        confluence(values, weights)
    assert caught.value.code == "PARAM_INVALID"


@given(st.fixed_dictionaries(dict.fromkeys(COMPONENTS, st.decimals(0, 1, places=3))))
def test_a_score_lies_between_its_lowest_and_highest_component(values):
    score = confluence(values, WEIGHTS).score
    assert min(values.values()) - D("1e-30") <= score <= max(values.values()) + D("1e-30")
