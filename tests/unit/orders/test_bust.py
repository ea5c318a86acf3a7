"""A fill that the broker takes back or corrects: reversed and posted anew, nothing is rewritten."""

from __future__ import annotations

from decimal import Decimal as D  # noqa: N817 - a desk of numbers reads better short

import pytest
from sqlalchemy import select

from services import invariant
from services.kit.db import Database
from services.kit.outbox import outbox_rows
from services.ledger import holding, portfolio
from services.ledger.tables import ledger_batches, trades
from services.orders import store
from services.orders.bust import correct_fill
from services.orders.order import State
from services.orders.tables import fills


@pytest.fixture
def database(database_url):
    database = Database(database_url)
    yield database
    database.close()


def traded(desk, side="buy", quantity="10"):
    order_id = desk.buy("AAPL", side, quantity)
    desk.work(2)
    assert desk.order(order_id).state is State.FILLED
    return next(row for row in desk.rows(fills) if row.order_id == order_id)


def correct(desk, fill, **given):
    given = {"reason": "the exchange busted it", **given}
    return desk.write(lambda ctx: correct_fill(ctx, fill.id, **given))


def refused(desk, fill, **given):
    return desk.refused(lambda: correct(desk, fill, **given)).code


def kinds(desk):
    rows = desk.rows(ledger_batches, ledger_batches.c.seq)
    return [row.kind for row in rows if row.kind != "CONTRIBUTION"]


@pytest.mark.fault("F049")
def test_a_bust_is_a_reversal_and_the_fill_stays_on_record(desk):
    desk.write(portfolio.get_portfolio)
    before = desk.cash().posted.amount
    fill = traded(desk)
    done = correct(desk, fill)
    assert (done.price, done.batch_seq) == (None, None)
    assert (desk.held(), desk.cash().posted.amount) == (0, before)
    assert kinds(desk)[-2:] == ["BUY", "REVERSAL"]
    assert desk.rows(fills) == [fill]
    assert [one.corrected for one in desk.read(store.list_fills)] == ["taken back"]
    assert desk.order(fill.order_id).state is State.FILLED
    assert desk.read(invariant.check_all) == []


@pytest.mark.fault("F049")
def test_a_corrected_price_is_a_reversal_and_a_new_batch(desk):
    desk.write(portfolio.get_portfolio)
    before = desk.cash().posted.amount
    fill = traded(desk)
    correct(desk, fill, price=D("190.00"), reason="clearly erroneous, adjusted")
    assert kinds(desk)[-3:] == ["BUY", "REVERSAL", "BUY"]
    assert before - desk.cash().posted.amount == D("1901.00")  # 10 x 190.00 and the fee of 1.00
    (held,) = desk.read(lambda ctx: holding.positions(ctx, portfolio.list_portfolios(ctx)[0].id))
    assert (held.quantity, held.average_cost) == (10, D("190.10"))
    assert [one.corrected for one in desk.read(store.list_fills)] == ["corrected to 190"]
    (told,) = desk.audited("fill.corrected")
    assert (told["facts"]["price"], told["facts"]["price_after"]) == ("190.14", "190")
    assert desk.read(invariant.check_all) == []


def test_a_corrected_sale_corrects_the_result_too(desk):
    traded(desk)
    desk.runtime.clock.advance(seconds=61)
    sale = traded(desk, "sell")
    before = desk.cash().posted.amount
    correct(desk, sale, price=sale.price + 1)
    assert desk.cash().posted.amount - before == 10
    results = [row.pnl for row in desk.rows(trades, trades.c.seq)]
    assert results[-1] - results[0] == 10
    assert desk.read(invariant.check_all) == []


def test_what_was_traded_since_blocks_a_correction(desk):
    fill = traded(desk)
    desk.runtime.clock.advance(seconds=61)
    traded(desk, "sell", "4")
    assert refused(desk, fill) == "REVERSAL_BLOCKED"


def test_a_correction_is_final_and_wants_a_reason_and_a_price_above_0(desk):
    fill = traded(desk)
    assert refused(desk, fill, reason=" ") == "PARAM_INVALID"
    assert refused(desk, fill, price=D(0)) == "PRICE_NON_POSITIVE"
    correct(desk, fill)
    assert refused(desk, fill, price=D(190)) == "FILL_CORRECTED"


def test_only_a_person_with_the_scope_corrects(desk):
    fill = traded(desk)
    agent = desk.refused(
        lambda: desk.runtime.write(
            desk.who.as_agent(), lambda ctx: correct_fill(ctx, fill.id, reason="because")
        )
    )
    assert agent.code == "SCOPE_MISSING"
    assert desk.held() == 10


def test_a_correction_is_told(desk):
    fill = traded(desk)
    correct(desk, fill, price=D("190.00"))
    rows = desk.read(lambda ctx: ctx.db.rows(select(outbox_rows)))
    said = [row.payload for row in rows if "FILL_CORRECTED" in row.payload]
    assert len(said) == 1
    assert "became 190.00: the exchange busted it" in said[0]
