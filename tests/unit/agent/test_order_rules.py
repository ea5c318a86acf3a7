"""The order rules across events of a stream that do not belong to the run itself."""

from agent.events import (
    ProposalPending,
    RunFinished,
    RunStarted,
    TextDone,
    ToolFinished,
    ToolStarted,
    body_of,
)
from agent.log import Envelope
from agent.order_rules import broken_rules
from tests.conftest import NOW

CARD = "prop_01m7z94bvgzpdhynxb4bn2a3az"
PENDING = ProposalPending(proposal_id=CARD, version=1, expires_at="", summary="buy 1 AAPL")
TEXT = TextDone(message_id="m", text=f"The card `{CARD}` waits for you.")


def _stream(*events):
    return [
        Envelope(
            stream="s",
            epoch=1,
            seq=at,
            at=NOW,
            run="" if event is PENDING else "r",
            type=event.type,
            body=body_of(event),
        )
        for at, event in enumerate(events, 1)
    ]


def test_a_card_is_announced_before_the_text_that_names_it():
    start, end = RunStarted(), RunFinished(stop_reason="final")
    assert broken_rules(_stream(start, PENDING, TEXT, end)) == []
    late = broken_rules(_stream(start, TEXT, end, PENDING))
    assert len(late) == 1
    assert "a card precedes its mention" in late[0]


def test_a_text_may_name_a_card_of_another_stream():
    assert broken_rules(_stream(RunStarted(), TEXT, RunFinished(stop_reason="final"))) == []


def test_a_run_without_its_end_is_found_unless_it_may_go_on():
    assert "run.finished or run.error" in broken_rules(_stream(RunStarted(), TEXT))[0]
    assert broken_rules(_stream(RunStarted(), TEXT), going_on=True) == []
    assert broken_rules(_stream(PENDING)) == []


def test_a_run_ends_with_its_calls_finished():
    start, end = RunStarted(), RunFinished(stop_reason="final")
    call = ToolStarted(call_id="c", name="quote", label="Prices", args_digest="")
    done = ToolFinished(call_id="c", name="quote", ok=True, digest="", ref="")
    assert broken_rules(_stream(start, call, done, end)) == []
    assert "calls finished" in broken_rules(_stream(start, call, end))[0]
