"""A listing in another currency or unit is sized in the account's money, or not at all."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from services.kit.errors import Refusal
from services.kit.money import FxRate
from services.market.feed import Feed
from services.market.quote import Provenance
from services.market.rates import record_rate
from services.trade.sized_trade import SizeAsk
from services.trade.user_size import size_trade
from tests.fakes.hand_feed import HandFeed

ASK = SizeAsk(symbol="AAPL", side="long", entry="190.10", stop="180.10", risk_pct="0.01")


class ForeignFeed(HandFeed):
    """AAPL as if it were quoted in hundredths of a euro."""

    def instrument(self, ctx, symbol):
        found = super().instrument(ctx, symbol)
        if found.symbol != "AAPL":
            return found
        return replace(found, currency="EUR", quote_unit="EUC", price_scale=Decimal("0.01"))

    def quote(self, ctx, symbol):
        return replace(super().quote(ctx, symbol), currency="EUC")


@pytest.fixture
def desk(runtime):
    feed = ForeignFeed()
    return feed, replace(runtime, ports={**runtime.ports, Feed: feed})


def rated(feed, rate: str):
    def act(ctx):
        found = FxRate("EUR", "USD", Decimal(rate))
        ts = feed.time - timedelta(minutes=5)
        record_rate(ctx, found, ts, provenance=Provenance.LIVE, source="hand")

    return act


def test_the_unit_and_the_rate_enter_the_risk_of_a_unit(desk, owner):
    feed, runtime = desk
    runtime.write(owner, rated(feed, "1.25"))
    answer = runtime.write(owner, lambda ctx: size_trade(ctx, ASK))
    assert answer.levels.fx_to_account == Decimal("0.0125")
    plain = replace(runtime, ports={**runtime.ports, Feed: HandFeed()})
    usual = plain.write(owner, lambda ctx: size_trade(ctx, ASK))
    assert answer.size.caps["risk"] > 70 * usual.size.caps["risk"]


def test_without_a_rate_nothing_is_sized(desk, owner):
    _, runtime = desk
    with pytest.raises(Refusal) as caught:
        runtime.write(owner, lambda ctx: size_trade(ctx, ASK))
    assert caught.value.code == "FX_MISSING"
    assert caught.value.facts["ccy"] == "EUR"
