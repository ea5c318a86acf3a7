"""Taking in: bad prices become findings, never prices; pence become pounds; rates are checked."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from services.kit.context import system_principal
from services.kit.errors import refuse
from services.kit.money import FxRate
from services.kit.outbox import due as waiting
from services.market.bar import Bar
from services.market.feed import Capability, Feed
from services.market.freeze import active_freezes
from services.market.ingest import ingest_eod, ingest_intraday, ingest_last_good, ingest_rates
from services.market.quote import Provenance
from services.market.rate_feed import RateFeed
from services.market.rates import RatePoint, last_rate
from services.market.store import last_price, price_window
from services.market.store_bars import stored_bars
from services.market.venue import build_listing
from tests.fakes.hand_feed import OPEN_TIME, HandFeed

WHO = system_principal("t_owner")
LONDON = build_listing("XLON:VOD", "Vodafone Group", tick_rule="rts11_6")


class Rates:
    """Rates by hand."""

    def __init__(self):
        self.known = {}

    def rate(self, ctx, currency, base):
        if (currency, base) not in self.known:
            raise refuse("FX_MISSING", ccy=currency, base=base, reason="no rate")
        return self.known[currency, base]

    def capability(self):
        return Capability("exchange rates", on=True, why="a test")


@pytest.fixture
def feed():
    return HandFeed()


@pytest.fixture
def rates():
    return Rates()


@pytest.fixture
def do(runtime, feed, rates):
    runtime = replace(runtime, ports={**runtime.ports, Feed: feed, RateFeed: rates})
    return lambda act: runtime.write(WHO, act)


def take(do, *symbols):
    return do(lambda ctx: ingest_intraday(ctx, symbols or ("AAPL",)))


def prices(do, listing="XNAS:AAPL"):
    day = timedelta(days=9)
    found = do(lambda ctx: price_window(ctx, listing, OPEN_TIME - day, OPEN_TIME + day))
    return [one.price for one in found]


@pytest.mark.fault("F019")
@pytest.mark.parametrize(
    ("factor", "code"),
    [("100", "DQ_SCALE_SUSPECT"), ("0.01", "DQ_SCALE_SUSPECT"), ("10", "DQ_JUMP")],
)
def test_a_price_of_another_unit_is_a_finding_and_never_a_price(do, feed, factor, code):
    take(do)
    feed.advance(minutes=1)
    wrong = Decimal("190.05") * Decimal(factor)
    feed.set("AAPL", str(wrong), str(wrong))
    done = take(do)
    assert done[f"rejected:{code}"] == 1
    assert done["prices"] == 0
    assert prices(do) == [Decimal("190.05")]
    assert do(lambda ctx: active_freezes(ctx, ["listing:XNAS:AAPL"]))


@pytest.mark.parametrize("last", ["NaN", "-1", "0", "Infinity"])
def test_what_is_no_number_above_zero_is_never_a_price(do, feed, last):
    feed.set("AAPL", "190", "190.1", last=Decimal(last))
    done = take(do)
    assert done["prices"] == 0
    assert any(key.startswith("rejected:") for key in done)
    assert prices(do) == []


def test_a_quote_that_is_stored_is_known_and_asked_of_nobody_again(do):
    assert take(do)["prices"] == 1
    again = take(do)
    assert (again["known"], again["prices"]) == (1, 0)
    assert do(lambda ctx: ingest_last_good(ctx, ["AAPL"]))["known"] == 1


def test_pence_are_stored_as_pounds_and_dollars_of_a_pence_listing_freeze_it(do, feed, monkeypatch):
    monkeypatch.setattr(HandFeed, "instrument", lambda *_: LONDON)
    monkeypatch.setattr(HandFeed, "quote", lambda *_: feed.quotes["VOD"])
    feed.time = OPEN_TIME.replace(hour=10)
    feed.set("VOD", "71.30", "71.34", currency="GBX", instrument_id=LONDON.id)
    assert take(do, "VOD")["prices"] == 1
    stored = do(lambda ctx: last_price(ctx, LONDON.id))
    assert (stored.price, stored.currency) == (Decimal("0.7132"), "GBP")
    feed.advance(minutes=1)
    feed.set("VOD", "71.30", "71.34", currency="USD", instrument_id=LONDON.id)
    assert take(do, "VOD")["rejected:DQ_CCY_MISMATCH"] == 1
    assert len(prices(do, LONDON.id)) == 1


def test_a_day_is_a_bar_and_its_close_the_price_of_the_day(do, feed, monkeypatch):
    closes = OPEN_TIME.replace(hour=21, minute=0) - timedelta(days=1)
    made = Bar(
        t_open=OPEN_TIME.replace(hour=14, minute=30) - timedelta(days=1),
        t_close=closes,
        o=Decimal(190),
        h=Decimal(195),
        l=Decimal(189),
        c=Decimal(194),
        v=Decimal(1000),
    )
    monkeypatch.setattr(HandFeed, "_minute", lambda *_: made)
    feed.minute_volume = Decimal(1)
    done = do(lambda ctx: ingest_eod(ctx, ["AAPL"]))
    assert (done["bars"], done["prices"]) == (1, 1)
    assert do(lambda ctx: ingest_eod(ctx, ["AAPL"]))["bars"] == 0
    day = do(lambda ctx: last_price(ctx, "XNAS:AAPL", kind="day"))
    assert (day.ts, day.price, day.volume) == (closes, 194, 1000)
    span = (made.t_open, closes)
    assert len(do(lambda ctx: stored_bars(ctx, "XNAS:AAPL", "1d", *span))) == 1


def fx(value, ts=OPEN_TIME):
    rate = FxRate("GBP", "USD", Decimal(value))
    return RatePoint(rate, ts, Provenance.LIVE, "hand", ts)


def test_a_rate_is_taken_in_once_and_a_missing_one_is_counted(do, rates):
    rates.known["GBP", "USD"] = fx("1.27")
    done = do(lambda ctx: ingest_rates(ctx, ["GBP/USD", "EUR/USD"]))
    assert (done["rates"], done["refused:FX_MISSING"]) == (1, 1)
    assert do(lambda ctx: ingest_rates(ctx, ["GBP/USD"]))["rates"] == 0
    assert do(lambda ctx: last_rate(ctx, "GBP", "USD")).rate.rate == Decimal("1.27")


def test_a_rate_upside_down_is_told_and_never_taken_in(do, feed, rates):
    rates.known["GBP", "USD"] = fx("1.27")
    do(lambda ctx: ingest_rates(ctx, ["GBP/USD"]))
    feed.advance(hours=1)
    rates.known["GBP", "USD"] = fx("0.7874", feed.time)
    assert do(lambda ctx: ingest_rates(ctx, ["GBP/USD"]))["rejected:DQ_FX_INVERTED"] == 1
    [freeze] = do(lambda ctx: active_freezes(ctx, ["fx:GBP/USD"]))
    assert (freeze.code, freeze.auto_clear) == ("DQ_FX_INVERTED", True)
    assert do(lambda ctx: last_rate(ctx, "GBP", "USD")).rate.rate == Decimal("1.27")
    told = [one.payload for one in do(waiting) if one.kind == "alert"]
    assert told[-1]["code"] == "DQ_FX_INVERTED"
    assert told[-1]["subject"] == "GBP/USD"
