"""Documents are current: generated pages equal the code, links lead somewhere, lock files are clean."""

import ast
import re
from importlib.metadata import packages_distributions

import pytest

from app.reference import build_pages
from services.kit.codes import CATALOGUE
from tests.house import tree

PAGES = build_pages()


@pytest.mark.parametrize("name", PAGES)
def test_the_generated_page_is_current(name):
    path = tree.ROOT / name
    assert path.exists(), "run `make reference`"
    assert path.read_text(encoding="utf-8") == PAGES[name], "run `make reference`"


def test_every_refusal_in_the_code_is_in_the_catalogue_and_every_code_is_raised_or_edge():
    raised = set()
    for path in tree.product_files():
        for node in ast.walk(tree.parsed(path)):
            if (
                isinstance(node, ast.Call)
                and tree.dotted(node.func).split(".")[-1] in ("refuse", "build_finding")
                and node.args
            ):
                first = node.args[0]
                if isinstance(first, ast.Constant):
                    raised.add(first.value)
    assert raised - set(CATALOGUE) - {"SPREAD_WIDE", "EARNINGS_IN_WINDOW"} == set()


def test_every_link_of_the_documents_leads_somewhere():
    broken = []
    pages = [
        tree.ROOT / "README.md",
        tree.ROOT / "CHANGELOG.md",
        *sorted((tree.ROOT / "docs").rglob("*.md")),
    ]
    for page in pages:
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text()):
            if "://" not in target and not (page.parent / target).exists():
                broken.append(f"{tree.name_of(page)} -> {target}")
    assert broken == []


def test_each_decision_of_the_architecture_has_a_record():
    titles = " ".join(path.stem for path in (tree.ROOT / "docs" / "adr").glob("*.md"))
    for word in (
        "flat-folders",
        "confirm-gate",
        "money",
        "snapshots",
        "provider",
        "bus",
        "front-end",
    ):
        assert word in titles


def test_lock_files_hold_hashes_and_no_address():
    for name in ("requirements.lock", "requirements-dev.lock"):
        text = (tree.ROOT / name).read_text()
        assert "://" not in text
        assert text.count("--hash=sha256:") > 50
    npm = (tree.ROOT / "app" / "web" / "package-lock.json").read_text()
    assert '"resolved"' not in npm
    assert '"integrity"' in npm


def test_no_installed_distribution_claims_our_folders():
    claimed = {
        name: owners
        for name, owners in packages_distributions().items()
        if name in tree.FOLDERS and set(owners) - {"cornerman"}
    }
    assert claimed == {}


def test_no_file_of_the_tree_holds_a_secret_or_a_path_of_a_machine():
    shapes = [
        re.compile(r"sk-[A-Za-z0-9]{32,}"),
        re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY"),
        re.compile(r"AKIA[0-9A-Z]{16}"),
        re.compile(r"ghp_[A-Za-z0-9]{36}"),
        re.compile(r"/(?:root|home/[a-z]+|farm|work)/(?:main|shared|\.)"),
    ]
    found = []
    for path in tree.tracked_files():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        if path.name != "test_docs.py" and any(shape.search(text) for shape in shapes):
            found.append(tree.name_of(path))
    assert found == []


def test_env_files_are_ignored_by_git():
    ignored = (tree.ROOT / ".gitignore").read_text().splitlines()
    assert ".env" in ignored
    assert "secrets/" in ignored
    assert "app/web/vendor/" in ignored
