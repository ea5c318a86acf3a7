"""Sizes hold: a limit is a test, and the list of exceptions may only shrink."""

import ast

from tests.house import tree

FILE_MAX, TOOL_MAX, FUNCTION_MAX, TEST_MAX, PROMPT_MAX = 400, 80, 70, 500, 150
PARAMETERS_MAX, POSITIONAL_MAX, METHODS_MAX = 6, 2, 12
LONGER_FILES: dict[str, str] = {}
MORE_PARAMETERS: dict[str, str] = {}


def _length(path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def test_no_file_is_longer_than_its_limit():
    long = {
        tree.name_of(path): _length(path)
        for path in tree.product_files()
        if _length(path) > FILE_MAX
        and tree.name_of(path) not in LONGER_FILES
        and "versions/" not in tree.name_of(path)
    }
    assert long == {}


def test_a_tool_is_one_small_file():
    long = {
        path.name: _length(path)
        for path in tree.product_files()
        if path.parent.name == "tools" and path.name != "registry.py" and _length(path) > TOOL_MAX
    }
    assert long == {}


def test_no_test_file_is_longer_than_its_limit():
    assert {tree.name_of(p): _length(p) for p in tree.test_files() if _length(p) > TEST_MAX} == {}


def test_prompts_are_short():
    prompts = (tree.ROOT / "prompts").rglob("*.md")
    assert {path.name: _length(path) for path in prompts if _length(path) > PROMPT_MAX} == {}


def test_no_function_is_longer_than_its_limit():
    long = {
        f"{tree.name_of(path)}:{node.name}": tree.body_lines(node)
        for path in tree.product_files()
        if "versions/" not in tree.name_of(path)
        for node in tree.functions(path)
        if tree.body_lines(node) > FUNCTION_MAX
    }
    assert long == {}


def test_functions_take_few_parameters_and_name_most_of_them():
    wide = {}
    for path in tree.product_files():
        for node in tree.functions(path):
            positional = [
                a.arg
                for a in node.args.posonlyargs + node.args.args
                if a.arg not in ("self", "cls", "ctx")
            ]
            total = len(positional) + len(node.args.kwonlyargs)
            where = f"{tree.name_of(path)}:{node.name}"
            if (
                total > PARAMETERS_MAX
                and where not in MORE_PARAMETERS
                and not (path.parts[-2] == "http" or node.name == "__init__")
            ):
                wide[where] = total
    assert wide == {}


def test_classes_have_few_public_methods():
    wide = {}
    for path in tree.product_files():
        for node in ast.walk(tree.parsed(path)):
            if isinstance(node, ast.ClassDef):
                public = [
                    item.name
                    for item in node.body
                    if isinstance(item, (ast.FunctionDef, ast.AsyncFunctionDef))
                    and not item.name.startswith("_")
                ]
                if len(public) > METHODS_MAX:
                    wide[f"{tree.name_of(path)}:{node.name}"] = len(public)
    assert wide == {}


def test_every_front_end_file_is_at_most_250_lines():
    own = list((tree.ROOT / "app" / "web").glob("*.js"))
    assert own, "the page has files"
    assert {path.name: _length(path) for path in own if _length(path) > 250} == {}
