"""Owns the OpenAPI document: FastAPI's, with answers, security, keys and problems written in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic import TypeAdapter

from app.http.access import API, TABLE, Access
from services.kit.errors import check

Document = dict[str, Any]
_REF = "#/components/schemas/{model}"
_PROBLEM = "application/problem+json"
_UNUSED = ("HTTPValidationError", "ValidationError")
_KEY_SCHEMA = {"type": "string", "pattern": "^[A-Za-z0-9_-]{16,64}$"}


def complete(build: Callable[[], Document]) -> Callable[[], Document]:
    """Return a function that builds the whole document once and then gives the same again."""
    made: list[Document] = []

    def openapi() -> Document:
        if not made:
            made.append(_completed(build()))
        return made[0]

    return openapi


def _completed(document: Document) -> Document:
    components = document["components"]
    components["securitySchemes"] = {
        "key": {"type": "http", "scheme": "bearer", "description": "An API key, ck_…"},
        "session": {"type": "apiKey", "in": "cookie", "name": "cornerman"},
    }
    schemas, answers = components["schemas"], _answer_schemas()
    for name in _UNUSED:
        schemas.pop(name, None)
    shared = sorted(schemas.keys() & answers[1].keys())
    same = all(schemas[name] == answers[1][name] for name in shared)
    check(same, "one name is one schema in requests and answers", names=shared)
    schemas.update(answers[1])
    for row in TABLE:
        operation = document["paths"].get(row.path, {}).get(row.method.lower())
        if operation is not None:
            _describe(operation, row)
            _answer(operation, answers[0].get(_key(row)))
    return document


def _key(row: Access) -> str:
    return f"{row.method} {row.path.removeprefix(API)}"


def _answer_schemas() -> tuple[dict[str, Document], dict[str, Document]]:
    """Return the schema of each route's success answer, and the named schemas they refer to.

    The answers are imported when the document is first asked for, so that start-up stays quick.
    """
    from app.http.answers import ANSWERS

    wanted = [(key, "serialization", TypeAdapter(answer)) for key, answer in ANSWERS.items()]
    made, shared = TypeAdapter.json_schemas(wanted, ref_template=_REF)  # type: ignore[arg-type]
    return {key: schema for (key, _), schema in made.items()}, shared.get("$defs", {})


def _describe(operation: Document, row: Access) -> None:
    operation["security"] = [] if row.scope == "public" else [{"key": []}, {"session": []}]
    operation["x-scope"] = row.scope
    if row.mutates:
        operation.setdefault("parameters", []).append(
            {
                "name": "Idempotency-Key",
                "in": "header",
                "required": "money" in row.flags,
                "schema": _KEY_SCHEMA,
                "description": "The same key and body give the same answer once more.",
            }
        )


def _answer(operation: Document, schema: Document | None) -> None:
    answers = operation["responses"]
    answers.pop("422", None)
    problem = answers["default"]["content"].pop("application/json", None)
    if problem is not None:
        answers["default"]["content"][_PROBLEM] = problem
    if schema is not None:
        success = next(status for status in answers if status.startswith("2"))
        answers[success]["content"] = {"application/json": {"schema": schema}}
