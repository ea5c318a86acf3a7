"""Owns the invariants of advice: only on green data (I7), the same bytes behind each hash (I8)."""

from __future__ import annotations

import contextlib
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.engine import Row

from services.audit import audit_events
from services.kit.canonical import canonical, tagged_hash
from services.kit.context import Context
from services.kit.errors import Refusal
from services.ledger.store import read_batches
from services.ledger.tables import ledger_batches, portfolios
from services.market.quality_tables import BOOK, freezes
from services.market.tables import dq_snapshots
from services.orders.order import stored_hash
from services.orders.tables import order_intents, proposals, submit_attempts
from services.proof.changes import read_changed
from services.proof.violation import Violation, Violations, all_rows, find_table, read_object
from services.trade.tables import trade_advice

_BEGUN = timedelta(seconds=30)
"""A unit of work that began before a freeze was opened may still end after it."""


def no_advice_on_bad_data(ctx: Context) -> Violations:
    """Yield I7: proposals and advice without a green snapshot of their symbol, or while frozen."""
    green = {row.id: json.loads(row.symbols) for row in all_rows(ctx, dq_snapshots) if row.green}
    for card in all_rows(ctx, proposals):
        symbol = (read_object(card.order_json) or {}).get("symbol")
        if card.kind != "cancel" and symbol not in green.get(card.dq_snapshot_id, ()):
            yield Violation("I7", "a proposal rests on no green data", (card.id,))
    for row in all_rows(ctx, trade_advice):
        if row.symbol not in green.get(row.dq_snapshot_id, ()):
            yield Violation("I7", "advice rests on no green data", (row.ref,))
    yield from _while_frozen(ctx)


@dataclass(frozen=True, slots=True)
class _Moment:
    """When something was done: its number in the audit trail, and the clock's word for it."""

    number: int | None
    at: datetime

    def is_before(self, other: _Moment) -> bool:
        """Return whether it came first: by the trail, which no clock turns back, else by time."""
        if self.number is None or other.number is None:
            return self.at < other.at
        return self.number < other.number


@dataclass(frozen=True, slots=True)
class _Stand:
    """One freeze of a symbol's data, from its opening to its end, if it has ended."""

    id: str
    symbol: str
    opened: _Moment
    cleared: _Moment | None

    def held_back(self, given: _Moment) -> bool:
        """Return whether it stood when `given` was begun, by more than a unit of work takes."""
        begun_before = abs(given.at - self.opened.at) <= _BEGUN
        ended_before = self.cleared is not None and not given.is_before(self.cleared)
        return self.opened.is_before(given) and not begun_before and not ended_before


def _while_frozen(ctx: Context) -> Violations:
    """Yield advice on a listing whose data had been frozen for a while when it was given."""
    held = [row for row in all_rows(ctx, freezes) if row.code != BOOK]
    if not held:
        return
    told = _numbers(ctx)
    stands = [_stand(row, told) for row in held if row.scope.startswith("listing:")]
    given = [(row.ref, row.symbol, row.at) for row in all_rows(ctx, trade_advice)]
    for card in all_rows(ctx, proposals):
        if card.kind != "cancel":
            symbol = str((read_object(card.order_json) or {}).get("symbol"))
            given.append((card.id, symbol, card.created_at))
    for ref, symbol, at in given:
        moment = _Moment(told.get(("given", ref)), at)
        for one in stands:
            if one.symbol == symbol and one.held_back(moment):
                yield Violation("I7", "advice was given on frozen data", (ref, one.id))


def _stand(row: Row[Any], told: Mapping[tuple[str, str], int]) -> _Stand:
    ended = row.cleared_at
    return _Stand(
        row.id,
        row.subject,
        _Moment(told.get(("data.frozen", row.id)), row.opened_at),
        None if ended is None else _Moment(told.get(("data.unfrozen", row.id)), ended),
    )


def _numbers(ctx: Context) -> dict[tuple[str, str], int]:
    """Return the place in the trail of each advice, and of each freeze's opening and end."""
    found: dict[tuple[str, str], int] = {}
    for event in all_rows(ctx, audit_events):
        if event.kind == "proposed" or event.kind.startswith("advice."):
            found["given", event.subject] = event.seq
        elif event.kind in ("data.frozen", "data.unfrozen"):
            facts = (read_object(event.payload) or {}).get("facts", {})
            found[event.kind, str(facts.get("freeze"))] = event.seq
    return found


def same_bytes_behind_every_hash(ctx: Context) -> Violations:
    """Yield I8: stored hashes that the stored bytes do not give."""
    cards = {row.id: row for row in all_rows(ctx, proposals)}
    for card in cards.values():
        if _order_fault(card):
            yield Violation("I8", "a proposal's bytes do not give its hash", (card.id,))
        if tagged_hash("risk/v1", read_object(card.risk_json)) != card.risk_hash:
            yield Violation("I8", "a proposal's risk does not give its hash", (card.id,))
    hashes, changed = {}, read_changed(ctx)
    for order in all_rows(ctx, order_intents):
        hashes[order.id] = changed.first_hash(order)
        told = cards.get(changed.standing(order))
        same = order.parent_id is not None or (told and told.order_json == order.order_json)
        if _order_fault(order) or told is None or not same:
            yield Violation("I8", "an order is not what its proposal said", (order.id,))
    for attempt in all_rows(ctx, submit_attempts):
        if hashes.get(attempt.order_id) != attempt.body_hash:
            yield Violation("I8", "something else was sent than was confirmed", (attempt.order_id,))
    yield from _advice(ctx)
    yield from _batches(ctx)
    yield from _requests(ctx)


def _order_fault(row: Row[Any]) -> bool:
    body = read_object(row.order_json)
    changes = getattr(row, "kind", "") == "replace"  # such a card holds its target's client id
    return (
        body is None
        or stored_hash(row.order_json) != row.order_hash
        or canonical(body).decode() != row.order_json
        or (body.get("client_order_id") != row.client_order_id and not changes)
    )


def _advice(ctx: Context) -> Violations:
    for row in all_rows(ctx, trade_advice):
        body = {
            "kind": row.kind,
            "document": read_object(row.document),
            "policy": row.policy_hash,
            "quality": row.dq_snapshot_id,
            "at": row.at,
            "tenant": row.tenant_id,
        }
        digest = tagged_hash("advice/v1", body)
        if digest != row.hash or row.ref != f"res_{digest[7:23]}":
            yield Violation("I8", "advice does not give its hash", (row.ref,))


def _batches(ctx: Context) -> Violations:
    stored = {
        (row.portfolio_id, row.seq): row.content_hash for row in all_rows(ctx, ledger_batches)
    }
    for book in all_rows(ctx, portfolios):
        with contextlib.suppress(Refusal):  # an unbalanced batch can not be read; I4 names it
            for one in read_batches(ctx, book.id):
                if stored.get((book.id, one.seq)) != one.batch.content_hash:
                    yield Violation("I8", "a batch does not give its hash", (book.id, str(one.seq)))


def _requests(ctx: Context) -> Violations:
    table = find_table("coach_requests")
    for row in [] if table is None else all_rows(ctx, table):
        body = json.loads(zlib.decompress(row.body))
        if tagged_hash("model_request/v1", body) != row.request_hash:
            yield Violation("I8", "a model request does not give its hash", (row.id,))
