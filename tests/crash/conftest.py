"""Owns the crash fixtures: the forking process, and a home as it stands before each stage."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import func, select

from app.wiring import build
from services import audit
from services.chat import events
from services.identity.user import LOCAL_TENANT
from services.invariant import check_all
from services.journal import journal_entries
from services.kit.context import system_principal
from services.kit.environment import load_settings
from services.kit.money import decimal_text
from services.ledger.tables import ledger_batches, ledger_entries
from services.orders import store
from services.orders.paper_tables import paper_orders
from services.orders.tables import fills, proposals
from tests.crash.stages import STAGES

ROOT = Path(__file__).resolve().parents[2]


class Zygote:
    """Talks to the forking process; one command, one death."""

    def __init__(self, folder: Path) -> None:
        self._said = folder / "zygote.log"
        with self._said.open("w") as said:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.crash.zygote"],
                cwd=ROOT,
                text=True,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=said,
            )
        if self._answer() != {"ready": True}:
            raise RuntimeError(self._said.read_text()[-3000:])

    def _answer(self) -> dict:
        line = self._process.stdout.readline()
        if not line:
            self.close()
            raise RuntimeError(self._said.read_text()[-3000:])
        return json.loads(line)

    def run(self, home: Path, stage: str, **command) -> dict:
        """Run `stage` on `home` in a fork and say how it ended: `code`, `stopped`, `ms`."""
        line = json.dumps({"home": str(home), "stage": stage, **command})
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        return self._answer()

    def finish(self, home: Path, stage: str) -> None:
        """Run `stage` to its end, as the next start of the product does."""
        ended = self.run(home, stage)
        assert ended["code"] == 0, (home / "child.log").read_text()[-3000:]

    def close(self) -> None:
        self._process.stdin.close()
        self._process.wait(30)
        self._process.stdout.close()


class Course:
    """The stages of a day: a home before each, what each reaches, and how things stand after it."""

    def __init__(self, zygote: Zygote, folder: Path) -> None:
        self.zygote = zygote
        self.before: dict[str, Path] = {}
        self.after: dict[str, dict] = {}
        self.reached: dict[str, dict[str, int]] = {}
        self.ms: dict[str, int] = {}
        home = folder / "probe"
        home.mkdir()
        for stage in STAGES:
            self.before[stage] = shutil.copytree(home, folder / f"before-{stage}")
            ended = zygote.run(home, stage, record=True)
            assert ended["code"] == 0, (home / "child.log").read_text()[-3000:]
            self.ms[stage] = ended["ms"]
            self.reached[stage] = json.loads((home / "reached.json").read_text())
            self.after[stage] = standing(home)

    def home_before(self, stage: str, target: Path) -> Path:
        """A fresh home as it stands before `stage`."""
        return shutil.copytree(self.before[stage], target)


@pytest.fixture(scope="session")
def zygote(tmp_path_factory) -> Iterator[Zygote]:
    made = Zygote(tmp_path_factory.mktemp("zygote"))
    yield made
    made.close()


@pytest.fixture(scope="session")
def course(zygote, tmp_path_factory) -> Course:
    return Course(zygote, tmp_path_factory.mktemp("course"))


def standing(home: Path) -> dict:
    """How the books of a home stand, without ids and times; every invariant checked."""
    product = build(load_settings({"CORNERMAN_HOME": str(home)}), log_stream=io.StringIO())
    try:
        return product.runtime.read(system_principal(LOCAL_TENANT), _standing)
    finally:
        product.close()


def _standing(ctx) -> dict:
    def count(table) -> int:
        return ctx.db.scalar(select(func.count()).select_from(table))

    legs = ctx.db.rows(
        select(
            ledger_batches.c.kind,
            ledger_entries.c.account,
            ledger_entries.c.amount,
            ledger_entries.c.quantity,
            ledger_entries.c.unit_price,
        )
        .join_from(
            ledger_batches,
            ledger_entries,
            (ledger_batches.c.portfolio_id == ledger_entries.c.portfolio_id)
            & (ledger_batches.c.seq == ledger_entries.c.seq),
        )
        .order_by(ledger_entries.c.seq, ledger_entries.c.line)
    )
    verdict = audit.verify(ctx)
    return {
        "violations": check_all(ctx),
        "chain": (verdict.ok, verdict.reason),
        "orders": [
            (
                one.symbol,
                one.side,
                decimal_text(one.quantity),
                one.state.value,
                decimal_text(one.filled_quantity),
            )
            for one in reversed(store.list_orders(ctx))
        ],
        "proposals": [
            tuple(row)
            for row in ctx.db.rows(
                select(proposals.c.kind, proposals.c.status).order_by(proposals.c.id)
            )
        ],
        "counts": {
            table.name: count(table)
            for table in (paper_orders, fills, journal_entries, ledger_batches)
        },
        "legs": [tuple(str(value) for value in row) for row in legs],
    }


def seen_whole_stream(home: Path) -> None:
    """Assert that what the client saw over all its lives is the stream: no gap, no repeat."""
    kept = json.loads((home / "client.json").read_text())
    if "talk" not in kept:
        return
    product = build(load_settings({"CORNERMAN_HOME": str(home)}), log_stream=io.StringIO())
    try:
        stored = product.runtime.read(
            system_principal(LOCAL_TENANT),
            lambda ctx: ctx.db.rows(
                select(events.c.seq, events.c.type, events.c.run_id)
                .where(events.c.stream == kept["talk"])
                .order_by(events.c.seq)
            ),
        )
    finally:
        product.close()
    seen = [tuple(one) for one in kept["seen"]]
    assert seen == [tuple(row) for row in stored][: len(seen)]
    assert [one[0] for one in seen] == list(range(1, len(seen) + 1))
