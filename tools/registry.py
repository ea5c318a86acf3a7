"""Owns the tool: one typed function, at once a model's function, an endpoint and a CLI verb."""

from __future__ import annotations

import importlib
import json
import pkgutil
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from functools import cache
from typing import Annotated, Any, Protocol, TypeVar, get_type_hints

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

import tools
from services.kit.canonical import tagged_hash
from services.kit.clock import instant_text
from services.kit.context import Context
from services.kit.errors import Refusal, check, refuse

ARGUMENTS_MAX_BYTES = 16_384
DIGEST_MAX, BRIEF_MAX = 2000, 300
"""The words of a result as people see them, and as a compacted history or a cut result has them."""
RESULT_MAX_BYTES = 8_192
_PLACES_MAX = 40
_NAME = re.compile(r"[a-z][a-z0-9_]{1,40}")


class Effect(StrEnum):
    """What a tool may do. There is no effect that executes."""

    READ = "read"
    COMPUTE = "compute"
    NOTE = "note"
    PROPOSE = "propose"


def _as_text(value: object) -> object:
    """Accept a JSON number where decimal text is due; everything else is judged by the pattern."""
    if isinstance(value, bool) or not isinstance(value, (int, Decimal)):
        return value
    plain = isinstance(value, Decimal) and abs(value.adjusted()) <= _PLACES_MAX
    return format(value, "f") if plain else str(value)


DecimalText = Annotated[
    str, BeforeValidator(_as_text), Field(pattern=r"^-?[0-9]{1,12}(\.[0-9]{1,8})?$", max_length=22)
]
"""A decimal on the wire: plain ASCII text, at most 12 digits before and 8 after the point."""
StopText = Annotated[
    str,
    BeforeValidator(_as_text),
    Field(pattern=r"^[0-9]{1,9}(\.[0-9]{1,8})?\s?%?$", max_length=22),
]
"""A price above 0, or a percentage distance such as `3%`."""
FractionText = Annotated[
    str,
    BeforeValidator(_as_text),
    Field(pattern=r"^([0-9]{1,2}(\.[0-9]{1,4})?\s?%|0?\.[0-9]{1,6}|half)$", max_length=12),
]
"""A share: `1%`, the fraction `0.01`, or `half` of the usual one."""
SymbolText = Annotated[
    str, Field(min_length=1, max_length=15, pattern=r"^[A-Za-z][A-Za-z0-9.\-]{0,14}$")
]


class Args(BaseModel):
    """Base of every tool's arguments: closed, immutable, validated whoever calls."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Source(BaseModel):
    """Where a value came from and when it was true."""

    provider: str
    dataset: str
    symbol: str | None = None
    as_of: str
    provenance: str | None = None


class Result(BaseModel):
    """Base of every tool's result: `summary` says it in one or two sentences of plain English."""

    model_config = ConfigDict(frozen=True)

    summary: str
    ref: str | None = None
    source: tuple[Source, ...] = ()
    flags: tuple[str, ...] = ()


class Priced(Protocol):
    """Anything that carries where and when its value was true: a quote, a series, a valuation."""

    @property
    def source(self) -> str:
        """Who gave the value."""
        ...

    @property
    def provenance(self) -> str:
        """How real it is."""
        ...


def cite(dataset: str, value: Priced, *, symbol: str | None, as_of: datetime) -> Source:
    """Return the citation of a market value."""
    return Source(
        provider=value.source,
        dataset=dataset,
        symbol=symbol,
        as_of=instant_text(as_of),
        provenance=str(value.provenance),
    )


def cite_stored(dataset: str, quote: Mapping[str, str], *, symbol: str) -> Source:
    """Return the citation of a quote that was stored as text with `source` and `as_of`."""
    return Source(
        provider=quote["source"],
        dataset=dataset,
        symbol=symbol,
        as_of=quote["as_of"],
        provenance=quote["provenance"],
    )


class Held(Priced, Protocol):
    """A holding at its mark; without a price it has no time."""

    @property
    def symbol(self) -> str:
        """What is held."""
        ...

    @property
    def as_of(self) -> datetime | None:
        """When its price was true."""
        ...


