"""Kept tracks: the hash goes on with the bars, and is that of the whole series."""

import hashlib
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kit.canonical import tagged_hash
from services.kit.errors import Refusal
from services.kit.money import use_context
from services.market.bar import Bar, bar_hash
from services.market.feed import BarSeries
from services.market.instrument import Instrument
from services.market.quote import Provenance
from services.strategy.load import BAR_BYTES, TrackCache, build_kept

OPEN = datetime(2024, 6, 10, 13, 30, tzinfo=UTC)
LISTED = Instrument(
    id="XNAS:TEST", symbol="TEST", name="Test", asset_class="equity", currency="USD",
    quote_unit="USD", price_scale=Decimal(1), lot_step=Decimal(1), min_quantity=Decimal(1),
    multiplier=Decimal(1), calendar="XNYS", shortable=True, tick_rule="us",
)  # fmt: skip
NUMBERS = st.one_of(
    st.decimals("0.00000001", "1000000", places=8),
    st.decimals("1", "1000", places=2),
    st.sampled_from(["1E+3", "1.500E+2", "100", "100.00", "0.10", "1E-7", "20.0"]).map(Decimal),
)


@st.composite
def series(draw):
    rows = draw(st.lists(st.tuples(NUMBERS, NUMBERS, st.none() | NUMBERS), min_size=1, max_size=12))
    volumes = draw(st.lists(st.sampled_from(["0", "0.00", "1E+2", "100", "7.50"]), min_size=12,
                            max_size=12))  # fmt: skip
    made = []
    for at, (one, other, vw) in enumerate(rows):
        begun = OPEN + timedelta(minutes=5 * at)
        low, high = min(one, other), max(one, other)
        made.append(Bar(t_open=begun, t_close=begun + timedelta(minutes=5), o=one, h=high, l=low,
                        c=other, v=Decimal(volumes[at]), vw=vw))  # fmt: skip
    return made


def kept_of(bars):
    given_bars = BarSeries(
        symbol="TEST", timeframe="5m", bars=tuple(bars), provenance=Provenance.SIMULATED,
        source="test", as_of=bars[-1].t_close if bars else OPEN, bar_hash="",
    )  # fmt: skip
    return build_kept(given_bars, LISTED, begins=date(2024, 6, 1))


@given(series(), st.lists(st.integers(0, 12), max_size=3), st.booleans())
def test_the_hash_of_a_track_is_that_of_its_bars_however_they_came(bars, cuts, asked):
    use_context()
    kept, done = kept_of(bars[:1]), 1
    for cut in sorted(cuts):
        if cut > done:
            kept.push(bars[done:cut])
            done = min(cut, len(bars))
        if asked:
            assert kept.bar_hash == bar_hash(LISTED.id, "5m", bars[:done])
    kept.push(bars[done:])
    assert kept.bar_hash == bar_hash(LISTED.id, "5m", bars)
    assert kept.store_key == kept_of(bars).store_key
    assert kept.bar_hash == tagged_hash("bars/v1", document_of(bars))


def document_of(bars):
    return {
        "symbol": LISTED.id,
        "timeframe": "5m",
        "bars": [[bar.t_open, bar.o, bar.h, bar.l, bar.c, bar.v] for bar in bars],
    }


def test_a_providers_own_averages_change_the_key_of_the_store_and_not_the_hash():
    bars = [Bar(t_open=OPEN, t_close=OPEN + timedelta(minutes=5), o=Decimal(2), h=Decimal(3),
                l=Decimal(1), c=Decimal(2), v=Decimal(5), vw=vw)
            for vw in (None, Decimal("2.10"))]  # fmt: skip
    plain, priced = kept_of(bars[:1]), kept_of(bars[1:])
    assert plain.bar_hash == priced.bar_hash
    assert plain.store_key != priced.store_key
    told = hashlib.sha256(b"2024-06-10T13:30:00.000Z 2.1;").digest()
    assert priced.store_key == hashlib.sha256(priced.bar_hash.encode() + told).hexdigest()


