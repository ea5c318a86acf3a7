"""Picked options: three ranked results with every input, and counts of what failed which rule."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal as D  # noqa: N817 - tables of numbers read better short

import pytest

from services.kit.bus.memory import MemoryBus
from services.kit.bus.port import Bus
from services.kit.ids import CountedIds
from services.kit.policy import DEFAULT_POLICY, OptionPolicy
from services.kit.work import Runtime
from services.market.chain import Chain, ChainFeed, OptionContract
from services.market.earnings import EarningsRow, Report
from services.market.feed import Capability, Feed
from services.market.quote import Provenance
from services.research.option_pick import fitting_expiries, is_event, pick_options
from services.strategy.option_rank import AIMS
from services.strategy.option_screen import PROFILES
from tests.fakes.hand_feed import OPEN_TIME, HandFeed

RATED = replace(DEFAULT_POLICY, options=OptionPolicy(rate=D("0.045"), rate_date="2027-01-12"))
ON = OPEN_TIME.date()


def contract(strike, days=45, **given):
    expiry = ON + timedelta(days=days)
    base = OptionContract(
        symbol=f"AAPL{expiry:%y%m%d}C{int(strike) * 1000:08d}",
        underlying="AAPL",
        expiry=expiry,
        right="call",
        strike=D(strike),
        style="american",
        multiplier=D(100),
        bid=D("7.00"),
        ask=D("7.20"),
        last=D("7.10"),
        bid_size=D(5),
        ask_size=D(5),
        volume=D(50),
        open_interest=D(900),
        iv=D("0.25"),
        delta=D("0.60"),
        gamma=D("0.02"),
        theta=D("-0.05"),
        vega=D("0.2"),
        quote_ts=OPEN_TIME,
        greeks_ts=OPEN_TIME,
    )
    return replace(base, **given)


class HandChain:
    """Chains by expiry, behind the real port."""

    def __init__(self, *contracts):
        self.contracts, self.asked = contracts, []

    def expirations(self, ctx, symbol):
        return sorted({one.expiry for one in self.contracts})

    def chain(self, ctx, symbol, expiry):
        self.asked.append(expiry)
        return Chain(
            underlying=symbol,
            spot=D(190),
            as_of=OPEN_TIME,
            provenance=Provenance.SIMULATED,
            source="hand",
            contracts=tuple(one for one in self.contracts if one.expiry == expiry),
        )

    def capability(self):
        return Capability("option chains", on=True, why="by hand")


@pytest.fixture
def picked(database, clock, settings, owner):
    def act(*contracts, profile="swing_long", policy=RATED):
        ports = {Bus: MemoryBus(), Feed: HandFeed()}
        if contracts:
            ports[ChainFeed] = HandChain(*contracts)
        made = Runtime(database, clock, CountedIds(), settings, ports=ports)
        act.feed = ports.get(ChainFeed)
        return made.read(
            owner, lambda ctx: pick_options(replace(ctx, policy=policy), "aapl", profile)
        )

    return act


def test_three_contracts_are_picked_and_every_other_is_counted_by_its_first_failed_rule(picked):
    near = {"iv": D("0.34")}
    found = picked(
        contract(190, **near),
        contract(189, open_interest=D(2000), **near),
        contract(188, open_interest=D(300), **near),
        contract(187, open_interest=D(260), **near),
        contract(186, open_interest=D(10), **near),
        contract(185, delta=D("0.95"), **near),
        contract(184, bid=D(0)),
        contract(183, multiplier=None, **near),
        policy=DEFAULT_POLICY,
    )
    assert [int(one.ranked.contract.strike) for one in found.picks] == [189, 190, 188]
    assert found.rejects == {
        "DELTA_OUT_OF_RANGE": 1,
        "MULTIPLIER_UNKNOWN": 1,
        "OI_LOW": 1,
        "QUOTE_UNUSABLE": 1,
    }
    best = found.picks[0]
    assert (best.greeks.source, best.limit) == ("provider", D("7.10"))
    assert best.metrics.breakeven == D("196.10")
    assert best.metrics.cost_per_contract == D(710)


def test_contracts_without_greeks_are_never_picked_and_the_reason_is_counted(picked):
    bare = contract(190, iv=None, delta=None, theta=None)
    found = picked(bare, policy=DEFAULT_POLICY)
    assert found.picks == ()
    assert found.rejects == {"GREEKS_MISSING": 1}
    assert found.missing == {"RATE_MISSING": 1}
    assert picked(bare).picks[0].greeks.source == "model"


def test_only_expiries_within_the_days_of_the_profile_are_read_nearest_to_the_aim(picked):
    days = (5, 30, 40, 45, 50, 60, 90, 91)
    found = picked(*(contract(190, days=one) for one in days))
    assert picked.feed.asked == [ON + timedelta(days=one) for one in (30, 40, 45, 50)]
    assert (len(found.expiries), found.unread) == (4, 2)
    aim, limits = AIMS["swing_long"], PROFILES["swing_long"]
    dates = [date(2027, 1, 15), date(2027, 3, 19), date(2027, 2, 19)]
    on = date(2027, 1, 4)
    assert fitting_expiries(dates, limits, aim, on=on) == [date(2027, 2, 19), date(2027, 3, 19)]


def test_no_chain_is_answered_empty_with_the_reason(picked):
    found = picked()
    assert found.picks == ()
    assert found.absence.reason == "provider_disabled"


def test_a_profile_that_no_expiry_fits_has_no_expiries_and_no_picks(picked):
    found = picked(contract(190, days=45), profile="leaps_call")
    assert (found.picks, found.expiries, found.rejects) == ((), (), {})


@pytest.mark.parametrize(
    ("report", "sessions", "profile", "event"),
    [
        (ON + timedelta(days=20), 14, "swing_long", True),
        (ON + timedelta(days=46), 30, "swing_long", False),
        (ON + timedelta(days=20), 14, "leaps_call", False),
        (ON + timedelta(days=7), 5, "leaps_call", True),
    ],
)
def test_a_report_before_expiry_is_an_event_and_for_leaps_only_a_near_one(
    report, sessions, profile, event
):
    known = Report(
        symbol="AAPL",
        date=report,
        time="amc",
        confirmed=True,
        providers=("hand",),
        as_of=OPEN_TIME,
        sessions_until=sessions,
    )
    row = EarningsRow(symbol="AAPL", next=known, last=None, flags=())
    assert is_event(row, ON + timedelta(days=45), profile) is event
    assert not is_event(None, ON, profile)
