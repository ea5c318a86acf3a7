"""Owns the corners of the confirm gate that a mutant of its code once survived in."""

from __future__ import annotations

import pytest

from services.kit.db import Db
from services.kit.errors import InvariantBroken, Refusal
from services.kit.failpoint import FailpointHit, arm
from services.kit.idempotency import idempotency
from services.ledger.holding import positions
from services.orders import confirm as gate
from services.orders import proposal, propose, switch
from services.orders.order import State
from services.orders.paper_tables import paper_orders
from services.orders.tables import confirm_tokens, order_intents


@pytest.fixture(autouse=True)
def _disarmed():
    yield
    arm("")


def test_a_decision_without_an_end_is_a_bug():
    with pytest.raises(InvariantBroken):
        gate.Decision(None).require()


def test_a_token_whose_transaction_fails_was_never_given_out(desk):
    card = desk.propose()
    arm("confirm.before_token_commit:raise")
    with pytest.raises(FailpointHit):
        desk.issue(card.id)
    assert desk.count(confirm_tokens) == 0
    assert desk.confirm(card.id)["status"] == "confirmed"


def test_a_refusal_under_a_key_is_kept_as_a_conflict(desk):
    card = desk.propose()
    challenge = desk.issue(card.id)
    desk.refused(lambda: desk.confirm(card.id, challenge, key="k" * 20, version=9))
    assert [row.status for row in desk.rows(idempotency)] == [409]
    desk.confirm(card.id, challenge, key="m" * 20)
    assert [row.status for row in desk.rows(idempotency, idempotency.c.key)] == [409, 200]


def test_an_answer_says_whether_it_was_given_before(desk):
    card = desk.propose()
    attempt, key = desk.attempt(card.id, desk.issue(card.id)), "k" * 20
    first, again = (
        gate.confirm(desk.runtime, desk.who, attempt, key=key).replayed for _ in range(2)
    )
    assert (first, again) == (False, True)
    assert [row.route for row in desk.rows(idempotency)] == ["proposals.confirm"]


def test_an_answer_without_a_key_is_never_a_repetition(desk):
    card = desk.propose()
    attempt = desk.attempt(card.id, desk.issue(card.id))
    assert gate.confirm(desk.runtime, desk.who, attempt).replayed is False


def test_a_confirmation_names_card_order_and_state(desk):
    card = desk.propose()
    pending = desk.read(lambda ctx: gate.confirmation(ctx, card.id))
    assert pending == {
        "proposal_id": card.id,
        "status": "pending",
        "order_id": None,
        "order_state": None,
    }
    body = desk.confirm(card.id)
    order_id = desk.rows(order_intents)[0].id
    assert body == {
        "proposal_id": card.id,
        "status": "confirmed",
        "order_id": order_id,
        "order_state": "QUEUED",
    }
    assert order_id.startswith("ord_")
    assert desk.read(lambda ctx: proposal.proposal_row(ctx, card.id)).status_reason == "confirmed"


def test_a_confirmed_sale_holds_units_back_and_no_cash(desk):
    desk.buy()
    desk.work(2)
    desk.confirm(desk.propose(side="sell", quantity="4").id)
    (held,) = desk.read(lambda ctx: positions(ctx, desk._portfolio(ctx)))
    assert (held.quantity, held.reserved, held.available) == (10, 4, 6)
    assert desk.cash().reserved.amount == 0


@pytest.mark.parametrize(
    ("typed", "said"),
    [(None, "nothing"), ("", "nothing"), ("AAPL 99", "AAPL 99"), ("x" * 60, "x" * 40)],
)
def test_a_wrong_phrase_is_told_with_the_right_one(desk, typed, said):
    desk.buy()
    card = desk.propose()
    refusal = desk.refused(lambda: desk.confirm(card.id, typed=typed))
    assert (refusal.code, refusal.field) == ("CONFIRM_TYPED_MISMATCH", "typed")
    assert refusal.facts["typed"] == said
    assert refusal.facts["expected"] == "AAPL 10"


def test_books_that_can_not_be_read_confirm_nothing_and_leave_the_card(desk):
    card = desk.propose()
    challenge = desk.issue(card.id)
    desk.sql("DELETE FROM cash_snapshots")
    with pytest.raises(Refusal, match="LEDGER_DIFFERS"):
        desk.confirm(card.id, challenge)
    assert desk.status(card.id) == "pending"
    assert desk.rows(confirm_tokens)[0].used_at is None


