"""Runs the gate's own tests against every mutant of its code, each in a fork of this process.

python -m tests.mutation                    # all of them
python -m tests.mutation --shard 0/2 --only tokens
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import importlib
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
from functools import partial
from pathlib import Path
from types import CodeType, FrameType, ModuleType

import pytest

from services import schema
from tests import postgres, proof
from tests.mutation.equivalent import EQUIVALENT
from tests.mutation.mutants import Mutant, build_mutants

MODULES = ("confirm", "confirmed", "standing", "tokens")
CHANGES, CONNECT = "tests/contract/test_broker_replace.py", "tests/contract/test_broker_connect.py"
TESTS = (
    "tests/unit/orders/test_gate.py",
    "tests/unit/orders/test_gate_edges.py",
    "tests/unit/orders/test_gate_changes.py",
    "tests/unit/orders/test_odd_states.py",
    "tests/contract/test_confirm_forgery.py::test_no_forged_confirmation_reaches_the_broker[0]",
    "tests/unit/orders/test_second_round.py",
    "tests/unit/orders/test_exits.py",
    "tests/contract/test_gate_engines.py",
    f"{CHANGES}::test_a_confirmed_change_stands_at_the_broker_and_in_our_books",
    f"{CHANGES}::test_a_change_that_the_cash_does_not_cover_is_refused_at_confirm",
    f"{CONNECT}::test_a_live_order_is_typed_and_labelled_live_from_card_to_fill",
)
"""The gate's own tests, the quickest killers first."""
DESELECTED = "postgresql"
FEW = 12
"""Tests of a mutant of a constant, which no line of a test runs."""
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


class Gate:
    """A plugin that collects the tests once and, instead of running them, runs the mutants."""

    def __init__(self, mine: list[tuple[str, Mutant]], folder: Path) -> None:
        self.mine, self.folder = mine, folder
        self.survivors: list[str] = []
        self.excused = 0
        self.failed = False
        self._items: dict[str, pytest.Item] = {}

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        self._items = {item.nodeid: item for item in session.items}
        template = self.folder / "template.db"
        schema.upgrade(f"sqlite:///{template}")
        schema.upgrade = partial(_copy_or_upgrade, schema.upgrade, template)
        reached = self._reach_lines()
        for module, mutant in self.mine:
            tests = reached.get(f"{module}:{mutant.line}", [])
            tests = list(self._items)[:FEW] if mutant.function == "module" else tests
            if f"{module}.{mutant.name}" in EQUIVALENT:
                self.excused += 1
            elif self._survives(module, mutant, tests):
                self.survivors.append(f"{module}.{mutant.name}")
                print(f"survived: {self.survivors[-1]} ({len(tests)} tests)", flush=True)
        return True

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.failed = self.failed or report.failed

    def _survives(self, module: str, mutant: Mutant, tests: list[str]) -> bool:
        def act() -> int:
            put_in(_module(module), mutant)
            return self._run(tests)

        return self._in_fork(act) == 0

    def _run(self, tests: list[str], around: Callable[[str], object] = str) -> int:
        """Run tests one after another until one fails."""
        for test, following in zip(tests, [*tests[1:], ""], strict=True):
            item = self._items[test]
            around(test)
            item.ihook.pytest_runtest_protocol(item=item, nextitem=self._items.get(following))
            if self.failed:
                return 1
        return 0

    def _in_fork(self, act: Callable[[], int]) -> int:
        """Return how a fork of this process ends; one that hangs is killed, which is a failure."""
        own = Path(tempfile.mkdtemp(dir=self.folder))
        pid = os.fork()
        if pid == 0:
            code = 1
            with contextlib.suppress(BaseException):
                os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
                os.dup2(1, 2)
                for name in ("CORNERMAN_PROVE", "CORNERMAN_PROOF"):
                    os.environ.pop(name, None)  # what a mutant's tests count is no figure
                item = next(iter(self._items.values()))
                item.config._tmp_path_factory._basetemp = own
                code = act()
            os._exit(code)
        try:
            return _wait(pid)
        finally:
            shutil.rmtree(own, ignore_errors=True)

    def _reach_lines(self) -> dict[str, list[str]]:
        """Return the tests that run each line of the gate; all of them must pass."""
        kept = self.folder / "reached.json"

        def act() -> int:
            reached = Reached()
            code = self._run(list(self._items), reached.begin)
            sys.settrace(None)
            kept.write_text(json.dumps(reached.tests))
            return code

        if self._in_fork(act) != 0:
            pytest.exit("the tests fail without any mutant", returncode=2)
        return json.loads(kept.read_text())


def _copy_or_upgrade(upgrade: Callable[[str], None], template: Path, url: str) -> None:
    """Make a new file by copying; one that somebody has open is migrated as ever."""
    target = Path(url.removeprefix("sqlite:///"))
    if target.exists():
        upgrade(url)
    else:
        shutil.copyfile(template, target)


def _wait(pid: int) -> int:
    end = time.monotonic() + LIMIT_S
    while True:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > end:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            return -signal.SIGKILL
        time.sleep(0.01)


class Reached:
    """Notes which lines of the gate each test runs."""

    def __init__(self) -> None:
        self.tests: dict[str, list[str]] = defaultdict(list)
        self._files = {str(_module(name).__file__): name for name in MODULES}
        self._noted: set[str] = set()
        self._now = ""

    def begin(self, test: str) -> None:
        """Note lines for `test` from here on."""
        self._now, self._noted = test, set()
        sys.settrace(self._call)
        threading.settrace(self._call)

    def _call(self, frame: FrameType, _event: str, _arg: object) -> Callable | None:
        name = self._files.get(frame.f_code.co_filename)
        if name is None:
            return None

        def line(inner: FrameType, _event: str, _arg: object) -> Callable:
            place = f"{name}:{inner.f_lineno}"
            if place not in self._noted:
                self._noted.add(place)
                self.tests[place].append(self._now)
            return line

        return line(frame, "call", None)


def main(words: list[str]) -> int:
    """Run the mutants of a shard; print survivors and the sum; return 1 with any survivor."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("--only", default="", choices=("", *MODULES))
    parser.add_argument("--shard", default="0/1")
    parser.add_argument("--match", default="", help="only mutants with this text in their name")
    asked = parser.parse_args(words)
    number, of = (int(one) for one in asked.shard.split("/"))
    wanted = [one for one in mutants(asked.only) if asked.match in one[1].name]
    mine = wanted[number::of]
    with proof.measured(
        "gate mutants", f"{asked.only}{asked.match} {asked.shard}".strip()
    ) as figure:
        gate, ended = run(mine)
        figure.count, figure.failed = len(mine), len(gate.survivors)
        killed = len(mine) - gate.excused - len(gate.survivors)
        figure.facts = {"killed": killed, "equivalent": gate.excused}
        if ended != 0:
            figure.count = figure.failed = 1
            return ended
    print(
        f"\n{len(mine)} mutants, {killed} killed, {len(gate.survivors)} survived, "
        f"{gate.excused} equivalent"
    )
    return int(bool(gate.survivors))


def run(mine: list[tuple[str, Mutant]]) -> tuple[Gate, int]:
    """Run mutants; return the plugin that knows how it went, and how the tests' session ended."""
    with tempfile.TemporaryDirectory(dir=postgres.memory_folder()) as folder:
        gate = Gate(mine, Path(folder))
        options = ["-q", "-s", "-n0", "-p", "no:cacheprovider", "-k", f"not {DESELECTED}"]
        return gate, int(pytest.main([*options, *TESTS], plugins=[gate]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
