"""Prices from the stream first: fresh ones spare the provider, and a unit of work reads one."""

from datetime import timedelta
from decimal import Decimal

import pytest

from services.kit.clock import HandClock
from services.kit.errors import Refusal, refuse
from services.market.live import LiveBook
from services.market.live_reading import LiveReading
from services.market.quote import Provenance, Quote
from tests.unit.market.test_live_book import AAPL, MINUTE, NOW, frame, minute_bar, quote, trade


class Provider:
    """The provider over REST: a quote, counted, or a refusal."""

    def __init__(self):
        self.asked, self.ts, self.refusal = 0, NOW, None

    def __call__(self):
        self.asked += 1
        if self.refusal is not None:
            raise self.refusal
        one = Decimal(50)
        return Quote(
            symbol="AAPL",
            instrument_id=AAPL.id,
            bid=one,
            ask=one,
            last=one,
            bid_size=one,
            ask_size=one,
            ts=self.ts,
            provenance=Provenance.LIVE,
            source="massive",
            currency="USD",
            dataset="massive_snapshot",
        )


@pytest.fixture
def clock():
    return HandClock(NOW)


@pytest.fixture
def book():
    return LiveBook(provenance=Provenance.LIVE, source="massive")


@pytest.fixture
def provider():
    return Provider()


@pytest.fixture
def read(runtime, owner, book, provider):
    reading = LiveReading(book)

    def act(times=1, between=None):
        def unit(ctx):
            found = []
            for at in range(times):
                if at and between is not None:
                    between()
                found.append(reading.quote(ctx, AAPL, provider))
            return found

        return runtime.read(owner, unit)

    return act


@pytest.mark.parametrize(("age_ms", "asked"), [(0, 0), (1000, 0), (1001, 1)])
def test_a_streamed_quote_up_to_a_second_old_spares_a_request(
    read, book, provider, clock, age_ms, asked
):
    book.note(frame(quotes=[quote()], trades=[trade()]))
    clock.advance(milliseconds=age_ms)
    provider.ts = NOW - MINUTE
    assert read()[0].dataset == "massive_stream"
    assert provider.asked == asked


def test_the_newer_of_both_is_given(read, book, provider, clock):
    book.note(frame(quotes=[quote()], trades=[trade()]))
    clock.advance(seconds=5)
    provider.ts = NOW + timedelta(seconds=4)
    assert read()[0].dataset == "massive_snapshot"


def test_without_a_streamed_quote_the_provider_is_asked(read, provider):
    assert read()[0].dataset == "massive_snapshot"
    assert provider.asked == 1


def test_a_refusal_leaves_the_streamed_quote_with_its_age(read, book, provider, clock):
    book.note(frame(quotes=[quote()], trades=[trade()]))
    clock.advance(seconds=40)
    provider.refusal = refuse("PROVIDER_RATE_LIMITED", provider="Massive")
    assert read()[0].ts == NOW
    book.keep(frozenset())
    with pytest.raises(Refusal):
        read()


def test_a_unit_of_work_reads_one_quote_however_many_stream_in(read, book, provider):
    book.note(frame(quotes=[quote()], trades=[trade()]))

    def newer():
        book.note(frame(quotes=[quote(bid="5", seq=2)]))

    first, second = read(2, newer)
    assert first is second
    assert read()[0].bid == 5
    assert provider.asked == 0


OPENS = NOW.replace(second=0) - 3 * MINUTE


def filled(book, minutes=3, at=NOW):
    book.mark_gap(["AAPL"], at - timedelta(seconds=60))
    book.note(frame(bars=[minute_bar(OPENS + n * MINUTE) for n in range(minutes)]))
    book.fill("AAPL", book.recent_bars("AAPL"), at)


def minutes_of(runtime, owner, book, count, as_of=NOW):
    return runtime.read(owner, lambda ctx: LiveReading(book).bars(ctx, AAPL, count, as_of))


def test_minutes_are_read_from_the_book_once_nothing_is_missing(runtime, owner, book):
    filled(book)
    found = minutes_of(runtime, owner, book, 2)
    assert [bar.t_open for bar in found.bars] == [OPENS + MINUTE, OPENS + 2 * MINUTE]
    assert (found.dataset, found.as_of, found.provenance) == ("massive_stream", NOW, "LIVE")
    assert found.bar_hash.startswith("sha256:")


def test_minutes_are_asked_for_when_the_book_may_lack_one(runtime, owner, book):
    filled(book)
    assert minutes_of(runtime, owner, book, 4) is None
    assert minutes_of(runtime, owner, book, 2, NOW + MINUTE) is None
    book.mark_gap(["AAPL"], NOW)
    assert minutes_of(runtime, owner, book, 2) is None


def test_minutes_outside_regular_hours_are_asked_for(runtime, owner, book):
    filled(book)
    assert minutes_of(runtime, owner, book, 1, NOW + timedelta(hours=9)) is None


def test_a_delayed_book_is_read_fifteen_minutes_back(runtime, owner, provider):
    book = LiveBook(provenance=Provenance.DELAYED, source="massive", delay_s=900)
    then = NOW - timedelta(minutes=15)
    book.note(frame(quotes=[quote(at=then)], trades=[trade(at=then)]))
    reading = LiveReading(book)
    found = runtime.read(owner, lambda ctx: reading.quote(ctx, AAPL, provider))
    assert (found.provenance, provider.asked) == ("DELAYED", 0)
    filled(book)
    late = NOW + timedelta(minutes=15)
    book.fill("AAPL", book.recent_bars("AAPL"), late)
    assert len(minutes_of(runtime, owner, book, 2, late).bars) == 2
