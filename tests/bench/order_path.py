"""PATH: what one order asks of the database and the processor, from card to fill, by its stages."""

from __future__ import annotations

import contextlib
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import structlog
from sqlalchemy import Table, event, select

from services import schema
from services.kit.context import Context
from services.ledger.tables import trades
from services.orders.order import State
from services.orders.tables import (
    confirm_tokens,
    fills,
    order_intents,
    order_transitions,
    proposals,
    submit_attempts,
)
from tests.bench.measure import Outcome, Size
from tests.bench.redeems import open_desk
from tests.fakes.order_desk import OrderDesk

T = TypeVar("T")
STAGES = ("propose", "issue", "confirm", "work")
GOAL = 1.2
_STEP = 20
_LONG_AGO = timedelta(days=60)
_TABLES: tuple[tuple[Table, tuple[str, ...]], ...] = (
    (proposals, ("id", "client_order_id", "intent_hash")),
    (confirm_tokens, ("id", "token_sha256", "proposal_id")),
    (order_intents, ("id", "proposal_id", "client_order_id", "broker_order_id")),
    (order_transitions, ("order_id",)),
    (submit_attempts, ("order_id",)),
    (fills, ("id", "order_id", "exec_id")),
    (trades, ("order_id", "exec_id")),
)
"""What one order leaves behind, with the columns that are its own."""
_CHUNK = 500


class OrderPath:
    """Walks orders through a desk and counts what each stage asks for."""

    def __init__(self, desk: OrderDesk) -> None:
        self.desk = desk
        self.statements: Counter[str] = Counter()
        self.steps: Counter[str] = Counter()
        self.cpu_ms: dict[str, list[float]] = {stage: [] for stage in STAGES}
        self._stage = ""
        self._number = 0
        engine = desk.runtime.database.engine
        engine.dispose()
        event.listen(engine, "before_cursor_execute", self._asked)
        event.listen(engine, "connect", self._connected)

    def _asked(self, *_: object) -> None:
        self.statements[self._stage] += 1

    def _connected(self, connection: Any, _record: object) -> None:
        connection.set_progress_handler(self._stepped, _STEP)

    def _stepped(self) -> int:
        self.steps[self._stage] += _STEP
        return 0

    def walk(self, orders: int) -> None:
        """Buy and sell in turn, one unit more each time; the counts begin anew."""
        self.statements.clear()
        self.steps.clear()
        self.cpu_ms = {stage: [] for stage in STAGES}
        for _ in range(orders):
            side, quantity = ("buy", "sell")[self._number % 2], str(1 + self._number // 2 % 90)
            self._number += 1
            card = self._at("propose", lambda s=side, q=quantity: self.desk.propose("AAPL", s, q))
            opened = self._at("issue", lambda c=card: self.desk.issue(c.id))
            typed = f"AAPL {quantity}"
            self._at(
                "confirm", lambda c=card, o=opened, t=typed: self.desk.confirm(c.id, o, typed=t)
            )
            self._at("work", self.desk.work)

    def _at(self, stage: str, act: Callable[[], T]) -> T:
        self._stage, began = stage, time.process_time()
        try:
            return act()
        finally:
            self.cpu_ms[stage].append((time.process_time() - began) * 1000)
            self._stage = ""

    @property
    def orders(self) -> int:
        return len(self.cpu_ms["work"])

    def each(self, counts: Counter[str]) -> str:
        """Return a count by stage, of one order."""
        return ", ".join(f"{stage} {counts[stage] / self.orders:,.0f}" for stage in STAGES)


def measure(size: Size) -> list[Outcome]:
    """Walk orders on an empty book, and with many of them long ago behind it."""
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    try:
        return _measured(size)
    finally:
        structlog.reset_defaults()


def _measured(size: Size) -> list[Outcome]:
    bare, aged = _walked(size, behind=0), _walked(size, behind=size.listed)
    cpu = {stage: statistics.median(took) for stage, took in bare.cpu_ms.items()}
    before, after = (sum(one.steps.values()) / one.orders for one in (bare, aged))
    ratio = after / before
    return [
        Outcome(
            "PATH",
            "an order from card to fill, processor time",
            f"{sum(cpu.values()):.1f} ms",
            note=f"ms {', '.join(f'{stage} {cpu[stage]:.1f}' for stage in STAGES)}; "
            f"statements {bare.each(bare.statements)}",
        ),
        Outcome(
            "PATH",
            f"steps of the database for an order, {size.listed:,} old orders behind it",
            f"{after:,.0f}",
            f"none behind it {before:,.0f}",
            ratio,
            f"<= {GOAL}x",
            ratio <= GOAL,
            note=f"{aged.each(aged.steps)}; without them {bare.each(bare.steps)}",
        ),
    ]


def _walked(size: Size, *, behind: int) -> OrderPath:
    with _desk() as desk:
        path = OrderPath(desk)
        path.walk(size.warm + 3)
        if behind:
            leave_behind(desk, behind)
        path.walk(2)
        path.walk(size.calls // 10 + 2)
        return path


@contextlib.contextmanager
def _desk() -> Iterator[OrderDesk]:
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'cornerman.db'}"
        schema.upgrade(url)
        with open_desk(url) as desk:
            yield desk


def leave_behind(desk: OrderDesk, orders: int) -> None:
    """Write the rows that so many orders of long ago would have left."""

    def act(ctx: Context) -> None:
        row = ctx.db.row(
            select(order_intents.c.id, order_intents.c.proposal_id)
            .where(order_intents.c.state == State.FILLED.value, order_intents.c.side == "sell")
            .limit(1)
        )
        for table, own in _TABLES:
            key = "proposal_id" if table is confirm_tokens else "id" if "id" in own else "order_id"
            like = row.proposal_id if table in (proposals, confirm_tokens) else row.id
            key = "order_id" if table is fills else key
            for found in ctx.db.rows(select(table).where(table.c[key] == like)):
                _write_likes(ctx, table, found, own, orders)

    desk.write(act)


def _write_likes(ctx: Context, table: Table, row: Any, own: tuple[str, ...], count: int) -> None:
    like = {name: value for name, value in row._mapping.items() if name != "tenant_id"}
    moved = {
        column.name: like[column.name] - _LONG_AGO
        for column in table.c
        if like.get(column.name) is not None and column.name in ("at", "closed_at", "confirmed_at")
    }
    made = [
        like
        | moved
        | {name: f"{name}-{number:07}" for name in own}
        | ({"seq": -number} if table is trades else {})
        for number in range(1, count + 1)
    ]
    for at in range(0, count, _CHUNK):
        ctx.db.insert(table, *made[at : at + _CHUNK])
