"""Owns the generated texts: `.env.example` and the reference pages, written from the code."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path

from pydantic import SecretStr

from agent import events
from app.http.plan_models import plan_schema
from app.metrics import Metrics
from services.kit.codes import CATALOGUE
from services.kit.environment import RETIRED, RETIRED_PREFIXES
from services.kit.settings import Settings
from tools.registry import all_tools

ROOT = Path(__file__).resolve().parent.parent
_NOTE = "Made from the code by `make reference`; a test compares it.\n"


def build_pages() -> Mapping[str, str]:
    """Return every generated file: path from the checkout's root -> text."""
    return {
        ".env.example": _env_example(),
        "docs/reference/settings.md": _settings_page(),
        "docs/reference/errors.md": _errors_page(),
        "docs/reference/tools.md": _tools_page(),
        "docs/reference/events.md": _events_page(),
        "docs/reference/metrics.md": _metrics_page(),
        "docs/reference/plan-v1.schema.json": json.dumps(plan_schema(), indent=1) + "\n",
    }


def _default_text(name: str) -> str:
    default = Settings.model_fields[name].default
    if isinstance(default, SecretStr):
        return ""
    if isinstance(default, bool):
        return str(default).lower()
    return str(default)


def _env_example() -> str:
    lines = [
        "# Copy to .env and change what you need; everything works without a .env.",
        "# A secret may be given as NAME_FILE=path instead.",
        "",
    ]
    for name, field in Settings.model_fields.items():
        lines += [f"# {field.description}", f"#{name.upper()}={_default_text(name)}", ""]
    return "\n".join(lines)


def _settings_page() -> str:
    lines = ["# Settings", "", _NOTE, "| name | default | meaning |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        lines.append(
            f"| `{name.upper()}` | `{_default_text(name) or 'empty'}` | {field.description} |"
        )
    lines += [
        "",
        "## Retired names",
        "",
        "The boot refuses these names and says which one to use.",
        "",
    ]
    lines += [f"- `{old}`: use {new}" for old, new in RETIRED.items()]
    lines += [f"- `{prefix}*`: use {new}" for prefix, new in RETIRED_PREFIXES.items()]
    return "\n".join(lines) + "\n"


def _errors_page() -> str:
    lines = [
        "# Error codes",
        "",
        _NOTE,
        (
            "Codes are stable and never reused. The kind decides the HTTP status: input 422, "
            "state 409, data 503, risk 403, internal 500, unauthenticated 401, forbidden 403, "
            "missing 404, limited 429."
        ),
        "",
        "| code | kind | message | what to do |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| `{code}` | {entry.kind} | {entry.message} | {entry.hint} |"
        for code, entry in CATALOGUE.items()
    ]
    return "\n".join(lines) + "\n"


def _tools_page() -> str:
    lines = [
        "# Tools",
        "",
        _NOTE,
        (
            "Each tool is one definition: the model's function, `POST /api/v1/tools/{name}` and "
            "`cornerman tool {name}`. No tool executes."
        ),
        "",
    ]
    for name, tool in all_tools().items():
        lines += [f"## {name}", "", f"{tool.description}", "", f"Effect: {tool.effect}.", ""]
        properties = tool.parameters()["properties"]
        required = tool.parameters()["required"]
        if properties:
            lines += ["| argument | required | meaning |", "|---|---|---|"]
            lines += [
                f"| `{key}` | {'yes' if key in required else 'no'} | "
                f"{item.get('description', '')} |"
                for key, item in properties.items()
            ]
            lines.append("")
    return "\n".join(lines)


def _events_page() -> str:
    lines = [
        "# Events of the coach streams",
        "",
        _NOTE,
        (
            "Each event is one JSON object with `v`, `stream`, `seq`, `ts`, `run` and `type` "
            "beside the fields below."
        ),
        "",
        "| type | fields | meaning |",
        "|---|---|---|",
    ]
    for shape in events.EVENTS:
        kind = shape.type
        names = ", ".join(f"`{name}`" for name in shape.__dataclass_fields__ if name != "type")
        meaning = " ".join((shape.__doc__ or "").split())
        lines.append(f"| `{kind}` | {names or 'none'} | {meaning} |")
    return "\n".join(lines) + "\n"


def _metrics_page() -> str:
    lines = [
        "# Metrics",
        "",
        _NOTE,
        (
            "`GET /metrics` answers in the Prometheus text format: open on loopback in local "
            "mode, with an API key of scope `read` in served mode. Routes are templates, never "
            "addresses with ids; no label holds a user, a symbol or a secret."
        ),
        "",
        "| name | kind | labels | meaning |",
        "|---|---|---|---|",
    ]
    for row in Metrics().rows:
        labels = ", ".join(f"`{label}`" for label in row.labels) or "none"
        lines.append(f"| `{row.name}` | {row.kind} | {labels} | {row.meaning} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write every generated file that is not current and name it."""
    for name, text in build_pages().items():
        path = ROOT / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            sys.stdout.write(f"wrote {name}\n")


if __name__ == "__main__":
    main()
