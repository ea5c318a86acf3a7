"""What an operator is told of the stream: each interruption once, however often it flaps."""

from datetime import UTC, datetime, timedelta

import pytest

from services.kit import outbox
from services.market.stream_alert import StreamNotice, StreamReporter, tell
from services.market.stream_state import StreamState

NOW = datetime(2026, 3, 9, 15, 0, tzinfo=UTC)


def state(phase, since_s=0, **fields):
    return StreamState(phase=phase, since=NOW + timedelta(seconds=since_s), **fields)


def looks(*seen):
    """The codes told by looks at (seconds, state)."""
    reporter = StreamReporter()
    return [
        notice.code
        for at, one in seen
        for notice in reporter.look(one, NOW + timedelta(seconds=at))
    ]


def test_a_short_interruption_is_not_told():
    down, up = state("waiting", reason="gone"), state("live", 20)
    assert looks((0, down), (19, down), (20, up), (60, up)) == []


@pytest.mark.fault("F027")
def test_an_interruption_is_told_once_after_half_a_minute_and_its_end_once():
    down, up = state("waiting", reason="gone"), state("live", 100)
    seen = [(0, down), (29, down), (30, down), (31, down), (90, down)]
    assert looks(*seen, (100, up), (129, up), (130, up), (200, up)) == ["STREAM_DOWN", "STREAM_UP"]


@pytest.mark.fault("F027")
def test_a_connection_that_comes_and_goes_is_one_interruption():
    seen = []
    for at in range(0, 600, 10):
        phase = ("waiting", "connecting", "live", "silent")[at // 10 % 4]
        seen.append((at, state(phase, at)))
    assert looks(*seen) == ["STREAM_DOWN"]


def test_a_crowded_account_and_a_refused_key_are_told_at_once_and_once():
    crowded = state("waiting", crowded=True, reason="another process uses this key", todo="Stop it")
    assert looks((0, crowded), (1, crowded), (2, crowded)) == ["STREAM_CROWDED"]
    refused = state("refused", reason="refused the key", todo="Correct it.")
    assert looks((0, refused), (50, refused)) == ["STREAM_REFUSED"]


def test_a_notice_says_why_and_what_to_do():
    crowded = state(
        "waiting", crowded=True, reason="another process uses this key", todo="Stop it."
    )
    notice = StreamReporter().look(crowded, NOW)[0]
    assert notice.message == "Market stream: another process uses this key. Stop it."
    assert notice.level == "critical"


def test_nothing_is_told_where_nothing_is_watched_or_another_leads():
    assert looks((0, state("off")), (99, state("not_leader"))) == []


def test_a_notice_becomes_one_alert_about_the_data(runtime, owner):
    notice = StreamNotice("warning", "STREAM_DOWN", "Market stream: gone.", NOW)
    for _ in range(2):
        runtime.write(owner, lambda ctx: tell(ctx, [notice]))
    waiting = runtime.read(owner, outbox.due)
    assert [one.kind for one in waiting] == ["alert"]
    assert (waiting[0].payload["topic"], waiting[0].payload["code"]) == ("data", "STREAM_DOWN")
