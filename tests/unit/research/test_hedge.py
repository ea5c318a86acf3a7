"""A hedge is a suggestion out of the option screen: what it covers, costs and bounds, or why not."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal as D  # noqa: N817 - figures read better short

import pytest

from services.kit.bus.memory import MemoryBus
from services.kit.bus.port import Bus
from services.kit.ids import CountedIds
from services.kit.work import Runtime
from services.market.chain import Chain, ChainFeed
from services.market.feed import Capability, Feed
from services.market.quote import Provenance
from services.orders.proposal import list_proposals
from services.research.hedge import suggest_hedge
from tests.fakes.hand_feed import OPEN_TIME, HandFeed
from tests.fakes.order_desk import OrderDesk
from tests.unit.trade.test_option_choice import contract
from tools.registry import call

DAYS = 60


class PutChain:
    """One expiry with the puts that a test names."""

    def __init__(self, *puts):
        self.puts = puts

    def expirations(self, _ctx, _symbol):
        return (OPEN_TIME.date() + timedelta(days=DAYS),)

    def chain(self, _ctx, symbol, _expiry):
        return Chain(
            underlying=symbol, spot=D("190.05"), as_of=OPEN_TIME, provenance=Provenance.SIMULATED,
            source="hand", contracts=self.puts,
        )  # fmt: skip

    def capability(self):
        return Capability("option chains", on=True, why="by hand")


def put(**changes):
    given = {"strike": D(180), "bid": D("3.10"), "ask": D("3.20"), "last": D("3.15")}
    return contract(
        D("190.05"), OPEN_TIME.date(), DAYS, "put",
        **{**given, "delta": D("-0.30"), "quote_ts": OPEN_TIME, **changes},
    )  # fmt: skip


@pytest.fixture
def desk(database, clock, settings):
    feed = HandFeed()
    runtime = Runtime(database, clock, CountedIds(), settings, ports={Bus: MemoryBus(), Feed: feed})
    yield OrderDesk(runtime, feed)
    runtime.threads.shutdown(wait=True)


def held(desk, quantity):
    desk.buy("AAPL", quantity=quantity)
    desk.work(2)
    assert desk.held() == D(quantity)


def hedge(desk, chain=None):
    if chain is not None:
        desk.runtime.ports[ChainFeed] = chain
    return desk.write(lambda ctx: suggest_hedge(ctx, "AAPL"))


def test_the_best_put_is_sized_in_whole_contracts_with_its_checklist(desk):
    held(desk, "250")
    found = hedge(desk, PutChain(put()))
    assert found.reason == ""
    assert found.pick.contract.strike == 180
    made = found.hedge
    assert (made.contracts, made.covered, made.uncovered) == (2, 200, 50)
    assert made.cost == D("640.00")
    assert made.floor_loss == D("2650.00")
    checks = {one.name: one for one in found.checks}
    assert list(checks) == ["plan", "size", "risk", "data"]
    assert checks["size"].verdict == "warn"
    assert (checks["risk"].value, checks["risk"].limit) == (D("2650.00"), D("38010.00"))
    assert checks["data"].source == "hand"
    assert checks["data"].verdict == "warn"


def test_a_suggestion_is_said_by_the_tool_with_every_figure_and_makes_no_card(desk):
    held(desk, "200")
    desk.runtime.ports[ChainFeed] = PutChain(put())
    args = {"action": "hedge", "symbol": "AAPL"}
    done = desk.write(lambda ctx: call(ctx, "position_action", args))
    assert done.ok, done.error
    row = done.result["hedge"]
    assert (row["contracts"], row["cost"], row["strike"]) == ("2", "640.00", "180")
    assert "A suggestion, no card" in done.result["summary"]
    assert done.result["source"][0]["dataset"] == "option chain"
    assert desk.read(lambda ctx: list_proposals(ctx, "pending")) == []


@pytest.mark.parametrize(
    ("quantity", "chain", "said"),
    [
        ("250", PutChain(put(open_interest=D(1))), "no put passes the screen"),
        ("250", PutChain(), "no expiry with puts"),
        ("99", PutChain(put()), "one put covers 100 units and 99 are held"),
    ],
)
def test_without_a_fitting_put_it_says_why_and_what_else_to_do(desk, quantity, chain, said):
    held(desk, quantity)
    found = hedge(desk, chain)
    assert found.hedge is None
    assert said in found.reason
    assert found.todo


def test_without_a_provider_of_chains_it_says_which_key_is_missing(desk):
    held(desk, "250")
    found = hedge(desk)
    assert found.hedge is None
    assert "no configured provider" in found.reason
    assert found.todo.startswith("Set ")


def test_what_is_not_held_is_not_hedged(desk):
    assert desk.refused(lambda: hedge(desk, PutChain(put()))).code == "POSITION_NONE"
