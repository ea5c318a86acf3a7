"""Owns a product with a hand-moved feed, for tests of jobs: time, symbols and holdings by hand."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from app.wiring import Product, build, open_first_user, prepare_database
from services import watchlist
from services.identity.user import LOCAL_TENANT
from services.kit.clock import HandClock
from services.kit.context import system_principal
from services.kit.environment import load_settings
from services.kit.ids import CountedIds
from services.ledger.fill_posting import FillFacts, post_fill
from services.ledger.portfolio import get_portfolio
from services.market.quote import Provenance
from tests.fakes.hand_feed import HandFeed

WHO = system_principal(LOCAL_TENANT)


class JobDesk:
    """One tenant of a real product on a migrated file."""

    def __init__(self, url: str, folder, now: datetime, ids=None, **environment: str) -> None:
        self.feed = HandFeed()
        self.clock = HandClock(now)
        settings = load_settings(
            {"CORNERMAN_HOME": str(folder), "DATABASE_URL": url, **environment}
        )
        self.product: Product = build(
            settings, clock=self.clock, ids=ids or CountedIds(), feed=self.feed
        )
        prepare_database(self.product)
        open_first_user(self.product)

    def do(self, act):
        """Run `act` in one writing unit of the tenant."""
        return self.product.runtime.write(WHO, act)

    def follow(self, *symbols: str) -> None:
        """Save a watchlist."""
        self.do(lambda ctx: watchlist.save(ctx, "Mine", symbols))

    def hold(self, symbol: str, price: str) -> None:
        """Hold ten shares."""
        self.do(lambda ctx: post_fill(ctx, self._fill(ctx, symbol, price)))

    def _fill(self, ctx, symbol: str, price: str) -> FillFacts:
        mine = get_portfolio(ctx, None)
        return FillFacts(
            order_id=f"ord_{symbol}",
            portfolio_id=mine.id,
            exec_id=f"x_{symbol}",
            listing=f"XNAS:{symbol}",
            symbol=symbol,
            side="buy",
            quantity=Decimal(10),
            price=Decimal(price),
            commission=Decimal(0),
            currency="USD",
            at=ctx.now,
            provenance=Provenance.SIMULATED,
        )

    def pass_time(self, **delta: float) -> None:
        """Move wall time and market time alike."""
        self.clock.advance(**delta)
        self.feed.advance(**delta)

    def close(self) -> None:
        self.product.close()
