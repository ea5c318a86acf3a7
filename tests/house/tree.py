"""Owns what the house tests look at: the product's files and their syntax trees."""

from __future__ import annotations

import ast
import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("agent", "app", "migrations", "prompts", "services", "tools")


@cache
def product_files() -> tuple[Path, ...]:
    """Every Python file that ships."""
    found = [ROOT / "cornerman.py"]
    for folder in FOLDERS:
        found += [
            path
            for path in sorted((ROOT / folder).rglob("*.py"))
            if "node_modules" not in path.parts and "__pycache__" not in path.parts
        ]
    return tuple(found)


@cache
def test_files() -> tuple[Path, ...]:
    return tuple(sorted((ROOT / "tests").rglob("*.py")))


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def functions(path: Path) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    return [
        node
        for node in ast.walk(parsed(path))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    ]


def body_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function without its docstring and decorators."""
    first = node.body[0]
    docstring = (
        isinstance(first, ast.Expr)
        and isinstance(first.value, ast.Constant)
        and isinstance(first.value.value, str)
    )
    length = (node.end_lineno or node.lineno) - node.lineno + 1
    return length - ((first.end_lineno or 0) - first.lineno + 1 if docstring else 0)


def dotted(node: ast.AST) -> str:
    """The dotted name of an attribute chain or name, or an empty string."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if isinstance(node, ast.Name):
        parts.append(node.id)
        return ".".join(reversed(parts))
    return ""


@cache
def tracked_files() -> tuple[Path, ...]:
    """Every file that git tracks; without git, every file but the ignored folders."""
    try:
        listed = subprocess.run(
            ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout.split("\0")
        return tuple(ROOT / name for name in listed if name and (ROOT / name).is_file())
    except (OSError, subprocess.CalledProcessError):
        return tuple(
            path
            for path in ROOT.rglob("*")
            if path.is_file() and not {".venv", "node_modules", "vendor", ".git"} & set(path.parts)
        )
