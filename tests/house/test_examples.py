"""What the documents show is true: their commands run, and the names they use exist.

In a `console` block a line that begins with `$ ` is a command and `> ` goes on with it; the lines
below it must appear in its output in this order, with `…` standing for anything.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.cli import app as command_line
from app.http.access import find_access
from services.kit.codes import CATALOGUE
from services.kit.environment import RETIRED
from services.kit.settings import Settings
from tests.house import tree

pytestmark = pytest.mark.xdist_group("packaging")

PAGES = [
    tree.ROOT / "README.md",
    *sorted((tree.ROOT / "docs" / "guide").glob("*.md")),
    *sorted((tree.ROOT / "docs" / "runbooks").glob("*.md")),
]
ADDRESS = "http://127.0.0.1:8080"
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_MARK = "=====example====="
_NOT_SETTINGS = {
    "READ",
    "REPLAY",
    "SIMULATED",
    "AUTH",
    "JSON",
    "BASE",
    "KEY",
    "TALK",
    "ID",
    "HALTED",
    "ACTIVE",
    "UNKNOWN",
    "SUBMITTING",
    "CANCEL_UNKNOWN",
    "PRESUMED_NOT_ACCEPTED",
    "DISPUTED",
    "KILL",
    "NAME",
    "BYPASSRLS",
    "NOBYPASSRLS",
    "PASSWORD",
    "NAME_FILE",
    "OPENAI_API_KEY_FILE",
    "LICENSE",
    "FAIL",
    "DAY",
}


def blocks(page: Path, kind: str) -> list[str]:
    return [body for name, body in _BLOCK.findall(page.read_text()) if name == kind]


def steps(page: Path) -> list[tuple[str, list[str]]]:
    """The commands of a page's console blocks, each with the lines it must print."""
    found: list[tuple[str, list[str]]] = []
    for line in "".join(blocks(page, "console")).splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        elif line.startswith("> "):
            found[-1] = (f"{found[-1][0]}\n{line[2:]}", found[-1][1])
        elif line.strip():
            found[-1][1].append(line.strip())
    return found


WITH_STEPS = [page for page in PAGES if steps(page)]


def shape(expected: str) -> re.Pattern[str]:
    return re.compile(".*".join(re.escape(part) for part in expected.split("…")), re.DOTALL)


def require_lines(command: str, expected: list[str], output: str) -> None:
    place = 0
    for line in expected:
        found = shape(line).search(output, place)
        assert found, f"$ {command}\nwanted, in this order: {expected}\ngot:\n{output}"
        place = found.start() + 1


@pytest.fixture
def shell(tmp_path: Path) -> dict[str, str]:
    """A new user's environment whose `cornerman` is this checkout."""
    command = tmp_path / "bin" / "cornerman"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{tree.ROOT / "cornerman.py"}" "$@"\n')
    command.chmod(0o755)
    (tmp_path / "here").mkdir()
    return {
        "PATH": f"{command.parent}:{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "CORNERMAN_HOME": str(tmp_path / "home"),
        "PORT": "0",
        "LANG": "C.UTF-8",
    }


@pytest.fixture
def served(shell: dict[str, str], tmp_path: Path) -> Iterator[str]:
    """The address of a server started as the documents say."""
    with (tmp_path / "serve.txt").open("w+") as said:
        server = subprocess.Popen(
            ["cornerman", "serve"],
            cwd=tmp_path / "here",
            env=shell,
            stdout=said,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            yield address_of(server, tmp_path / "serve.txt")
        finally:
            os.killpg(server.pid, signal.SIGTERM)
            server.wait(timeout=60)


def address_of(server: subprocess.Popen[bytes], said: Path) -> str:
    for _ in range(1200):
        found = re.search(r"on (http://127\.0\.0\.1:\d+)", said.read_text())
        if found:
            return found.group(1)
        assert server.poll() is None, said.read_text()
        time.sleep(0.05)
    raise AssertionError(f"no address within 60 s: {said.read_text()}")


def run_page(page: Path, shell: dict[str, str], folder: Path, address: str) -> None:
    """Run a page's commands in one shell, in order, and compare what each prints."""
    todo = steps(page)
    script = "".join(
        f"{command.replace(ADDRESS, address)}\necho '{_MARK}'\n" for command, _ in todo
    )
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=folder,
        env=shell,
        text=True,
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=300,
    )
    outputs = done.stdout.split(_MARK)
    assert len(outputs) == len(todo) + 1, done.stdout
    for (command, expected), output in zip(todo, outputs, strict=False):
        require_lines(command, expected, output)


@pytest.mark.parametrize("page", WITH_STEPS, ids=tree.name_of)
def test_the_commands_of_a_page_do_what_it_says(page, shell, tmp_path, request):
    address = ADDRESS
    if ADDRESS in page.read_text() and "curl" in "".join(blocks(page, "console")):
        if shutil.which("curl") is None:
            pytest.skip("curl is missing: the HTTP examples did not run")
        address = request.getfixturevalue("served")
    run_page(page, shell, tmp_path / "here", address)


def test_an_output_that_differs_is_found():
    require_lines("x", ["a …", "c"], "a b\nc\n")
    with pytest.raises(AssertionError):
        require_lines("x", ["c", "a"], "a\nc\n")


def test_each_make_target_of_the_documents_exists():
    targets = set(re.findall(r"^([a-z-]+):", (tree.ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {
        word
        for page in PAGES
        for word in re.findall(r"(?:^|`)make ([a-z-]+)", page.read_text(), re.MULTILINE)
    }
    assert {"run", "test"} <= named
    assert named - targets == set()


def test_each_verb_of_the_documents_exists():
    import typer.main

    known = set(typer.main.get_command(command_line).commands)
    named = {
        word for page in PAGES for word in re.findall(r"[`$] ?cornerman ([a-z]+)", page.read_text())
    }
    assert {"serve", "chat", "doctor"} <= named
    assert named - known == set()


def test_each_route_of_the_documents_exists():
    missing = []
    for page in PAGES:
        text = re.sub(r"\$BASE(?=/)", "/api/v1", page.read_text())
        for method, path in re.findall(r"`(GET|POST|PUT|PATCH|DELETE) (/[^\s`?]*)", text):
            if find_access(method, path.replace("{", "").replace("}", "")) is None:
                missing.append(f"{page.name}: {method} {path}")
    assert missing == []


def codes_of_data():
    """Return the codes of findings and flags: the capital words that the market room says."""
    room = (tree.ROOT / "services" / "market").glob("*.py")
    return {word for one in room for word in re.findall(r'"([A-Z][A-Z_]{3,})"', one.read_text())}


def test_each_setting_and_code_of_the_documents_exists():
    known = {name.upper() for name in Settings.model_fields} | set(CATALOGUE) | set(RETIRED)
    known |= codes_of_data()
    unknown = []
    for page in PAGES:
        for name in re.findall(r"`([A-Z][A-Z0-9_]{3,})(?:=[^`]*)?`", page.read_text()):
            if name not in known | _NOT_SETTINGS and not name.endswith("_"):
                unknown.append(f"{page.name}: {name}")
    assert unknown == []


def test_every_guide_and_runbook_is_linked_from_its_index():
    readme = (tree.ROOT / "README.md").read_text()
    index = (tree.ROOT / "docs" / "runbooks" / "README.md").read_text()
    for page in PAGES[1:]:
        if page.parent.name == "guide":
            assert f"docs/guide/{page.name}" in readme
        elif page.name != "README.md":
            assert f"({page.name})" in index
