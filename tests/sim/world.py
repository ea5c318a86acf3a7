"""Owns the world of one run: the real services, the market, the venue, time, and the process."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

from services.kit.bus.memory import MemoryBus
from services.kit.bus.port import Bus
from services.kit.clock import HandClock
from services.kit.context import SCOPES, Principal, Surface
from services.kit.environment import load_settings
from services.kit.ids import CountedIds
from services.kit.policy import DEFAULT_POLICY, RiskPolicy
from services.kit.work import Runtime
from services.ledger import portfolio
from services.ledger.book import append
from services.ledger.posting import Batch, opening_legs
from services.market.feed import Feed
from services.orders import desk as desks
from services.orders import execute, reconcile
from services.orders.broker import Broker
from tests.fakes.hand_feed import OPEN_TIME
from tests.sim.adapter import SimBroker, Weather
from tests.sim.auditor import CLOSE, Auditor
from tests.sim.books import START_UNITS, Books, Rows, read_rows
from tests.sim.market import SimFeed
from tests.sim.plan import Plan
from tests.sim.storage import Storage
from tests.sim.venue import Venue

OWNER = Principal(
    tenant_id="t_owner", user_id="u_owner", surface=Surface.WEB, session_id="s_web", scopes=SCOPES
)
PHONE = replace(OWNER, session_id="s_phone")
STRANGER = replace(OWNER, tenant_id="t_other", user_id="u_other", session_id="s_other")
_TO_EVENING_S = 21_360
"""From the start of a usual day to four minutes before its session ends."""
_MUCH = Decimal(100)
NO_LIMITS = replace(
    DEFAULT_POLICY,
    risk=RiskPolicy(
        day_loss=_MUCH,
        week_loss=_MUCH,
        open_risk=_MUCH,
        gross_intraday=_MUCH,
        gross_overnight=_MUCH,
        symbol_intraday=_MUCH,
        symbol_overnight=_MUCH,
        group=_MUCH,
        max_positions=1000,
        max_trades_day=1000,
        loss_streak=1000,
        peak_drawdown=_MUCH,
    ),
)
"""A policy under which the books, not the limits of risk, decide what may be ordered."""


class World:
    """Everything that exists in one run. A restart keeps the file, the venue and the people."""

    def __init__(self, plan: Plan, storage: Storage, broker: type[SimBroker] = SimBroker) -> None:
        self.plan = plan
        self.clock, self.feed, self.weather = HandClock(OPEN_TIME), SimFeed(), Weather()
        self.venue = Venue(self.clock, dedupes=plan.options.dedupes, lag_s=plan.options.lag_s)
        dedupes = plan.options.dedupes
        self.auditor = Auditor(self.clock, self.feed, dedupes, self.venue.filled)
        self.books = Books(self.auditor, self.venue)
        self.broker = broker(self.venue, self.weather, changes=plan.options.changes)
        self.broker.witness = self.auditor
        self.ids = CountedIds(str(plan.seed))
        self.settings = load_settings({"CORNERMAN_HOME": str(storage.home)})
        self.database = storage.fresh()
        self.database.weather, self.database.clock = self.weather, self.clock
        self.people = [OWNER, PHONE] + [STRANGER] * (plan.options.tenants - 1)
        self.tenants = [OWNER, STRANGER][: plan.options.tenants]
        if plan.options.late:
            self.pass_time(_TO_EVENING_S)
        self.orders: dict[str, str] = {}
        self._start()
        self.portfolios = {one.tenant_id: self._open_book(one) for one in self.tenants}
        self._read: dict[str, tuple[int, Rows]] = {}

    def _start(self) -> None:
        self.runtime = Runtime(
            self.database,
            self.clock,
            self.ids,
            self.settings,
            DEFAULT_POLICY if self.plan.options.strict else NO_LIMITS,
            ports={Bus: MemoryBus(), Feed: self.feed, Broker: self.broker},
        )

    def _open_book(self, who: Principal) -> str:
        def act(ctx: Any) -> str:
            book = portfolio.get_portfolio(ctx)
            desks.seen_now(ctx)
            for symbol in self.plan.options.symbols:
                units = START_UNITS
                cost = (self.feed.mid(symbol) * units).quantize(START_UNITS / 100)
                append(
                    ctx,
                    Batch(
                        portfolio_id=book.id,
                        kind="OPENING",
                        key=f"opening:{symbol}",
                        effective_at=self.feed.time,
                        legs=opening_legs(f"XNAS:{symbol}", units, cost, "USD"),
                        meta={"symbol": symbol},
                    ),
                )
            return book.id

        return self.runtime.write(who, act)

    def restart(self) -> None:
        """Lose everything in memory, and start as the product starts."""
        self.database.close()
        self._start()
        reconcile.at_boot(self.runtime)

    def pass_time(self, seconds: int) -> None:
        """Let true time pass everywhere."""
        self.clock.advance(seconds=seconds)
        was_open = self.feed.time < CLOSE
        self.feed.pass_time(seconds)
        self.venue.tick()
        if was_open and self.feed.time >= CLOSE:
            self.venue.close_session()

    def jump_clock(self, seconds: int) -> None:
        """Let the wall clock jump alone; true time stands."""
        self.clock.set(self.clock.now() + timedelta(seconds=seconds))
        self.auditor.jumped_at = self.clock.monotonic()

    def work(self) -> int:
        """Let the executor do one round."""
        return execute.work_once(self.runtime)

    def rows(self, who: Principal) -> Rows:
        """Return the books of a tenant, read anew whenever any row has changed."""
        at, rows = self._read.get(who.tenant_id, (-1, None))
        if rows is None or at != self.database.changes:
            book = self.portfolios[who.tenant_id]
            rows = self.runtime.read(who, lambda ctx: read_rows(ctx, book))
            self._read[who.tenant_id] = (self.database.changes, rows)
        return rows

    def audit(self) -> None:
        """Compare everybody's books with the venue. Raises `Violation`."""
        for who in self.tenants:
            rows = self.rows(who)
            self.books.compare(who.tenant_id, rows)
            self.orders.update({row.proposal_id: row.id for row in rows.intents})

    def unsettled(self) -> str:
        """Return what is still under way anywhere."""
        if self.venue.travelling:
            return "a request is still on its way"
        said = (self.books.unsettled(who.tenant_id, self.rows(who)) for who in self.tenants)
        return next(filter(None, said), "")
