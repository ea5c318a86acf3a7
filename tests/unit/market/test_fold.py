"""Folding many bars at once is pushing them one by one, bit for bit, however they are cut."""

from hypothesis import given
from hypothesis import strategies as st

from services.market.fold import fold_adx, fold_atr, fold_ema, fold_rsi, fold_swings
from services.market.indicator import Adx, Atr, Ema, Rsi
from services.market.level import swings

PRICES = st.one_of(
    st.sampled_from([1.0, 2.0, 2.5, 3.0]),
    st.floats(0.01, 1e6, allow_nan=False, allow_infinity=False),
)


@st.composite
def bars(draw):
    """Bars with high >= low and a close within, often without any move."""
    rows = draw(st.lists(st.tuples(PRICES, PRICES, PRICES), max_size=120))
    ordered = [sorted(row) for row in rows]
    highs, closes, lows = ([row[at] for row in ordered] for at in (2, 1, 0))
    return highs, lows, closes


@st.composite
def cut_bars(draw):
    columns = draw(bars())
    size = len(columns[0])
    cuts = sorted(draw(st.lists(st.integers(0, size), max_size=4)))
    return columns, list(zip([0, *cuts], [*cuts, size], strict=True))


@given(cut_bars(), st.integers(1, 20))
def test_a_fold_in_any_pieces_is_the_push_of_each_bar(given_bars, n):
    (highs, lows, closes), pieces = given_bars
    for kind, fold, columns in (
        (Ema, fold_ema, (closes,)),
        (Rsi, fold_rsi, (closes,)),
        (Atr, fold_atr, (highs, lows, closes)),
        (Adx, fold_adx, (highs, lows, closes)),
    ):
        pushed, folded = kind(n), kind(n)
        one_by_one = [pushed.push(*row) for row in zip(*columns, strict=True)]
        made = []
        for first, end in pieces:
            made += fold(folded, *(column[first:end] for column in columns))
        assert made == one_by_one
        assert folded == pushed
        assert folded.push(*(7.0 for _ in columns)) == pushed.push(*(7.0 for _ in columns))


@given(cut_bars(), st.integers(1, 6))
def test_swings_in_any_pieces_are_those_of_the_whole_series(given_bars, k):
    (highs, lows, _), pieces = given_bars
    found = []
    for first, end in pieces:
        found += fold_swings(highs[:end], lows[:end], k, first)
    assert found == (list(swings(highs, lows, k)) if highs else [])
