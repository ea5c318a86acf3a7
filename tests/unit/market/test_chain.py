"""Option chains: whole from pages, greeks and quotes where there are, each value under its label."""

from datetime import date, timedelta
from decimal import Decimal

import pytest

from services.kit.errors import Refusal
from services.market.chain import (
    ChainFeed,
    find_capability,
    find_flags,
    near_money,
    read_chain,
    read_expirations,
)
from services.market.quote import Provenance
from tests.fakes.massive_server import Fault, MassiveServer
from tests.unit.market.massive_account import NOW, open_account
from tests.unit.market.test_massive import nanos, snapshot

EXPIRY = "2027-01-15"


def contract(strike, right="call", *, at=NOW, expiry=EXPIRY, timeframe="REAL-TIME", **given):
    ticker = f"O:AAPL{expiry[2:].replace('-', '')}{right[0].upper()}{int(strike * 1000):08d}"
    row = {
        "details": {
            "ticker": ticker,
            "contract_type": right,
            "exercise_style": "american",
            "expiration_date": expiry,
            "shares_per_contract": 100,
            "strike_price": strike,
        },
        "day": {"volume": 12},
        "open_interest": 340,
        "implied_volatility": 0.31,
        "greeks": {"delta": 0.5, "gamma": 0.02, "theta": -0.05, "vega": 0.1},
        "last_quote": {
            "bid": 1.25,
            "ask": 1.35,
            "bid_size": 10,
            "ask_size": 7,
            "last_updated": nanos(at),
            "timeframe": timeframe,
        },
        "underlying_asset": {"ticker": "AAPL", "price": 190.05, "timeframe": "DELAYED"},
    }
    return {**row, **given}


def listed(expiry, strike=190):
    name = expiry[2:].replace("-", "")
    return {
        "ticker": f"O:AAPL{name}C{strike * 1000:08d}",
        "underlying_ticker": "AAPL",
        "contract_type": "call",
        "expiration_date": expiry,
        "strike_price": strike,
    }


@pytest.fixture
def server():
    with MassiveServer() as running:
        running.list_ticker("AAPL")
        running.snapshots["AAPL"] = snapshot()
        running.contracts = [
            listed(day) for day in ("2027-01-08", EXPIRY, EXPIRY, "2027-02-19", "2028-01-21")
        ]
        running.chains["AAPL"] = [
            contract(strike, right)
            for strike in (180, 185, 190, 195, 200)
            for right in ("put", "call")
        ]
        yield running


@pytest.fixture
def account(server, owner):
    made = open_account(server, owner)
    yield made
    made.feed.close()


def test_expirations_are_the_days_to_come_each_once(account):
    assert read_expirations(account(), "aapl").expirations == (
        date(2027, 1, 15),
        date(2027, 2, 19),
        date(2028, 1, 21),
    )


def test_a_chain_is_put_together_from_every_page_by_strike_calls_first(server, account):
    view = read_chain(account(), "AAPL")
    assert [(one.strike, one.right) for one in view.chain.contracts][:3] == [
        (180, "call"),
        (180, "put"),
        (185, "call"),
    ]
    assert len(view.chain.contracts) == 10
    assert server.count("/v3/snapshot/options/AAPL") == 5
    assert "limit=250" in next(path for path in server.requests if "snapshot/options" in path)


def test_a_contract_has_its_unpadded_name_and_exact_figures(account):
    one = read_chain(account(), "AAPL", date(2027, 1, 15)).chain.contracts[0]
    assert (one.symbol, one.style, one.multiplier) == ("AAPL270115C00180000", "american", 100)
    assert (one.bid, one.ask, one.mid) == (Decimal("1.25"), Decimal("1.35"), Decimal("1.30"))
    assert (one.iv, one.delta, one.theta) == (Decimal("0.31"), Decimal("0.5"), Decimal("-0.05"))
    assert (one.open_interest, one.volume, one.quote_ts) == (340, 12, NOW)
    assert one.flags == ()


def test_quotes_and_the_price_of_the_underlying_have_labels_of_their_own(account):
    chain = read_chain(account(), "AAPL").chain
    assert (chain.provenance, chain.spot_provenance) == (Provenance.LIVE, Provenance.DELAYED)
    assert chain.spot == Decimal("190.05")


def test_one_delayed_quote_makes_the_chain_delayed(server, account):
    server.chains["AAPL"][3] = contract(185, timeframe="DELAYED")
    assert read_chain(account(), "AAPL").chain.provenance == Provenance.DELAYED


