"""Two writers of one listing's market data on PostgreSQL: they wait, and nothing is kept twice."""

import threading
from dataclasses import replace
from decimal import Decimal

import pytest
from sqlalchemy import func, select

from services.kit.context import system_principal
from services.kit.db import Database
from services.kit.ids import RandomIds
from services.kit.work import Runtime
from services.market.feed import Feed
from services.market.ingest import ingest_eod, ingest_intraday, ingest_last_good
from services.market.quality_tables import dq_findings, dq_marks
from services.market.quality_watch import watch_frozen
from services.market.store_tables import market_snapshots, price_points
from tests.fakes.hand_feed import HandFeed

pytestmark = pytest.mark.postgres
WHO = system_principal("t_owner")
SYMBOLS = ("AAPL", "MSFT", "GOOG", "IBM")
ROUNDS = 6


class DailyToo(HandFeed):
    """A feed that has a bar for every timeframe, of the moment."""

    def __init__(self):
        super().__init__()
        self.minute_volume = Decimal(1000)


@pytest.fixture
def feed():
    return DailyToo()


@pytest.fixture
def desk(postgres_url, clock, settings, feed):
    database = Database(postgres_url)
    runtime = Runtime(database, clock, RandomIds(clock), settings, ports={Feed: feed})
    yield runtime
    runtime.close()


def race(desk, *acts):
    """Run every act in a thread of its own, begun at once; return what they raised."""
    gate, raised = threading.Barrier(len(acts)), []

    def run(act):
        gate.wait(timeout=30)
        try:
            desk.write(WHO, act)
        except Exception as error:
            raised.append(error)

    threads = [threading.Thread(target=run, args=(act,)) for act in acts]
    for one in threads:
        one.start()
    for one in threads:
        one.join(timeout=40)
    return raised


def rows(desk, *columns):
    return desk.read(WHO, lambda ctx: ctx.db.rows(select(*columns)))


def test_the_first_prices_of_a_listing_are_taken_in_by_two_jobs_at_once(desk):
    for symbol in SYMBOLS:
        taken = race(
            desk,
            lambda ctx, mine=symbol: ingest_intraday(ctx, [mine]),
            lambda ctx, mine=symbol: ingest_eod(ctx, [mine]),
            lambda ctx, mine=symbol: ingest_last_good(ctx, [mine]),
            lambda ctx, mine=symbol: ingest_intraday(ctx, [mine]),
        )
        assert taken == []
    kept = rows(desk, dq_marks.c.listing, dq_marks.c.kind)
    assert len(kept) == len(set(kept))
    assert len(rows(desk, market_snapshots.c.instrument_id)) == len(SYMBOLS)
    assert {row.version for row in rows(desk, price_points.c.version)} == {1}


def test_jobs_in_opposite_orders_end_without_a_deadlock(desk, feed):
    for at in range(ROUNDS):
        feed.advance(minutes=1)
        bad = SYMBOLS[at % len(SYMBOLS)]
        feed.quotes[bad] = replace(feed.quotes[bad], bid=Decimal(999))
        raised = race(
            desk,
            lambda ctx: ingest_intraday(ctx, SYMBOLS),
            lambda ctx: ingest_eod(ctx, SYMBOLS[::-1]),
            lambda ctx: watch_frozen(ctx),
            lambda ctx: ingest_last_good(ctx, SYMBOLS[::-1]),
        )
        assert raised == []
    twice = select(dq_findings.c.key).group_by(dq_findings.c.key).having(func.count() > 1)
    assert desk.read(WHO, lambda ctx: ctx.db.rows(twice)) == []
