"""The feature ledger is honest: every listed test exists, and the states are judged right."""

import ast

from tests.house import features, tree


def _tests_of(path):
    names = set()
    for node in tree.parsed(path).body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            names.add(node.name)
        elif isinstance(node, ast.ClassDef):
            names |= {
                f"{node.name}::{item.name}"
                for item in node.body
                if isinstance(item, (ast.FunctionDef, ast.AsyncFunctionDef))
            } | {node.name}
        elif isinstance(node, ast.Assign):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return names


def test_every_test_of_the_ledger_exists():
    missing = []
    for key, row in features.load().items():
        assert row["title"], key
        for test in row["tests"]:
            file, _, name = test.partition("::")
            path = tree.ROOT / file
            if not path.is_file() or (name and name not in _tests_of(path)):
                missing.append(f"{key}: {test}")
    assert missing == []


def test_a_skipped_missing_or_failed_test_is_not_done():
    assert features.state_of(["a::t"], {"a::t": "passed"}) == "done"
    assert features.state_of(["a::t"], {"a::t[x]": "passed", "a::t[y]": "skipped"}) == "done"
    assert features.state_of(["a::t"], {"a::t": "skipped"}).startswith("not done")
    assert features.state_of(["a::t"], {"a::t[x]": "passed", "a::t[y]": "failed"}) != "done"
    assert features.state_of(["a::t"], {}).startswith("not done")
    assert features.state_of([], {}).startswith("not done")
    assert features.state_of(["a"], {"a::t": "passed", "a::u": "failed"}) != "done"
