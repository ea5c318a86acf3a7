"""The quirks of streams, each through the real adapter from a real loopback server."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pytest

from tests.fakes.model_server import DONE, Answer, chunk, end_frames, event
from tests.unit.agent.model.asking import ask

AAPL, MSFT = '{"symbol": "AAPL"}', '{"symbol": "MSFT"}'


def call(
    *,
    index: object = None,
    id: object = None,  # noqa: A002 - as the wire names it
    name: object = None,
    args: object = None,
) -> dict[str, object]:
    """One fragment; what is None is absent."""
    function = {
        key: value for key, value in (("name", name), ("arguments", args)) if value is not None
    }
    return {key: value for key, value in (("index", index), ("id", id)) if value is not None} | {
        "type": "function",
        "function": function,
    }


def calls(*fragments: dict[str, object]) -> bytes:
    return event(chunk({"tool_calls": list(fragments)}))


def text(content: object) -> bytes:
    return event(chunk({"content": content}))


@dataclass
class Quirk:
    id: str
    fact: str
    frames: list[bytes]
    calls: list[tuple[str, str]] | None = None
    text: str = ""
    finish: str | None = "tool_calls"
    faults: tuple[str, ...] = ()
    end: list[bytes] | None = None


TWO = [("quote", AAPL), ("quote", MSFT)]
QUIRKS = [
    Quirk(
        "Q01",
        "no index at all",
        [
            calls(call(id="a", name="quote", args='{"symbol"')),
            calls(call(args=': "AAPL"}')),
            calls(call(id="b", name="quote", args=MSFT)),
        ],
        TWO,
    ),
    Quirk(
        "Q01",
        "no index and no id",
        [calls(call(name="quote", args=AAPL)), calls(call(name="quote", args=MSFT))],
        TWO,
    ),
    Quirk(
        "Q02",
        "index 0 for every call",
        [
            calls(call(index=0, id="a", name="quote", args=AAPL)),
            calls(call(index=0, id="b", name="quote", args=MSFT)),
        ],
        TWO,
    ),
    Quirk(
        "Q02",
        "index 0 for every call, no ids",
        [
            calls(call(index=0, name="quote", args=AAPL)),
            calls(call(index=0, name="quote", args=MSFT)),
        ],
        TWO,
    ),
    Quirk(
        "Q03",
        "two ids under one index in one chunk",
        [
            calls(
                call(index=0, id="a", name="quote", args=AAPL),
                call(index=0, id="b", name="quote", args=MSFT),
            )
        ],
        TWO,
    ),
    Quirk(
        "Q04",
        "arguments under a drifting index",
        [
            calls(call(index=0, id="a", name="quote", args="")),
            calls(call(index=1, args='{"symbol"')),
            calls(call(index=2, args=': "AAPL"}')),
        ],
        [("quote", AAPL)],
    ),
    Quirk(
        "Q05",
        "interleaved fragments",
        [
            calls(call(index=0, id="a", name="quote"), call(index=1, id="b", name="quote")),
            calls(call(index=1, args='{"symbol"'), call(index=0, args='{"symbol"')),
            calls(call(index=1, args=': "MSFT"}'), call(index=0, args=': "AAPL"}')),
        ],
        TWO,
    ),
    Quirk(
        "Q06",
        "a whole call in one chunk",
        [calls(call(index=0, id="a", name="quote", args=AAPL))],
        [("quote", AAPL)],
    ),
    Quirk(
        "Q07",
        "arguments before the name",
        [
            calls(call(index=0, id="a", args='{"symbol"')),
            calls(call(index=0, args=': "AAPL"}')),
            calls(call(index=0, name="quote")),
        ],
        [("quote", AAPL)],
    ),
    Quirk(
        "Q07",
        "arguments of the second call before its name",
        [
            calls(call(index=0, name="clock", args="{}")),
            calls(call(index=1, args=AAPL)),
            calls(call(index=1, name="quote")),
        ],
        [("clock", "{}"), ("quote", AAPL)],
    ),
    Quirk(
        "Q08",
        "name repeated with each delta",
        [
            calls(call(index=0, id="a", name="quote", args='{"symbol"')),
            calls(call(index=0, id="a", name="quote", args=': "AAPL"}')),
            calls(call(index=0, name="quote", args="")),
        ],
        [("quote", AAPL)],
    ),
    Quirk(
        "Q08",
        "name in pieces",
        [
            calls(call(index=0, id="a", name="quo")),
            calls(call(index=0, name="te")),
            calls(call(index=0, args=AAPL)),
        ],
        [("quote", AAPL)],
    ),
    Quirk(
        "Q09",
        "an empty name later does not overwrite",
        [calls(call(index=0, id="a", name="quote")), calls(call(index=0, name="", args=AAPL))],
        [("quote", AAPL)],
    ),
    Quirk(
        "Q09",
        "a call without a name is withheld",
        [calls(call(index=0, id="a", name="", args=AAPL))],
        [],
        faults=("Q09",),
    ),
    Quirk(
        "Q10",
        "id null",
        [
            event(
                chunk(
                    {
                        "tool_calls": [
                            {
                                "index": 0,
                                "id": None,
                                "function": {"name": "quote", "arguments": AAPL},
                            }
                        ]
                    }
                )
            )
        ],
        [("quote", AAPL)],
    ),
    Quirk(
        "Q11",
        "one id for all calls",
        [
            calls(call(index=0, id="x", name="quote", args=AAPL)),
            calls(call(index=1, id="x", name="quote", args=MSFT)),
        ],
        TWO,
    ),
    Quirk(
        "Q11",
        "one id and one index for all calls",
        [
            calls(call(index=0, id="x", name="quote", args=AAPL)),
            calls(call(index=0, id="x", name="quote", args=MSFT)),
        ],
        TWO,
    ),
    Quirk(
        "Q11",
        "a whole call repeated under its id is one call",
        [calls(call(index=0, id="x", name="quote", args=AAPL))] * 2,
        [("quote", AAPL)],
    ),
    Quirk(
        "Q10",
        "equal calls without ids are two calls",
        [calls(call(index=0, name="quote", args=AAPL))] * 2,
        [("quote", AAPL)] * 2,
    ),
    Quirk(
        "Q02",
        "a different id under one index is a new call, arguments or not",
        [
            calls(call(index=0, id="a", name="clock", args="")),
            calls(call(index=0, id="b", name="quote", args='{"symbol"')),
            calls(call(index=0, id="b", args=': "AAPL"}')),
        ],
        [("clock", "{}"), ("quote", AAPL)],
    ),
    Quirk(
        "Q13",
        "no arguments for a tool without any",
        [calls(call(index=0, id="a", name="clock", args=""))],
        [("clock", "{}")],
    ),
    Quirk(
        "Q13",
        "no arguments for a tool that needs some",
        [calls(call(index=0, id="a", name="quote", args=""))],
        [],
        faults=("Q13",),
    ),
    Quirk(
        "Q14",
        "arguments as an object keep exact numbers",
        [
            b'data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"name":"quote","arguments":{"symbol":"AAPL","px":12345678901234567.89}}}]}}]}\n\n'
        ],
        [("quote", '{"px":12345678901234567.89,"symbol":"AAPL"}')],
    ),
    Quirk(
        "Q15",
        "broken arguments withhold one call only",
        [
            calls(
                call(index=0, id="a", name="quote", args='{"symbol": "AA'),
                call(index=1, id="b", name="quote", args=MSFT),
            )
        ],
        [("quote", MSFT)],
        faults=("Q15",),
    ),
    Quirk(
        "Q15",
        "a key that stands twice",
        [calls(call(index=0, id="a", name="quote", args='{"symbol":"AAPL","symbol":"MSFT"}'))],
        [],
        faults=("Q15",),
    ),
    Quirk(
        "Q15",
        "NaN is no number",
        [calls(call(index=0, id="a", name="quote", args='{"symbol":NaN}'))],
        [],
        faults=("Q15",),
    ),
    Quirk(
        "Q18",
        "finish stop although calls are present",
        [calls(call(index=0, id="a", name="quote", args=AAPL))],
        [("quote", AAPL)],
        finish="stop",
        end=end_frames("stop"),
    ),
    Quirk(
        "Q19",
        "finish tool_calls with cut arguments",
        [calls(call(index=0, id="a", name="quote", args='{"symbol"'))],
        [],
        faults=("Q15",),
    ),
    Quirk("Q20", "finish tool_calls without calls", [text("Hello.")], [], "Hello."),
    Quirk(
        "Q21",
        "no finish reason but a proper end",
        [text("Hello.")],
        [],
        "Hello.",
        finish=None,
        end=[DONE],
    ),
    Quirk(
        "Q21",
        "a vendor's finish reason",
        [text("Hello.")],
        [],
        "Hello.",
        finish="eos",
        end=end_frames("eos"),
    ),
    Quirk(
        "Q21",
        "an empty finish reason does not overwrite",
        [text("Hello."), event(chunk({}, "stop")), event(chunk({"content": ""}, ""))],
        [],
        "Hello.",
        finish="stop",
        end=[DONE],
    ),
    Quirk("Q22", "length with no text", [], [], finish="length", end=end_frames("length")),
    Quirk(
        "Q22",
        "content_filter with no text",
        [],
        [],
        finish="content_filter",
        end=end_frames("content_filter"),
    ),
    Quirk(
        "Q23",
        "empty choices first, choice without delta",
        [
            event(
                {
                    "choices": [],
                    "prompt_filter_results": [{"prompt_index": 0}],
                    "id": "",
                    "model": "",
                }
            ),
            event({"choices": [{"index": 0, "finish_reason": None}]}),
            event({"choices": [{"index": 0, "delta": None}]}),
            event({"choices": None}),
            text("Hello."),
        ],
        [],
        "Hello.",
        finish="stop",
        end=end_frames(),
    ),
    Quirk(
        "Q35",
        "a tool call written as text is text",
        [text('<tool_call>{"name":"quote"}</tool_call>')],
        [],
        '<tool_call>{"name":"quote"}</tool_call>',
        finish="stop",
        end=end_frames(),
    ),
    Quirk(
        "Q36",
        "a name with template tokens stays as it is",
        [calls(call(index=0, id="a", name="quote<|channel|>analysis", args=AAPL))],
        [("quote<|channel|>analysis", AAPL)],
    ),
    Quirk(
        "Q39",
        "only choice 0 counts",
        [
            event(
                {
                    "choices": [
                        {"index": 1, "delta": {"content": "no"}},
                        {"index": 0, "delta": {"content": "yes"}},
                    ]
                }
            ),
            event(
                {
                    "choices": [
                        {
                            "index": 1,
                            "delta": {
                                "tool_calls": [call(index=0, id="z", name="quote", args=AAPL)]
                            },
                            "finish_reason": "tool_calls",
                        }
                    ]
                }
            ),
        ],
        [],
        "yes",
        finish="stop",
        end=end_frames(),
    ),
    Quirk(
        "Q40",
        "CRLF, comments, data without a space",
        [
            b": PROCESSING\r\n\r\n",
            event(chunk({"content": "Hel"}), end="\r\n\r\n"),
            b"data:" + json.dumps(chunk({"content": "lo"})).encode() + b"\r\n\r\n",
        ],
        [],
        "Hello",
        finish="stop",
        end=end_frames(),
    ),
    Quirk(
        "Q40",
        "U+2028 and U+0085 inside strings",
        ['data: {"choices":[{"index":0,"delta":{"content":"a\u2028b\u0085c"}}]}\n\n'.encode()],
        [],
        "a\u2028b\u0085c",
        finish="stop",
        end=end_frames(),
    ),
    Quirk(
        "Q40",
        "one giant event",
        [text("x" * 300_000)],
        [],
        "x" * 300_000,
        finish="stop",
        end=end_frames(),
    ),
    Quirk(
        "Q40",
        "a UTF-8 character cut in two frames",
        [
            (whole := 'data: {"choices":[{"index":0,"delta":{"content":"é😀"}}]}\n\n'.encode())[
                :48
            ],
            whole[48:52],
            whole[52:],
        ],
        [],
        "é😀",
        finish="stop",
        end=end_frames(),
    ),
    Quirk(
        "Q40",
        "a surrogate pair cut in two events",
        [
            b'data: {"choices":[{"index":0,"delta":{"content":"\\ud83d"}}]}\n\n',
            b'data: {"choices":[{"index":0,"delta":{"content":"\\ude00"}}]}\n\n',
        ],
        [],
        "😀",
        finish="stop",
        end=end_frames(),
    ),
]


@pytest.mark.parametrize("quirk", QUIRKS, ids=lambda quirk: f"{quirk.id}-{quirk.fact}")
async def test_a_quirk_of_a_stream_assembles_as_required(quirk: Quirk) -> None:
    end = end_frames("tool_calls") if quirk.end is None else quirk.end
    asked = await ask([Answer([*quirk.frames, *end])])
    assert asked.step.complete
    assert asked.calls == quirk.calls
    assert (asked.step.text, asked.shown) == (quirk.text, quirk.text)
    assert asked.step.finish == quirk.finish
    assert asked.step.faults == quirk.faults
    ids = [made.id for made in asked.step.calls]
    assert len(set(ids)) == len(ids)
    assert all(len(made) == 9 and made.isascii() and made.isalnum() for made in ids)


async def test_a_drifting_index_is_noted() -> None:
    drifting = next(quirk for quirk in QUIRKS if quirk.id == "Q04")
    asked = await ask([Answer([*drifting.frames, *end_frames("tool_calls")])])
    assert asked.step.quirks == ("index_drift",)
