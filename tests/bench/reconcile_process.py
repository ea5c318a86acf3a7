"""Owns one measured reconciliation in a process of its own: it prints JSON in its last line."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import event

from services import schema
from services.orders.connect import compare
from services.orders.execute import work_once
from services.orders.external import tell_external
from services.orders.order import State
from services.orders.reconcile import resolve_in_doubt
from tests.bench.order_book import OrderBook, build_book, set_state

NEWS, FOREIGN, DOUBTED = 100, 100, 100
"""One order in so many was filled, stands there though nobody confirmed it, or is in doubt."""


def one_pass(book: OrderBook) -> dict[str, int]:
    """Reconcile everything once; return what came of it."""
    desk = book.system
    told = tell_external(desk, book.broker)
    looked = resolve_in_doubt(book.runtime)
    moved = work_once(book.runtime)
    drift = compare(desk, book.broker)
    return {"told": told, "looked": looked, "moved": moved, "drift": len(drift)}


def plain_diff(path: Path, book: OrderBook) -> list[tuple[str, str]]:
    """Return what differs between our orders and theirs by two dicts and the raw driver."""
    query = "SELECT client_order_id, broker_order_id, state, filled_quantity FROM order_intents"
    with contextlib.closing(sqlite3.connect(path)) as db:
        ours = {row[0]: row[1:] for row in db.execute(query)}
    theirs = {one.tag: one for one in book.broker.orders()}
    found = [("foreign", tag) for tag in theirs if tag not in ours]
    found += [("absent", tag) for tag in ours if tag not in theirs]
    for tag, view in book.broker.views.items():
        _, state, filled = ours.get(tag, (None, "", 0))
        if (view.status == "open") != (state == "WORKING") or view.filled != filled / 10**8:
            found.append(("differs", tag))
    return found


class Measured:
    """Runs acts and notes what each took: seconds, processor time and statements."""

    def __init__(self, book: OrderBook) -> None:
        self._count = 0
        event.listen(book.runtime.database.engine, "before_cursor_execute", self._seen)

    def _seen(self, *_: object) -> None:
        self._count += 1

    def run(self, act: Callable[[], Any]) -> dict[str, Any]:
        statements, wall, cpu = self._count, time.perf_counter(), time.process_time()
        found = act()
        return {
            "s": time.perf_counter() - wall,
            "cpu_s": time.process_time() - cpu,
            "statements": self._count - statements,
            "found": found,
        }


def peak_mb(act: Callable[[], Any]) -> float:
    """Return the most memory that an act held beside what was there before, in MB of 10^6 bytes."""
    tracemalloc.start()
    act()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 1e6


def main(orders: int) -> dict[str, Any]:
    """Measure a pass with nothing new, its peer, and a pass with news, over `orders` orders."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "cornerman.db"
        schema.upgrade(f"sqlite:///{path}")
        book = build_book(f"sqlite:///{path}", Path(folder), orders)
        measured = Measured(book)
        one_pass(book)
        peer = min((measured.run(lambda: len(plain_diff(path, book))) for _ in range(3)), key=_cpu)
        quiet = min((measured.run(lambda: one_pass(book)) for _ in range(3)), key=_cpu)
        memory = peak_mb(lambda: one_pass(book))
        _let_things_happen(book)
        differs = len(plain_diff(path, book))
        news = measured.run(lambda: one_pass(book))
        left = len(plain_diff(path, book))
        book.runtime.close()
    told = {"quiet": quiet, "peer": peer, "news": news}
    return told | {"differs": differs, "left": left, "orders": orders, "peak_mb": memory}


def _cpu(one: dict[str, Any]) -> float:
    return float(one["cpu_s"])


def _let_things_happen(book: OrderBook) -> None:
    tags = book.tags
    for tag in tags[::NEWS]:
        book.broker.fill(tag, "179.50")
    set_state(book, tags[1::DOUBTED], State.UNKNOWN)
    for number in range(len(tags) // FOREIGN):
        book.broker.hold(f"by-hand-{number}", f"hand-{number}", foreign=True)


if __name__ == "__main__":
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    print(json.dumps(main(int(sys.argv[1]))))
