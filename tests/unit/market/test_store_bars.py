"""Bars, trades, metrics and listings of the store: once each, by version, by the market's time."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from services.kit.context import system_principal
from services.kit.db import Database
from services.kit.money import decimal_text
from services.market.bar import Bar
from services.market.feed import Feed, Tick
from services.market.last_good import find_last_good, keep_good, list_last_good
from services.market.listing import (
    end_listing,
    find_listing,
    refresh_listings,
    set_flags,
    stored_calendars,
    stored_listings,
)
from services.market.metrics import session_vwap
from services.market.quote import Provenance
from services.market.search import rank, search_listings
from services.market.store_bars import last_bar_at, new_bars, stored_bars, upsert_bars
from services.market.store_trades import record_trades, stored_trades
from services.market.venue import build_listing
from tests.conftest import build_runtime
from tests.fakes.hand_feed import OPEN_TIME, HandFeed, listed

APPLE = listed("AAPL")
WHO = system_principal("t_owner")
HOUR = timedelta(hours=1)


def bar(minute, close, *, volume="100", complete=True, vw=None):
    price = Decimal(close)
    start = OPEN_TIME + timedelta(minutes=minute)
    return Bar(
        t_open=start,
        t_close=start + timedelta(minutes=1),
        o=price,
        h=price + 1,
        l=price - 1,
        c=price,
        v=Decimal(volume),
        vw=None if vw is None else Decimal(vw),
        complete=complete,
    )


class Desk:
    def __init__(self, runtime, feed):
        self.feed = feed
        self.runtime = replace(runtime, ports={**runtime.ports, Feed: feed})

    def do(self, act):
        return self.runtime.write(WHO, act)

    def keep(self, *bars, known=None):
        return self.do(
            lambda ctx: upsert_bars(
                ctx,
                APPLE,
                "1m",
                bars,
                provenance=Provenance.LIVE,
                source="hand",
                known_at=None if known is None else OPEN_TIME + timedelta(minutes=known),
            )
        )

    def closes(self, *, at=None, count=5000):
        until = None if at is None else OPEN_TIME + timedelta(minutes=at)
        found = self.do(
            lambda ctx: stored_bars(
                ctx, APPLE.id, "1m", OPEN_TIME, OPEN_TIME + HOUR, at=until, count=count
            )
        )
        return [decimal_text(one.c) for one in found]


@pytest.fixture
def desk(database_url, clock, settings):
    runtime = build_runtime(Database(database_url), clock, settings)
    feed = HandFeed()
    feed.advance(minutes=30)
    yield Desk(runtime, feed)
    runtime.close()


def test_the_same_bars_are_stored_once(desk):
    assert desk.keep(bar(0, "190"), bar(1, "191")) == 2
    assert desk.keep(bar(0, "190.00"), bar(1, "191"), bar(2, "192")) == 1
    assert desk.closes() == ["190", "191", "192"]
    assert desk.closes(count=2) == ["191", "192"]


def test_a_bar_in_progress_is_never_stored(desk):
    assert desk.keep(bar(0, "190", complete=False)) == 0
    assert desk.do(lambda ctx: new_bars(ctx, APPLE.id, "1m", [bar(0, "1", complete=False)])) == []


def test_a_corrected_bar_is_a_version_that_the_past_does_not_see(desk):
    desk.keep(bar(0, "190"), bar(1, "191"), known=3)
    assert desk.keep(bar(0, "189"), known=10) == 1
    assert desk.closes(at=9) == ["190", "191"]
    assert desk.closes(at=10) == ["189", "191"]
    assert desk.closes(at=10, count=1) == ["191"]
    assert desk.closes(at=10, count=2) == ["189", "191"]


def test_bars_of_the_future_never_appear(desk):
    desk.keep(bar(0, "190"), bar(50, "999"), known=3)
    assert desk.closes() == ["190"]
    assert desk.closes(at=59) == ["190"]
    found = desk.do(lambda ctx: last_bar_at(ctx, APPLE.id, "1m"))
    assert found == OPEN_TIME


def test_trades_of_one_instant_are_told_apart_and_stored_once(desk):
    desk.feed.trade("AAPL", "190", "10")
    first = desk.feed.prints["AAPL"][0]
    desk.feed.prints["AAPL"].append(replace(first, size=Decimal(20)))
    assert desk.do(lambda ctx: record_trades(ctx, APPLE)) == 2
    assert desk.do(lambda ctx: record_trades(ctx, APPLE)) == 0
    desk.feed.trade("AAPL", "191", "30")
    assert desk.do(lambda ctx: record_trades(ctx, APPLE)) == 1
    sizes = [one.size for one in desk.do(lambda ctx: stored_trades(ctx, APPLE.id, 10))]
    assert sizes == [10, 20, 30]


def test_a_long_tape_is_cut_between_two_instants_and_goes_on_from_there(desk, monkeypatch):
    monkeypatch.setattr("services.market.store_trades.TRADES_MAX", 3)
    start = desk.feed.time
    for second in (1, 2, 2, 2, 3):
        at = start + timedelta(seconds=second)
        desk.feed.prints["AAPL"].append(Tick(at, Decimal(190), Decimal(1), Decimal(0), Decimal(0)))
    desk.feed.advance(seconds=5)
    assert desk.do(lambda ctx: record_trades(ctx, APPLE)) == 1
    monkeypatch.setattr("services.market.store_trades.TRADES_MAX", 5)
    assert desk.do(lambda ctx: record_trades(ctx, APPLE)) == 4


def test_the_volume_weighted_price_uses_one_source_of_price():
    plain = [bar(0, "100", volume="10"), bar(1, "103", volume="20")]
    assert session_vwap(plain) == 102
    given = [bar(0, "100", volume="10", vw="99"), bar(1, "103", volume="20", vw="102")]
    assert session_vwap(given) == 101
    assert session_vwap([given[0], plain[1]]) == 102
    assert session_vwap([bar(0, "100", volume="0")]) is None


def test_only_a_newer_sound_quote_takes_the_place_of_the_last_good_one(desk):
    def keep(**changes):
        quote = replace(desk.feed.quotes["AAPL"], **changes)
        return desk.do(lambda ctx: keep_good(ctx, APPLE, quote))

    assert keep()
    assert not keep(last=Decimal(1))
    later = desk.feed.time + timedelta(seconds=1)
    assert not keep(ts=later, ask=Decimal(1))
    assert not keep(ts=later, bid=Decimal(0))
    desk.feed.advance(seconds=2)
    assert keep(last=Decimal(191))
    kept = desk.do(lambda ctx: find_last_good(ctx, APPLE.id))
    assert (kept.last, kept.provenance, kept.taken_provenance) == (191, "SNAPSHOT", "SIMULATED")
    desk.feed.time -= HOUR
    assert desk.do(list_last_good) == []


def test_listings_change_by_time_and_keep_their_flags(desk):
    other = replace(APPLE, name="Apple Computer")
    first = desk.do(lambda ctx: refresh_listings(ctx, [APPLE, listed("IBM")], "hand"))
    assert (first.known, first.added, first.changed) == (2, 2, 0)
    assert desk.do(lambda ctx: set_flags(ctx, APPLE, ["SPLIT 2027-01-11 1:4"], "hand"))
    assert not desk.do(lambda ctx: set_flags(ctx, APPLE, ["SPLIT 2027-01-11 1:4"], "hand"))
    desk.feed.advance(minutes=1)
    again = desk.do(lambda ctx: refresh_listings(ctx, [other], "hand"))
    assert (again.added, again.changed) == (0, 1)
    found = desk.do(lambda ctx: find_listing(ctx, "AAPL"))
    assert (found.name, found.flags) == ("Apple Computer", ("SPLIT 2027-01-11 1:4",))
    desk.feed.time -= timedelta(seconds=30)
    assert desk.do(lambda ctx: find_listing(ctx, "AAPL")).name == "AAPL"


@pytest.mark.fault("F035")
def test_a_ticker_that_another_listing_took_over_is_another_row(desk):
    desk.do(lambda ctx: refresh_listings(ctx, [APPLE], "hand"))
    assert desk.do(lambda ctx: end_listing(ctx, APPLE.id))
    assert not desk.do(lambda ctx: end_listing(ctx, APPLE.id))
    taken = replace(APPLE, id="XNYS:AAPL", name="Somebody else")
    desk.feed.advance(minutes=1)
    desk.do(lambda ctx: refresh_listings(ctx, [taken], "hand"))
    assert desk.do(lambda ctx: find_listing(ctx, "AAPL")).id == "XNYS:AAPL"
    assert desk.do(lambda ctx: find_listing(ctx, APPLE.id)) is None


def test_a_pence_listing_is_stored_with_its_unit(desk):
    london = build_listing("XLON:VOD", "Vodafone Group", tick_rule="rts11_6")
    desk.do(lambda ctx: refresh_listings(ctx, [london, APPLE], "hand"))
    assert desk.do(lambda ctx: find_listing(ctx, "XLON:VOD")) == london
    assert desk.do(stored_calendars) == ["XLON", "XNYS"]
    assert [one.symbol for one in desk.do(stored_listings)] == ["AAPL", "VOD"]


NAMES = [
    replace(listed(symbol), name=name)
    for symbol, name in (
        ("A", "Agilent Technologies"),
        ("AA", "Alcoa"),
        ("AAPL", "Apple Inc."),
        ("APLE", "Apple Hospitality"),
        ("MSFT", "Microsoft"),
        ("IBM", "International Business Machines"),
    )
]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("AAPL", ["AAPL", "APLE"]),
        ("AA", ["AA", "AAPL"]),
        ("APPLE", ["AAPL", "APLE"]),
        ("MACHINES", ["IBM"]),
        ("AAPLE", ["AAPL", "APLE"]),
        ("ZZZZ", []),
        ("XNAS:IBM", ["IBM"]),
    ],
)
def test_the_search_finds_symbols_then_names_then_near_misses(wanted, found):
    assert [one.symbol for one in rank(NAMES, wanted)] == found


def test_the_search_takes_the_feeds_own_list_until_one_is_stored(desk):
    assert [one.symbol for one in desk.do(lambda ctx: search_listings(ctx, "aapl", 5))] == ["AAPL"]
    desk.do(lambda ctx: refresh_listings(ctx, [listed("IBM")], "hand"))
    assert desk.do(lambda ctx: search_listings(ctx, "aapl", 5)) == []
    assert [one.symbol for one in desk.do(lambda ctx: search_listings(ctx, "", 5))] == ["IBM"]
