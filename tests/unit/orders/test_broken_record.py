"""A desk whose audit chain was cut sends nothing, however it started."""

import pytest
from sqlalchemy import text

from services import audit
from services.orders import desk as desks
from services.orders import reconcile
from services.orders.order import State


def cut(desk):
    if desk.runtime.database.dialect != "sqlite":
        pytest.skip("the runtime role can not even disable the trigger on PostgreSQL")
    with desk.runtime.database.write(None) as db:
        db.connection.execute(text("DROP TRIGGER audit_events__no_delete"))
        db.connection.execute(
            text("DELETE FROM audit_events WHERE seq = (SELECT max(seq) FROM audit_events)")
        )


@pytest.mark.fault("F079")
def test_a_start_on_a_cut_chain_leaves_the_desk_unready_and_it_stays_so(desk):
    order_id = desk.buy()
    cut(desk)
    report = reconcile.at_boot(desk.runtime)
    assert "the tail is missing" in report.unready["t_owner"]
    desk.work(3)
    assert desk.order(order_id).state == State.QUEUED
    assert desk.refused(lambda: desk.propose("MSFT")).code == "GUARD_REFUSED"
    assert "the audit chain breaks" in desk.read(desks.unready_reason)


def test_a_sound_chain_makes_an_unready_desk_ready(desk):
    order_id = desk.buy()
    desk.write(lambda ctx: reconcile.mark_unready(ctx, "a start"))
    desk.work(3)
    assert desk.order(order_id).state == State.FILLED
    assert desk.read(audit.verify).ok


def test_a_tenant_without_a_desk_gets_one_that_is_unready(runtime, desk):
    desk.write(lambda ctx: audit.record(ctx, "made", "x"))
    desk.write(lambda ctx: audit.record(ctx, "made", "y"))
    cut(desk)
    reason = desk.read(reconcile.broken_record)
    desk.write(lambda ctx: reconcile.mark_unready(ctx, reason))
    assert desks.tenants(runtime) == ["t_owner"]
    assert desk.read(desks.unready_reason) == reason
