"""A proposal that is refused leaves its refusal in the audit trail, and nothing else."""

import pytest


@pytest.mark.parametrize(
    ("quantity", "code"), [("3000000", "QTY_INVALID"), ("900000", "INSUFFICIENT_CASH")]
)
def test_a_refused_proposal_is_in_the_audit_trail(owner_key, quantity, code):
    body = {"symbol": "AAPL", "side": "buy", "quantity": quantity, "type": "market"}
    key = f"refused-{quantity:0>16}"
    answer = owner_key.post("/api/v1/portfolio/trade", json=body, headers={"idempotency-key": key})
    assert answer.json()["code"] == code
    query = {"ref": "propose_order"}
    newest = owner_key.get("/api/v1/audit/events", params=query).json()["items"][-1]
    assert (newest["kind"], newest["facts"]["code"]) == ("proposal_refused", code)
    assert owner_key.get("/api/v1/proposals").json()["items"] == []


def test_an_unknown_status_of_proposals_is_refused(owner_key):
    answer = owner_key.get("/api/v1/proposals", params={"status": "zzz"})
    assert (answer.status_code, answer.json()["code"]) == (422, "PARAM_INVALID")
    assert owner_key.get("/api/v1/proposals", params={"status": "pending"}).status_code == 200
