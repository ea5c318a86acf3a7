"""The runner of wire cases: what it accepts, what it refuses, and the recorded answers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cases_wire import run

RECORDED = Path(__file__).parents[5] / "shared" / "fixtures"
GOOD = b'data: {"choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
EXPECT = {"text": "Hi", "calls": [], "finish": "stop", "faults": []}


@pytest.mark.parametrize("folder", ["openai_stream", "openai_nonstream", "openai_errors"])
def test_recorded_answers_are_read_as_required(folder: str) -> None:
    if not (RECORDED / folder).is_dir():
        pytest.skip(f"recorded answers are not at {RECORDED / folder}")
    passed, failed = run(RECORDED / folder)
    assert failed == []
    assert passed > 0


def put(folder: Path, name: str, content: bytes | object) -> Path:
    file = folder / name
    file.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return file


def test_a_stream_alone_is_one_case_and_its_expectation_is_compared(tmp_path: Path) -> None:
    file = put(tmp_path, "a.sse.txt", GOOD)
    assert run(file) == (1, [])
    put(tmp_path, "a.expect.json", EXPECT)
    assert run(tmp_path) == (1, [])


@pytest.mark.parametrize(
    "wrong",
    [
        {"text": "Ho"},
        {"finish": None},
        {"faults": ["Q17"]},
        {"calls": [{"name": "x", "arguments": "{}"}]},
        {"mood": "good"},
    ],
)
def test_a_wrong_expectation_fails(tmp_path: Path, wrong: dict[str, object]) -> None:
    put(tmp_path, "a.sse.txt", GOOD)
    put(tmp_path, "a.expect.json", EXPECT | wrong)
    passed, failed = run(tmp_path)
    assert (passed, len(failed)) == (0, 1)
    assert failed[0].startswith(f"FAIL {tmp_path / 'a.sse.txt'} ")


def test_lines_of_chunks_end_properly_at_the_end_of_the_file(tmp_path: Path) -> None:
    put(tmp_path, "a.chunks.txt", b'{"choices":[{"delta":{"content":"Hi"}}]}\n')
    put(tmp_path, "a.expect.json", EXPECT | {"finish": None})
    assert run(tmp_path) == (1, [])


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ({"kind": "quote", "expect": "ok"}, "unknown kind"),
        (
            {
                "kind": "error",
                "expect": "refusal",
                "refusal": "MODEL_BAD_REQUEST",
                "given": {"http_status": 404},
            },
            "MODEL_NOT_FOUND",
        ),
        ({"kind": "error", "expect": "ok", "given": {"http_status": 404}}, "refused"),
        ({"kind": "model_reply", "expect": "ok"}, "MODEL_BODY_INVALID"),
    ],
)
def test_a_wrong_entry_fails(tmp_path: Path, entry: dict[str, object], reason: str) -> None:
    put(tmp_path, "e.json", {"detail": "no"})
    put(tmp_path, "manifest.json", {"e.json": entry})
    passed, failed = run(tmp_path)
    assert (passed, len(failed)) == (0, 1)
    assert reason in failed[0]


def test_a_file_without_an_entry_and_an_entry_without_a_file_fail(tmp_path: Path) -> None:
    put(tmp_path, "lost.json", {})
    put(
        tmp_path,
        "manifest.json",
        {"gone.json": {"kind": "error", "expect": "refusal", "refusal": "MODEL_NOT_FOUND"}},
    )
    assert len(run(tmp_path)[1]) == 2


def test_fields_of_a_reply_compare_as_numbers_and_json(tmp_path: Path) -> None:
    reply = {
        "choices": [
            {
                "message": {
                    "content": None,
                    "tool_calls": [
                        {"id": "", "function": {"name": "quote", "arguments": '{"a": 1.0}'}}
                    ],
                },
                "finish_reason": "",
            }
        ],
        "usage": {"prompt_tokens": 5},
    }
    put(tmp_path, "r.json", reply)
    fields = {
        "text": "",
        "finish": None,
        "call_count": "1",
        "calls.0.name": "quote",
        "calls.0.arguments": '{"a":1}',
        "usage.prompt_tokens": "5",
    }
    put(
        tmp_path,
        "manifest.json",
        {"r.json": {"kind": "model_reply", "expect": "ok", "count": 1, "fields": fields}},
    )
    assert run(tmp_path) == (1, [])


@pytest.mark.parametrize(
    ("status", "codes"),
    [
        (401, ("MODEL_UNAUTHORIZED", "PROVIDER_UNAUTHORIZED")),
        (503, ("MODEL_UNAVAILABLE", "PROVIDER_UNAVAILABLE")),
        (422, ("MODEL_BAD_REQUEST",)),
        (429, ("MODEL_RATE_LIMITED",)),
    ],
)
def test_errors_have_the_codes_of_their_status(
    tmp_path: Path, status: int, codes: tuple[str, ...]
) -> None:
    put(tmp_path, "e.json", b"<html>no</html>")
    for code in codes:
        put(
            tmp_path,
            "manifest.json",
            {
                "e.json": {
                    "kind": "error",
                    "expect": "refusal",
                    "refusal": code,
                    "given": {"http_status": status},
                }
            },
        )
        assert run(tmp_path) == (1, [])
