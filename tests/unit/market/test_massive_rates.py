"""Exchange rates over the vendor's wire: the pair as asked, checked, and valued with or not at all."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from services.kit.errors import Refusal
from services.kit.http import HttpLimits
from services.kit.money import FxRate
from services.ledger.conversion import Terms
from services.ledger.coverage import check_coverage
from services.ledger.fill_posting import FillFacts, post_fill
from services.ledger.portfolio import open_portfolio
from services.ledger.posting import Conversion
from services.ledger.valuation import record, value
from services.market.feed import Feed
from services.market.freeze import active_freezes
from services.market.ingest import ingest_rates
from services.market.massive import MassiveFeed
from services.market.massive_rates import MassiveRates
from services.market.quote import Provenance
from services.market.rate_feed import RateFeed
from services.market.rates import RatePoint, last_rate
from services.market.venue import build_listing
from tests.fakes.hand_feed import OPEN_TIME, HandFeed
from tests.fakes.massive_server import KEY, Fault, MassiveServer
from tests.unit.market.massive_account import open_account

EVENING = datetime(2027, 1, 11, 23, 59, 59, 999000, tzinfo=UTC)
PAIR = "/v2/aggs/ticker/C:USDGBP/prev"
VOD = build_listing("XLON:VOD", "Vodafone Group", tick_rule="rts11_6")


def closed(rate, at=EVENING):
    return {"o": 0.78, "h": 0.8, "l": 0.77, "c": rate, "v": 9, "n": 9, "t": millis(at)}


def millis(moment):
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


@pytest.fixture
def server():
    with MassiveServer() as running:
        yield running


@pytest.fixture
def account(server, owner):
    made = open_account(server, owner)
    yield made
    made.feed.close()


def rates_of(account):
    return account.ports[RateFeed]


def test_the_pair_is_asked_for_as_it_is_and_stands_at_the_end_of_its_day(server, account):
    server.rates["C:GBPUSD"] = closed(1.27)
    found = rates_of(account).rate(account(), "GBP", "USD")
    assert found.rate == FxRate("GBP", "USD", Decimal("1.27"))
    assert (found.ts, found.provenance, found.source) == (EVENING, Provenance.EOD, "massive")
    assert server.requests == ["/v2/aggs/ticker/C:GBPUSD/prev"]


def test_the_pair_turned_around_is_no_rate_of_the_pair(server, account):
    server.rates["C:GBPUSD"] = closed(1.27)
    with pytest.raises(Refusal, match="FX_MISSING"):
        rates_of(account).rate(account(), "USD", "GBP")


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ({"c": 0}, "PROVIDER_BODY_INVALID"),
        ({"c": -1.27}, "PROVIDER_BODY_INVALID"),
        ({"c": None}, "PROVIDER_BODY_INVALID"),
        ({"c": "NaN"}, "PROVIDER_BODY_INVALID"),
        ({"T": "C:EURUSD"}, "PROVIDER_BODY_INVALID"),
        ({"t": None}, "PROVIDER_BODY_INVALID"),
    ],
)
def test_a_row_that_is_no_rate_of_this_pair_is_refused(server, account, row, code):
    server.rates["C:GBPUSD"] = closed(1.27) | row
    with pytest.raises(Refusal, match=code):
        rates_of(account).rate(account(), "GBP", "USD")


@pytest.mark.fault("F028")
def test_a_plan_without_currencies_is_remembered_and_not_asked_again(server, account):
    server.fault("/v2/aggs", Fault.DENIED_403)
    for _ in range(3):
        with pytest.raises(Refusal, match="PROVIDER_NOT_ENTITLED"):
            rates_of(account).rate(account(), "GBP", "USD")
        account.clock.advance(seconds=120)
    assert server.count("/v2/aggs") == 1
    assert rates_of(account).capability().on is False
    shown = {one.feature: one.on for one in account.feed.record().products}
    assert (shown["exchange rates"], shown["bars"]) == (False, True)


class Desk:
    """A book in pounds that holds ten Apple shares bought at 190 dollars, and rates by wire."""

    def __init__(self, runtime, owner, feed, rates):
        self.owner, self.feed = owner, feed
        self.runtime = replace(runtime, ports={**runtime.ports, Feed: feed, RateFeed: rates})
        self.id = self.do(lambda ctx: open_portfolio(ctx, "Pounds", currency="GBP")).id
        rate = Conversion(rate=FxRate("USD", "GBP", Decimal("0.79")), source="broker", at=OPEN_TIME)
        self.buy("XNAS:AAPL", "10", "190", currency="USD", conversion=rate)

    def do(self, act):
        return self.runtime.write(self.owner, act)

    def buy(self, listing, quantity, price, **more):
        facts = FillFacts(
            order_id=listing,
            portfolio_id=self.id,
            exec_id=listing,
            listing=listing,
            symbol=listing.partition(":")[2],
            side="buy",
            quantity=Decimal(quantity),
            price=Decimal(price),
            commission=Decimal(0),
            at=OPEN_TIME,
            provenance="SIMULATED",
            **more,
        )
        self.do(lambda ctx: post_fill(ctx, facts))

    def take(self, rate, *, hours=0.0, at=None):
        """Pass some hours, let the provider say a rate of then, take it in, check the book."""
        self.feed.advance(hours=hours)
        if rate is not None:
            self.server.rates["C:USDGBP"] = closed(rate, at or self.feed.time)
            self.clock.advance(seconds=61)
        done = self.do(lambda ctx: ingest_rates(ctx, ["USD/GBP"]))
        self.do(lambda ctx: check_coverage(ctx, self.id))
        return done

    def worth(self):
        return self.do(lambda ctx: value(ctx, self.id))

    def freezes(self):
        return {(one.scope.partition(":")[0], one.code) for one in self.do(active_freezes)}


@pytest.fixture
def desk(runtime, owner, server, clock):
    account = MassiveFeed(server.base_url, KEY, clock, limits=HttpLimits(attempts_max=1))
    feed = HandFeed()
    made = Desk(runtime, owner, feed, MassiveRates(account.link, clock, account.name))
    made.server, made.clock = server, clock
    yield made
    account.close()


def blocked(desk):
    """Return what the one holding and the totals say; nothing may be a number."""
    now = desk.worth()
    [held] = now.holdings
    assert (now.equity, now.market_value, now.day_pnl) == (None, None, None)
    assert (held.market_value, held.unrealised, now.flags) == (None, None, ("INCOMPLETE",))
    assert desk.do(lambda ctx: record(ctx, desk.id)) is False
    return held.missing


def test_dollars_are_valued_in_pounds_at_the_stored_rate_with_both_labels(desk):
    assert desk.take(0.8, at=EVENING) == {"rates": 1}
    now = desk.worth()
    [held] = now.holdings
    assert (held.last, held.rate, held.rate_at) == (Decimal("190.05"), Decimal("0.8"), EVENING)
    assert (held.market_value, held.cost_base) == (Decimal("1520.40"), Decimal(1501))
    assert (held.provenance, held.source) == ("EOD, SIMULATED", "hand, massive")
    assert now.equity == now.cash.posted.amount + Decimal("1520.40")
    assert desk.freezes() == set()


@pytest.mark.fault("F020")
def test_without_a_rate_the_value_is_open_and_the_book_is_frozen_and_untouched(desk):
    before = desk.worth().cash
    assert desk.take(None) == {"refused:FX_MISSING": 1}
    assert blocked(desk) == "FX_MISSING"
    assert desk.freezes() == {("portfolio", "DQ_FX_MISSING")}
    assert desk.worth().cash == before


@pytest.mark.fault("F020")
def test_a_rate_of_long_ago_values_nothing_until_a_fresh_one_comes(desk):
    desk.take(0.8)
    desk.take(0.8, hours=25, at=desk.feed.time)
    assert blocked(desk) == "FX_STALE"
    assert desk.freezes() == {("portfolio", "DQ_FX_STALE")}
    desk.take(0.801)
    assert desk.worth().equity is not None


@pytest.mark.fault("F021")
def test_a_rate_upside_down_freezes_the_pair_and_the_book_and_melts_after_three_right_ones(desk):
    desk.take(0.8)
    assert desk.take(1.25, hours=1) == {"rejected:DQ_FX_INVERTED": 1}
    assert blocked(desk) == "DQ_FX_INVERTED"
    assert desk.freezes() == {("fx", "DQ_FX_INVERTED"), ("portfolio", "DQ_FX_INVERTED")}
    assert desk.do(lambda ctx: last_rate(ctx, "USD", "GBP")).rate.rate == Decimal("0.8")
    for _ in range(6):
        desk.take(0.8, hours=0.1)
    assert desk.freezes() == set()
    assert desk.worth().equity is not None


@pytest.mark.fault("F019")
def test_a_share_in_pence_is_valued_in_pounds(desk, monkeypatch):
    desk.take(0.8)
    quotes, listed = desk.feed.quotes, desk.feed.instrument
    quotes["VOD"] = replace(
        quotes["AAPL"],
        symbol="VOD",
        instrument_id=VOD.id,
        currency="GBX",
        bid=Decimal("345.4"),
        ask=Decimal("345.6"),
        last=Decimal("345.5"),
    )
    monkeypatch.setattr(
        desk.feed, "instrument", lambda ctx, name: VOD if "VOD" in name else listed(ctx, name)
    )
    desk.buy(VOD.id, "100", "3.45", currency="GBP")
    held = next(one for one in desk.worth().holdings if one.symbol == "VOD")
    assert (held.last, held.market_value) == (Decimal("3.455"), Decimal("345.50"))
    assert (held.unrealised, held.rate) == (Decimal("0.50"), None)


def test_pence_and_a_rate_multiply_and_round_once():
    rate = RatePoint(
        FxRate("GBP", "USD", Decimal("1.27")), EVENING, Provenance.EOD, "hand", EVENING
    )
    terms = Terms("USD", VOD.price_scale, rate)
    assert terms.worth(Decimal(100), Decimal("345.5")) == Decimal("438.78")
    assert Terms("GBP", VOD.price_scale).worth(Decimal(100), Decimal("345.5")) == Decimal("345.50")
