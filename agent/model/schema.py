"""Owns the strict dialect of tool schemas, derived from the plain one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# Keywords that endpoints with strict schemas refuse; our own validation applies them anyway.
_REFUSED = (
    "pattern",
    "format",
    "default",
    "minLength",
    "maxLength",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minItems",
    "maxItems",
    "uniqueItems",
)


def build_strict_schema(plain: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema with every property required, optional ones nullable, nothing open."""
    return _strict(plain)


def _strict(node: Mapping[str, Any]) -> dict[str, Any]:
    out = {key: _strict_value(key, value) for key, value in node.items() if key not in _REFUSED}
    properties = node.get("properties")
    if isinstance(properties, Mapping) or node.get("type") == "object":
        required = node.get("required", ())
        properties = properties if isinstance(properties, Mapping) else {}
        out["properties"] = {
            name: _strict(child) if name in required else _nullable(_strict(child))
            for name, child in properties.items()
        }
        out["required"] = list(properties)
        out["additionalProperties"] = False
    return out


def _strict_value(key: str, value: Any) -> Any:
    if key == "properties":
        return {}
    if key in ("$defs", "definitions") and isinstance(value, Mapping):
        return {name: _strict(child) for name, child in value.items()}
    if key in ("enum", "const", "required"):
        return value
    if isinstance(value, Mapping):
        return _strict(value)
    if isinstance(value, list):
        return [_strict(item) if isinstance(item, Mapping) else item for item in value]
    return value


def _nullable(node: dict[str, Any]) -> dict[str, Any]:
    if any(option.get("type") == "null" for option in node.get("anyOf", ())):
        return node
    kind = node.get("type")
    if isinstance(kind, str) and kind != "null" and "enum" not in node and "const" not in node:
        return {**node, "type": [kind, "null"]}
    if isinstance(kind, list) and "null" in kind:
        return node
    return {"anyOf": [node, {"type": "null"}]}
