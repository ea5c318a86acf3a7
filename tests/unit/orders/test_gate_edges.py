"""Owns the corners of the confirm gate that a mutant of its code once survived in."""

from __future__ import annotations

import pytest

from services.kit.errors import InvariantBroken
from services.kit.failpoint import FailpointHit, arm
from services.kit.idempotency import idempotency
from services.orders import confirm as gate
from services.orders.tables import confirm_tokens


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
