"""Runs the gate's own tests against every mutant of its code, each in a fork of this process.

python -m tests.mutation                    # all of them
python -m tests.mutation --shard 0/2 --only tokens
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import importlib
import io
import json
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from types import CodeType, FrameType, ModuleType

import pytest

from services import schema
from tests.mutation.equivalent import EQUIVALENT
from tests.mutation.mutants import Mutant, build_mutants

MODULES = ("confirm", "confirmed", "standing", "tokens")
TESTS = (
    "tests/unit/orders/test_gate.py",
    "tests/unit/orders/test_gate_edges.py",
    "tests/unit/orders/test_odd_states.py",
    "tests/contract/test_confirm_forgery.py::test_no_forged_confirmation_reaches_the_broker[0]",
    "tests/unit/orders/test_bracket.py",
    "tests/contract/test_gate_engines.py",
)
"""The gate's own tests, the quickest killers first."""
DESELECTED = "postgresql"
FEW = 4
"""Tests that are tried before the others that run a line; most mutants die of them."""
LIMIT_S = 240
"""A mutant that runs longer hangs, and that is noticed too."""


def mutants(only: str = "") -> Iterator[tuple[str, Mutant]]:
    """Yield every mutant of the gate with its module."""
    for name in MODULES:
        if only in ("", name):
            source = Path(_module(name).__file__ or "").read_text(encoding="utf-8")
            yield from ((name, one) for one in build_mutants(source))


def _module(name: str) -> ModuleType:
    return importlib.import_module(f"services.orders.{name}")


def put_in(module: ModuleType, mutant: Mutant) -> None:
    """Give the loaded module the mutant's code, wherever its functions were imported to."""
    if mutant.function == "module":
        _constants(module, mutant.build())
        return
    whole = compile(mutant.build(), str(module.__file__), "exec", dont_inherit=True)
    code, owner = whole, module
    for part in mutant.function.split("."):
        code = _inner(code, part)
        found = getattr(owner, part)
        owner = found
    owner.__code__ = code  # type: ignore[attr-defined]


def _inner(code: CodeType, name: str) -> CodeType:
    return next(one for one in code.co_consts if isinstance(one, CodeType) and one.co_name == name)


def _constants(module: ModuleType, tree: ast.Module) -> None:
    for node in tree.body:
        if isinstance(node, ast.Assign) and "SEAL" not in ast.unparse(node):
            exec(compile(ast.Module([node], []), "constants", "exec"), module.__dict__)


class Reached:
    """A plugin that notes which lines of the gate each test runs."""

    def __init__(self) -> None:
        files = {str(_module(name).__file__): name for name in MODULES}
        self.lines: dict[str, set[str]] = defaultdict(set)
        self._now = ""
        self._files = files

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        self._now = item.nodeid
        sys.settrace(self._call)
        threading.settrace(self._call)
        yield
        sys.settrace(None)
        threading.settrace(None)  # type: ignore[arg-type]

    def _call(self, frame: FrameType, _event: str, _arg: object) -> Callable | None:
        name = self._files.get(frame.f_code.co_filename)
        if name is None:
            return None
        noted = self.lines[self._now]

        def line(inner: FrameType, _event: str, _arg: object) -> Callable:
            noted.add(f"{name}:{inner.f_lineno}")
            return line

        return line(frame, "call", None)


def in_fork(act: Callable[[], int]) -> int:
    """Return how a fork of this process ends; one that hangs is killed, and counts as a failure."""
    pid = os.fork()
    if pid == 0:
        code = 1
        with contextlib.suppress(BaseException):
            code = act()
        os._exit(code)
    end = time.monotonic() + LIMIT_S
    while True:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > end:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            return -signal.SIGKILL
        time.sleep(0.02)


def run_tests(template: Path, tests: list[str], plugins: tuple[object, ...] = ()) -> int:
    """Run tests in this process, on copies of a migrated file; return the exit code."""
    schema.upgrade = lambda url: shutil.copyfile(template, url.removeprefix("sqlite:///"))
    words = ["-x", "-q", "-n0", "-p", "no:cacheprovider", "-k", f"not {DESELECTED}", *tests]
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        return int(pytest.main(words, plugins=list(plugins)))


def reach_lines(template: Path, kept: Path) -> dict[str, list[str]]:
    """Return the tests that run each line of the gate; all of them must pass."""

    def act() -> int:
        plugin = Reached()
        code = run_tests(template, list(TESTS), (plugin,))
        by_line: dict[str, list[str]] = defaultdict(list)
        for test, lines in plugin.lines.items():
            for line in lines:
                by_line[line].append(test)
        kept.write_text(json.dumps(by_line))
        return code

    if in_fork(act) != 0:
        sys.exit("the tests fail without any mutant")
    return json.loads(kept.read_text())


def survives(module: str, mutant: Mutant, template: Path, tests: list[str]) -> bool:
    """Return whether every test that runs the mutant's line passes, a few at first."""

    def act(chosen: list[str]) -> int:
        put_in(_module(module), mutant)
        return run_tests(template, chosen)

    parts = [one for one in (tests[:FEW], tests[FEW:]) if one]
    return all(in_fork(lambda one=part: act(one)) == 0 for part in parts)


def main(words: list[str]) -> int:
    """Run the mutants of a shard; print survivors and the sum; return 1 with any survivor."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("--only", default="", choices=("", *MODULES))
    parser.add_argument("--shard", default="0/1")
    asked = parser.parse_args(words)
    number, of = (int(one) for one in asked.shard.split("/"))
    mine = list(mutants(asked.only))[number::of]
    survivors, excused = [], 0
    with tempfile.TemporaryDirectory() as folder:
        template = Path(folder) / "template.db"
        schema.upgrade(f"sqlite:///{template}")
        reached = reach_lines(template, Path(folder) / "reached.json")
        for module, mutant in mine:
            tests = reached.get(f"{module}:{mutant.line}", [])
            tests = list(TESTS[:1]) if mutant.function == "module" else tests
            if f"{module}.{mutant.name}" in EQUIVALENT:
                excused += 1
            elif survives(module, mutant, template, tests):
                survivors.append(f"{module}.{mutant.name}")
                print(f"survived: {survivors[-1]}", flush=True)
    killed = len(mine) - excused - len(survivors)
    print(f"{len(mine)} mutants, {killed} killed, {len(survivors)} survived, {excused} equivalent")
    return int(bool(survivors))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
