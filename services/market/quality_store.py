"""Owns the rows of the gate: marks of the last good data, and findings kept once a minute."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from sqlalchemy import bindparam, select, update
from sqlalchemy.engine import Row

from services.kit.clock import from_micros, to_micros
from services.kit.context import Context
from services.kit.money import decimal_text, rounded
from services.kit.outbox import put
from services.market.as_of import market_now
from services.market.finding import Finding, Severity
from services.market.quality_rule import Arrival
from services.market.quality_tables import dq_findings, dq_marks
from services.market.quality_window import Suspect, Window
from services.market.round import market_round

Kind = Literal["intraday", "day"]
INTRADAY: Literal["intraday"] = "intraday"
DAY: Literal["day"] = "day"


@dataclass(frozen=True, slots=True)
class Mark:
    """A stored window: `session` is the key of the session in which it was primed."""

    listing: str
    kind: Kind
    session: str
    window: Window
    known: bool = True


_MARKS = select(dq_marks).where(dq_marks.c.listing.in_(bindparam("listings", expanding=True)))


def find_marks(ctx: Context, listings: Iterable[str]) -> dict[tuple[str, Kind], Mark]:
    """Return the stored marks of `listings`, by listing and kind, in one statement."""
    wanted = sorted(set(listings))
    if not wanted:
        return {}
    rows = ctx.db.rows(_MARKS, listings=wanted)
    return {
        (row.listing, row.kind): Mark(row.listing, row.kind, row.session, _window(row))
        for row in rows
    }


def _window(row: Row[Any]) -> Window:
    suspects = tuple(
        Suspect(from_micros(ts), Decimal(price)) for ts, price in json.loads(row.suspects_json)
    )
    return Window(
        last=row.last,
        last_ts=row.last_ts,
        provenance=row.provenance,
        source=row.source,
        sigma=None if row.sigma is None else float(row.sigma),
        volume=row.volume,
        newest=None if row.newest_ts is None else Arrival(row.newest_ts, row.newest_seq),
        newest_price=row.newest_price,
        suspects=suspects,
        seen=row.seen,
        dropped=row.dropped,
        counted_from=row.counted_from,
        lags=tuple(json.loads(row.lags_json)),
    )


def lock_listings(ctx: Context, listings: Iterable[str]) -> None:
    """Serialise the writers of the market data of `listings` until commit.

    Taken before anything else is locked, in one order: two jobs on one listing wait, never both.
    """
    for one in sorted(set(listings)):
        ctx.db.lock(f"market:{ctx.principal.tenant_id}:{one}")


def save_mark(ctx: Context, mark: Mark) -> None:
    """Store a mark in place of the one before; prices half-even at 8 decimals."""
    window = mark.window
    values: dict[str, Any] = {
        "session": mark.session,
        "last": _places(window.last),
        "last_ts": window.last_ts,
        "provenance": window.provenance,
        "source": window.source,
        "sigma": None if window.sigma is None else rounded(Decimal(str(window.sigma)), 6),
        "volume": _places(window.volume),
        "newest_ts": window.newest.ts if window.newest else None,
        "newest_seq": window.newest.seq if window.newest else 0,
        "newest_price": _places(window.newest_price),
        "suspects_json": json.dumps(
            [[to_micros(one.ts), decimal_text(one.price)] for one in window.suspects]
        ),
        "seen": window.seen,
        "dropped": window.dropped,
        "counted_from": window.counted_from,
        "lags_json": json.dumps(window.lags),
    }
    of_this = (dq_marks.c.listing == mark.listing) & (dq_marks.c.kind == mark.kind)
    if not mark.known:
        ctx.db.lock(f"dq_marks:{ctx.principal.tenant_id}:{mark.listing}")
    if ctx.db.change(update(dq_marks).where(of_this).values(**values)) == 0:
        ctx.db.insert(dq_marks, {"listing": mark.listing, "kind": mark.kind, **values})


def _places(value: Decimal | None) -> Decimal | None:
    return None if value is None else rounded(value, 8)


_KNOWN = select(dq_findings.c.key, dq_findings.c.id).where(
    dq_findings.c.key.in_(bindparam("keys", expanding=True))
)


def keep_findings(
    ctx: Context, scope: str, subject: str, findings: Sequence[Finding]
) -> Mapping[str, str]:
    """Store findings and warn about new ones; return their ids by code.

    The same code of one scope is kept once per minute of market time, a warning told once per day.
    Counts alone (`INFO`) leave no row.
    """
    told = [one for one in findings if one.severity is not Severity.INFO]
    if not told:
        return {}
    as_of = market_now(ctx)
    ctx.db.lock(f"dq_findings:{ctx.principal.tenant_id}:{scope}")
    keys = {_key(ctx, scope, one.code, as_of): one for one in told}
    known = {row.key: row.id for row in ctx.db.rows(_KNOWN, keys=sorted(keys))}
    for key, one in keys.items():
        if key not in known:
            known[key] = _insert(ctx, scope, subject, one, (key, as_of))
    return {keys[key].code: known[key] for key in keys}


_SAME = (
    select(dq_findings.c.id)
    .where(
        dq_findings.c.scope == bindparam("of_scope"),
        dq_findings.c.code == bindparam("of_code"),
        dq_findings.c.detail.startswith(bindparam("said")),
        dq_findings.c.as_of >= bindparam("since"),
    )
    .limit(1)
)


def was_found(ctx: Context, scope: str, code: str, said: str, since: datetime) -> bool:
    """Return whether `code` was found of `scope` since then, in words that begin with `said`."""
    values = {"of_scope": scope, "of_code": code, "said": said, "since": since}
    return ctx.db.row(_SAME, **values) is not None


def _key(ctx: Context, scope: str, code: str, as_of: datetime) -> str:
    return (
        f"{scope}|{code}|{market_round(ctx)}|{as_of.replace(second=0, microsecond=0).isoformat()}"
    )


def _insert(
    ctx: Context, scope: str, subject: str, one: Finding, when: tuple[str, datetime]
) -> str:
    key, as_of = when
    finding_id = ctx.ids.new("dqf")
    ctx.db.insert(
        dq_findings,
        {
            "id": finding_id,
            "scope": scope,
            "subject": subject,
            "code": one.code,
            "severity": one.severity.value,
            "detail": one.detail[:500],
            "key": key,
            "as_of": as_of,
            "at": ctx.now,
        },
    )
    critical = one.severity is Severity.CRIT
    tell(
        ctx,
        one.code,
        subject,
        f"{subject}: {one.detail} ({one.code})",
        level="critical" if critical else "warning",
        dedupe=f"dq:{scope}:{one.code}:{market_round(ctx)}:{as_of.date().isoformat()}",
    )
    return finding_id


def tell(ctx: Context, code: str, subject: str, message: str, *, level: str, dedupe: str) -> None:
    """Put an alert about data into the outbox; the same `dedupe` is told once."""
    payload = {
        "level": level,
        "message": message[:500],
        "code": code,
        "subject": subject,
        "topic": "data",
    }
    put(ctx, "alert", subject, payload, dedupe=dedupe)
