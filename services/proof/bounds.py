"""Owns the invariants of bounds and repeats: whole streams, one end per run (I11), once (I12)."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

from sqlalchemy import Table
from sqlalchemy.engine import Row

from services.journal import journal_entries
from services.kit.context import Context
from services.kit.idempotency import idempotency
from services.kit.outbox import outbox_rows
from services.ledger.tables import ledger_batches
from services.orders.tables import disputed_fills, fills, order_intents
from services.proof.violation import (
    Violation,
    Violations,
    all_rows,
    find_table,
    read_object,
    repeated,
)

_TERMINAL = ("run.finished", "run.error")
_ENDED = ("finished", "failed")


def streams_are_whole(ctx: Context) -> Violations:
    """Yield I11: gaps in a stream, runs without exactly one end, events after an end."""
    events, runs = find_table("coach_events"), find_table("coach_runs")
    streams = find_table("coach_streams")
    if events is None or runs is None or streams is None:
        return
    stored = all_rows(ctx, events)
    yield from _gaps(ctx, streams, stored)
    of_run: dict[str, list[str]] = defaultdict(list)
    for event in stored:
        if event.run_id and not event.type.startswith("proposal."):
            of_run[event.run_id].append(event.type)
    for run in all_rows(ctx, runs):
        what = _run_fault(run, of_run.get(run.id, []))
        if what:
            yield Violation("I11", what, (run.id,))


def _gaps(ctx: Context, streams: Table, stored: list[Row[Any]]) -> Violations:
    seqs: dict[tuple[str, int], list[int]] = defaultdict(list)
    for event in stored:
        seqs[event.stream, event.epoch].append(event.seq)
    heads = {(row.stream, row.epoch): row.next_seq for row in all_rows(ctx, streams)}
    for (stream, epoch), found in sorted(seqs.items()):
        ends = heads.get((stream, epoch), found[-1] + 1)
        if found != list(range(found[0], ends)):
            yield Violation("I11", "a stream has a gap", (stream, str(epoch)))
    for (stream, epoch), ends in sorted(heads.items()):
        if ends > 1 and (stream, epoch) not in seqs:
            yield Violation("I11", "a stream has lost its events", (stream, str(epoch)))


def _run_fault(run: Row[Any], types: list[str]) -> str:
    count = Counter(types)
    ends = sum(count[kind] for kind in _TERMINAL)
    if run.status in _ENDED and ends != 1:
        return f"an ended run has {ends} ends"
    if run.status not in _ENDED and ends:
        return "a run that lives has an end"
    if ends and types[-1] not in _TERMINAL:
        return "a run goes on after its end"
    if types and (types[0] != "run.started" or count["run.started"] != 1):
        return "a run does not begin once"
    if run.status in _ENDED and count["tool.started"] != count["tool.finished"]:
        return "a tool call of an ended run has no end"
    return ""


def once_is_once(ctx: Context) -> Violations:
    """Yield I12: an execution, proposal, batch, answer or message that counts more than once."""
    batches = all_rows(ctx, ledger_batches)
    executions = [*all_rows(ctx, fills), *all_rows(ctx, disputed_fills)]
    kinds = (
        (
            "an execution was posted twice",
            [
                ((read_object(row.meta) or {}).get("exec_id", row.key),)
                for row in batches
                if row.source == "fill" and row.reverses_seq is None
            ],
        ),
        ("a batch key occurs twice", [(row.key,) for row in batches]),
        (
            "an execution was taken twice",
            [(row.broker, row.account_id, row.exec_id) for row in executions],
        ),
        (
            "a proposal has two intents",
            [(row.proposal_id, row.parent_id) for row in all_rows(ctx, order_intents)],
        ),
        (
            "an idempotency key has two answers",
            [(row.user_id, row.route, row.key) for row in all_rows(ctx, idempotency)],
        ),
        ("a message was put out twice", [(row.dedupe_key,) for row in all_rows(ctx, outbox_rows)]),
        (
            "an execution stands in the journal twice",
            [(row.ref,) for row in all_rows(ctx, journal_entries) if row.kind == "execution"],
        ),
    )
    for what, keys in kinds:
        yield from (Violation("I12", what, key) for key in repeated(keys))
