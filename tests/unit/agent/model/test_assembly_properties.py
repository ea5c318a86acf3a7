"""Properties of decoder and assembler: any legal or quirky cutting gives the canonical step."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.model.assembler import Assembler
from agent.model.call import CallIds, read_arguments
from agent.model.chunk import Chunk
from agent.model.port import AssistantStep, ModelEvent, StepDone, TextDelta, TextReset
from agent.model.reader import StepReader
from agent.model.sse import SseDecoder

NAMES = ("quote", "bars", "propose_order", "clock")
words = st.text(st.characters(exclude_categories=["Cs"]), max_size=20).filter(
    lambda text: "think>" not in text
)
values = st.one_of(
    words,
    st.integers(-(2**40), 2**40),
    st.booleans(),
    st.none(),
    st.lists(words, max_size=3),
    st.dictionaries(words, words, max_size=2),
)


@dataclass
class Canonical:
    text: str
    calls: list[tuple[str, dict[str, Any]]]


@st.composite
def canonicals(draw: st.DrawFn) -> Canonical:
    count = draw(st.integers(0, 4))
    calls = [
        (
            draw(st.sampled_from(NAMES)),
            {"n": at, **draw(st.dictionaries(words, values, max_size=3))},
        )
        for at in range(count)
    ]
    return Canonical(
        draw(words), [(name, {**args, "n": at}) for at, (name, args) in enumerate(calls)]
    )


STYLES = (
    "indexed",
    "interleaved",
    "no index",
    "index 0",
    "whole",
    "whole, no id, no index",
    "object",
    "name again",
    "late name",
    "drift",
    "constant id",
    "legacy",
)


def fragments(canonical: Canonical, style: str, draw: st.DrawFn) -> list[list[dict[str, Any]]]:
    """Return lists of tool-call fragments, one list per chunk, in the style's dialect."""
    streams = []
    for at, (name, args) in enumerate(canonical.calls):
        raw = json.dumps(args, ensure_ascii=draw(st.booleans()))
        cuts = sorted(draw(st.lists(st.integers(1, max(1, len(raw) - 1)), max_size=4)))
        pieces = [raw[a:b] for a, b in zip([0, *cuts], [*cuts, len(raw)], strict=True)]
        streams.append(_stream(style, at, name, args, raw, pieces))
    if style != "interleaved":
        return [[piece] for stream in streams for piece in stream]
    out = [[stream.pop(0)] for stream in streams]
    while any(streams):
        stream = draw(st.sampled_from([stream for stream in streams if stream]))
        out.append([stream.pop(0)])
    return out


def _stream(
    style: str, at: int, name: str, args: dict[str, Any], raw: str, pieces: list[str]
) -> list[dict[str, Any]]:
    def piece(text: object, **extra: object) -> dict[str, Any]:
        return {"function": {"arguments": text}, **extra}

    head = {"function": {"name": name, "arguments": ""}}
    match style:
        case "indexed" | "interleaved":
            return [
                {**head, "index": at, "id": f"call_{at}"},
                *(piece(text, index=at) for text in pieces),
            ]
        case "no index":
            return [{**head, "id": f"call_{at}"}, *(piece(text) for text in pieces)]
        case "index 0":
            return [
                {**head, "index": 0, "id": f"call_{at}"},
                *(piece(text, index=0) for text in pieces),
            ]
        case "whole":
            return [{"index": at, "id": f"call_{at}", "function": {"name": name, "arguments": raw}}]
        case "whole, no id, no index":
            return [{"function": {"name": name, "arguments": raw}}]
        case "object":
            return [
                {"index": at, "id": f"call_{at}", "function": {"name": name, "arguments": args}}
            ]
        case "name again":
            return [
                {"index": at, "id": f"call_{at}", "function": {"name": name, "arguments": text}}
                for text in pieces
            ]
        case "late name":
            return [
                {"index": at, "id": f"call_{at}", "function": {"arguments": pieces[0]}},
                *(piece(text, index=at) for text in pieces[1:]),
                {"index": at, "function": {"name": name}},
            ]
        case "drift":
            return [
                {**head, "index": 0, "id": f"call_{at}"},
                *(piece(text, index=100 * (at + 1) + n) for n, text in enumerate(pieces)),
            ]
        case "constant id":
            return [{**head, "index": at, "id": "x"}, *(piece(text, index=at) for text in pieces)]
        case _:
            return [{"function": {"name": name, "arguments": raw}}]


