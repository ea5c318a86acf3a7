"""A freeze stands until a person with the right scope clears it with a reason."""

from dataclasses import replace

import pytest

from services import audit
from services.kit.context import SCOPES, system_principal
from services.orders import execute, switch
from services.orders.freeze import freeze, list_freezes, unfreeze
from services.orders.order import State

BECAUSE = "order o_1: executions are missing"


def frozen(desk, scope=switch.TENANT):
    desk.write(lambda ctx: freeze(ctx, BECAUSE, subject="o_1", scope=scope))
    desk.write(lambda ctx: switch.resume(ctx, "after lunch", scope=scope))
    return desk.read(list_freezes)[0]


def test_an_ordinary_resume_does_not_thaw(desk):
    made = frozen(desk)
    refusal = desk.refused(desk.propose)
    assert refusal.code == "FROZEN"
    assert BECAUSE in refusal.message
    assert made.id in refusal.message


def test_a_confirmed_order_does_not_leave_a_frozen_desk(desk):
    order_id = desk.buy()
    frozen(desk)
    desk.work(3)
    assert desk.order(order_id).state == State.DENIED


def test_cancels_stay_allowed(desk):
    order_id = desk.buy(type="limit", limit_price="150.00")
    desk.work()
    frozen(desk)
    desk.write(lambda ctx: execute.cancel(ctx, order_id))
    desk.work(2)
    assert desk.order(order_id).state == State.CANCELLED


def test_a_person_clears_it_with_a_reason_and_it_is_recorded(desk):
    made = frozen(desk)
    done = desk.write(lambda ctx: unfreeze(ctx, made.id, " asked the broker "))
    assert (done.cleared_by, done.clear_reason) == ("u_owner", "asked the broker")
    assert desk.propose().status == "pending"
    event = desk.read(lambda ctx: audit.trail(ctx, "o_1"))[-1]
    assert (event.kind, event.facts["freeze"]) == ("orders.unfrozen", made.id)
    assert desk.read(lambda ctx: list_freezes(ctx, open_only=True)) == []


@pytest.mark.parametrize(
    ("who", "reason", "code"),
    [
        (lambda me: me.as_agent(), "x", "SCOPE_MISSING"),
        (lambda me: replace(me, scopes=SCOPES - {"admin"}), "x", "SCOPE_MISSING"),
        (lambda me: replace(system_principal(me.tenant_id), scopes=SCOPES), "x", "SCOPE_MISSING"),
        (lambda me: me, "  ", "RESUME_REASON"),
    ],
)
def test_nobody_else_clears_it_and_nobody_without_a_reason(desk, who, reason, code):
    made = frozen(desk)
    other = who(desk.who)
    assert (
        desk.refused(
            lambda: desk.runtime.write(other, lambda ctx: unfreeze(ctx, made.id, reason))
        ).code
        == code
    )
    assert len(desk.read(lambda ctx: list_freezes(ctx, open_only=True))) == 1


def test_a_freeze_is_cleared_once_and_an_unknown_one_never(desk):
    made = frozen(desk)
    desk.write(lambda ctx: unfreeze(ctx, made.id, "seen"))
    again = desk.refused(lambda: desk.write(lambda ctx: unfreeze(ctx, made.id, "seen")))
    other = desk.refused(lambda: desk.write(lambda ctx: unfreeze(ctx, "frz_none", "seen")))
    assert (again.code, other.code) == ("FREEZE_CLEARED", "FREEZE_UNKNOWN")


def test_a_freeze_of_a_listing_stops_that_listing_only(desk):
    frozen(desk, scope="listing:XNAS:AAPL")
    assert desk.refused(desk.propose).code == "FROZEN"
    assert desk.propose("MSFT").status == "pending"


def test_the_same_freeze_twice_is_one_and_two_reasons_are_two(desk):
    frozen(desk)
    frozen(desk)
    desk.write(lambda ctx: freeze(ctx, "another", subject="o_1"))
    assert [one.reason for one in desk.read(list_freezes)].count(BECAUSE) == 1
    assert len(desk.read(list_freezes)) == 2
