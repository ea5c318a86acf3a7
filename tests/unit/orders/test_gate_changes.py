"""Owns the corners of confirming changes and exits that a mutant of the gate once survived in."""

from __future__ import annotations

from decimal import Decimal

import pytest

from services.kit.context import Surface
from services.kit.errors import InvariantBroken
from services.kit.failpoint import FailpointHit, arm
from services.orders import confirm as gate
from services.orders.change_tables import order_changes
from services.orders.order import State
from services.orders.replace import NewTerms, propose_replace
from services.orders.store import find_exit_of
from services.orders.tables import confirm_tokens, order_intents
from services.orders.tokens import burn

LOWER = NewTerms(limit_price=Decimal("149.00"))
BRACKET = {"take_profit": Decimal("200.00"), "stop_loss": Decimal("185.00")}


@pytest.fixture(autouse=True)
def _disarmed():
    yield
    arm("")


@pytest.fixture
def changing(desk):
    """A working order and the card that changes it."""
    order_id = desk.buy(type="limit", limit_price="150.00")
    desk.work(2)
    assert desk.order(order_id).state is State.WORKING
    return order_id, desk.write(lambda ctx: propose_replace(ctx, order_id, LOWER))


def test_a_redeemed_change_is_proof_of_the_changed_order(desk, changing):
    order_id, card = changing
    seen = desk.issue(card.id)
    decision = desk.write(
        lambda ctx: gate.redeem(
            ctx, card.id, token=seen.token, version=seen.version, order_hash=seen.order_hash
        )
    )
    confirmed = decision.require()
    assert (confirmed.order_id, confirmed.proposal_id) == (order_id, card.id)
    assert confirmed.value.limit_price == Decimal("149.00")


def test_a_change_whose_transaction_fails_was_not_confirmed(desk, changing):
    order_id, card = changing
    challenge = desk.issue(card.id)
    before = desk.cash().reserved.amount
    arm("confirm.before_commit:raise")
    with pytest.raises(FailpointHit):
        desk.confirm(card.id, challenge)
    arm("")
    assert (desk.status(card.id), desk.cash().reserved.amount) == ("pending", before)
    assert [row.state for row in desk.rows(order_changes)] == ["proposed"]
    assert desk.confirm(card.id, challenge)["order_id"] == order_id


def queued_exits(desk) -> str:
    """Buy with a target and a stop, let it fill, and return the order of the exits, unsent."""
    order_id = desk.buy(**BRACKET)
    desk.work()
    exits = desk.read(lambda ctx: find_exit_of(ctx, order_id))
    assert exits.state is State.QUEUED
    return exits.id


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE order_intents SET token_id = 'tok_other' WHERE parent_id IS NOT NULL",
        "UPDATE order_intents SET proposal_id = 'prop_other' WHERE parent_id IS NOT NULL",
        "UPDATE order_intents SET order_hash = 'sha256:0' WHERE parent_id IS NOT NULL",
        "UPDATE order_intents SET quantity = quantity * 2 WHERE parent_id IS NOT NULL",
    ],
)
def test_exits_are_sent_only_as_their_entry_was_confirmed(desk, statement):
    exits = queued_exits(desk)
    desk.sql(statement)
    desk.work()
    assert desk.order(exits).state is State.DENIED


def test_an_order_without_exits_is_no_parent_of_any(desk):
    plain = desk.buy("MSFT")
    desk.work(2)
    assert desk.order(plain).state is State.FILLED
    exits = queued_exits(desk)
    desk.sql(
        "UPDATE order_intents SET (parent_id, proposal_id, token_id) = (SELECT id, proposal_id,"
        f" token_id FROM order_intents WHERE id = '{plain}') WHERE id = '{exits}'"
    )
    desk.work()
    assert desk.order(exits).state is State.DENIED


@pytest.mark.parametrize("token", ["ct_" + "\ud800" * 43, "ct_" + "é" * 43, "ct_ short"])
def test_a_token_of_impossible_letters_is_a_wrong_token(desk, token):
    card = desk.propose()
    challenge = desk.issue(card.id)
    assert desk.refused(lambda: desk.confirm(card.id, challenge, token=token)).code == "TOKEN_WRONG"
    assert desk.count(order_intents) == 0
    assert desk.rows(confirm_tokens)[0].used_at is None


def test_exits_of_a_single_unit_are_sent(desk):
    order_id = desk.buy(quantity="1", **BRACKET)
    desk.work(2)
    assert desk.read(lambda ctx: find_exit_of(ctx, order_id)).state is State.WORKING


def test_a_token_of_another_card_outlives_the_opening_of_this_one(desk):
    card, other = desk.propose(), desk.propose("MSFT")
    first = desk.issue(card.id)
    desk.issue(other.id)
    assert desk.confirm(card.id, first)["status"] == "confirmed"


def test_a_token_of_another_surface_outlives_the_opening_on_this_one(desk):
    card = desk.propose()
    first = desk.issue(card.id)
    desk.as_user(surface=Surface.CLI).issue(card.id)
    assert desk.confirm(card.id, first)["status"] == "confirmed"


def test_a_fresh_token_has_no_outcome_and_a_dead_one_keeps_its_moment(desk, clock):
    card = desk.propose()
    for _ in range(3):
        desk.issue(card.id)
        clock.advance(seconds=5)
    rows = desk.rows(confirm_tokens, confirm_tokens.c.issued_at)
    assert [row.outcome for row in rows] == ["", "", ""]
    assert all(row.id.startswith("tok_") for row in rows)
    assert rows[0].revoked_at == rows[1].issued_at


def test_a_token_is_burned_once(desk):
    card = desk.propose()
    desk.issue(card.id)
    (row,) = desk.rows(confirm_tokens)
    desk.write(lambda ctx: burn(ctx, row, "confirmed"))
    with pytest.raises(InvariantBroken):
        desk.write(lambda ctx: burn(ctx, row, "confirmed"))
