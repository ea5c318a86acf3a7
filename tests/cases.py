"""Owns the runner of cases from outside: `python -m tests.cases golden|wire|decode|injections PATH`."""

from __future__ import annotations

import importlib
import importlib.util
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from services.kit.errors import Refusal
from services.kit.money import use_context
from tests.case_value import differences, find_number, load_json

PROVIDERS = ("massive", "tradier", "alpaca", "discord")
USAGE = (
    "usage: python -m tests.cases golden|wire|injections PATH\n"
    "       python -m tests.cases decode massive|tradier|alpaca|discord PATH"
)
Tally = tuple[int, list[str]]


class NoCases(Exception):
    """The path can not be read."""


def main(argv: list[str]) -> int:
    """Run the cases; return 0 when all passed, 1 when one failed, 2 for wrong usage."""
    match argv:
        case ["golden" | "wire" | "injections" as kind, path]:
            runner = RUNNERS[kind]
        case ["decode", provider, path] if provider in PROVIDERS:
            runner = _decode_runner(provider)
        case _:
            print(USAGE, file=sys.stderr)
            return 2
    try:
        passed, failed = runner(_require_path(path))
    except (NoCases, OSError) as problem:
        print(problem, file=sys.stderr)
        return 2
    if passed + len(failed) == 0:
        print(f"{path} holds no case", file=sys.stderr)
        return 2
    for line in failed:
        print(line)
    print(f"{passed} passed, {len(failed)} failed")
    return 1 if failed else 0


def _require_path(text: str) -> Path:
    path = Path(text)
    if not path.exists():
        raise NoCases(f"{text} does not exist")
    return path


def _json_files(path: Path, pattern: str = "*.json") -> list[Path]:
    return [path] if path.is_file() else sorted(path.rglob(pattern))


def _fail(file: Path, case: str, reason: str) -> str:
    where = f"{file}:{case}" if case else str(file)
    return f"FAIL {where} {' '.join(reason.split())}"


def _load(file: Path) -> Any:
    """Return the document, or a sentence why there is none."""
    try:
        return load_json(file)
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as problem:
        return f"not readable as JSON: {problem}"


def run_golden(path: Path) -> Tally:
    """Run every golden case of a file or a folder."""
    passed, failed = 0, []
    for file in _json_files(path):
        document = _load(file)
        cases = document.get("cases") if isinstance(document, dict) else None
        if not isinstance(cases, list):
            failed.append(
                _fail(file, "", document if isinstance(document, str) else "no list of cases")
            )
            continue
        for case in cases:
            reason = golden_reason(case)
            if reason:
                name = str(case.get("id", "")) if isinstance(case, dict) else ""
                failed.append(_fail(file, name, reason))
            passed += not reason
    return passed, failed


def golden_reason(case: Any) -> str:
    """Return why a golden case fails, or an empty text when it passes."""
    from tests.golden_functions import FUNCTIONS

    if not isinstance(case, dict) or not {"function", "input", "expected"} <= case.keys():
        return "not a case: needs function, input and expected"
    tolerance = case.get("tolerance", "exact")
    if tolerance != "exact" and find_number(tolerance) is None:
        return f"unknown tolerance {tolerance!r}"
    function = FUNCTIONS.get(str(case["function"]))
    if function is None:
        return f"unknown function {case['function']}"
    return _judge(
        function, case["input"], case["expected"], str(getattr(tolerance, "text", tolerance))
    )


def _judge(function: Callable[[Any], Any], given: Any, expected: Any, tolerance: str) -> str:
    use_context()
    refused = isinstance(expected, dict) and isinstance(expected.get("error"), str)
    try:
        actual = function(given)
    except Refusal as refusal:
        if not refused:
            return f"refused {refusal.code}: {refusal.message}"
        actual = {"error": refusal.code, "facts": refusal.facts}
    except Exception as problem:
        return f"raised {type(problem).__name__}: {problem}"
    else:
        if refused:
            return f"expected refusal {expected['error']}, got a result"
    return "; ".join(differences(expected, actual, tolerance)[:4])


def _delegate(module: str, path: Path, *before: str) -> Tally | None:
    """Return what `module.run` says, or None while there is no such runner."""
    if importlib.util.find_spec(module) is None:
        return None
    tally: Tally = importlib.import_module(module).run(*before, path)
    return tally


def run_wire(path: Path) -> Tally:
    """Run every recorded model stream and answer."""
    done = _delegate("tests.cases_wire", path)
    return done if done is not None else _all_failed(path, "no wire runner", "*.txt")


def run_injections(path: Path) -> Tally:
    """Run every attack; without a runner every one of them fails."""
    done = _delegate("tests.cases_injections", path)
    if done is not None:
        return done
    failed = []
    for file in _json_files(path):
        document = _load(file)
        cases = document.get("cases", []) if isinstance(document, dict) else [{}]
        names = [str(case.get("id", "")) if isinstance(case, dict) else "" for case in cases]
        failed += [_fail(file, name, "no injection runner") for name in names]
    return 0, failed


def _decode_runner(provider: str) -> Callable[[Path], Tally]:
    def run(path: Path) -> Tally:
        done = _delegate("tests.cases_decode", path, provider)
        return done if done is not None else _all_failed(path, f"no decoder for {provider}", "*")

    return run


def _all_failed(path: Path, reason: str, pattern: str) -> Tally:
    files = [path] if path.is_file() else sorted(path.rglob(pattern))
    cases = [
        file
        for file in files
        if file.is_file()
        and file.name != "manifest.json"
        and not file.name.endswith((".meta.json", ".expect.json"))
    ]
    return 0, [_fail(file, "", reason) for file in cases]


RUNNERS: dict[str, Callable[[Path], Tally]] = {
    "golden": run_golden,
    "wire": run_wire,
    "injections": run_injections,
}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
