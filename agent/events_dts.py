"""Owns the TypeScript declaration of the event union, generated from `agent/events.py`."""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from agent.events import EVENTS, Fault, Mark, Source

TARGET = Path(__file__).resolve().parents[1] / "app" / "web" / "events.d.ts"
_PARTS: tuple[type, ...] = (Mark, Source, Fault)
_SCALARS: dict[Any, str] = {
    str: "string",
    int: "number",
    bool: "boolean",
    Decimal: "string",
    datetime: "string",
}


def declaration() -> str:
    """Return the whole text of `app/web/events.d.ts`.

    Worked: the field `step: int` of `step.started` becomes `step: number;`.
    """
    lines = ["// Generated from agent/events.py by: python -m agent.events_dts", ""]
    for part in _PARTS:
        lines += [f"export interface {part.__name__} {{", *members(part), "}", ""]
    lines += [
        "interface Head {",
        "  v: 1;",
        "  stream: string;",
        "  seq: number;",
        "  ts: string;",
        "  run?: string;",
        "}",
        "",
    ]
    for event in EVENTS:
        lines += [
            f"export interface {event.__name__} extends Head {{",
            f'  type: "{event.type}";',
            *members(event),
            "}",
            "",
        ]
    names = " | ".join(event.__name__ for event in EVENTS)
    lines += [
        f"export type CoachEvent = {names};",
        'export type CoachEventType = CoachEvent["type"];',
        "",
    ]
    return "\n".join(lines)


def members(cls: type) -> list[str]:
    """Return the members of a dataclass as TypeScript lines; what may be None is optional."""
    hints = get_type_hints(cls)
    out = []
    for item in fields(cls):
        kind = hints[item.name]
        optional = type(None) in get_args(kind)
        out.append(f"  {item.name}{'?' if optional else ''}: {_type(kind)};")
    return out


def _type(kind: Any) -> str:
    if kind in _SCALARS:
        return _SCALARS[kind]
    origin, args = get_origin(kind), get_args(kind)
    if origin is Literal:
        return " | ".join(f'"{word}"' for word in args)
    if origin is tuple:
        inner = _type(args[0])
        return f"({inner})[]" if " " in inner else f"{inner}[]"
    if origin in (Union, types.UnionType):
        return " | ".join(_type(one) for one in args if one is not type(None))
    if origin is Mapping:
        return "Record<string, unknown>"
    return str(kind.__name__)


if __name__ == "__main__":
    TARGET.write_text(declaration(), encoding="utf-8")