def chunks_of(canonical: Canonical, style: str, draw: st.DrawFn) -> list[dict[str, Any]]:
    deltas: list[dict[str, Any]] = [{"content": character} for character in canonical.text]
    for group in fragments(canonical, style, draw):
        deltas.append(
            {"function_call": group[0]["function"]} if style == "legacy" else {"tool_calls": group}
        )
    return [
        *({"choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas),
        {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
    ]


def encoded(chunks: list[dict[str, Any]], draw: st.DrawFn) -> bytes:
    end = draw(st.sampled_from(["\n", "\r\n", "\r"]))
    space, ascii_only = draw(st.sampled_from(["", " "])), draw(st.booleans())
    noise = draw(
        st.sampled_from(
            ["", f": ping{end}{end}", f"event: message{end}", f"id: 7{end}retry: 10{end}"]
        )
    )
    events = [
        f"{noise}data:{space}{json.dumps(item, ensure_ascii=ascii_only)}{end}{end}"
        for item in chunks
    ]
    return (
        "".join(events) + draw(st.sampled_from([f"data: [DONE]{end}{end}", "data: [DONE]", ""]))
    ).encode()


def read(body: bytes, cuts: list[int]) -> tuple[str, AssistantStep]:
    reader, events = StepReader(CallIds("seed")), []
    edges = [0, *sorted(cuts), len(body)]
    for start, end in pairwise(edges):
        events.extend(reader.feed(body[start:end]))
    last, step = reader.close()
    return shown([*events, *last]), step


def shown(events: list[ModelEvent]) -> str:
    out = ""
    for event in events:
        match event:
            case TextDelta():
                out += event.text
            case TextReset():
                out = ""
            case StepDone():
                raise AssertionError("a step inside the events")
    return out


@pytest.mark.parametrize("style", STYLES)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_a_canonical_step_survives_every_fragmentation(style: str, data: st.DataObject) -> None:
    canonical = data.draw(canonicals())
    body = encoded(chunks_of(canonical, style, data.draw), data.draw)
    cuts = data.draw(st.lists(st.integers(0, len(body)), max_size=12))
    text, step = read(body, cuts)
    calls = [(call.name, read_arguments(call.arguments)) for call in step.calls]
    assert all(call in canonical.calls for call in calls)
    assert step.complete
    assert (text, step.text) == (canonical.text, canonical.text)
    assert calls == canonical.calls or step.faults
    assert not step.faults


@settings(max_examples=150, deadline=None)
@given(data=st.data(), style=st.sampled_from(STYLES))
def test_a_stream_cut_anywhere_runs_nothing_before_its_finish(
    data: st.DataObject, style: str
) -> None:
    chunks = chunks_of(data.draw(canonicals()), style, data.draw)[:-1]
    body = (
        encoded(chunks, data.draw)
        .removesuffix(b"\n\n")
        .removesuffix(b"\r\n\r\n")
        .removesuffix(b"\r\r")
        .removesuffix(b"data: [DONE]")
    )
    _, step = read(body[: data.draw(st.integers(0, len(body)))], [])
    assert (step.complete, step.calls, step.faults) == (False, (), ("Q17",))


json_values = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        words,
        st.sampled_from(["", "0", "stop", "error"]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(
                [
                    "index",
                    "delta",
                    "message",
                    "content",
                    "tool_calls",
                    "function",
                    "name",
                    "arguments",
                    "id",
                    "finish_reason",
                    "usage",
                    "prompt_tokens",
                    "error",
                    "text",
                    "type",
                    "function_call",
                    "reasoning_content",
                ]
            ),
            inner,
            max_size=5,
        ),
    ),
    max_leaves=20,
)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.one_of(
            json_values,
            st.fixed_dictionaries({"choices": json_values}),
            st.fixed_dictionaries(
                {"choices": st.lists(st.fixed_dictionaries({"delta": json_values}), max_size=2)}
            ),
        ),
        max_size=6,
    )
)
def test_no_document_breaks_the_reader(documents: list[object]) -> None:
    body = (
        "".join(f"data: {json.dumps(document)}\n\n" for document in documents).encode()
        + b"data: [DONE]\n\n"
    )
    text, step = read(body, [])
    assert text == step.text
    assert step.complete or not step.calls
    assert all(isinstance(read_arguments(call.arguments), dict) for call in step.calls)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=5))