def bar_at(at, o="2", h="3", l="1", c="2", v="5"):  # noqa: E741 - the field's own letter
    begun = OPEN + timedelta(minutes=5 * at)
    numbers = {name: Decimal(text) for name, text in zip("ohlcv", (o, h, l, c, v), strict=True)}
    return Bar(t_open=begun, t_close=begun + timedelta(minutes=5), **numbers)


@pytest.mark.parametrize(
    ("wrong", "check"),
    [
        (bar_at(1, h="NaN"), "not a number"),
        (bar_at(1, v="NaN"), "not a number"),
        (bar_at(1, h="Infinity"), "not a number"),
        (bar_at(1, v="Infinity"), "not a number"),
        (bar_at(1, o="sNaN"), "not a number"),
        (bar_at(1, l="0"), "price <= 0"),
        (bar_at(1, l="-1"), "price <= 0"),
        (bar_at(1, h="1.5"), "h < max"),
        (bar_at(1, l="2.5"), "l > min"),
        (bar_at(1, c="4"), "h < max"),
        (bar_at(1, v="-1"), "v < 0"),
        (bar_at(0), "duplicate"),
        (bar_at(-1), "not ascending"),
    ],
)
def test_bars_that_can_not_be_true_make_no_track(wrong, check):
    use_context()
    with pytest.raises(Refusal, match=check) as caught:
        kept_of([bar_at(0), wrong])
    assert caught.value.code == "BAR_INVALID"


def test_bars_before_the_tracks_first_day_and_bars_in_progress_are_left_out():
    early = replace(bar_at(0), t_open=OPEN - timedelta(days=30), t_close=OPEN - timedelta(days=29))
    kept = kept_of([early, bar_at(0), bar_at(1), replace(bar_at(2), complete=False)])
    assert kept.track.bars == [bar_at(0), bar_at(1)]
    assert kept.begins == date(2024, 6, 1)


def many(count):
    step = timedelta(days=1)
    return [
        replace(bar_at(0), t_open=OPEN + at * step, t_close=OPEN + at * step + timedelta(minutes=5))
        for at in range(count)
    ]


def shelved(cache, listing, count, memory_mb=1):
    shelf = cache.shelf("t_owner", listing)
    shelf.tracks["5m"] = kept_of(many(count))
    cache.trim("t_owner", listing, memory_mb=memory_mb)
    return shelf


def test_tracks_are_kept_by_their_memory_and_the_least_recently_used_goes_first():
    use_context()
    cache, whole = TrackCache(), 1_000_000 // BAR_BYTES
    first = shelved(cache, "A", whole // 2)
    shelved(cache, "B", whole // 4)
    assert (len(cache), cache.bars) == (2, whole // 2 + whole // 4)
    assert cache.shelf("t_owner", "A") is first
    shelved(cache, "C", whole // 3)
    assert cache.bars == whole // 2 + whole // 3
    assert cache.shelf("t_owner", "A") is first
    assert cache.shelf("t_owner", "B").tracks == {}


def test_the_newest_track_stays_whatever_its_size_and_growth_is_counted():
    use_context()
    cache, whole = TrackCache(), 1_000_000 // BAR_BYTES
    shelved(cache, "A", 10)
    big = shelved(cache, "B", whole + 100)
    assert (len(cache), cache.bars) == (1, whole + 100)
    big.tracks["5m"].push(many(whole + 101)[-1:])
    cache.trim("t_owner", "B", memory_mb=1)
    assert cache.bars == whole + 101
    cache.trim("t_owner", "dropped", memory_mb=1)
    assert cache.bars == whole + 101


def test_every_tenant_has_tracks_of_its_own():
    cache = TrackCache()
    assert cache.shelf("t_one", "A") is not cache.shelf("t_two", "A")
