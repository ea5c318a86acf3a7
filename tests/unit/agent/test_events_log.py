"""Owns the facts about events: their declaration, their numbering, replay, following, and order rules."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent import events_dts, log
from agent.events import (
    EVENTS,
    Alert,
    Envelope,
    RunFinished,
    RunStarted,
    StateSnapshot,
    TextDone,
    TextPart,
    ToolFinished,
)
from agent.follow import follow
from agent.leftover import closing_events
from agent.log import Cursor, parse_cursor
from agent.order_rules import broken_rules
from services.kit.bus.port import Bus


def _alerts(runtime, owner, stream, *texts):
    return runtime.write(
        owner,
        lambda ctx: log.append_many(
            ctx, stream, [Alert(level="info", message=text) for text in texts]
        ),
    )


def _replay(runtime, owner, stream, after=None, **more):
    return runtime.read(owner, lambda ctx: log.replay(ctx, stream, after, **more))


def test_the_typescript_declaration_is_current():
    assert events_dts.TARGET.read_text(encoding="utf-8") == events_dts.declaration()


def test_every_event_name_is_declared_once():
    names = [event.type for event in EVENTS]
    assert len(set(names)) == len(names)
    for name in names:
        assert events_dts.declaration().count(f'  type: "{name}";') == 1


def test_events_are_numbered_without_a_gap_per_stream(runtime, owner):
    _alerts(runtime, owner, "a", "1", "2")
    _alerts(runtime, owner, "b", "1")
    _alerts(runtime, owner, "a", "3")
    assert [event.seq for event in _replay(runtime, owner, "a")] == [1, 2, 3]
    assert [event.seq for event in _replay(runtime, owner, "b")] == [1]
    assert _replay(runtime, owner, "a")[2].wire() == {
        "v": 1,
        "stream": "a",
        "seq": 3,
        "ts": "2027-01-12T15:00:00.000Z",
        "type": "alert",
        "level": "info",
        "message": "3",
    }


def test_replay_goes_on_behind_the_cursor(runtime, owner):
    _alerts(runtime, owner, "a", "1", "2", "3", "4")
    seen = _replay(runtime, owner, "a", Cursor(1, 2))
    assert [event.body["message"] for event in seen] == ["3", "4"]
    assert _replay(runtime, owner, "a", Cursor(1, 4)) == []
    assert len(_replay(runtime, owner, "a", limit=2)) == 2


@pytest.mark.parametrize("cursor", [Cursor(2, 1), Cursor(1, 99), Cursor(0, 0)])
def test_a_place_that_never_was_gives_resync_alone(runtime, owner, cursor):
    _alerts(runtime, owner, "a", "1", "2")
    seen = _replay(runtime, owner, "a", cursor)
    assert [(event.type, event.seq) for event in seen] == [("resync", 2)]


def test_a_new_epoch_makes_old_places_resync(runtime, owner):
    _alerts(runtime, owner, "a", "1")
    runtime.write(owner, lambda ctx: log.begin_epoch(ctx, "a"))
    _alerts(runtime, owner, "a", "after")
    assert _replay(runtime, owner, "a", Cursor(1, 1))[0].type == "resync"
    assert [event.cursor for event in _replay(runtime, owner, "a")] == ["2.1"]


def test_a_rolled_back_unit_leaves_no_event_and_no_hole(runtime, owner):
    def fail(ctx):
        log.append(ctx, "a", Alert(level="info", message="lost"))
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        runtime.write(owner, fail)
    _alerts(runtime, owner, "a", "kept")
    assert [(event.seq, event.body["message"]) for event in _replay(runtime, owner, "a")] == [
        (1, "kept")
    ]


@pytest.mark.fault("F006")
def test_a_token_never_enters_the_log(runtime, owner):
    with pytest.raises(Exception, match="EGRESS_TOKEN"):
        _alerts(runtime, owner, "a", "ct_" + "A" * 43)


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("1.7", Cursor(1, 7)),
        ("12.0", Cursor(12, 0)),
        ("", None),
        ("7", None),
        ("1.-7", None),
        ("\u0661.7", None),
        ("1.7 ", None),
        ("1.7\n", None),
    ],
)
def test_a_cursor_is_read_strictly(text, want):
    assert parse_cursor(text) == want


async def test_following_replays_then_goes_on_without_gap_or_repeat(runtime, owner):
    _alerts(runtime, owner, "a", *[str(at) for at in range(300)])
    bus = runtime.ports[Bus]
    seen = []

    async def read():
        async for event in follow(runtime, bus, owner, "a", after=Cursor(1, 10)):
            seen.append(event.seq)
            if event.seq == 303:
                return

    reader = asyncio.create_task(read())
    await asyncio.sleep(0.05)
    await runtime.write_async(
        owner,
        lambda ctx: log.append_many(
            ctx, "a", [Alert(level="info", message=str(at)) for at in range(3)]
        ),
    )
    await asyncio.wait_for(reader, 20)
    assert seen == list(range(11, 304))


async def test_a_lost_place_gets_a_snapshot_and_then_the_live_events(runtime, owner):
    _alerts(runtime, owner, "a", "1")
    kinds = []
    stream = follow(
        runtime,
        runtime.ports[Bus],
        owner,
        "a",
        after=Cursor(9, 9),
        snapshot=lambda _ctx: StateSnapshot(state={"orders": []}),
    )
    async for event in stream:
        kinds.append(event.type)
        if event.type == "state.snapshot":
            assert event.body["state"] == {"orders": []}
            await runtime.write_async(
                owner, lambda ctx: log.append(ctx, "a", Alert(level="info", message="live"))
            )
        if event.type == "alert":
            break
    await stream.aclose()
    assert kinds == ["resync", "state.snapshot", "alert"]


def _envelopes(*events, run="r"):
    from agent.events import body_of
    from tests.conftest import NOW

    return [
        Envelope(stream="s", epoch=1, seq=at, at=NOW, run=run, type=event.type, body=body_of(event))
        for at, event in enumerate(events, 1)
    ]


START, END = RunStarted(), RunFinished(stop_reason="final")
PART, DONE = TextPart(message_id="m", text="x"), TextDone(message_id="m", text="x")
TOOL = ToolFinished(call_id="c", name="quote", ok=True, digest="", ref="")


@pytest.mark.parametrize(
    "wrong",
    [
        (PART, DONE, END),
        (START, START, END),
        (START, DONE, PART, END),
        (START, PART, END),
        (START, TOOL, END),
        (START, END, PART),
        (START, END, END),
        (START, DONE, DONE, END),
    ],
)
def test_the_validator_finds_each_broken_rule(wrong):
    assert broken_rules(_envelopes(*wrong)) != []
    assert broken_rules(_envelopes(START, PART, DONE, END)) == []


def test_the_validator_finds_a_gap():
    first, _, third = _envelopes(START, PART, DONE)
    assert "grows by one" in broken_rules([first, third])[0]


@given(st.lists(st.sampled_from([PART, DONE]), max_size=6))
def test_closing_events_leave_no_open_text(events):
    opened = _envelopes(START, *events)
    closed = closing_events(opened)
    open_now = (
        bool(events)
        and PART in events
        and (
            len(events) - 1 - events[::-1].index(PART)
            > (len(events) - 1 - events[::-1].index(DONE) if DONE in events else -1)
        )
    )
    assert bool(closed) == open_now
