"""The rebuild finds every tampered snapshot, restores it, and never touches the entries."""

from decimal import Decimal as D  # noqa: N817 - a column of numbers reads better short

import pytest
from sqlalchemy import text

from services import audit
from services.kit.errors import Refusal
from services.ledger import book, holding, rebuild
from tests.unit.ledger.conftest import AAPL, Desk


@pytest.fixture
def desk(any_runtime, owner):
    desk = Desk(any_runtime, owner, cost_method="fifo")
    desk.fill("buy", 100, 200)
    desk.fill("buy", 50, 206)
    desk.fill("sell", 120, 209)
    desk.do(lambda ctx: book.reserve(ctx, desk.id, "o1", cash=D(500)))
    desk.do(lambda ctx: book.reserve(ctx, desk.id, "o2", listing=AAPL, quantity=D(5)))
    return desk


def found(desk):
    return desk.do(rebuild.check)


@pytest.mark.fault("F088")
@pytest.mark.parametrize(
    ("statement", "what"),
    [
        ("UPDATE cash_snapshots SET posted = posted + 1", "cash"),
        ("UPDATE cash_snapshots SET reserved = 0", "cash_reserved"),
        ("UPDATE holding_snapshots SET quantity = quantity + 100000000", "holding"),
        ("UPDATE holding_snapshots SET cost_base = 1", "holding"),
        ("UPDATE holding_snapshots SET reserved = 0", "holding_reserved"),
        ("DELETE FROM cash_snapshots", "cash"),
        ("DELETE FROM holding_snapshots", "holding"),
    ],
)
def test_a_tampered_or_lost_snapshot_is_named_and_restored(desk, statement, what):
    assert found(desk) == []
    before = desk.do(lambda ctx: (book.cash(ctx, desk.id), holding.positions(ctx, desk.id)))
    desk.do(lambda ctx: ctx.db.connection.execute(text(statement)))
    assert what in [difference.what for difference in found(desk)]
    repaired = desk.do(rebuild.rebuild)
    assert what in [difference.what for difference in repaired]
    assert found(desk) == []
    assert desk.do(lambda ctx: (book.cash(ctx, desk.id), holding.positions(ctx, desk.id))) == before
    [event] = desk.do(lambda ctx: audit.trail(ctx, desk.owner.tenant_id))
    assert event.kind == "ledger.rebuilt"
    assert desk.fill("sell", 30, 190).pnl == D("-481.60")


@pytest.mark.parametrize(
    "statement", ["DELETE FROM cash_snapshots", "DELETE FROM holding_snapshots"]
)
def test_nothing_is_posted_on_a_lost_snapshot(desk, statement):
    desk.do(lambda ctx: ctx.db.connection.execute(text(statement)))
    with pytest.raises(Refusal, match="LEDGER_DIFFERS"):
        desk.fill("buy", 1, 100)


@pytest.mark.parametrize(
    ("statement", "what"),
    [
        (
            "UPDATE ledger_entries SET amount = amount + 1 WHERE seq = 2 AND account = 'cash:USD'",
            "entries",
        ),
        ("DELETE FROM ledger_entries WHERE seq = 3", "entries"),
        ("UPDATE ledger_batches SET ref = 'other' WHERE seq = 2", "chain"),
        (
            "UPDATE ledger_entries SET unit_price = unit_price + 1 WHERE seq = 2 AND unit_price > 0",
            "chain",
        ),
        ("DELETE FROM trades", "trades"),
        ("DELETE FROM lot_reliefs", "lots"),
    ],
)
def test_damage_behind_the_guards_is_named(sqlite_url, plain_runtime, owner, statement, what):
    desk = Desk(plain_runtime, owner, cost_method="fifo")
    desk.fill("buy", 100, 200)
    desk.fill("buy", 50, 206)
    desk.fill("sell", 120, 209)

    def behind_the_guards(ctx):
        names = [
            row[0]
            for row in ctx.db.connection.execute(
                text("SELECT name FROM sqlite_master WHERE type = 'trigger'")
            )
        ]
        for name in names:
            ctx.db.connection.execute(text(f"DROP TRIGGER {name}"))
        ctx.db.connection.execute(text(statement))

    desk.do(behind_the_guards)
    assert {difference.what for difference in found(desk)} == {what}
