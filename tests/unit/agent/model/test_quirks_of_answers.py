"""The quirks of answers beside calls: reasoning, parts of content, and usage."""

from __future__ import annotations

import pytest

from tests.fakes.model_server import DONE, USAGE, Answer, chunk, end_frames, event
from tests.unit.agent.model.asking import ask
from tests.unit.agent.model.test_quirks_of_streams import text


async def test_reasoning_in_tags_and_fields_is_never_text() -> None:
    frames = [
        event(chunk({"reasoning_content": "secret "})),
        text("<thi"),
        text("nk>hidden</th"),
        text("ink>Answer"),
        *end_frames(),
    ]
    asked = await ask([Answer(frames)])
    assert (asked.shown, asked.step.text) == ("Answer", "Answer")
    assert asked.step.reasoning == "secret hidden"


async def test_text_before_a_lone_closing_tag_is_taken_back() -> None:
    asked = await ask(
        [Answer([text("musing "), text("on</think>"), text("Answer"), *end_frames()])]
    )
    assert (asked.shown, asked.step.text, asked.resets) == ("Answer", "Answer", 1)


async def test_content_may_be_a_list_of_parts() -> None:
    parts = [
        {"type": "thinking", "thinking": [{"type": "text", "text": "no"}]},
        {"type": "text", "text": "yes"},
    ]
    asked = await ask([Answer([text(parts), *end_frames()])])
    assert asked.shown == "yes"


@pytest.mark.parametrize(
    ("usages", "expected"),
    [
        ([None, USAGE], (20, 10, False)),
        (
            [
                {"prompt_tokens": 20, "completion_tokens": 3},
                {"prompt_tokens": "20", "completion_tokens": 9.0},
            ],
            (20, 9, False),
        ),
        ([None, None], (6, 2, True)),
    ],
    ids=["last chunk", "cumulated, odd types", "none"],
)
async def test_q24_usage_is_the_largest_reported_or_estimated(
    usages: list[object], expected: tuple[int, int, bool]
) -> None:
    frames = [
        event(chunk({"content": "Hello"}, usage=usages[0])),
        event(chunk({}, "stop", usage=usages[1])),
        DONE,
    ]
    usage = (await ask([Answer(frames)])).step.usage
    assert (usage.prompt_tokens, usage.completion_tokens, usage.estimated) == expected
