"""Owns the fault ledger: reads the marks of the tests and brings `docs/faults.toml` up to date."""

from __future__ import annotations

import ast
import json
import tomllib

from tests.house import tree

LEDGER = tree.ROOT / "docs" / "faults.toml"
IDS = tuple(f"F{number:03d}" for number in range(1, 137))
HEAD = """\
# The fault matrix: every fault, its area, and the test files that prove it or why it is open.
# After marking a test: python -m tests.house.faults
"""


def marks() -> dict[str, list[str]]:
    """Return the test files of each id that stands in a `pytest.mark.fault("F…")`."""
    found: dict[str, set[str]] = {}
    for path in sorted((tree.ROOT / "tests").rglob("test_*.py")):
        for node in ast.walk(tree.parsed(path)):
            if isinstance(node, ast.Call) and tree.dotted(node.func).endswith("mark.fault"):
                for argument in node.args:
                    name = argument.value if isinstance(argument, ast.Constant) else "?"
                    found.setdefault(str(name), set()).add(tree.name_of(path))
    return {name: sorted(files) for name, files in sorted(found.items())}


def load() -> dict[str, dict[str, object]]:
    """Return the ledger's rows by id."""
    rows: dict[str, dict[str, object]] = tomllib.loads(LEDGER.read_text(encoding="utf-8"))["fault"]
    return rows


def main() -> None:
    """Write who proves what; the reason of a row that lost its proof has to be written by hand."""
    proved, parts = marks(), [HEAD]
    for name, row in load().items():
        lines = [f"[fault.{name}]", f'area = "{row["area"]}"']
        if name in proved:
            files = "".join(f"  {json.dumps(file)},\n" for file in proved[name])
            lines.append(f"proved_by = [\n{files}]")
        else:
            lines.append(f"open = {json.dumps(row.get('open', ''), ensure_ascii=False)}")
        parts.append("\n".join(lines) + "\n")
    LEDGER.write_text("\n".join(parts), encoding="utf-8")


if __name__ == "__main__":
    main()
