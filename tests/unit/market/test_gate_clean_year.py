"""Real daily history: clean years freeze nothing, and every planted fault is caught in time."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal as D  # noqa: N817 - tables of numbers read better short

import pytest
from sqlalchemy import func, select

from services.kit.money import FxRate
from services.kit.policy import DEFAULT_POLICY
from services.ledger import valuation
from services.ledger.coverage import check_coverage
from services.ledger.tables import valuations
from services.market import store
from services.market.feed import Feed
from services.market.freeze import active_freezes, clear_freeze
from services.market.gate import admit, observed
from services.market.quality_rule import FxObservation, find_fx_faults
from services.market.quote import Provenance
from services.market.quote_rule import assess
from services.market.rate_gate import admit_rate
from services.market.rates import last_rate, record_rate
from services.market.session import market_state, next_session
from services.market.store_tables import price_points
from tests.clean_year import bundled, false_freezes, plant, shared
from tests.conftest import SHARED, absent, build_runtime
from tests.fakes.hand_feed import HandFeed, listed
from tests.unit.ledger.conftest import Desk

PER_MILLE = 0.001


@pytest.fixture(scope="module")
def history():
    return bundled()


@pytest.fixture(scope="module")
def years():
    folder = SHARED / "marketdata"
    if not folder.is_dir():
        absent("marketdata", "the shared market data are not beside this checkout")
    return shared(folder)


def test_the_bundled_history_freezes_less_than_one_day_in_a_thousand(history, capsys):
    _judge(history, capsys)


def test_the_shared_history_freezes_less_than_one_day_in_a_thousand(years, capsys):
    _judge(years, capsys)


def _judge(series, capsys):
    frozen, days, names = false_freezes(series)
    with capsys.disabled():
        print(f"\nfalse freezes: {frozen} of {days} listing-days, {100 * frozen / days:.4f} %")
    assert days > 10_000
    assert frozen < PER_MILLE * days, names


@pytest.mark.fault("F018")
@pytest.mark.fault("F019")
@pytest.mark.fault("F026")
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_price_fault_planted_into_the_bundled_history_is_caught(history, seed):
    assert [one for one in plant(history, seed=seed, each=15) if not one.caught] == []


def test_every_price_fault_planted_into_the_shared_history_is_caught(years):
    assert [one for one in plant(years, seed=11, each=40) if not one.caught] == []


@pytest.mark.fault("F016")
def test_a_close_that_stays_away_is_stale_forty_five_minutes_after_the_next_one(history):
    days = history["IBM"]
    for day in days[100:3000:97]:
        coming = next_session("XNYS", day.at)
        quote = replace(
            HandFeed().quotes["IBM"], ts=day.at, provenance=Provenance.EOD, last=day.close
        )
        quote = replace(quote, bid=day.close, ask=day.close + D("0.01"))
        codes = [
            [one.code for one in _assessed(quote, coming.close + timedelta(minutes=after))]
            for after in (44, 45)
        ]
        assert codes == [[], ["DQ_STALE"]], day


def _assessed(quote, as_of):
    state = market_state("XNYS", as_of)
    return assess(quote, as_of, state, DEFAULT_POLICY, instrument=listed("IBM"))


@pytest.mark.fault("F021")
@pytest.mark.parametrize("rate", ["1.27", "0.79", "1.04", "155.2", "0.0064"])
def test_an_inverted_rate_is_caught_by_its_inverse_and_by_the_last_one(rate):
    right, now = D(rate), datetime(2026, 3, 10, 12, tzinfo=UTC)
    turned = (1 / right).quantize(D("0.0000000001"))
    by_inverse = FxObservation(turned, now, inverse=turned)
    by_last = FxObservation(turned, now, rate_before=right)
    assert [one.code for one in find_fx_faults(by_inverse, now)] == ["DQ_FX_INVERTED"]
    assert [one.code for one in find_fx_faults(by_last, now)][:1] == ["DQ_FX_INVERTED"]


@pytest.fixture
def feed():
    return HandFeed()


@pytest.fixture
def desk(database, clock, settings, feed, owner):
    runtime = build_runtime(database, clock, settings)
    object.__setattr__(runtime, "ports", {**runtime.ports, Feed: feed})
    made = Desk(runtime, owner)
    take_in(made, feed)
    made.fill("buy", 10, 190, at=feed.time)
    return made


def count(desk, table):
    return desk.do(lambda ctx: ctx.db.scalar(select(func.count()).select_from(table)))


def take_in(desk, feed):
    """What every ingest does: the gate first, the store only after it."""

    def act(ctx):
        quote = feed.quote(ctx, "AAPL")
        done = admit(ctx, observed(feed.instrument(ctx, "AAPL"), quote))
        if done.accepted:
            point = store.PricePoint(
                "XNAS:AAPL", quote.ts, quote.last, "USD", quote.provenance, "hand", "intraday"
            )
            store.record_price(ctx, point)
        return [one.code for one in done.findings]

    return desk.do(act)


def _next_morning(feed):
    feed.advance(days=1)


@pytest.mark.fault("F019")
@pytest.mark.parametrize(
    ("factor", "wait", "code"),
    [
        ("100", None, "DQ_SCALE_SUSPECT"),
        ("0.01", None, "DQ_SCALE_SUSPECT"),
        ("10", None, "DQ_JUMP"),
        ("0.1", _next_morning, "DQ_SPLIT_SUSPECT"),
        ("0.5", _next_morning, "DQ_SPLIT_SUSPECT"),
        ("1.8", None, "DQ_JUMP"),
    ],
)
def test_a_wrong_price_reaches_neither_the_store_nor_a_valuation(desk, feed, factor, wait, code):
    assert desk.do(lambda ctx: valuation.record(ctx, desk.id))
    before = count(desk, price_points), count(desk, valuations)
    if wait is None:
        feed.advance(minutes=2)
    else:
        wait(feed)
    price = D("190.05") * D(factor)
    feed.set("AAPL", str(price - D("0.01")), str(price + D("0.01")), last=price)
    now = desk.do(lambda ctx: valuation.value(ctx, desk.id))
    assert [held.missing for held in now.holdings] == [code]
    assert take_in(desk, feed) == [code]
    desk.do(lambda ctx: valuation.record(ctx, desk.id))
    assert count(desk, price_points) == before[0]
    kinds = desk.do(lambda ctx: ctx.db.rows(select(valuations.c.kind, valuations.c.equity)))
    assert [row.kind for row in kinds if row.kind != "close"] == ["start"]
    assert {row.equity for row in kinds} == {kinds[0].equity}


def test_a_portfolio_that_stands_on_bad_data_is_frozen_and_melts_by_itself(desk, feed, clock):
    good = desk.do(lambda ctx: check_coverage(ctx, desk.id))
    assert good == ()
    feed.advance(minutes=2)
    feed.set("AAPL", "19000", "19001")
    found = desk.do(lambda ctx: check_coverage(ctx, desk.id))
    assert [(one.code, one.severity.value) for one in found] == [("DQ_COVERAGE", "CRIT")]
    scopes = [one.scope for one in desk.do(active_freezes)]
    assert sorted(scopes) == ["listing:XNAS:AAPL", f"portfolio:{desk.id}"]
    feed.set("AAPL", "190.00", "190.10")
    for one in desk.do(active_freezes):
        if one.scope.startswith("listing"):
            desk.runtime.write(
                replace(desk.owner, scopes=frozenset({"admin"})),
                lambda ctx, which=one.id: clear_freeze(ctx, which, "mended"),
            )
    for _ in range(3):
        clock.advance(seconds=10)
        desk.do(lambda ctx: check_coverage(ctx, desk.id))
    assert desk.do(active_freezes) == []


@pytest.mark.fault("F020")
@pytest.mark.fault("F021")
def test_a_rate_is_judged_before_it_is_stored_and_an_inverted_one_freezes(desk, feed):
    def take_rate(text, currency="GBP", base="USD"):
        def act(ctx):
            rate = FxRate(currency, base, D(text))
            done = admit_rate(ctx, rate, feed.time, source="hand")
            if done.accepted:
                record_rate(ctx, rate, feed.time, provenance=Provenance.EOD, source="hand")
            return done.accepted, [one.code for one in done.findings]

        feed.advance(minutes=1)
        return desk.do(act)

    assert take_rate("1.27") == (True, [])
    assert take_rate("0.7874") == (False, ["DQ_FX_INVERTED"])
    assert take_rate("1.35") == (False, ["DQ_FX_JUMP"])
    assert take_rate("1.28") == (True, [])
    assert take_rate("1.28", "USD", "GBP") == (False, ["DQ_FX_INVERTED"])
    assert desk.do(lambda ctx: last_rate(ctx, "GBP", "USD")).rate.rate == D("1.28")
    assert {(one.scope, one.code) for one in desk.do(active_freezes)} == {
        ("fx:GBP/USD", "DQ_FX_INVERTED"),
        ("fx:GBP/USD", "DQ_FX_JUMP"),
        ("fx:USD/GBP", "DQ_FX_INVERTED"),
    }


@pytest.mark.fault("F020")
def test_a_holding_in_another_currency_without_a_rate_freezes_the_portfolio(desk, feed):
    foreign = replace(listed("AAPL"), currency="GBP")
    feed.instrument = lambda _ctx, _symbol: foreign
    found = desk.do(lambda ctx: check_coverage(ctx, desk.id))
    assert "DQ_FX_MISSING" in [one.code for one in found]
    assert (f"portfolio:{desk.id}", "DQ_FX_MISSING") in {
        (one.scope, one.code) for one in desk.do(active_freezes)
    }
