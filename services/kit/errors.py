"""Owns the typed refusal that every service raises, and the check of programmer errors."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import NoReturn

from services.kit.codes import CATALOGUE


class Kind(StrEnum):
    """Who must act on a refusal, and therefore what a door answers."""

    INPUT = "input"
    STATE = "state"
    DATA = "data"
    RISK = "risk"
    INTERNAL = "internal"
    UNAUTHENTICATED = "unauthenticated"
    FORBIDDEN = "forbidden"
    MISSING = "missing"
    LIMITED = "limited"


class Refusal(Exception):
    """A typed "no": stable `code`, who must act (`kind`), what to do (`hint`), and the numbers.

    Build one with `refuse(code, **facts)`, so that kind and message come from the catalogue.
    """

    def __init__(
        self,
        code: str,
        kind: Kind,
        message: str,
        *,
        hint: str = "",
        facts: Mapping[str, object] | None = None,
        field: str | None = None,
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.kind = kind
        self.message = message
        self.hint = hint
        self.facts: dict[str, object] = dict(facts or {})
        self.field = field

    @property
    def retryable(self) -> bool:
        """True when the same request may succeed later without a change: kinds data, limited."""
        return self.kind in (Kind.DATA, Kind.LIMITED)


class InvariantBroken(RuntimeError):
    """A bug: something that can never happen has happened. Services never catch it."""


class _Lenient(dict[str, object]):
    def __missing__(self, key: str) -> str:
        return "{" + key + "}"


def refuse(
    code: str, *, field: str | None = None, hint: str | None = None, **facts: object
) -> Refusal:
    """Return the refusal of `code` with its catalogue message filled from `facts`.

    `hint` replaces the catalogue's hint. An unknown code is a bug (`InvariantBroken`).
    Worked: `refuse("SYMBOL_UNKNOWN", kind="symbol", value="APPL").message` is
    `unknown symbol APPL`.
    """
    if field is not None:
        facts = {"field": field, **facts}
    entry = CATALOGUE.get(code)
    if entry is None:
        raise InvariantBroken(f"refusal code {code} is not in the catalogue")
    message = entry.message.format_map(_Lenient(facts))
    return Refusal(
        code,
        Kind(entry.kind),
        message,
        hint=entry.hint.format_map(_Lenient(facts)) if hint is None else hint,
        facts=facts,
        field=field,
    )


def check(condition: object, what: str, **facts: object) -> None:
    """Raise `InvariantBroken` unless `condition` holds; stays on under `python -O`."""
    if not condition:
        fail(what, **facts)


def fail(what: str, **facts: object) -> NoReturn:
    """Raise `InvariantBroken` for a state that can not be reached."""
    detail = " ".join(f"{name}={value!r}" for name, value in sorted(facts.items()))
    raise InvariantBroken(f"{what} {detail}".strip())