def test_without_a_price_in_the_chain_the_feed_gives_one_under_its_label(server, account):
    for row in server.chains["AAPL"]:
        row["underlying_asset"] = {"ticker": "AAPL"}
    chain = read_chain(account(), "AAPL").chain
    assert (chain.spot, chain.spot_provenance) == (Decimal("190.05"), Provenance.LIVE)


@pytest.mark.parametrize(
    ("given", "flags"),
    [
        ({"greeks": {}, "implied_volatility": None}, ("GREEKS_MISSING",)),
        ({"implied_volatility": 7}, ("GREEKS_MISSING",)),
        ({"last_quote": {}}, ("QUOTE_UNUSABLE",)),
        ({"last_quote": {"bid": 0, "ask": 0.05}}, ("QUOTE_UNUSABLE",)),
        ({"last_quote": {"bid": 1.4, "ask": 1.3}}, ("QUOTE_UNUSABLE",)),
        ({"greeks": None, "last_quote": None}, ("QUOTE_UNUSABLE", "GREEKS_MISSING")),
    ],
)
def test_what_a_contract_lacks_is_said_and_never_filled_in(server, account, given, flags):
    server.chains["AAPL"] = [contract(190, **given)]
    (one,) = read_chain(account(), "AAPL").chain.contracts
    assert one.flags == flags
    assert one.mid is None or "QUOTE_UNUSABLE" not in flags


def test_a_row_that_is_neither_call_nor_put_is_no_contract(server, account):
    odd = contract(190)
    odd["details"]["contract_type"] = "other"
    server.chains["AAPL"] = [odd, contract(195)]
    assert [one.strike for one in read_chain(account(), "AAPL").chain.contracts] == [195]


def test_a_chain_is_stale_after_five_minutes_of_an_open_market(account):
    chain = read_chain(account(), "AAPL").chain
    assert find_flags(chain, NOW + timedelta(minutes=5)) == ()
    assert find_flags(chain, NOW + timedelta(minutes=5, seconds=1)) == ("CHAIN_STALE",)
    assert find_flags(chain, NOW + timedelta(hours=10)) == ()


def test_a_plan_without_quotes_is_told_so(server, account):
    server.chains["AAPL"] = [contract(190, last_quote={})]
    assert read_chain(account(), "AAPL").chain.flags == ("QUOTES_MISSING",)


def test_the_strikes_nearest_to_the_price_are_shown_and_the_rest_is_counted(account):
    chain = read_chain(account(), "AAPL").chain
    shown, left_out = near_money(chain, 2)
    assert ({one.strike for one in shown}, len(shown), left_out) == ({190, 195}, 4, 6)
    assert near_money(chain, 50) == (chain.contracts, 0)


def test_an_expiry_that_is_none_is_refused_with_the_nearest(account):
    with pytest.raises(Refusal) as caught:
        read_chain(account(), "AAPL", date(2027, 2, 20))
    assert caught.value.code == "PARAM_INVALID"
    assert caught.value.facts["nearest"] == ["2027-01-15", "2027-02-19", "2028-01-21"]


def test_a_symbol_without_options_has_an_empty_answer(server, account):
    server.contracts = []
    view = read_chain(account(), "AAPL")
    assert (view.expirations, view.chain, view.absence) == ((), None, None)


def test_a_plan_without_options_is_remembered(server, account):
    server.fault("/v3/snapshot/options", Fault.DENIED_403)
    for _ in range(2):
        view = read_chain(account(), "AAPL")
        assert (view.chain, view.absence.reason) == (None, "not_entitled")
        account.clock.advance(seconds=60)
    assert server.count("/v3/snapshot/options") == 1
    assert not find_capability(account()).on


def test_without_a_provider_no_chain_is_made_up(account):
    account.ports.pop(ChainFeed)
    view = read_chain(account(), "AAPL")
    assert (view.chain, view.absence.reason) == (None, "provider_disabled")
    assert "TRADIER_ACCESS_TOKEN" in view.absence.todo


def test_half_a_page_of_a_chain_is_a_refusal_and_no_part_of_one(server, account):
    server.fault("/v3/snapshot/options/AAPL?cursor", Fault.HALF_BODY, times=1)
    with pytest.raises(Refusal) as caught:
        read_chain(account(), "AAPL")
    assert caught.value.code == "PROVIDER_BODY_INVALID"
