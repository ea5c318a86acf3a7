"""Owns the export of the audit chain and its proof offline, by its lines and a public key alone."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from sqlalchemy import select

from services import audit, receipt
from services.kit.canonical import canonical
from services.kit.clock import parse_instant
from services.kit.context import Context

_COLUMNS = ("seq", "chain", "actor", "actor_kind", "kind", "subject", "trace", "prev_hash")
_BROKEN = (ValueError, TypeError, KeyError, AttributeError, RecursionError)
"""What a line may raise that nobody exported."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What the proof of an export found; `line` is the first bad one, counted from 1."""

    events: int
    receipts: int
    line: int | None = None
    reason: str = ""

    @property
    def ok(self) -> bool:
        """Return True when every line, link and receipt and the signed end held."""
        return self.line is None


def export_lines(ctx: Context) -> Iterator[str]:
    """Yield every event of the tenant as one JSON line, in order, and a signed last line.

    A shorter export can not have that end, so a cut is found as well.
    """
    count, head = 0, audit.GENESIS
    table = audit.audit_events
    for row in ctx.db.rows(select(table).order_by(table.c.seq)):
        count, head = row.seq, row.hash
        yield _line(row.hash, row.payload, row.receipt)
    home = ctx.settings.cornerman_home
    end = {
        "chain": ctx.principal.tenant_id,
        "events": count,
        "head": head,
        "key": receipt.public_key(home),
    }
    signature = receipt.sign(home, receipt.EXPORT, canonical(end).decode())
    yield json.dumps({"end": end, "signature": signature})


def verify_export(lines: Iterable[str], key: str) -> Proof:
    """Return what an export is worth; it needs its lines, without line ends, and the public key.

    Finds every flipped byte, every dropped, added, repeated and moved line, and a cut-off end.
    Raises `PARAM_INVALID` when `key` is no public key.
    """
    given = list(lines)
    if not given:
        return Proof(0, 0, 1, "the export is empty")
    rows: list[Any] = []
    for number, line in enumerate(given[:-1], 1):
        row = _row(line)
        if row is None:
            return Proof(number - 1, _signed(rows), number, "this is no line of an export")
        rows.append(row)
    verdict = audit.verify_rows(rows, key=key)
    receipts = _signed(rows[: verdict.count])
    if not verdict.ok:
        return Proof(verdict.count, receipts, verdict.broken_at, verdict.reason)
    reason = _end_fault(given[-1], key, verdict, {row.chain for row in rows})
    return Proof(verdict.count, receipts, len(given) if reason else None, reason)


def _signed(rows: list[Any]) -> int:
    return sum(row.receipt is not None for row in rows)


def _line(digest: str, payload: str, signature: str | None) -> str:
    body = {"hash": digest, "payload": payload}
    return json.dumps(body if signature is None else {**body, "receipt": signature})


def _row(line: str) -> Any:
    """Return an exported line as an audit row, or None when it is anything else."""
    try:
        body = json.loads(line)
        if _line(body["hash"], body["payload"], body.get("receipt")) != line:
            return None
        event = json.loads(body["payload"])
        return SimpleNamespace(
            **{name: event[name] for name in _COLUMNS},
            at=parse_instant(event["at"]),
            hash=body["hash"],
            payload=body["payload"],
            receipt=body.get("receipt"),
        )
    except _BROKEN:
        return None


def _end_fault(line: str, key: str, verdict: audit.Verdict, chains: set[str]) -> str:
    try:
        body = json.loads(line)
        end, text = body["end"], canonical(body["end"]).decode()
        if json.dumps({"end": end, "signature": body["signature"]}) != line:
            return "the signed end is missing: the export is cut off or altered"
        held = receipt.holds(key, receipt.EXPORT, text, body["signature"])
    except _BROKEN:
        return "the signed end is missing: the export is cut off or altered"
    if not held:
        return "the end is not signed with this key"
    if (end["events"], end["head"]) != (verdict.count, verdict.last_hash):
        return "the signed end speaks of other events"
    return "" if chains <= {end["chain"]} else "an event is of another chain"