def cite_held(holdings: Iterable[Held]) -> tuple[Source, ...]:
    """Return the citation of every holding that has a price."""
    return tuple(
        cite("quotes", held, symbol=held.symbol, as_of=held.as_of)
        for held in holdings
        if held.as_of
    )


A = TypeVar("A", bound=Args)
R = TypeVar("R", bound=Result)


@dataclass(frozen=True, slots=True)
class Tool:
    """One registered tool; `tainted` results may hold text that others wrote."""

    name: str
    effect: Effect
    description: str
    args: type[Args]
    result: type[Result]
    run: Callable[[Context, Any], Result]
    tainted: bool
    timeout_s: float

    @property
    def writes(self) -> bool:
        """Return True when the tool needs a writing transaction."""
        return self.effect is not Effect.READ

    def parameters(self, *, strict: bool = False) -> dict[str, Any]:
        """Return the JSON schema of the arguments; `strict` lists every field as required.

        The document is made once and shared: callers read it and never change it.
        """
        return _schema_of(self.args, strict)


@cache
def _schema_of(args: type[Args], strict: bool) -> dict[str, Any]:  # noqa: FBT001 - a cache key
    schema = args.model_json_schema()
    properties = {
        name: _plain(item, schema.get("$defs", {}), strict=strict)
        for name, item in schema.get("properties", {}).items()
    }
    required = list(properties) if strict else list(schema.get("required", []))
    return {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What a call came to; `ref` is the hash of the whole result and its citation id."""

    name: str
    ok: bool
    result: Mapping[str, Any] = field(default_factory=dict)
    error: Mapping[str, Any] | None = None
    tainted: bool = False

    @property
    def ref(self) -> str:
        """Return the result's citation id: the stored advice's own, or 16 digits of its hash."""
        own = self.result.get("ref")
        if own:
            return str(own)
        body = self.result if self.ok else self.error
        return "res_" + tagged_hash("result/v1", {"tool": self.name, "body": body})[7:23]

    @property
    def digest(self) -> str:
        """Return the result in words; every figure that is said of it has its source here."""
        if self.error is not None:
            return f"{self.error['code']}: {self.error['message']}"[:BRIEF_MAX]
        return str(self.result.get("summary", ""))[:DIGEST_MAX]

    @property
    def source(self) -> list[dict[str, Any]]:
        """Return where the values came from."""
        return list(self.result.get("source", ()))

    def for_model(self) -> str:
        """Return the JSON text a model gets: at most 8 KB, a cut one says so."""
        body = {
            "ok": self.ok,
            "ref": self.ref,
            **({"result": dict(self.result)} if self.ok else {"error": dict(self.error or {})}),
        }
        text = json.dumps(body, ensure_ascii=True, separators=(",", ":"))
        if len(text) <= RESULT_MAX_BYTES:
            return text
        short = {
            "ok": self.ok,
            "ref": self.ref,
            "cut": True,
            "summary": self.digest[:BRIEF_MAX],
            "start_of_result": text[: RESULT_MAX_BYTES // 2],
        }
        return json.dumps(short, ensure_ascii=True, separators=(",", ":"))


_registered: dict[str, Tool] = {}


def tool(
    *, effect: Effect, tainted: bool = False, timeout_s: float = 5.0
) -> Callable[[Callable[[Context, A], R]], Callable[[Context, A], R]]:
    """Register a function `(ctx, args) -> result` under its own name."""

    def register(run: Callable[[Context, A], R]) -> Callable[[Context, A], R]:
        hints = get_type_hints(run)
        name = run.__name__
        check(
            _NAME.fullmatch(name) and name not in _registered,
            "tool name is new and plain",
            name=name,
        )
        check(run.__doc__, "a tool has a docstring", name=name)
        _registered[name] = Tool(
            name,
            effect,
            " ".join((run.__doc__ or "").split()),
            hints["args"],
            hints["return"],
            run,
            tainted,
            timeout_s,
        )
        return run

    return register


@cache
def all_tools() -> Mapping[str, Tool]:
    """Return every tool by name, sorted; importing this package's modules registers them."""
    for module in sorted(name for _, name, _ in pkgutil.iter_modules(tools.__path__)):
        importlib.import_module(f"tools.{module}")
    return dict(sorted(_registered.items()))


def get_tool(name: str) -> Tool:
    """Return the tool `name`. Raises `TOOL_UNKNOWN` with the valid names; no guessing."""
    found = all_tools().get(name)
    if found is None:
        raise refuse("TOOL_UNKNOWN", name=name[:60], names=", ".join(all_tools()))
    return found


def call(ctx: Context, name: str, arguments: str | Mapping[str, Any]) -> ToolResult:
    """Validate and run one call; a refusal becomes an error result, a defect is raised.

    The caller opens a writing transaction when `get_tool(name).writes`, and rolls it back when
    the result is not ok.
    """
    try:
        found = get_tool(name)
        args = parse_arguments(found, arguments)
        result = found.run(ctx, args)
    except Refusal as refusal:
        return ToolResult(name, ok=False, error=error_body(refusal))
    return ToolResult(name, ok=True, result=result.model_dump(mode="json"), tainted=found.tainted)


def error_body(refusal: Refusal) -> dict[str, Any]:
    """Return a refusal as a document; facts are text, whole numbers, lists or objects of them."""
    facts = {key: _fact(value) for key, value in refusal.facts.items()}
    return {
        "code": refusal.code,
        "kind": str(refusal.kind),
        "message": refusal.message,
        "hint": refusal.hint,
        "facts": facts,
    }


def _fact(value: object) -> object:
    if isinstance(value, (list, tuple)):
        return [_fact(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): _fact(item) for key, item in value.items()}
    return value if isinstance(value, (int, str, bool)) else str(value)


def parse_arguments(found: Tool, arguments: str | Mapping[str, Any]) -> Args:
    """Return the validated arguments. Raises `ARGS_INVALID` with the first fault."""
    try:
        asked = _decoded(arguments) if isinstance(arguments, str) else arguments
        given = {key: value for key, value in dict(asked).items() if value is not None}
        return found.args.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise refuse(
            "ARGS_INVALID", field=where, name=found.name, reason=f"{where}: {first['msg']}"[:300]
        ) from error
    except (ValueError, TypeError, RecursionError) as error:
        raise refuse("ARGS_INVALID", name=found.name, reason=str(error)[:200]) from error


def _decoded(text: str) -> dict[str, Any]:
    if len(text) > ARGUMENTS_MAX_BYTES:
        raise ValueError(f"more than {ARGUMENTS_MAX_BYTES} bytes")
    body = json.loads(
        text or "{}",
        parse_float=Decimal,
        parse_constant=_no_constant,
        object_pairs_hook=_no_duplicates,
    )
    if not isinstance(body, dict):
        raise TypeError("arguments must be one JSON object")
    return body


def _no_constant(text: str) -> object:
    raise ValueError(f"{text} is not a number here")


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    body = dict(pairs)
    if len(body) != len(pairs):
        raise ValueError("a key stands twice")
    return body


def _plain(item: Any, definitions: Mapping[str, Any], *, strict: bool) -> Any:
    """Return one property's schema without titles and defaults; optional means nullable."""
    if isinstance(item, list):
        return [_plain(part, definitions, strict=strict) for part in item]
    if not isinstance(item, dict):
        return item
    if "$ref" in item:
        item = {
            **definitions[item["$ref"].rsplit("/", 1)[-1]],
            **{key: value for key, value in item.items() if key != "$ref"},
        }
    nullable = item.get("anyOf", [])
    if not strict and len(nullable) == 2 and {"type": "null"} in nullable:
        bare = next(part for part in nullable if part != {"type": "null"})
        item = {**bare, **{key: value for key, value in item.items() if key != "anyOf"}}
    return {
        key: _plain(value, definitions, strict=strict)
        for key, value in item.items()
        if key not in ("title", "default")
    }
