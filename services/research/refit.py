"""Owns the next calibration: documents fitted to shipped records and live outcomes together."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.engine import Row

from services.kit.canonical import tagged_hash
from services.kit.context import Context
from services.research.fit import build_record, fit, pool_of
from services.research.label import Label
from services.research.score import first_of_each, is_real
from services.research.settle import ENTERED
from services.research.suggestion import LEAPS
from services.research.suggestion_tables import suggestions
from services.strategy.documents import (
    CALIBRATOR,
    RECORD,
    Document,
    record_from,
    shipped_documents,
    store_document,
)
from services.strategy.record import RecordKey, SetupRecord
from services.strategy.view import Side


def live_labels(ctx: Context) -> list[Label]:
    """Return a label for each setup whose suggestion ended and whose free run is over.

    Those held for months (`leaps`) are left out, their time stop is another; and those that were
    settled on replayed or simulated bars, which are no new history.
    """
    query = select(suggestions).where(suggestions.c.record_key != "")
    rows = ctx.db.rows(query.order_by(suggestions.c.made_at, suggestions.c.ref))
    return [_label(row) for row in first_of_each(rows) if _is_over(row)]


def _is_over(row: Row[Any]) -> bool:
    known = row.state in ENTERED and row.free_r is not None and row.mfe_free_r is not None
    return known and is_real(row) and not row.record_key.endswith(LEAPS)


def key_from(text: str) -> RecordKey:
    """Return the key that `text` names, such as `orb/1/long/intraday`."""
    setup_id, version, side, horizon = text.split("/")
    sides: dict[str, Side] = {"long": "long", "short": "short"}
    return RecordKey(setup_id, int(version), sides[side], horizon)


def _label(row: Row[Any]) -> Label:
    return Label(
        key=key_from(row.record_key),
        symbol=row.symbol,
        trigger_ts=row.made_at,
        ended_at=row.ended_at,
        score=row.score,
        won=row.state == "target",
        r=row.r,
        mfe_free_r=row.mfe_free_r,
        free_r=row.free_r,
        ambiguous=bool(row.ambiguous),
        volatility=None,
        trend=None,
    )


def refit(ctx: Context) -> list[Document]:
    """Store the documents that the outcomes so far make; each waits for a person's approval.

    Records add the live outcomes to the shipped ones; calibrators need 100 scored live outcomes
    of their kind. Nothing changes before `approve_document`. Empty without an outcome.
    """
    labels = live_labels(ctx)
    found: list[Document] = []
    for key in sorted({one.key.text for one in labels}):
        mine = [one for one in labels if one.key.text == key]
        pool = pool_of(labels, mine[0].key.horizon)
        live = build_record(mine[0].key, mine, pool=pool)
        shipped = shipped_documents().get((RECORD, key))
        made = live if shipped is None else joined(record_from(shipped), live)
        found.append(store_document(ctx, RECORD, key, made.body()))
    curves = fit(labels).calibrators
    return found + [store_document(ctx, CALIBRATOR, one.key.text, one.body()) for one in curves]


def joined(first: SetupRecord, more: SetupRecord) -> SetupRecord:
    """Return one record of two that share no setup; the give-back is that of the larger."""
    larger = max((first, more), key=lambda one: one.n)
    return SetupRecord(
        key=first.key,
        n=first.n + more.n,
        wins=first.wins + more.wins,
        mfe_free_r=tuple(sorted((*first.mfe_free_r, *more.mfe_free_r))),
        give_back=larger.give_back,
        labels_hash=tagged_hash("labels/v1", [first.labels_hash, more.labels_hash]),
        pool=(first.pool[0] + more.pool[0], first.pool[1] + more.pool[1]),
    )
