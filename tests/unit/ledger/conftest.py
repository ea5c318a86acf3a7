"""Owns the fixtures of the ledger tests: a migrated database, a runtime, an open portfolio."""

from decimal import Decimal

import pytest

from services.kit.db import Database
from services.kit.ids import CountedIds
from services.kit.work import Runtime
from services.ledger.fill_posting import FillFacts, post_fill
from services.ledger.portfolio import open_portfolio
from tests.conftest import NOW

AAPL, MSFT = "XNAS:AAPL", "XNAS:MSFT"


class Desk:
    """One portfolio and short ways to act on it, each in a transaction of its own."""

    def __init__(self, runtime, owner, **terms):
        self.runtime, self.owner = runtime, owner
        self.portfolio = self.do(lambda ctx: open_portfolio(ctx, "Main", **terms))
        self.id = self.portfolio.id
        self.count = 0

    def do(self, act):
        return self.runtime.write(self.owner, act)

    def fill(
        self, side, quantity, price, *, listing=AAPL, fee="1", exec_id=None, order_id="o", at=NOW
    ):
        self.count += 1
        facts = FillFacts(
            order_id=order_id,
            portfolio_id=self.id,
            exec_id=exec_id or f"x{self.count}",
            listing=listing,
            symbol=listing.split(":")[1],
            side=side,
            quantity=Decimal(str(quantity)),
            price=Decimal(str(price)),
            commission=Decimal(fee),
            currency="USD",
            at=at,
            provenance="REPLAY",
        )
        return self.do(lambda ctx: post_fill(ctx, facts))


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def any_runtime(request, clock, settings):
    url = request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url")
    database = Database(url)
    yield Runtime(database, clock, CountedIds(), settings)
    database.close()


@pytest.fixture
def plain_runtime(database, clock, settings):
    """A runtime without a feed: the book itself needs none."""
    return Runtime(database, clock, CountedIds(), settings)


@pytest.fixture
def desk(plain_runtime, owner):
    return Desk(plain_runtime, owner)


@pytest.fixture
def any_desk(any_runtime, owner):
    return Desk(any_runtime, owner)
