"""The order rules across events of a stream that do not belong to the run itself."""

from agent.events import ProposalPending, RunFinished, RunStarted, TextDone, body_of
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
