"""Owns freezes of data: opened by findings, ended by clean observations or by a person."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, bindparam, select, update

from services import audit
from services.kit.clock import instant_text
from services.kit.context import Actor, Context
from services.kit.errors import refuse
from services.market.finding import BY_PERSON, CLEAN_NEEDED, Finding, until_words
from services.market.quality_store import Mark, find_marks, save_mark, tell
from services.market.quality_tables import BOOK, freezes
from services.market.quality_window import Window

TENANT = "tenant"
"""The scope of everything that a tenant does."""
_FINDINGS_MAX = 10
_OF_LEVEL = ("DQ_JUMP", "DQ_SPLIT_SUSPECT")


@dataclass(frozen=True, slots=True, kw_only=True)
class Freeze:
    """One freeze: what it stops, why, about what, what ends it, and who ended it (None: stands)."""

    id: str
    scope: str
    code: str
    reason: str
    subject: str
    findings: tuple[Mapping[str, str], ...]
    opened_at: datetime
    opened_by: str
    auto_clear: bool
    clean_needed: int
    clean_seen: int
    unfreezes: str
    cleared_at: datetime | None
    cleared_by: str | None
    clear_reason: str | None

    @property
    def is_of_data(self) -> bool:
        """Return False for a freeze of the book."""
        return self.code != BOOK


def listing_scope(listing: str) -> str:
    """Return the scope of one listing."""
    return f"listing:{listing}"


def portfolio_scope(portfolio_id: str) -> str:
    """Return the scope of one portfolio."""
    return f"portfolio:{portfolio_id}"


def pair_scope(currency: str, base: str) -> str:
    """Return the scope of one exchange rate: units of `base` per one `currency`."""
    return f"fx:{currency}/{base}"


def open_freeze(ctx: Context, scope: str, finding: Finding, *, finding_id: str = "") -> Freeze:
    """Freeze the data of `scope` because of a critical finding, audited and told as an alert.

    A standing freeze of the same scope and code stays one: it takes the finding and begins to
    count clean observations anew. A unit, a currency or a suspected split waits for a person.
    """
    ctx.db.lock(f"freeze:{ctx.principal.tenant_id}:{scope}")
    same = next((one for one in active_freezes(ctx, (scope,)) if one.code == finding.code), None)
    if same is not None:
        return _renew(ctx, same, finding, finding_id)
    auto = finding.code not in BY_PERSON
    freeze_id = ctx.ids.new("frz")
    ctx.db.insert(
        freezes,
        {
            "id": freeze_id,
            "scope": scope,
            "code": finding.code,
            "reason": finding.detail[:500],
            "subject": finding.symbol,
            "opened_at": ctx.now,
            "opened_by": "data quality",
            "findings_json": json.dumps([_said(ctx, finding, finding_id)]),
            "auto_clear": int(auto),
            "clean_needed": CLEAN_NEEDED if auto else 0,
        },
    )
    audit.record(
        ctx, "data.frozen", scope, freeze=freeze_id, code=finding.code, reason=finding.detail[:500]
    )
    message = f"{finding.symbol} is frozen: {finding.detail} ({finding.code})."
    tell(
        ctx,
        finding.code,
        finding.symbol,
        f"{message} {until_words(finding.code)}",
        level="critical",
        dedupe=f"freeze:{freeze_id}",
    )
    return _require(ctx, freeze_id)


def _said(ctx: Context, finding: Finding, finding_id: str) -> dict[str, str]:
    at = instant_text(ctx.now)
    return {"id": finding_id, "code": finding.code, "detail": finding.detail[:500], "at": at}


def _renew(ctx: Context, standing: Freeze, finding: Finding, finding_id: str) -> Freeze:
    told: list[Mapping[str, str]] = list(standing.findings)
    if finding_id and finding_id not in {one.get("id") for one in told}:
        told = [*told, _said(ctx, finding, finding_id)][-_FINDINGS_MAX:]
    elif standing.clean_seen == 0:
        return standing
    ctx.db.change(
        update(freezes)
        .where(freezes.c.id == standing.id, freezes.c.cleared_at.is_(None))
        .values(findings_json=json.dumps(told), clean_seen=0)
    )
    return _require(ctx, standing.id)


_OPEN = (
    select(freezes)
    .where(
        freezes.c.scope.in_(bindparam("scopes", expanding=True)),
        freezes.c.cleared_at.is_(None),
        freezes.c.code != BOOK,
    )
    .order_by(freezes.c.opened_at, freezes.c.id)
)
_ALL_OPEN = (
    select(freezes)
    .where(freezes.c.cleared_at.is_(None), freezes.c.code != bindparam("but"))
    .order_by(freezes.c.opened_at, freezes.c.id)
)


def active_freezes(ctx: Context, scopes: Iterable[str] | None = None) -> list[Freeze]:
    """Return the standing freezes of data under `scopes`, oldest first; of everything for None."""
    if scopes is None:
        return [freeze_of(row) for row in ctx.db.rows(_ALL_OPEN, but=BOOK)]
    wanted = sorted(set(scopes))
    return [freeze_of(row) for row in ctx.db.rows(_OPEN, scopes=wanted)] if wanted else []


def note_clean(ctx: Context, scope: str, *, standing: Sequence[Freeze] | None = None) -> int:
    """Count one clean observation of `scope`; return how many freezes it ended.

    Only freezes that end by themselves count. Two looks within the same instant count once.
    """
    ended = 0
    for one in active_freezes(ctx, (scope,)) if standing is None else standing:
        if one.scope != scope or not one.auto_clear:
            continue
        seen = ctx.db.changed(
            update(freezes)
            .where(
                freezes.c.id == one.id,
                freezes.c.cleared_at.is_(None),
                freezes.c.clean_at.is_(None) | (freezes.c.clean_at < ctx.now),
            )
            .values(clean_seen=freezes.c.clean_seen + 1, clean_at=ctx.now)
            .returning(freezes.c.clean_seen, freezes.c.clean_needed)
        )
        if seen is not None and seen.clean_seen >= seen.clean_needed:
            ended += end_freeze(ctx, one, f"{seen.clean_seen} clean observations")
    return ended


def end_freeze(ctx: Context, standing: Freeze, reason: str) -> bool:
    """End a freeze of data for the product itself; False when it was ended before."""
    row = _close(ctx, standing.id, "data quality", reason)
    if row is None:
        return False
    audit.record(ctx, "data.unfrozen", row.scope, freeze=row.id, code=row.code, reason=reason)
    _tell_end(ctx, row, reason)
    return True


def clear_freeze(ctx: Context, freeze_id: str, reason: str) -> Freeze:
    """End one freeze for good as a person, who says why; what it froze is trusted from here on.

    Only a person with the scope `admin`: raises `SCOPE_MISSING` otherwise. Raises `RESUME_REASON`
    without a reason, `FREEZE_UNKNOWN`, and `FREEZE_CLEARED` when it was ended before. Of a jump and
    a suspected split the person says that the new price is right: it leads from here on. After
    every other freeze the last good price still does, and the same fault freezes again.
    """
    who = ctx.principal
    if who.actor is not Actor.PERSON or "admin" not in who.scopes:
        raise refuse("SCOPE_MISSING", scope="admin")
    if not reason.strip():
        raise refuse("RESUME_REASON", field="reason")
    row = _close(ctx, freeze_id, who.user_id, reason.strip()[:500])
    if row is None:
        known = ctx.db.row(select(freezes.c.id).where(freezes.c.id == freeze_id))
        raise refuse("FREEZE_CLEARED" if known else "FREEZE_UNKNOWN", id=freeze_id)
    of_book = row.code == BOOK
    audit.record(
        ctx,
        "orders.unfrozen" if of_book else "data.unfrozen",
        row.subject if of_book else row.scope,
        freeze=freeze_id,
        reason=row.clear_reason,
    )
    if not of_book:
        if row.code in _OF_LEVEL:
            _trust_suspect(ctx, row.scope)
        _tell_end(ctx, row, row.clear_reason)
    return freeze_of(row)


def _close(ctx: Context, freeze_id: str, who: str, reason: str) -> Any:
    return ctx.db.changed(
        update(freezes)
        .where(freezes.c.id == freeze_id, freezes.c.cleared_at.is_(None))
        .values(cleared_at=ctx.now, cleared_by=who, clear_reason=reason)
        .returning(*freezes.c)
    )


def _tell_end(ctx: Context, row: Any, reason: str) -> None:
    tell(
        ctx,
        row.code,
        row.subject,
        f"{row.subject} is no longer frozen: {reason}.",
        level="info",
        dedupe=f"unfreeze:{row.id}",
    )


def _trust_suspect(ctx: Context, scope: str) -> None:
    """Let the marks of a listing go on from the price that a person has declared right."""
    kind, _, listing = scope.partition(":")
    if kind != "listing":
        return
    for mark in find_marks(ctx, (listing,)).values():
        if mark.window.suspects:
            newest = mark.window.suspects[-1]
            trusted = Window(
                last=newest.price,
                last_ts=newest.ts,
                provenance=mark.window.provenance,
                source=mark.window.source,
                sigma=mark.window.sigma,
            )
            save_mark(ctx, Mark(mark.listing, mark.kind, mark.session, trusted))


def list_freezes(ctx: Context, *, open_only: bool = False, limit: int = 100) -> list[Freeze]:
    """Return the newest `limit` freezes of data and book, newest first."""
    query: Select[Any] = (
        select(freezes).order_by(freezes.c.opened_at.desc(), freezes.c.id.desc()).limit(limit)
    )
    if open_only:
        query = query.where(freezes.c.cleared_at.is_(None))
    return [freeze_of(row) for row in ctx.db.rows(query)]


def _require(ctx: Context, freeze_id: str) -> Freeze:
    return freeze_of(ctx.db.row(select(freezes).where(freezes.c.id == freeze_id)))


def freeze_of(row: Any) -> Freeze:
    """Return the freeze of a stored row."""
    book = row.code == BOOK
    person = "It stays until a person has checked the book and clears the freeze."
    itself = "It ends by itself when the account is read completely again."
    return Freeze(
        id=row.id,
        scope=row.scope,
        code=row.code,
        reason=row.reason,
        subject=row.subject,
        findings=tuple(json.loads(row.findings_json)),
        opened_at=row.opened_at,
        opened_by=row.opened_by,
        auto_clear=bool(row.auto_clear),
        clean_needed=row.clean_needed,
        clean_seen=row.clean_seen,
        unfreezes=(itself if row.auto_clear else person)
        if book
        else until_words(row.code, row.clean_needed or CLEAN_NEEDED),
        cleared_at=row.cleared_at,
        cleared_by=row.cleared_by,
        clear_reason=row.clear_reason,
    )
