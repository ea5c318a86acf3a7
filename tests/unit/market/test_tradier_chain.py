"""Option chains of Tradier over a real loopback server: contracts, greeks and their own time."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from services.market.chain import find_flags
from services.market.quote import Provenance
from services.market.tradier_chain import TradierChain, find_greeks_flags
from tests.fakes.tradier_server import Fault, TradierServer
from tests.unit.market.test_tradier_feed import NOW, clock, ctx, open_feed, quote_row, refused

__all__ = ["clock", "ctx"]
EXPIRY = date(2027, 1, 15)
CHAINS = "/v1/markets/options/chains"


def option_row(right="call", strike=190.0, greeks=None, **more):
    letter = right[0].upper()
    moment = round(NOW.timestamp() * 1000)
    return {
        "symbol": f"AAPL270115{letter}{round(strike * 1000):08d}",
        "type": "option",
        "underlying": "AAPL",
        "strike": strike,
        "option_type": right,
        "expiration_date": "2027-01-15",
        "contract_size": 100,
        "bid": 1.5,
        "ask": 1.6,
        "last": 1.55,
        "bidsize": 12,
        "asksize": 7,
        "bid_date": moment,
        "ask_date": moment,
        "volume": 10,
        "open_interest": 200,
        "greeks": greeks,
        **more,
    }


def greeks(updated="2027-01-12 14:00:02"):
    return {"delta": 0.52, "gamma": 0.03, "theta": -0.1, "vega": 0.2, "mid_iv": 0.31} | {
        "updated_at": updated
    }


@pytest.fixture
def server():
    with TradierServer() as running:
        running.list_security("AAPL")
        yield running


@pytest.fixture(params=["production"])
def chains(request, server, clock):
    feed = open_feed(server, clock, env=request.param)
    yield TradierChain(feed.link, clock)
    feed.close()


def test_a_contract_has_its_quote_in_contracts_and_greeks_with_their_own_time(server, chains, ctx):
    server.options["AAPL", "2027-01-15"] = [option_row(greeks=greeks())]
    chain = chains.chain(ctx(), "AAPL", EXPIRY)
    (one,) = chain.contracts
    assert (one.symbol, one.right, one.strike) == ("AAPL270115C00190000", "call", 190)
    assert (one.bid, one.bid_size, one.multiplier, one.quote_ts) == (Decimal("1.5"), 12, 100, NOW)
    assert (one.delta, one.iv) == (Decimal("0.52"), Decimal("0.31"))
    assert one.greeks_ts == datetime(2027, 1, 12, 14, 0, 2, tzinfo=UTC)
    assert (chain.flags, chain.source, chain.provenance) == ((), "tradier", Provenance.LIVE)


def test_contracts_come_by_strike_with_calls_before_puts(server, chains, ctx):
    rows = [option_row("put", 190), option_row("call", 200), option_row("call", 190)]
    server.options["AAPL", "2027-01-15"] = rows
    found = [(one.strike, one.right) for one in chains.chain(ctx(), "AAPL", EXPIRY).contracts]
    assert found == [(190, "call"), (190, "put"), (200, "call")]


def test_what_the_vendor_leaves_out_stays_unknown(server, chains, ctx):
    row = option_row(bid=0, bidsize=0, ask="null", last=None, open_interest=None)
    server.options["AAPL", "2027-01-15"] = [row]
    chain = chains.chain(ctx(), "AAPL", EXPIRY)
    (one,) = chain.contracts
    assert (one.bid, one.ask, one.last, one.delta, one.open_interest) == (None,) * 5
    assert (one.mid, chain.flags) == (None, ("NO_GREEKS",))


@pytest.mark.parametrize("chains", ["sandbox"], indirect=True)
def test_a_chain_of_the_sandbox_is_delayed(server, chains, ctx):
    server.options["AAPL", "2027-01-15"] = [option_row()]
    assert chains.chain(ctx(), "AAPL", EXPIRY).provenance == Provenance.DELAYED


@pytest.mark.parametrize(("minutes", "flags"), [(120, ()), (121, ("GREEKS_STALE",))])
def test_greeks_older_than_two_hours_are_stale(server, chains, ctx, minutes, flags):
    said = (NOW - timedelta(minutes=minutes)).strftime("%Y-%m-%d %H:%M:%S")
    server.options["AAPL", "2027-01-15"] = [option_row(greeks=greeks(said))]
    chain = chains.chain(ctx(), "AAPL", EXPIRY)
    assert (chain.flags, find_greeks_flags((), NOW)) == (flags, ())


@pytest.mark.parametrize(
    ("minutes", "flags"), [(5, ("NO_GREEKS",)), (6, ("NO_GREEKS", "CHAIN_STALE"))]
)
def test_a_chain_is_as_old_as_its_newest_quote_and_stale_after_five_minutes(
    server, chains, ctx, minutes, flags
):
    said = NOW - timedelta(minutes=minutes)
    old = round((said - timedelta(hours=1)).timestamp() * 1000)
    sides = {"bid_date": old, "ask_date": round(said.timestamp() * 1000)}
    older = {"bid_date": old, "ask_date": old}
    rows = [option_row(**sides), option_row(strike=200.0, **older)]
    server.options["AAPL", "2027-01-15"] = rows
    chain = chains.chain(ctx(), "AAPL", EXPIRY)
    assert chain.as_of == said
    assert (*chain.flags, *find_flags(chain, NOW)) == flags


def test_quotes_without_a_time_are_as_old_as_the_greeks_and_else_as_the_asking(
    server, chains, clock, ctx
):
    undated = {"bid_date": 0, "ask_date": None}
    server.options["AAPL", "2027-01-15"] = [option_row(greeks=greeks(), **undated)]
    chain = chains.chain(ctx(), "AAPL", EXPIRY)
    assert chain.as_of == datetime(2027, 1, 12, 14, 0, 2, tzinfo=UTC)
    assert find_flags(chain, NOW) == ("CHAIN_STALE",)
    server.options["AAPL", "2027-01-15"] = [option_row(**undated)]
    clock.advance(seconds=11)
    chain = chains.chain(ctx(), "AAPL", EXPIRY)
    clock.advance(seconds=5)
    again = chains.chain(ctx(), "AAPL", EXPIRY)
    assert again.as_of == chain.as_of == NOW + timedelta(seconds=11)


def test_expirations_ascend_and_none_has_passed(server, chains, ctx):
    for day in ("2027-02-19", "2027-01-11", "2027-01-12", "2027-01-15"):
        server.options["AAPL", day] = []
    found = [one.isoformat() for one in chains.expirations(ctx(), "AAPL")]
    assert found == ["2027-01-12", "2027-01-15", "2027-02-19"]


def test_one_expiration_travels_alone_and_none_as_the_text_null(server, chains, clock, ctx):
    assert chains.expirations(ctx(), "AAPL") == []
    server.options["AAPL", "2027-01-15"] = []
    clock.advance(hours=1, seconds=1)
    assert chains.expirations(ctx(), "AAPL") == [EXPIRY]


@pytest.mark.fault("F028")
def test_an_account_without_options_has_no_chains_and_says_so(server, chains, ctx):
    server.fault("/v1/markets/options", Fault.DENIED_403)
    assert chains.capability().on
    refusal = refused(lambda: chains.chain(ctx(), "AAPL", EXPIRY))
    assert refusal.code == "PROVIDER_NOT_ENTITLED"
    assert (chains.capability().on, chains.capability().feature) == (False, "option chains")
    refused(lambda: chains.expirations(ctx(), "AAPL"))
    assert server.count("/v1/markets/options") == 1


@pytest.mark.parametrize("fault", [Fault.HALF_BODY, Fault.HTML_504, Fault.DEEP])
def test_a_broken_body_is_a_refusal_and_no_chain(server, chains, ctx, fault):
    server.options["AAPL", "2027-01-15"] = [option_row()]
    server.fault(CHAINS, fault)
    code = refused(lambda: chains.chain(ctx(), "AAPL", EXPIRY)).code
    assert code in ("PROVIDER_BODY_INVALID", "PROVIDER_UNAVAILABLE")


@pytest.mark.fault("F028")
def test_chains_wait_first_when_the_budget_runs_low_and_prices_go_on(server, clock, ctx):
    feed = open_feed(server, clock, env="sandbox")
    chains = TradierChain(feed.link, clock)
    server.quotes["AAPL"] = quote_row()
    server.options["AAPL", "2027-01-15"] = [option_row()]
    for _ in range(47):
        clock.advance(seconds=1.01)
        feed.quote(ctx(), "AAPL")
    refusal = refused(lambda: chains.chain(ctx(), "AAPL", EXPIRY))
    assert (refusal.code, server.count(CHAINS)) == ("PROVIDER_RATE_LIMITED", 0)
    clock.advance(seconds=1.01)
    assert feed.quote(ctx(), "AAPL").symbol == "AAPL"
    feed.close()
