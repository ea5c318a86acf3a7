"""Owns the examination of an installation: each check in one line, none changes anything."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import text

from app.terminal import Desk
from services import audit, invariant, schema
from services.kit import guards
from services.kit.context import Context
from services.kit.errors import Refusal, refuse
from services.market.feed import Feed
from services.market.provider import ProviderRecord

WEB = Path(__file__).resolve().parent / "web"


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: what was looked at, whether it holds, and what was seen."""

    name: str
    ok: bool
    said: str

    def body(self) -> dict[str, Any]:
        """Return the finding as a document."""
        return asdict(self)


def examine(desk: Desk) -> list[Finding]:
    """Run every check in a fixed order; a check that refuses is a finding, not an end."""
    return list(_findings(desk))


def _findings(desk: Desk) -> Iterator[Finding]:
    yield _checked("schema and guards", lambda: _schema(desk))
    yield _checked("database file", lambda: _read(desk, _integrity))
    yield _checked("audit chain", lambda: _read(desk, _chain))
    broken = desk.product.runtime.read(desk.principal, invariant.check_all)
    for name, check in invariant.CHECKS.items():
        hits = [violation for violation in broken if violation.id == name]
        yield Finding(
            f"{name} {check.__name__.replace('_', ' ')}",
            not hits,
            "holds" if not hits else "; ".join(hit.what for hit in hits[:3]),
        )
    yield _checked("market data", lambda: _read(desk, _feed))
    yield from _providers(desk)
    yield Finding(
        "page",
        (WEB / "vendor").is_dir(),
        "its libraries are built" if (WEB / "vendor").is_dir() else "run `make web` once",
    )
    model = desk.product.model
    yield Finding("model", True, f"{model.name}")


def _providers(desk: Desk) -> Iterator[Finding]:
    """Ask each configured provider once; one without a key is no fault."""
    for provider in desk.product.providers.configured:
        provider.probe()
        record = provider.record()
        works = record.checked_at is not None and any(one.on for one in record.products)
        yield _provider(record, ok=works or not record.host)
    for record in desk.product.providers.idle:
        yield _provider(record, ok=True)


def _provider(record: ProviderRecord, *, ok: bool) -> Finding:
    said = f"{record.why}. {record.todo}" if record.todo else record.why
    return Finding(f"provider {record.name}", ok, said)


def _checked(name: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(name, ok=True, said=look())
    except Refusal as refusal:
        return Finding(name, ok=False, said=f"{refusal.message} ({refusal.code}). {refusal.hint}")


def _read(desk: Desk, look: Callable[[Context], str]) -> str:
    return desk.product.runtime.read(desk.principal, look)


def _schema(desk: Desk) -> str:
    schema.require_current(desk.product.runtime.database)
    with desk.product.runtime.database.engine.connect() as connection:
        guards.require(connection)
    return f"revision {schema.head()}, every guard is in place"


def _integrity(ctx: Context) -> str:
    if ctx.db.dialect != "sqlite":
        return "PostgreSQL looks after its own pages"
    said = str(ctx.db.connection.execute(text("PRAGMA quick_check")).scalar())
    if said != "ok":
        raise refuse("DATABASE_UNAVAILABLE", reason=said)
    return "every page is sound"


def _chain(ctx: Context) -> str:
    verdict = audit.verify(ctx)
    if not verdict.ok:
        raise refuse("AUDIT_BROKEN", seq=verdict.broken_at, reason=verdict.reason)
    return f"{verdict.count} events, every link holds"


def _feed(ctx: Context) -> str:
    state = ctx.port(Feed).capability()
    return f"{ctx.port(Feed).name}: {state.why}"
