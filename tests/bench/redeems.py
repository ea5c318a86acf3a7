"""REDEEM: one card pressed a thousand times at once: exactly one order, and how fast the noes are."""

from __future__ import annotations

import contextlib
import sqlite3
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import psycopg
from sqlalchemy import event, func, select

from app.risk_limits import build_policy
from services import schema
from services.kit.bus.memory import MemoryBus
from services.kit.bus.port import Bus
from services.kit.clock import HandClock
from services.kit.db import Database
from services.kit.environment import load_settings
from services.kit.errors import Refusal
from services.kit.ids import CountedIds
from services.kit.work import Runtime
from services.market.feed import Feed
from services.orders import confirm as gate
from services.orders.tables import order_intents
from tests import postgres
from tests.bench.confirm_to_fill import MANY
from tests.bench.ledger_post import Statement, replayed
from tests.bench.measure import Outcome, Size, not_run
from tests.fakes.hand_feed import HandFeed
from tests.fakes.order_desk import OrderDesk

GOAL = 0.3
THREADS = 32
METRIC = "presses of one card at once, each answered for good"


@dataclass(frozen=True, slots=True)
class Card:
    """A desk with one card, and what its surface sends when it is pressed."""

    desk: OrderDesk
    attempt: gate.Attempt

    def press(self, number: int) -> str:
        """Press once; return `ok` or the code of the refusal."""
        try:
            gate.confirm(self.desk.runtime, self.desk.who, self.attempt, key=f"press-{number:016}")
        except Refusal as refusal:
            return refusal.code
        return "ok"

    def orders(self) -> int:
        count = select(func.count()).select_from(order_intents)
        return int(self.desk.read(lambda ctx: ctx.db.scalar(count)))


@contextlib.contextmanager
def open_desk(url: str) -> Iterator[OrderDesk]:
    """Open a desk at the paper broker on a migrated database; every value repeats."""
    with tempfile.TemporaryDirectory() as home:
        feed = HandFeed()
        settings = load_settings({"CORNERMAN_HOME": home, **MANY})
        ports = {Bus: MemoryBus(), Feed: feed}
        clock, policy = HandClock(feed.time), build_policy(settings)
        runtime = Runtime(Database(url), clock, CountedIds(), settings, policy, ports=ports)
        try:
            yield OrderDesk(runtime, feed)
        finally:
            runtime.close()


@contextlib.contextmanager
def dealt(url: str) -> Iterator[Card]:
    """Propose one order and open its card."""
    with open_desk(url) as desk:
        card = desk.propose()
        yield Card(desk, desk.attempt(card.id, desk.issue(card.id)))


def at_once(card: Card, presses: int) -> tuple[float, Counter[str]]:
    """Press from many threads that start together; return the seconds and the answers."""
    threads = min(THREADS, presses)
    ready = threading.Barrier(threads + 1)

    def press_many(first: int) -> list[str]:
        ready.wait()
        return [card.press(number) for number in range(first, presses, threads)]

    with ThreadPoolExecutor(threads) as pool:
        running = [pool.submit(press_many, first) for first in range(threads)]
        ready.wait()
        began = time.perf_counter()
        answers = Counter(said for one in running for said in one.result())
        return time.perf_counter() - began, answers


def captured(url: str, presses: int) -> list[list[Statement]]:
    """Return the statements of each press, one after the other, as they reach the driver."""
    found: list[list[Statement]] = []

    def spy(_connection, _cursor, statement, parameters, _context, many) -> None:
        found[-1].append((statement, parameters, many))

    with dealt(url) as card:
        event.listen(card.desk.runtime.database.engine, "before_cursor_execute", spy)
        for number in range(presses):
            found.append([])
            card.press(number)
    return found


def raw_sqlite(url: str, transactions: list[list[Statement]]) -> float:
    """Return presses a second of the sqlite3 module with the same statements and settings."""
    with dealt(url):
        pass  # the card, as ours has it
    with contextlib.closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
        connection.isolation_level = None
        for pragma in ("foreign_keys=ON", "synchronous=FULL", "recursive_triggers=ON"):
            connection.execute(f"PRAGMA {pragma}")
        cursor = connection.cursor()
        return replayed(cursor, transactions, lambda: cursor.execute("COMMIT"))


def raw_postgres(url: str, transactions: list[list[Statement]]) -> float:
    """Return presses a second of psycopg with the same statements."""
    with dealt(url):
        pass
    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        return replayed(cursor, transactions, connection.commit)


def measure(size: Size) -> list[Outcome]:
    """Measure both engines; PostgreSQL only where a server can be started."""
    found = _on_sqlite(size)
    why = postgres.why_absent()
    if why:
        return [*found, not_run("REDEEM", f"{METRIC}, PostgreSQL", why)]
    with postgres.running_server() as server:
        postgres.prepare_template(server)
        names = iter(range(10_000))

        def fresh() -> str:
            return postgres.fresh_database(server, f"redeem_{next(names)}")[0]

        return [*found, *_compared("PostgreSQL", fresh, raw_postgres, size)]


def _on_sqlite(size: Size) -> list[Outcome]:
    with tempfile.TemporaryDirectory() as folder:
        names = iter(range(10_000))

        def fresh() -> str:
            url = f"sqlite:///{Path(folder) / f'{next(names)}.db'}"
            schema.upgrade(url)
            return url

        return _compared("SQLite FULL", fresh, raw_sqlite, size)


def _compared(engine: str, fresh: Callable, raw: Callable, size: Size) -> list[Outcome]:
    transactions = captured(fresh(), size.redeems)
    raws, mine, orders, answers = [raw(fresh(), transactions)], [], [], Counter()
    for _ in range(min(size.rounds, 3)):
        with dealt(fresh()) as card:
            seconds, said = at_once(card, size.redeems)
            mine.append(size.redeems / seconds)
            orders.append(card.orders())
        answers += said
        raws.append(raw(fresh(), transactions))
    ratio = max(mine) / max(raws)
    told = ", ".join(f"{code} {count:,}" for code, count in sorted(answers.items()))
    once = orders == [1] * len(orders) and answers["ok"] == len(orders)
    threads = min(THREADS, size.redeems)
    return [
        Outcome(
            "REDEEM",
            f"{size.redeems:,} presses of one card from {threads} threads, {engine}",
            f"{'/'.join(map(str, orders))} orders",
            goal="1 each round",
            met=once,
            note=f"answers of all rounds: {told}",
        ),
        Outcome(
            "REDEEM",
            f"{METRIC}, {engine}",
            f"{max(mine):,.0f}/s",
            f"raw driver {max(raws):,.0f}/s",
            ratio,
            f">= {GOAL}x",
            ratio >= GOAL,
            note=f"{len(transactions[-1])} statements a refused press, each with its audit event; "
            "the raw driver runs them on one connection",
        ),
    ]
