"""P10: one durable ledger post, and the raw driver running exactly the statements of it."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import psycopg
from sqlalchemy import event

from services import schema
from services.kit.bus.memory import MemoryBus
from services.kit.bus.port import Bus
from services.kit.clock import HandClock
from services.kit.context import SCOPES, Principal, Surface
from services.kit.db import Database
from services.kit.environment import load_settings
from services.kit.ids import CountedIds
from services.kit.work import Runtime
from services.ledger import portfolio
from services.ledger.fill_posting import FillFacts, post_fill
from tests import postgres
from tests.bench.measure import Outcome, Size, not_run

GOAL = 0.3
METRIC = "ledger post: entry, snapshots, audit, outbox"
_START = datetime(2027, 1, 12, 15, 0, tzinfo=UTC)
_WHO = Principal(
    tenant_id="t_owner", user_id="u_owner", surface=Surface.WEB, session_id="s_owner", scopes=SCOPES
)
Statement = tuple[str, object, bool]


@contextlib.contextmanager
def opened(url: str) -> Iterator[tuple[Runtime, str]]:
    """Open a runtime whose every value repeats from run to run, with one portfolio."""
    database = Database(url)
    with tempfile.TemporaryDirectory() as home:
        settings = load_settings({"CORNERMAN_HOME": home})
        runtime = Runtime(
            database, HandClock(_START), CountedIds(), settings, ports={Bus: MemoryBus()}
        )
        mine = runtime.write(_WHO, lambda ctx: portfolio.get_portfolio(ctx, None))
        try:
            yield runtime, mine.id
        finally:
            runtime.close()


def post(runtime: Runtime, portfolio_id: str, number: int) -> None:
    """Post fill `number`: every second one sells what the one before bought."""
    fill = FillFacts(
        order_id=f"ord_{number}",
        portfolio_id=portfolio_id,
        exec_id="1",
        listing="XNAS:AAPL",
        symbol="AAPL",
        side="sell" if number % 2 else "buy",
        quantity=Decimal(10),
        price=Decimal("201.25"),
        commission=Decimal("1.00"),
        currency="USD",
        at=_START + timedelta(seconds=number),
        provenance="replay",
    )
    runtime.write(_WHO, lambda ctx: post_fill(ctx, fill))


def captured(url: str, posts: int) -> list[list[Statement]]:
    """Return the statements of each post, as they reach the driver."""
    found: list[list[Statement]] = []

    def spy(_connection, _cursor, statement, parameters, _context, many) -> None:
        found[-1].append((statement, parameters, many))

    with opened(url) as (runtime, portfolio_id):
        event.listen(runtime.database.engine, "before_cursor_execute", spy)
        for number in range(posts):
            found.append([])
            post(runtime, portfolio_id, number)
    return found


def ours(url: str, posts: int) -> float:
    """Return posts a second through the product."""
    with opened(url) as (runtime, portfolio_id):
        began = time.perf_counter()
        for number in range(posts):
            post(runtime, portfolio_id, number)
        return posts / (time.perf_counter() - began)


def raw_sqlite(url: str, transactions: list[list[Statement]]) -> float:
    """Return posts a second of the sqlite3 module with the same statements and settings."""
    with opened(url):
        pass  # the portfolio, as ours has it
    with contextlib.closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
        connection.isolation_level = None
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA recursive_triggers=ON")
        cursor = connection.cursor()
        return replayed(cursor, transactions, lambda: cursor.execute("COMMIT"))


def raw_postgres(url: str, transactions: list[list[Statement]]) -> float:
    """Return posts a second of psycopg with the same statements."""
    with opened(url):
        pass
    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        return replayed(cursor, transactions, connection.commit)


def replayed(cursor, transactions: list[list[Statement]], commit: Callable) -> float:
    """Run recorded transactions, reading what they ask for; return how many a second."""
    began = time.perf_counter()
    for statements in transactions:
        for statement, parameters, many in statements:
            if many:
                cursor.executemany(statement, parameters)
            else:
                cursor.execute(statement, parameters)
                if cursor.description:
                    cursor.fetchall()
        commit()
    return len(transactions) / (time.perf_counter() - began)


def measure(size: Size) -> list[Outcome]:
    """Measure both engines; PostgreSQL only where a server can be started."""
    found = [_on_sqlite(size)]
    why = postgres.why_absent()
    if why:
        return [*found, not_run("P10", f"{METRIC}, PostgreSQL", why)]
    with postgres.running_server() as server:
        postgres.prepare_template(server)
        names = iter(range(10_000))

        def fresh() -> str:
            return postgres.fresh_database(server, f"bench_{next(names)}")[0]

        note = "the server runs without fsync, so only the programs count"
        return [*found, _compared("PostgreSQL", fresh, raw_postgres, size, note)]


def _on_sqlite(size: Size) -> Outcome:
    with tempfile.TemporaryDirectory() as folder:
        template = Path(folder) / "template.db"
        schema.upgrade(f"sqlite:///{template}")
        names = iter(range(10_000))

        def fresh() -> str:
            copy = Path(folder) / f"{next(names)}.db"
            shutil.copyfile(template, copy)
            return f"sqlite:///{copy}"

        return _compared("SQLite FULL", fresh, raw_sqlite, size, "")


def _compared(engine: str, fresh: Callable, raw: Callable, size: Size, note: str) -> Outcome:
    transactions = captured(fresh(), size.posts)
    raws, mine = [raw(fresh(), transactions)], []
    for _ in range(size.rounds):
        mine.append(ours(fresh(), size.posts))
        raws.append(raw(fresh(), transactions))
    ratio = max(mine) / max(raws)
    count = len(transactions[-1])
    told = f"{count} statements a post" + (f"; {note}" if note else "")
    return Outcome(
        "P10",
        f"{METRIC}, {engine}",
        f"{max(mine):,.0f}/s",
        f"raw driver {max(raws):,.0f}/s",
        ratio,
        f">= {GOAL}x",
        ratio >= GOAL,
        note=told,
    )
