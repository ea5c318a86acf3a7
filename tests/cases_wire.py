"""Runs the wire cases: model streams, whole answers and errors, as files of a folder."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable
from decimal import Decimal, InvalidOperation
from itertools import pairwise
from pathlib import Path
from typing import Any

from agent.model.assembler import Assembler
from agent.model.call import CallIds
from agent.model.chunk import Chunk, NotACompletion, decode_chunk
from agent.model.failure import error_refusal, require_complete, require_reply
from agent.model.port import AssistantStep, TextDelta, TextReset
from agent.model.reader import StepReader
from services.kit.errors import Refusal

Record = dict[str, Any]
STREAM_ENDINGS = (".sse.txt", ".chunks.txt")
# The catalogue of the product has model codes where the table of the edge has one code for all.
EDGE_CODES = {
    "MODEL_UNAUTHORIZED": "PROVIDER_UNAUTHORIZED",
    "MODEL_UNAVAILABLE": "PROVIDER_UNAVAILABLE",
}
CUTS, SEED = 100, 20270112


class Failed(Exception):
    """A case does not hold; the text says why."""


def run(path: Path) -> tuple[int, list[str]]:
    """Run every case under `path`, a file or a folder; return how many passed and the FAIL lines."""
    passed, lines = 0, []
    for name, check in _cases(path):
        try:
            check()
        except Failed as failed:
            lines.append(f"FAIL {name} {failed}")
        except Exception as error:
            lines.append(f"FAIL {name} {type(error).__name__}: {error}")
        else:
            passed += 1
    return passed, lines


def _cases(path: Path) -> Iterable[tuple[str, Callable[[], None]]]:
    if path.is_file():
        yield from _file_cases(path)
        return
    for folder in sorted({path, *(item for item in path.rglob("*") if item.is_dir())}):
        yield from _folder_cases(folder)


def _file_cases(path: Path) -> Iterable[tuple[str, Callable[[], None]]]:
    if path.name == "manifest.json":
        yield from _manifest_cases(path)
        return
    if path.name.endswith(STREAM_ENDINGS):
        yield str(path), lambda: check_stream(path)
    manifest = path.parent / "manifest.json"
    entries = json.loads(manifest.read_text()) if manifest.is_file() else {}
    if path.name in entries:
        yield f"{manifest}:{path.name}", lambda: check_entry(path, entries[path.name])
    elif not path.name.endswith(STREAM_ENDINGS):
        yield str(path), lambda: _fail("it is no stream and has no entry in a manifest")


def _folder_cases(folder: Path) -> Iterable[tuple[str, Callable[[], None]]]:
    for file in sorted(item for item in folder.iterdir() if item.is_file()):
        if file.name.endswith(STREAM_ENDINGS):
            yield str(file), lambda file=file: check_stream(file)
    if (folder / "manifest.json").is_file():
        yield from _manifest_cases(folder / "manifest.json")


def _manifest_cases(manifest: Path) -> Iterable[tuple[str, Callable[[], None]]]:
    entries = json.loads(manifest.read_text())
    for name in sorted(entries):
        yield (
            f"{manifest}:{name}",
            lambda name=name: check_entry(manifest.parent / name, entries[name]),
        )
    for file in sorted(item for item in manifest.parent.iterdir() if item.is_file()):
        own = file.name != "manifest.json" and not file.name.endswith(
            (".meta.json", ".expect.json")
        )
        if own and file.name not in entries:
            yield str(file), lambda: _fail("the manifest has no entry for it")


def _fail(reason: str) -> None:
    raise Failed(reason)


def check_stream(file: Path) -> None:
    """Read a stream whole, byte by byte and cut at seeded places, and compare the steps."""
    body = file.read_bytes()
    steps = [
        read_stream(body, cuts, lines=file.name.endswith(".chunks.txt")) for cuts in _cuttings(body)
    ]
    for way, step in zip(("byte by byte", "cut"), steps[1:], strict=True):
        if step != steps[0]:
            raise Failed(f"read {way} it gives {step}, read whole {steps[0]}")
    _check_step(steps[0])
    expect = file.with_name(file.name.removesuffix(".txt").rpartition(".")[0] + ".expect.json")
    if expect.is_file():
        _check_expected(steps[0], json.loads(expect.read_text()))


def _cuttings(body: bytes) -> list[list[int]]:
    places = random.Random(SEED).choices(range(len(body) + 1), k=CUTS)
    return [[], list(range(1, len(body))), sorted(places)]


def read_stream(body: bytes, cuts: list[int], *, lines: bool) -> AssistantStep:
    """Return the step of a body that arrives cut at `cuts`; also checks the deltas."""
    edges = [0, *cuts, len(body)]
    pieces = [body[start:end] for start, end in pairwise(edges)]
    events, step = _read_lines(pieces) if lines else _read_events(pieces)
    shown = ""
    for event in events:
        shown = (
            ""
            if isinstance(event, TextReset)
            else shown + event.text
            if isinstance(event, TextDelta)
            else shown
        )
    if shown != step.text:
        raise Failed(f"the deltas give {shown!r}, the step {step.text!r}")
    return step


def _read_events(pieces: list[bytes]) -> tuple[list[Any], AssistantStep]:
    reader = StepReader(CallIds("case"))
    events = [event for piece in pieces for event in reader.feed(piece)]
    last, step = reader.close()
    return events + last, step


def _read_lines(pieces: list[bytes]) -> tuple[list[Any], AssistantStep]:
    """Feed one JSON chunk per line; the end of the file is a proper end."""
    assembler, rest, events = Assembler(CallIds("case")), b"", []
    for piece in [*pieces, b"\n"]:
        *whole, rest = (rest + piece).split(b"\n")
        for line in whole:
            if line.strip():
                events.extend(assembler.accept(_line_chunk(line)))
    events.extend(assembler.accept(Chunk(ended=True)))
    last, step = assembler.finish()
    return events + last, step


def _line_chunk(line: bytes) -> Chunk:
    try:
        return decode_chunk(line.strip())
    except NotACompletion as broken:
        return Chunk(broken=str(broken))


def _check_step(step: AssistantStep) -> None:
    ids = [call.id for call in step.calls]
    if len(set(ids)) != len(ids) or any(
        len(made) != 9 or not made.isalnum() or not made.isascii() for made in ids
    ):
        raise Failed(f"call ids are not our own: {ids}")
    if not step.complete and (step.calls or not step.faults):
        raise Failed("a faulted step has calls, or no fault")


def _check_expected(step: AssistantStep, expected: Record) -> None:
    actual = {
        "text": step.text,
        "calls": [{"name": call.name, "arguments": call.arguments} for call in step.calls],
        "finish": step.finish,
        "faults": list(step.faults),
    }
    if set(expected) - set(actual):
        raise Failed(f"unknown expectation {sorted(set(expected) - set(actual))}")
    for name, wanted in expected.items():
        if name == "calls":
            same = [_call_value(call) for call in actual["calls"]] == [
                _call_value(call) for call in wanted
            ]
        else:
            same = actual[name] == wanted
        if not same:
            raise Failed(f"{name} is {actual[name]!r}, expected {wanted!r}")


def _call_value(call: Record) -> tuple[object, object]:
    arguments = call["arguments"]
    return call["name"], _json_value(arguments) if isinstance(arguments, str) else _json_value(
        json.dumps(arguments)
    )


def _json_value(text: str) -> object:
    return json.loads(text, parse_float=Decimal, parse_int=Decimal)


def check_entry(file: Path, entry: Record) -> None:
    """Decode one file of a manifest and compare it with its entry."""
    if not file.is_file():
        raise Failed("the file is missing")
    decode = _DECODERS.get(entry.get("kind", ""))
    if decode is None:
        raise Failed(f"unknown kind {entry.get('kind')!r}")
    try:
        records = decode(file, entry.get("given", {}))
    except Refusal as refusal:
        _check_refusal(refusal, entry)
        return
    if entry["expect"] != "ok":
        if entry["expect"] == "unsupported" and not records:
            return
        raise Failed(f"it decodes, expected {entry['expect']} {entry.get('refusal', '')}")
    if entry.get("count", len(records)) != len(records):
        raise Failed(f"{len(records)} records, expected {entry['count']}")
    for path, wanted in entry.get("fields", {}).items():
        _check_field(records, path, wanted)


def _check_refusal(refusal: Refusal, entry: Record) -> None:
    codes = (refusal.code, EDGE_CODES.get(refusal.code))
    wanted = entry.get("refusal") if entry["expect"] == "refusal" else "PROVIDER_UNSUPPORTED"
    if entry["expect"] == "ok" or wanted not in codes:
        raise Failed(f"refused {refusal}, expected {entry['expect']} {entry.get('refusal', '')}")


def _decode_stream(file: Path, _given: Record) -> list[Record]:
    step = read_stream(file.read_bytes(), [], lines=file.name.endswith(".chunks.txt"))
    return [_record(require_complete(step))]


def _decode_reply(file: Path, given: Record) -> list[Record]:
    body = require_reply(file.read_bytes(), status=int(given.get("http_status", 200)))
    reader = StepReader(CallIds("case"))
    reader.feed(body)
    return [_record(require_complete(reader.close()[1]))]


def _decode_error(file: Path, given: Record) -> list[Record]:
    raise error_refusal(int(given.get("http_status", 200)), file.read_bytes())


_DECODERS: dict[str, Callable[[Path, Record], list[Record]]] = {
    "model_stream": _decode_stream,
    "model_reply": _decode_reply,
    "error": _decode_error,
}


def _record(step: AssistantStep) -> Record:
    usage = step.usage
    return {
        "text": step.text,
        "finish": step.finish,
        "call_count": len(step.calls),
        "calls": [{"name": call.name, "arguments": call.arguments} for call in step.calls],
        "usage": {
            "prompt_tokens": usage.prompt_tokens,
            "completion_tokens": usage.completion_tokens,
        },
    }


def _check_field(records: list[Record], path: str, wanted: object) -> None:
    parts = path.split(".")
    at = int(parts.pop(0)) if parts[0].lstrip("-").isdigit() else 0
    value: Any = records[at]
    for part in parts:
        value = value[int(part)] if isinstance(value, list) else value[part]
    if parts[-1] == "arguments" and isinstance(wanted, str):
        same = _json_value(value) == _json_value(wanted)
    else:
        same = _same(value, wanted)
    if not same:
        raise Failed(f"{path} is {value!r}, expected {wanted!r}")


def _same(value: object, wanted: object) -> bool:
    if value is None or wanted is None or isinstance(value, bool) or isinstance(wanted, bool):
        return value is wanted or (isinstance(value, bool) and wanted == str(value).lower())
    try:
        return Decimal(str(value)) == Decimal(str(wanted))
    except InvalidOperation:
        return value == wanted
