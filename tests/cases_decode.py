"""Runs the decode cases: recorded bodies of a provider against their `manifest.json`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from services.kit.errors import Refusal
from services.kit.money import use_context
from services.market.alpaca_decode import decode_alpaca
from services.market.decode import Given, Record
from services.market.massive_decode import decode_massive
from services.market.tradier_decode import decode_tradier
from tests.case_value import find_number

Decoder = Callable[[str, bytes, Given], list[Record]]
DECODERS: dict[str, Decoder] = {
    "alpaca": decode_alpaca,
    "massive": decode_massive,
    "tradier": decode_tradier,
}
TOLERANCE = Decimal("1e-8")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
UNNAMED = ("manifest.json", ".meta.json", ".expect.json")


class Failed(Exception):
    """A case does not hold; the text says why."""


def run(provider: str, path: Path) -> tuple[int, list[str]]:
    """Run every case under `path`; return how many passed and the FAIL lines."""
    use_context()
    passed, lines = 0, []
    for file, entry in _cases(path):
        try:
            judge(provider, file.read_bytes(), entry)
        except Failed as failed:
            lines.append(f"FAIL {file} {failed}")
        except Exception as error:
            lines.append(f"FAIL {file} {type(error).__name__}: {error}")
        else:
            passed += 1
    return passed, lines


def _cases(path: Path) -> Iterable[tuple[Path, Any]]:
    if path.is_file() and path.name != "manifest.json":
        yield path, _manifest(path.parent).get(path.name)
        return
    root = path.parent if path.is_file() else path
    folders = [root] if path.is_file() else sorted({f.parent for f in path.rglob("*")} | {path})
    for folder in folders:
        entries = _manifest(folder)
        files = sorted(file for file in folder.iterdir() if file.is_file())
        for file in files:
            if not file.name.endswith(UNNAMED):
                yield file, entries.pop(file.name, None)
        for name in sorted(entries):
            yield folder / name, entries[name]


def _manifest(folder: Path) -> dict[str, Any]:
    file = folder / "manifest.json"
    return dict(json.loads(file.read_text(encoding="utf-8"))) if file.is_file() else {}


def judge(provider: str, body: bytes, entry: Any) -> None:
    """Raise `Failed` unless the body decodes as the entry says."""
    if not isinstance(entry, dict):
        raise Failed("has no entry in manifest.json")
    decoder = DECODERS.get(provider)
    if decoder is None:
        raise Failed(f"no decoder for {provider}")
    unknown = set(entry.get("given") or {}) - set(Given.__dataclass_fields__)
    if unknown:
        raise Failed(f"unknown given {sorted(unknown)}")
    try:
        records = decoder(str(entry.get("kind")), body, Given(**(entry.get("given") or {})))
    except Refusal as refusal:
        _judge_refusal(entry, refusal)
        return
    match entry.get("expect"):
        case "ok":
            _judge_records(entry, records)
        case "unsupported" if not records:
            return
        case "unsupported" | "refusal":
            raise Failed(f"expected {entry.get('refusal', 'nothing')}, got {len(records)} records")
        case other:
            raise Failed(f"unknown expectation {other!r}")


def _judge_refusal(entry: dict[str, Any], refusal: Refusal) -> None:
    due = {"refusal": entry.get("refusal"), "unsupported": "PROVIDER_UNSUPPORTED"}
    if due.get(str(entry.get("expect"))) != refusal.code:
        raise Failed(f"refused {refusal.code}: {refusal.message} {refusal.facts}")


def _judge_records(entry: dict[str, Any], records: list[Record]) -> None:
    count = entry.get("count")
    if count is not None and len(records) != int(count):
        raise Failed(f"expected {count} records, got {len(records)}")
    for path, wanted in (entry.get("fields") or {}).items():
        got = _shown(_at(records, path))
        if not _same(wanted, got):
            raise Failed(f"{path}: expected {wanted!r}, got {got!r}")


def _at(records: list[Record], path: str) -> Any:
    parts = path.split(".")
    at, rest = (int(parts[0]), parts[1:]) if _is_index(parts[0]) else (0, parts)
    try:
        value: Any = records[at]
        for part in rest:
            value = value[int(part)] if isinstance(value, list) else value[part]
    except (LookupError, TypeError, ValueError):
        raise Failed(f"{path} does not exist") from None
    return value


def _is_index(part: str) -> bool:
    return part.removeprefix("-").isdecimal()


def _shown(value: Any) -> Any:
    if isinstance(value, datetime):
        return str((value - EPOCH) // (datetime.resolution * 1000))
    return value.isoformat() if isinstance(value, date) else value


def _same(wanted: Any, got: Any) -> bool:
    if wanted is None or got is None:
        return wanted is got
    if isinstance(got, bool) or isinstance(wanted, bool):
        return str(wanted).lower() == str(got).lower()
    left, right = find_number(wanted), find_number(got)
    if left is not None and right is not None:
        return abs(left - right) <= TOLERANCE
    return left is None and right is None and bool(wanted == got)
