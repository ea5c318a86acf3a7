"""The book posts balanced batches once, keeps its snapshots, and refuses what it does not have."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from decimal import Decimal as D  # noqa: N817 - a column of numbers reads better short

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DatabaseError

from services import audit
from services.kit import failpoint, outbox
from services.kit.context import system_principal
from services.kit.errors import Refusal
from services.ledger import book, holding, rebuild
from services.ledger.portfolio import charge_fee, contribute, open_portfolio, withdraw
from services.ledger.posting import Batch, Leg, flow_legs
from services.ledger.tables import lot_reliefs, lots, trades
from tests.conftest import NOW
from tests.unit.ledger.conftest import AAPL, Desk


def cash_of(desk):
    return desk.do(lambda ctx: book.cash(ctx, desk.id))


def test_the_worked_account_of_the_specification(any_desk):
    desk = any_desk
    desk.fill("buy", 100, 200)
    desk.fill("buy", 50, 206)
    [held] = desk.do(lambda ctx: holding.positions(ctx, desk.id))
    assert (held.quantity, held.cost_base, held.average_cost) == (150, 30302, D("202.013333"))
    assert desk.fill("sell", 120, 209).pnl == D("837.40")
    assert desk.fill("sell", 30, 190).pnl == D("-361.40")
    assert cash_of(desk).posted.amount == D("100476.00")
    assert desk.do(lambda ctx: holding.positions(ctx, desk.id)) == []
    with pytest.raises(Refusal, match="INSUFFICIENT_POSITION"):
        desk.fill("sell", 1, 190)
    with pytest.raises(Refusal, match="INSUFFICIENT_CASH"):
        desk.fill("buy", 10_000, 190)
    rows = desk.do(lambda ctx: ctx.db.rows(select(trades).order_by(trades.c.seq)))
    assert [(row.pnl, row.flat, row.opened_seq) for row in rows] == [
        (D("837.40"), 0, 2),
        (D("-361.40"), 1, 2),
    ]


@pytest.mark.fault("F086")
def test_a_repeated_execution_is_posted_once_and_another_with_its_id_is_refused(any_desk):
    desk = any_desk
    first = desk.fill("buy", 10, 100, exec_id="e1")
    again = desk.fill("buy", 10, 100, exec_id="e1")
    assert (first.replayed, again.replayed, again.seq) == (False, True, first.seq)
    with pytest.raises(Refusal, match="BATCH_KEY_REUSED"):
        desk.fill("buy", 11, 100, exec_id="e1")
    assert cash_of(desk).posted.amount == D(100_000) - 1001


@pytest.mark.fault("F082")
@pytest.mark.parametrize(
    "legs",
    [
        (),
        (Leg("cash:USD", "USD", D(5)),),
        (Leg("cash:USD", "USD", D(5)), Leg("external:contribution", "EUR", D(-5))),
        (Leg("cash:USD", "USD", D(0)), Leg("external:contribution", "USD", D(0))),
        (Leg(f"position:{AAPL}", AAPL, D(1)), Leg("cash:USD", "USD", D(-1))),
    ],
)
def test_a_batch_that_does_not_balance_is_refused(desk, legs):
    batch = Batch(portfolio_id=desk.id, kind="ADJUST", key="k", effective_at=NOW, legs=legs)
    with pytest.raises(Refusal, match="BATCH_UNBALANCED"):
        desk.do(lambda ctx: book.append(ctx, batch))
    assert cash_of(desk).posted.amount == 100_000


@pytest.mark.fault("F082")
def test_the_database_itself_refuses_zero_legs_and_another_tenants_portfolio(any_desk):
    desk = any_desk

    def insert(tenant, amount):
        def act(ctx):
            ctx.db.connection.execute(
                text(
                    "INSERT INTO ledger_entries (tenant_id, portfolio_id, seq, line, account, asset, "
                    f"amount) VALUES ('{tenant}', '{desk.id}', 1, 9, 'cash:USD', 'USD', {amount})"
                )
            )

        return act

    with pytest.raises(DatabaseError, match="not_zero"):
        desk.do(insert(desk.owner.tenant_id, 0))
    with pytest.raises(DatabaseError, match=r"(?i)foreign key|fk_"):
        desk.runtime.write(system_principal("t_other"), insert("t_other", 5))


@pytest.mark.fault("F081")
@pytest.mark.parametrize(
    "table", ["ledger_batches", "ledger_entries", "lots", "lot_reliefs", "trades", "valuations"]
)
def test_posted_rows_can_not_be_changed_or_removed(any_runtime, owner, table):
    desk = Desk(any_runtime, owner, cost_method="fifo")
    desk.fill("buy", 10, 100)
    desk.fill("sell", 4, 100)
    if table == "valuations":
        from services.ledger.valuation import record

        desk.fill("sell", 6, 100)
        assert desk.do(lambda ctx: record(ctx, desk.id))
    for statement in (f"UPDATE {table} SET portfolio_id = 'x'", f"DELETE FROM {table}"):
        with pytest.raises(DatabaseError):
            desk.do(lambda ctx, sql=statement: ctx.db.connection.execute(text(sql)))


def test_foreign_cash_is_refused_while_a_portfolio_has_one_currency(desk):
    batch = Batch(
        portfolio_id=desk.id,
        kind="CONTRIBUTION",
        key="k",
        effective_at=NOW,
        legs=flow_legs("CONTRIBUTION", D(5), "EUR"),
    )
    with pytest.raises(Refusal, match="CURRENCY_MISMATCH"):
        desk.do(lambda ctx: book.append(ctx, batch))


def test_reserved_cash_is_not_free_and_a_fill_may_use_it(any_desk):
    desk = any_desk
    desk.do(lambda ctx: book.reserve(ctx, desk.id, "o1", cash=D(99_000)))
    desk.do(lambda ctx: book.reserve(ctx, desk.id, "o1", cash=D(99_000)))
    assert cash_of(desk).available.amount == 1000
    with pytest.raises(Refusal, match="INSUFFICIENT_CASH"):
        desk.do(lambda ctx: book.reserve(ctx, desk.id, "o2", cash=D("1000.01")))
    with pytest.raises(Refusal, match="INSUFFICIENT_CASH"):
        desk.do(lambda ctx: withdraw(ctx, desk.id, D(2000), key="w"))
    desk.fill("buy", 100, 500, order_id="o1")
    desk.do(lambda ctx: book.release(ctx, "o1", keep_cash=D(40_000)))
    assert cash_of(desk).available.amount == D(100_000) - 50_001 - 40_000
    desk.do(lambda ctx: book.release(ctx, "o1"))
    desk.do(lambda ctx: book.release(ctx, "o1"))
    assert cash_of(desk).reserved.amount == 0


@pytest.mark.fault("F083")
def test_reserved_units_can_not_be_promised_twice(any_desk):
    desk = any_desk
    desk.fill("buy", 10, 100)
    desk.do(lambda ctx: book.reserve(ctx, desk.id, "s1", listing=AAPL, quantity=D(7)))
    with pytest.raises(Refusal, match="INSUFFICIENT_POSITION"):
        desk.do(lambda ctx: book.reserve(ctx, desk.id, "s2", listing=AAPL, quantity=D(4)))
    [held] = desk.do(lambda ctx: holding.positions(ctx, desk.id))
    assert (held.available, held.reserved) == (3, 7)


def test_cash_alone_moves_by_contribution_withdrawal_and_fee(any_desk):
    desk = any_desk
    desk.do(lambda ctx: contribute(ctx, desk.id, D("50.25"), key="c"))
    desk.do(lambda ctx: withdraw(ctx, desk.id, D(20), key="w"))
    desk.do(lambda ctx: charge_fee(ctx, desk.id, D("0.25"), key="f"))
    assert cash_of(desk).posted.amount == 100_030


@pytest.mark.fault("F090")
@pytest.mark.parametrize(
    ("quantity", "price"),
    [(D("1e18"), D(1)), (D(1), D("1e8")), (D("1e9"), D("1e7")), (D(-1), D(1)), (D(1), D(0))],
)
def test_extreme_fills_are_refused_by_range(desk, quantity, price):
    with pytest.raises(Refusal, match="AMOUNT_RANGE"):
        desk.fill("buy", quantity, price)


def test_a_posting_leaves_an_audit_event_and_a_message_in_the_same_transaction(desk):
    posted = desk.fill("buy", 10, 100, order_id="ord_1")
    [event] = desk.do(lambda ctx: audit.trail(ctx, "ord_1"))
    assert (event.kind, event.facts["seq"]) == ("ledger.posted", posted.seq)
    message = desk.do(outbox.due)[-1]
    assert (message.kind, message.payload["quantity"]) == ("position.changed", "10")


def test_batches_are_chained_by_their_hashes(desk):
    from services.ledger.store import GENESIS, read_batches, seal

    desk.fill("buy", 10, 100)
    stored = desk.do(lambda ctx: list(read_batches(ctx, desk.id)))
    assert stored[0].prev_hash == GENESIS
    assert stored[1].prev_hash == stored[0].hash
    for one in stored:
        assert seal(one.batch.content_hash, one.seq, one.recorded_at, one.prev_hash) == one.hash
    changed = replace(stored[1].batch, ref="other")
    assert seal(changed.content_hash, 2, stored[1].recorded_at, stored[0].hash) != stored[1].hash


def test_first_in_first_out_relieves_the_oldest_lots(any_runtime, owner):
    desk = Desk(any_runtime, owner, cost_method="fifo")
    desk.fill("buy", 100, 200, fee="0")
    desk.fill("buy", 50, 206, fee="0")
    assert desk.fill("sell", 120, 209, fee="0").pnl == D(120 * 209 - 100 * 200 - 20 * 206)
    assert desk.fill("sell", 30, 190, fee="0").pnl == D(30 * 190 - 30 * 206)
    bought = desk.do(lambda ctx: ctx.db.rows(select(lots).order_by(lots.c.seq)))
    gone = desk.do(lambda ctx: ctx.db.rows(select(lot_reliefs).order_by(lot_reliefs.c.seq)))
    assert sum(lot.cost_base for lot in bought) == sum(relief.cost_base for relief in gone)


def test_a_reversed_sale_gives_back_units_cash_lots_and_profit(any_runtime, owner):
    desk = Desk(any_runtime, owner, cost_method="fifo")
    desk.fill("buy", 100, 200)
    before = desk.do(lambda ctx: (book.cash(ctx, desk.id), holding.positions(ctx, desk.id)))
    sale = desk.fill("sell", 40, 210)

    def undo(ctx):
        return book.reverse(ctx, desk.id, sale.seq, key="undo", effective_at=NOW)

    assert desk.do(undo).pnl == -sale.pnl
    assert desk.do(undo).replayed
    assert desk.do(lambda ctx: (book.cash(ctx, desk.id), holding.positions(ctx, desk.id))) == before
    with pytest.raises(Refusal, match="REVERSAL_BLOCKED"):
        desk.do(lambda ctx: book.reverse(ctx, desk.id, sale.seq, key="twice", effective_at=NOW))
    with pytest.raises(Refusal, match="REVERSAL_BLOCKED"):
        desk.do(lambda ctx: book.reverse(ctx, desk.id, sale.seq + 1, key="back", effective_at=NOW))


def test_a_batch_under_a_later_one_of_its_listing_can_not_be_reversed(desk):
    first = desk.fill("buy", 10, 100)
    desk.fill("buy", 5, 100)
    with pytest.raises(Refusal, match="REVERSAL_BLOCKED"):
        desk.do(lambda ctx: book.reverse(ctx, desk.id, first.seq, key="u", effective_at=NOW))
    with pytest.raises(Refusal, match="BATCH_UNKNOWN"):
        desk.do(lambda ctx: book.reverse(ctx, desk.id, 99, key="u", effective_at=NOW))


@pytest.mark.fault("F084")
def test_many_partial_sales_never_make_the_pool_negative_and_relieve_it_exactly(desk):
    from services.ledger.position import FLAT, Terms, acquire, relieve

    for method in ("average", "fifo"):
        terms = Terms(method, "USD", 2)
        position = acquire(FLAT, D(997), D("3.33"), seq=1, at=NOW, method=method)
        position = acquire(position, D(3), D("100.01"), seq=2, at=NOW, method=method)
        total = D(0)
        while position.quantity:
            assert position.cost > 0
            position, relief = relieve(position, D(1), terms)
            assert relief >= 0
            total += relief
        assert (total, position.cost) == (D("103.34"), 0)


@pytest.mark.fault("F086")
def test_one_execution_posted_by_many_threads_at_once_is_one_batch(any_desk):
    desk = any_desk
    with ThreadPoolExecutor(8) as threads:
        posted = list(threads.map(lambda _: desk.fill("buy", 10, 100, exec_id="e1"), range(16)))
    assert {one.seq for one in posted} == {2}
    assert [one.replayed for one in posted].count(False) == 1
    assert cash_of(desk).posted.amount == D(100_000) - 1001


@pytest.mark.parametrize(
    "name", ["ledger.before_batch", "ledger.after_entries", "ledger.after_snapshots"]
)
def test_a_post_that_fails_on_the_way_leaves_nothing(desk, name):
    failpoint.arm(f"{name}:raise")
    with pytest.raises(failpoint.FailpointHit):
        desk.fill("buy", 10, 100, exec_id="e1")
    assert desk.do(rebuild.check) == []
    assert cash_of(desk).posted.amount == 100_000
    assert desk.fill("buy", 10, 100, exec_id="e1").replayed is False


def test_opening_is_idempotent_and_other_terms_are_refused(any_desk):
    desk = any_desk
    assert desk.do(lambda ctx: open_portfolio(ctx, "Main")) == desk.portfolio
    with pytest.raises(Refusal, match="PORTFOLIO_EXISTS"):
        desk.do(lambda ctx: open_portfolio(ctx, "Main", start_cash=D(5)))
    with pytest.raises(Refusal, match="START_CASH_INVALID"):
        desk.do(lambda ctx: open_portfolio(ctx, "Other", start_cash=D(0)))
