"""What the coach was refused to propose stands in the audit trail."""

import pytest

from services import audit

BUY = ("propose_order", {"symbol": "MSFT", "side": "buy", "quantity": "5"})


@pytest.mark.parametrize(
    ("call", "code"), [(BUY, "PROVENANCE_REFUSED"), (("propose_order", "{broken"), "ARGS_INVALID")]
)
async def test_a_refused_proposal_of_the_coach_is_audited(talk, call, code):
    await talk.say("Buy 5 AAPL at market.", [call], "It did not work.")
    trail = talk.runtime.read(talk.owner, lambda ctx: audit.trail(ctx, "propose_order", 10))
    assert [(event.kind, event.facts["code"]) for event in trail] == [("proposal_refused", code)]
    assert trail[0].facts["run"].startswith("r_")


async def test_a_refused_reading_leaves_no_audit_event(talk):
    await talk.say("quote", [("quote", {"symbols": 7})], "It did not work.")
    assert talk.runtime.read(talk.owner, lambda ctx: audit.trail(ctx, "quote", 10)) == []
