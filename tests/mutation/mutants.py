"""Owns making mutants: every single small change of a module's code, each with a name."""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

_FLIPS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
}


@dataclass(frozen=True)
class Mutant:
    """One changed module. `name` says function and change; `line` is where the change stands."""

    name: str
    function: str
    line: int
    build: Callable[[], ast.Module]


Change = Callable[[ast.AST], ast.AST | None]


def build_mutants(source: str) -> Iterator[Mutant]:
    """Yield every mutant of a module's functions and of its own constants.

    Texts with a space in them are words for people, and stay.
    """
    tree, seen = ast.parse(source), {}
    for function, path in _places(tree):
        for what, change in _changes(_at(tree, path)):
            name = f"{function}: {what}"
            seen[name] = seen.get(name, 0) + 1
            suffix = f" #{seen[name]}" if seen[name] > 1 else ""
            line = _at(tree, path).lineno  # type: ignore[attr-defined]
            yield Mutant(name + suffix, function, line, partial(_mutated, tree, path, change))


def _mutated(tree: ast.Module, path: Path, change: Change) -> ast.Module:
    copied = copy.deepcopy(tree)
    _put(copied, path, change)
    return ast.fix_missing_locations(copied)


Path = tuple[tuple[str, int | None], ...]


def _places(tree: ast.Module) -> Iterator[tuple[str, Path]]:
    """Yield every node inside a function or a module constant, with its function's name."""
    for number, node in enumerate(tree.body):
        here: Path = (("body", number),)
        if isinstance(node, ast.FunctionDef):
            yield from _inside(node, here, node.name)
        elif isinstance(node, ast.ClassDef):
            for place, item in enumerate(node.body):
                if isinstance(item, ast.FunctionDef):
                    yield from _inside(item, (*here, ("body", place)), f"{node.name}.{item.name}")
        elif isinstance(node, ast.Assign) and "TypeVar" not in ast.unparse(node.value):
            yield from _walk(node.value, (*here, ("value", None)), "module")


def _inside(function: ast.FunctionDef, path: Path, name: str) -> Iterator[tuple[str, Path]]:
    first = int(ast.get_docstring(function) is not None)
    for place, statement in list(enumerate(function.body))[first:]:
        yield from _walk(statement, (*path, ("body", place)), name)


def _walk(node: ast.AST, path: Path, name: str) -> Iterator[tuple[str, Path]]:
    yield name, path
    for field, value in ast.iter_fields(node):
        if field in ("annotation", "returns", "decorator_list", "ctx", "args", "func") and not (
            isinstance(node, ast.Call) and field in ("args", "func")
        ):
            continue
        if isinstance(value, ast.AST):
            yield from _walk(value, (*path, (field, None)), name)
        elif isinstance(value, list):
            for place, item in enumerate(value):
                if isinstance(item, ast.AST):
                    yield from _walk(item, (*path, (field, place)), name)


def _at(tree: ast.AST, path: Path) -> ast.AST:
    for field, place in path:
        value = getattr(tree, field)
        tree = value if place is None else value[place]
    return tree


def _put(tree: ast.AST, path: Path, change: Change) -> None:
    parent, (field, place) = _at(tree, path[:-1]), path[-1]
    node = change(_at(tree, path))
    if place is None:
        setattr(parent, field, node)
    else:
        getattr(parent, field)[place] = ast.Pass() if node is None else node


def _changes(node: ast.AST) -> Iterator[tuple[str, Change]]:
    text = ast.unparse(node)[:80].replace("\n", " ")
    match node:
        case ast.Compare(ops=[op], left=left, comparators=[right]):
            for other in _FLIPS.get(type(op), ()):
                yield f"{text} becomes {other.__name__}", _with(ops=[other()])
            if isinstance(left, ast.Tuple) and isinstance(right, ast.Tuple):
                for place, part in enumerate(left.elts):
                    yield f"{text} forgets {ast.unparse(part)}", _without_pair(place)
        case ast.BoolOp(op=op, values=values):
            other_op = ast.Or if isinstance(op, ast.And) else ast.And
            yield f"{text} becomes {other_op.__name__}", _with(op=other_op())
            for place, part in enumerate(values):
                yield f"{text} forgets {ast.unparse(part)[:60]}", _without("values", place)
        case ast.UnaryOp(op=ast.Not()):
            yield f"{text} without not", lambda made: made.operand  # type: ignore[attr-defined]
        case ast.If() | ast.IfExp():
            said = ast.unparse(node.test)[:80]
            yield f"if {said} always", _with(test=ast.Constant(value=True))
            yield f"if {said} never", _with(test=ast.Constant(value=False))
        case ast.Return(value=ast.expr() as value) if not _is_none(value):
            yield f"{text} gives None", _with(value=ast.Constant(value=None))
        case ast.Raise() | ast.Expr(value=ast.Call()):
            yield f"{text} is left out", lambda _made: None
        case ast.Constant(value=bool() as value):
            yield f"{text} becomes {not value}", _with(value=not value)
        case ast.Constant(value=int() as value):
            yield f"{text} becomes {value + 1}", _with(value=value + 1)
        case ast.Constant(value=str() as value) if " " not in value:
            yield f"{text} becomes another text", _with(value=f"x{value}")
        case ast.Set(elts=elts) if len(elts) > 1:
            for place, part in enumerate(elts):
                yield f"{text} forgets {ast.unparse(part)}", _without("elts", place)
        case ast.Call(func=ast.Attribute(attr="where"), args=args) if len(args) > 1:
            for place, part in enumerate(args):
                yield f"where forgets {ast.unparse(part)}", _without("args", place)


def _is_none(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and value.value is None


def _with(**values: object) -> Change:
    def change(node: ast.AST) -> ast.AST:
        for name, value in values.items():
            setattr(node, name, value)
        return node

    return change


def _without(field: str, place: int) -> Change:
    def change(node: ast.AST) -> ast.AST:
        left = getattr(node, field)
        del left[place]
        return left[0] if isinstance(node, ast.BoolOp) and len(left) == 1 else node

    return change


def _without_pair(place: int) -> Change:
    def change(node: ast.AST) -> ast.AST:
        assert isinstance(node, ast.Compare)
        for side in (node.left, node.comparators[0]):
            assert isinstance(side, ast.Tuple)
            del side.elts[place]
        return node

    return change
