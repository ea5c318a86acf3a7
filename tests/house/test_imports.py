"""Import directions hold, and a planted violation proves that each contract bites."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.house import tree

PLANTED = {
    "layers: app over agent over tools over services": ("services/planted.py", "import app.wiring"),
    "prompts is a leaf that only agent reads": ("services/planted.py", "import prompts"),
    "prompts imports nothing of ours": ("prompts/planted.py", "import services.kit.clock"),
    "migrations import only services": ("migrations/planted.py", "import agent.events"),
    "services and tools know no web framework and no model client": (
        "tools/planted.py",
        "import fastapi",
    ),
    "only the model adapter imports openai": ("agent/planted.py", "import openai"),
    "nothing of ours imports httpx or httpx2 past its adapters": (
        "services/market/planted.py",
        "import httpx",
    ),
    "discord, mcp and dbos stay behind their own doors": ("app/planted.py", "import dbos"),
    "layers inside services": ("services/kit/planted.py", "import services.market.quote"),
    "the confirm gate: the coach and its tools can not reach what confirms or executes": (
        "tools/planted.py",
        "import services.orders.execute",
    ),
    "adapters of the feed port do not import each other": (
        "services/market/off.py",
        "import services.market.replay",
    ),
    "models of the model port do not import each other": (
        "agent/model/rules.py",
        "import agent.model.openai",
    ),
    "doors do not import each other": ("app/http/planted.py", "import app.cli"),
}


def _lint(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    return subprocess.run(
        command,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env={**os.environ, "COLUMNS": "300"},
    )


def _copy(target: Path) -> Path:
    for folder in tree.FOLDERS:
        shutil.copytree(
            tree.ROOT / folder,
            target / folder,
            ignore=shutil.ignore_patterns("node_modules", "vendor", "__pycache__"),
        )
    shutil.copy(tree.ROOT / "pyproject.toml", target)
    return target


def test_every_import_direction_holds():
    outcome = _lint(tree.ROOT)
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr


def test_every_contract_has_a_planted_violation():
    text = (tree.ROOT / "pyproject.toml").read_text()
    names = {
        line.split('"')[1]
        for line in text.split("[tool.importlinter]")[1].splitlines()
        if line.startswith("name = ")
    }
    assert names == set(PLANTED)


@pytest.fixture(scope="module")
def planted_report(tmp_path_factory):
    """One linter run over a tree with every violation planted at once."""
    folder = _copy(tmp_path_factory.mktemp("planted"))
    for number, (place, line) in enumerate(PLANTED.values()):
        path = folder / place
        if path.exists():
            path.write_text(path.read_text() + f"\n{line}\n")
        else:
            path = path.with_name(f"planted{number}.py")
            path.write_text(f'"""Planted."""\n\n{line}\n')
    outcome = _lint(folder)
    assert outcome.returncode == 1, outcome.stdout + outcome.stderr
    return outcome.stdout


@pytest.mark.parametrize("contract", PLANTED)
def test_the_contract_bites(planted_report, contract):
    lines = [line for line in planted_report.splitlines() if line.startswith(contract[:60])]
    assert any("BROKEN" in line for line in lines), planted_report[-3000:]


@pytest.mark.fault("F005")
@pytest.mark.fault("F006")
def test_whatever_makes_a_token_or_queues_an_order_is_behind_the_gate():
    """A module that inserts tokens or orders, or can make a `Confirmed`, is named in the contract."""
    config = tomllib.loads((tree.ROOT / "pyproject.toml").read_text())
    (gate,) = [
        contract
        for contract in config["tool"]["importlinter"]["contracts"]
        if contract["name"].startswith("the confirm gate")
    ]
    makers = set()
    for path in tree.product_files():
        for node in ast.walk(tree.parsed(path)):
            if not isinstance(node, ast.Call):
                continue
            name = node.func.attr if isinstance(node.func, ast.Attribute) else ""
            first = node.args[0].id if node.args and isinstance(node.args[0], ast.Name) else ""
            inserts = name == "insert" and first in {"confirm_tokens", "order_intents"}
            confirms = isinstance(node.func, ast.Name) and node.func.id == "Confirmed"
            if inserts or confirms:
                makers.add(tree.name_of(path).removesuffix(".py").replace("/", "."))
    assert makers == {
        "services.orders.confirm",
        "services.orders.confirmed",
        "services.orders.queueing",
        "services.orders.replace_confirm",
        "services.orders.tokens",
    }
    assert makers < set(gate["forbidden_modules"])