def test_confirming_and_declining_a_card_wait_for_one_lock(desk, monkeypatch):
    """PostgreSQL has many writers: who decides a card is alone with it until the commit."""
    taken: list[str] = []
    lock = Db.lock

    def note(db: Db, name: str) -> None:
        taken.append(name)
        lock(db, name)

    card, other = desk.propose(), desk.propose("MSFT")
    challenge = desk.issue(card.id)
    monkeypatch.setattr(Db, "lock", note)
    desk.confirm(card.id, challenge)
    assert taken[0] == f"proposal:{card.id}"
    taken.clear()
    desk.write(lambda ctx: proposal.decline(ctx, other.id))
    assert taken[0] == f"proposal:{other.id}"


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE order_intents SET order_hash = 'sha256:0'",
        "UPDATE proposals SET order_hash = 'sha256:0'",
        "UPDATE proposals SET status = 'declined'",
        "UPDATE confirm_tokens SET order_hash = 'sha256:0'",
        "UPDATE confirm_tokens SET proposal_id = 'prop_other'",
        "UPDATE confirm_tokens SET outcome = 'declined'",
        "UPDATE confirm_tokens SET used_at = NULL",
        "DELETE FROM confirm_tokens",
    ],
)
def test_an_order_is_sent_only_while_its_whole_proof_agrees(desk, statement):
    order_id = desk.buy()
    desk.sql(statement)
    desk.work()
    assert desk.order(order_id).state is State.DENIED
    assert desk.count(paper_orders) == 0
    assert desk.read(switch.state).state == "HALTED"


@pytest.mark.parametrize(
    ("statement", "code"),
    [
        ("UPDATE confirm_tokens SET expires_at = issued_at", "PROPOSAL_EXPIRED"),
        ("UPDATE proposals SET expires_at = created_at", "PROPOSAL_EXPIRED"),
        ("UPDATE confirm_tokens SET version = 2", "PROPOSAL_VERSION"),
        ("UPDATE confirm_tokens SET order_hash = 'sha256:0'", "ORDER_HASH_MISMATCH"),
    ],
)
def test_the_token_and_the_card_must_both_still_hold(desk, statement, code):
    card = desk.propose()
    challenge = desk.issue(card.id)
    desk.sql(statement)
    assert desk.refused(lambda: desk.confirm(card.id, challenge)).code == code
    assert desk.count(order_intents) == 0


def test_a_refusal_says_which_scope_is_missing(desk):
    card = desk.propose()
    reader = desk.as_user(scopes=frozenset({"read"}))
    assert desk.refused(lambda: reader.issue(card.id)).facts["scope"] == "confirm"


@pytest.mark.parametrize(("reason", "said"), [("", "it was decided"), ("too dear", "too dear")])
def test_a_decided_card_says_why(desk, reason, said):
    card = desk.propose()
    challenge = desk.issue(card.id)
    desk.write(lambda ctx: proposal.decline(ctx, card.id, reason))
    facts = desk.refused(lambda: desk.confirm(card.id, challenge)).facts
    assert (facts["reason"], facts["decided_by"]) == (said, "u_owner")


@pytest.fixture
def resting(desk):
    """A working order and the card that cancels it."""
    order_id = desk.buy(type="limit", limit_price="150.00")
    desk.work(2)
    assert desk.order(order_id).state is State.WORKING
    return order_id, desk.write(lambda ctx: propose.propose_cancel(ctx, order_id))


def test_the_token_of_a_cancel_is_burned_with_it(desk, resting):
    order_id, card = resting
    challenge = desk.issue(card.id)
    assert desk.confirm(card.id, challenge)["status"] == "confirmed"
    refusal = desk.refused(lambda: desk.confirm(card.id, challenge))
    assert (refusal.code, refusal.facts["outcome"]) == ("TOKEN_USED", "confirmed")
    desk.work(2)
    order = desk.order(order_id)
    assert order.state is State.CANCELLED
    assert desk.read(lambda ctx: proposal.proposal_row(ctx, card.id)).status_reason == "confirmed"


def test_a_cancel_whose_transaction_fails_was_not_confirmed(desk, resting):
    order_id, card = resting
    challenge = desk.issue(card.id)
    arm("confirm.before_commit:raise")
    with pytest.raises(FailpointHit):
        desk.confirm(card.id, challenge)
    assert desk.status(card.id) == "pending"
    desk.work(2)
    assert desk.order(order_id).state is State.WORKING
    assert desk.confirm(card.id, challenge)["status"] == "confirmed"


@pytest.mark.parametrize(
    "spoiled",
    ["not json", "{}", '{"type": "limitx"}', "replace(order_json, '\"market\"', '\"limitx\"')"],
)
def test_a_stored_order_that_can_not_be_read_is_refused_with_an_alarm(desk, spoiled):
    card = desk.propose()
    challenge = desk.issue(card.id)
    value = spoiled if spoiled.startswith("replace") else f"'{spoiled}'"
    desk.sql(f"UPDATE proposals SET order_json = {value}")
    assert desk.refused(lambda: desk.confirm(card.id, challenge)).code == "ORDER_HASH_MISMATCH"
    assert desk.read(lambda ctx: proposal.proposal_row(ctx, card.id)).status == "invalidated"
    desk.work(2)
    assert desk.count(order_intents) == desk.count(paper_orders) == 0
