"""The quirks of the wire's life: cuts, errors, waits, cancellation; over real sockets."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing
from datetime import UTC, datetime

import pytest

from agent.model.assembler import Bounds
from agent.model.failure import retry_after
from agent.model.openai import Endpoint, OpenAIModel, Timeouts
from agent.model.port import TextDelta
from agent.model.profile import PRESETS
from agent.model.retry import RetryPolicy
from services.kit.clock import HandClock, SystemClock
from services.kit.errors import Refusal
from tests.fakes.model_server import (
    DONE,
    Answer,
    Cut,
    ModelServer,
    Pause,
    Reset,
    chunk,
    end_frames,
    error_answer,
    event,
    json_answer,
    running_server,
    text_answer,
    text_frames,
)
from tests.unit.agent.model.asking import ASK, Sleeper, ask, collect, model_of

NOW = datetime(2027, 1, 12, 15, 0, tzinfo=UTC)
BEGUN = event(
    chunk(
        {
            "tool_calls": [
                {"index": 0, "id": "a", "function": {"name": "quote", "arguments": '{"symbol"'}}
            ]
        }
    )
)
WHOLE_CALL = event(
    chunk(
        {"tool_calls": [{"index": 0, "id": "a", "function": {"name": "clock", "arguments": "{}"}}]}
    )
)
OVERLOADED = event({"error": {"message": "upstream is overloaded", "code": 503}})
SHORT = Timeouts(connect_s=15.0, first_byte_s=0.7, gap_s=0.7, after_finish_s=0.1)


async def refused(script: list[Answer], **options: object) -> Refusal:
    with pytest.raises(Refusal) as caught:
        await ask(script, **options)
    return caught.value


@pytest.mark.fault("F002")
@pytest.mark.parametrize(
    "end",
    [[], [Cut()], [Reset()], [b'data: {"choi']],
    ids=["plain end", "cut", "reset", "half an event"],
)
@pytest.mark.parametrize("begun", [BEGUN, WHOLE_CALL], ids=["half a call", "a whole call"])
async def test_q17_a_stream_without_an_end_runs_nothing(begun: bytes, end: list[object]) -> None:
    cut = Answer([begun, *end])
    refusal = await refused([cut, cut, cut])
    assert (refusal.code, refusal.facts["fault"]) == ("MODEL_STREAM_FAULT", "Q17")
    asked = await ask([cut, text_answer("Hello.")])
    assert (asked.calls, asked.shown, asked.resets, len(asked.waits)) == ([], "Hello.", 0, 1)


async def test_a_cut_after_the_finish_is_a_whole_step() -> None:
    asked = await ask([Answer([WHOLE_CALL, event(chunk({}, "tool_calls")), Cut()])])
    assert asked.calls == [("clock", "{}")]


async def test_q32_an_error_object_ends_the_step_and_is_asked_again_when_overloaded() -> None:
    asked = await ask([Answer([*text_frames("Half"), OVERLOADED, DONE]), text_answer("Whole.")])
    assert (asked.shown, asked.resets, len(asked.requests)) == ("Whole.", 1, 2)


async def test_after_text_was_sent_there_is_one_more_attempt_only() -> None:
    async with ModelServer([Answer([*text_frames("Half"), OVERLOADED])] * 5) as server:
        model = model_of(server)
        with pytest.raises(Refusal) as caught:
            await collect(model)
        await model.close()
    assert caught.value.code == "MODEL_STREAM_FAULT"
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    "frame",
    [
        event(
            {
                "error": {
                    "message": "tool call validation failed",
                    "code": "tool_use_failed",
                    "status_code": 400,
                }
            }
        ),
        b"event: error\n" + event({"message": "bad request"}),
        event({"error": "no"}),
        event({"choices": [{"index": 0, "delta": {}, "error": {"message": "x", "code": 400}}]}),
    ],
    ids=["groq", "named event without error key", "text", "in the choice"],
)
async def test_q32_other_error_objects_are_final(frame: bytes) -> None:
    refusal = await refused([Answer([WHOLE_CALL, frame, *end_frames("tool_calls")])])
    assert (refusal.code, refusal.facts["fault"]) == ("MODEL_STREAM_FAULT", "Q32")


async def test_q33_a_hang_after_the_error_event_is_not_waited_for() -> None:
    began = time.perf_counter()
    await refused([Answer([event({"error": {"message": "no", "code": 400}}), Pause(30)])])
    assert time.perf_counter() - began < 1.0


async def test_a_hang_after_the_finish_ends_the_step_soon() -> None:
    asked = await ask(
        [Answer([*text_frames("Hi"), event(chunk({}, "stop")), Pause(30)])], timeouts=SHORT
    )
    assert asked.shown == "Hi"


@pytest.mark.fault("F012")
@pytest.mark.parametrize("status", [408, 409, 429, 500, 503])
async def test_q34_overload_before_the_stream_is_asked_again(status: int) -> None:
    asked = await ask([error_answer(status), error_answer(status), text_answer("ok")])
    assert (asked.shown, len(asked.requests)) == ("ok", 3)
    assert all(0 < wait <= 8 for wait in asked.waits)


@pytest.mark.fault("F012")
@pytest.mark.parametrize(
    ("status", "code"),
    [
        (401, "MODEL_UNAUTHORIZED"),
        (403, "MODEL_UNAUTHORIZED"),
        (404, "MODEL_NOT_FOUND"),
        (400, "MODEL_BAD_REQUEST"),
        (413, "MODEL_BAD_REQUEST"),
    ],
)
async def test_what_can_not_get_better_is_not_asked_again(status: int, code: str) -> None:
    async with ModelServer([error_answer(status)] * 3) as server:
        model = model_of(server)
        with pytest.raises(Refusal) as caught:
            await collect(model)
        await model.close()
    assert (caught.value.code, len(server.requests)) == (code, 1)


async def test_q34_the_wait_asked_for_is_kept() -> None:
    asked = await ask(
        [
            error_answer(429, retry_after="2"),
            error_answer(503, retry_after_ms="1500"),
            text_answer("ok"),
        ]
    )
    assert asked.waits == [2.0, 1.5]


async def test_q34_a_wait_beyond_the_deadline_fails_now_with_its_number() -> None:
    sleeper = Sleeper()
    async with ModelServer([error_answer(429, retry_after="3600")]) as server:
        model = model_of(server, sleeper=sleeper)
        with pytest.raises(Refusal) as caught:
            await collect(model, deadline=time.monotonic() + 45)
        await model.close()
    assert (caught.value.code, caught.value.facts["retry_after_s"], sleeper.waits) == (
        "MODEL_RATE_LIMITED",
        3600,
        [],
    )


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "2"}, 2.0),
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        ({"retry-after": "Tue, 12 Jan 2027 15:00:30 GMT"}, 30.0),
        ({"retry-after": "Tue, 12 Jan 2027 14:00:00 GMT"}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "-1"}, None),
        ({}, None),
    ],
)
def test_q34_retry_after_has_many_forms(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers, NOW) == seconds


async def test_q40_a_json_body_although_a_stream_was_asked() -> None:
    message = {
        "role": "assistant",
        "content": "Hello.",
        "tool_calls": [{"id": "", "function": {"name": "clock", "arguments": "{}"}}] * 2,
    }
    asked = await ask(
        [json_answer({"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]})]
    )
    assert (asked.shown, asked.calls, asked.step.finish) == (
        "Hello.",
        [("clock", "{}")] * 2,
        "stop",
    )


@pytest.mark.parametrize(
    "answer",
    [
        Answer([b"<!DOCTYPE html><html></html>"], content_type="text/html"),
        json_answer({"hello": 1}),
        json_answer({"choices": []}),
        json_answer([]),
    ],
    ids=["page", "other object", "no choices", "list"],
)
async def test_q40_a_200_that_is_no_completion_is_refused(answer: Answer) -> None:
    assert (await refused([answer])).code == "MODEL_BODY_INVALID"


async def test_q40_a_giant_event_is_bounded() -> None:
    refusal = await refused(
        [Answer([event(chunk({"content": "x" * 5000})), *end_frames()])] * 3,
        bounds=Bounds(event_bytes_max=1000),
    )
    assert "1000 bytes" in str(refusal.facts["reason"])


@pytest.mark.fault("F013")
async def test_endless_text_is_cut_at_its_bound() -> None:
    async with ModelServer(
        [Answer([event(chunk({"content": "x" * 90})) for _ in range(50)] + [Pause(30)])] * 2
    ) as server:
        model = model_of(server, bounds=Bounds(text_chars_max=1000))
        with pytest.raises(Refusal) as caught:
            await collect(model)
        await model.close()
    assert "longer than its bound" in str(caught.value.facts["reason"])


async def test_cancelling_hangs_up_within_100_ms() -> None:
    async with ModelServer([Answer([*text_frames("Hello"), Pause(30)])]) as server:
        model, seen = model_of(server), asyncio.Event()

        async def read() -> None:
            async with aclosing(model.stream(ASK)) as events:
                async for _ in events:
                    seen.set()

        task = asyncio.create_task(read())
        await seen.wait()
        cancelled = time.perf_counter()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.wait_for(server.hung_up_event.wait(), 15)
        await model.close()
    assert server.hung_up[0] - cancelled < 0.1


async def test_leaving_early_hangs_up() -> None:
    async with ModelServer([Answer([*text_frames("Hello"), Pause(30)])]) as server:
        model = model_of(server)
        async with aclosing(model.stream(ASK)) as events:
            async for item in events:
                assert isinstance(item, TextDelta)
                break
        await asyncio.wait_for(server.hung_up_event.wait(), 15)
        await model.close()


@pytest.mark.fault("F001")
async def test_silence_after_text_is_a_typed_failure() -> None:
    refusal = await refused([Answer([*text_frames("Hello"), Pause(30)])], timeouts=SHORT)
    assert (refusal.code, refusal.facts["reason"]) == (
        "MODEL_STREAM_FAULT",
        "the endpoint fell silent",
    )


async def test_silence_before_the_first_byte_is_asked_again() -> None:
    asked = await ask([Answer([Pause(30)]), text_answer("ok")], timeouts=SHORT)
    assert asked.shown == "ok"


@pytest.mark.fault("F001")
async def test_the_deadline_of_the_turn_ends_a_step() -> None:
    async with ModelServer([Answer([*text_frames("Hello"), Pause(30)])]) as server:
        model = model_of(server)
        with pytest.raises(Refusal) as caught:
            await collect(model, deadline=time.monotonic() + 1.0)
        await model.close()
    assert caught.value.facts["reason"] == "the deadline of the turn passed"


async def test_an_endpoint_that_keeps_failing_is_left_alone_and_tried_again() -> None:
    clock = HandClock(NOW)
    async with ModelServer([error_answer(503)] * 6) as server:
        model = OpenAIModel(
            Endpoint(server.base_url, "m"),
            clock,
            profile=PRESETS["auto"],
            retry=RetryPolicy(sleep=Sleeper()),
        )
        for _ in range(3):
            with pytest.raises(Refusal):
                await collect(model)
        assert len(server.requests) == 5
        clock.advance(seconds=21)
        with pytest.raises(Refusal):
            await collect(model)
        assert len(server.requests) == 6
        clock.advance(seconds=21)
        assert (await collect(model))[1] == "Done."
        assert (await collect(model))[1] == "Done."
        await model.close()


async def test_streams_that_break_off_count_as_failures_of_the_endpoint() -> None:
    async with ModelServer([Answer([BEGUN, Cut()])] * 9) as server:
        model = model_of(server)
        codes = []
        for _ in range(2):
            with pytest.raises(Refusal) as caught:
                await collect(model)
            codes.append(caught.value.code)
        await model.close()
    assert (codes, len(server.requests)) == (["MODEL_STREAM_FAULT", "MODEL_UNAVAILABLE"], 5)


async def test_no_server_is_unavailable() -> None:
    model = OpenAIModel(
        Endpoint("http://127.0.0.1:9/v1", "m"), SystemClock(), retry=RetryPolicy(sleep=Sleeper())
    )
    with pytest.raises(Refusal) as caught:
        await collect(model)
    await model.close()
    assert caught.value.code == "MODEL_UNAVAILABLE"


async def test_the_path_and_the_key_are_those_of_the_endpoint() -> None:
    async with ModelServer() as server:
        endpoint = Endpoint(
            server.base_url.removesuffix("/v1"), "m", "sk-secret", path="/api/v2/chat"
        )
        model = OpenAIModel(endpoint, SystemClock())
        await collect(model)
        await model.close()
    assert server.paths == ["/api/v2/chat"]
    assert server.headers[0]["authorization"] == "Bearer sk-secret"
    assert "sk-secret" not in repr(endpoint)


async def test_the_same_request_gives_the_same_call_ids_and_another_seed_others() -> None:
    from dataclasses import replace

    answer = Answer([WHOLE_CALL, *end_frames("tool_calls")])
    first, again, other = [
        (await ask([answer], request)).step.calls[0].id
        for request in (ASK, ASK, replace(ASK, id_seed="run 2"))
    ]
    assert first == again != other


async def test_steps_share_one_connection() -> None:
    async with ModelServer() as server:
        model = model_of(server)
        for _ in range(3):
            await collect(model)
        await model.close()
    assert (len(server.requests), server.connections) == (3, 1)


async def test_an_endless_body_after_its_end_is_not_read() -> None:
    began = time.perf_counter()
    asked = await ask([Answer([*text_frames("Hi"), *end_frames(), Pause(30)])])
    assert asked.shown == "Hi"
    assert time.perf_counter() - began < 1.0


def test_the_server_also_runs_in_a_thread() -> None:
    with running_server([text_answer("Hello.")]) as server:
        model = model_of(server)

        async def once() -> str:
            shown = (await collect(model))[1]
            await model.close()
            return shown

        assert asyncio.run(once()) == "Hello."