def test_no_bytes_break_the_reader(body: bytes, cuts: list[int]) -> None:
    whole = read(body, [])
    assert read(body, [min(cut, len(body)) for cut in cuts]) == whole
    assert not whole[1].calls or whole[1].complete


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                b"data: a",
                b"data:b",
                b": c",
                b"event: x",
                b"\r",
                b"\n",
                b"\r\n",
                b"\n\n",
                b"\xef\xbb\xbf",
            ]
        ),
        max_size=20,
    ),
    st.data(),
)
def test_events_do_not_depend_on_how_the_bytes_are_cut(
    parts: list[bytes], data: st.DataObject
) -> None:
    body = b"".join(parts)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=8)))
    whole, cut = SseDecoder(event_bytes_max=10_000), SseDecoder(event_bytes_max=10_000)
    edges = [0, *cuts, len(body)]
    events = [event for start, end in pairwise(edges) for event in cut.feed(body[start:end])]
    assert whole.feed(body) + whole.close() == events + cut.close()


@settings(max_examples=60, deadline=None)
@given(data=st.data(), style=st.sampled_from(["indexed", "interleaved", "whole"]))
def test_conforming_streams_assemble_as_the_openai_client_does(
    data: st.DataObject, style: str
) -> None:
    from openai.lib.streaming.chat import ChatCompletionStreamState
    from openai.types.chat import ChatCompletionChunk

    chunks = [
        {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", **item}
        for item in chunks_of(data.draw(canonicals()), style, data.draw)
    ]
    oracle = ChatCompletionStreamState()
    for item in chunks:
        list(oracle.handle_chunk(ChatCompletionChunk.model_validate(item)))
    message = oracle.get_final_completion().choices[0].message
    _, step = read(encoded(chunks, data.draw), [])
    assert step.text == (message.content or "")
    assert [(call.name, call.arguments) for call in step.calls] == [
        (call.function.name, call.function.arguments) for call in message.tool_calls or ()
    ]


def test_ids_skip_those_of_the_conversation() -> None:
    first = CallIds("seed").new()
    assert CallIds("seed", {first}).new() != first
    assert CallIds("seed").new() == first


@pytest.mark.parametrize(
    "bad", ["", "[]", "1", "{", '{"a":1,"a":2}', '{"a":NaN}', '{"a":1} x', "[" * 100_000]
)
def test_arguments_that_are_no_single_object_are_refused(bad: str) -> None:
    with pytest.raises(ValueError):
        read_arguments(bad)


def test_many_closing_brackets_cost_no_time() -> None:
    assembler = Assembler(CallIds("seed"))
    from agent.model.chunk import Fragment

    assembler.accept(Chunk(fragments=(Fragment(index=0, name="quote", arguments="{"),)))
    for _ in range(20_000):
        assembler.accept(Chunk(fragments=(Fragment(index=0, arguments="}"),)))
    assert assembler.accept(Chunk(ended=True)) == []
    assert assembler.finish()[1].faults == ("Q15",)


def test_no_utf8_is_mended_in_text_and_breaks_a_tool_call() -> None:
    assert (
        read(
            b'data: {"choices":[{"delta":{"content":"a\xff","tool_calls":null},"finish_reason":"stop"}]}\n\n',
            [],
        )[1].text
        == "a\ufffd"
    )
    call = b'data: {"choices":[{"delta":{"tool_calls":[{"function":{"name":"quote","arguments":"{\\"s\\":\\"\xff\\"}"}}]}}]}\n\ndata: [DONE]\n\n'
    assert read(call, [])[1].faults == ("Q17",)


def test_events_without_blank_lines_between_them_are_read_line_by_line() -> None:
    body = b'data: {"choices":[{"delta":{"content":"a"}}]}\ndata: {"choices":[{"delta":{"content":"b"},"finish_reason":"stop"}]}\ndata: [DONE]\n'
    assert read(body, [])[1].text == "ab"


@pytest.mark.parametrize(
    "body",
    [
        b"<html></html>",
        b'{"hello":1}',
        b"",
        b"Service unavailable",
        b": only a comment\n\n",
        b'{"choices":[{"mess',
    ],
)
def test_what_is_no_stream_is_one_faulted_step(body: bytes) -> None:
    step = read(body, [])[1]
    assert (step.complete, step.faults) == (False, ("Q17",))


def test_a_broken_event_after_the_finish_does_not_undo_the_step() -> None:
    body = b'data: {"choices":[{"delta":{"content":"a"},"finish_reason":"stop"}]}\n\ndata: {"us'
    step = read(body, [])[1]
    assert (step.complete, step.text, step.finish) == (True, "a", "stop")
