"""Owns planted bugs: what careless code would do, so that it is proved that the simulator sees it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from sqlalchemy import select, update

from services.ledger.book import release
from services.orders import (
    confirm,
    confirmed,
    desk,
    execute,
    exits,
    guard,
    reconcile,
    replace_carry,
    sent,
    settle,
    take_fill,
)
from services.orders.bracket import build_exit
from services.orders.broker import Ambiguous, NotSent
from services.orders.change import get_change
from services.orders.change_tables import ChangeState
from services.orders.order import Event, State
from services.orders.store import change_order, locked_row
from services.orders.tables import confirm_tokens, order_intents
from tests.sim.adapter import PAGE, SimBroker


class Retrying(SimBroker):
    """Sends again when the answer was lost, as client libraries like to do."""

    def submit(self, desk, order):
        outcome = super().submit(desk, order)
        return super().submit(desk, order) if isinstance(outcome, Ambiguous) else outcome


class Hopeful(SimBroker):
    """Says that nothing was sent when it only heard nothing."""

    def post(self, order, fault, number):
        outcome = super().post(order, fault, number)
        return NotSent(outcome.reason) if isinstance(outcome, Ambiguous) else outcome


class HalfReader(SimBroker):
    """Takes the first page for the whole listing."""

    def look(self, desk, account_id, client_order_ids):
        views = super().look(desk, account_id, client_order_ids)
        first = [one.order.client_order_id for one in self.venue.held[:PAGE]]
        return [view for view in views if view.client_order_id in first]


class Deaf(SimBroker):
    """Takes an unreachable broker for one that has nothing."""

    def look(self, desk, account_id, client_order_ids):
        try:
            return super().look(desk, account_id, client_order_ids)
        except execute.BrokerUnreachable:
            return []


def _any_token(ctx, row, token):
    return ctx.db.row(
        select(confirm_tokens)
        .where(confirm_tokens.c.proposal_id == row.id, confirm_tokens.c.used_at.is_(None))
        .order_by(confirm_tokens.c.id.desc())
    )


def _ids_by_time(ctx, row, view):
    return tuple(replace(one, exec_id=f"{one.exec_id}@{ctx.now}") for one in view.fills)


def _presume_at_once(ctx, order_id, *, dedupes):
    row = locked_row(ctx, order_id)
    if row.state == State.UNKNOWN:
        reconcile._presume(ctx, row)


def _believe_cancel(ctx, order_id):
    row = locked_row(ctx, order_id)
    if row.state == State.CANCEL_PENDING:
        release(ctx, order_id)
        change_order(ctx, row, Event.CANCEL, reason="asked for")


def _ask_again(ctx, proposal_id, view):
    change = get_change(ctx, proposal_id)
    locked_row(ctx, change.order_id)
    if change.state == ChangeState.SENT:
        replace_carry.move_change(ctx, change, ChangeState.WANTED)


def _send_again_at_boot(ctx, order_id, *, boot):
    row = locked_row(ctx, order_id)
    if row.state == State.SUBMITTING:
        change_order(ctx, row, Event.REQUEUE, reason="it was interrupted")
        return None
    return _lose_if_left(ctx, order_id, boot=boot)


def _forget(order_id, asked_at, ctx):
    mine = order_intents.c
    ctx.db.change(update(order_intents).where(mine.id == order_id).values(watch_until=None))


def _whole(entry, quantity):
    return build_exit(entry, entry.quantity)


def _without(*names: str) -> Callable[[Any], list[Any]]:
    return lambda seen: [one(seen) for one in guard.GUARDS if one.__name__ not in names]


def _trusting(ctx):
    _seen_now(ctx)
    return ctx.now


_seen_now = desk.seen_now
_lose_if_left = reconcile._lose_if_left
_DEDUPING = SimpleNamespace(traits=SimpleNamespace(dedupes_client_id=True))


@dataclass(frozen=True)
class Plant:
    """One bug: where it sits, what shows it, the first seed that does, and in which worlds."""

    name: str
    shows: tuple[str, ...]
    seed: int
    force: tuple[str, ...]
    patches: tuple[tuple[Any, str, Any], ...] = ()
    broker: type[SimBroker] = SimBroker

    def planted(self) -> AbstractContextManager[Any]:
        """Return a context in which the product has the bug."""
        stack = ExitStack()
        for where, name, instead in self.patches:
            stack.enter_context(patch.object(where, name, instead))
        return stack


WITHIN = 40
"""Seeds from 1 on within which every planted bug must be found."""
_TWICE = ("sent twice", "two orders at the broker for one intent")
_LOST = ("presumed lost while at the broker", "never settled")
_FORGED = ("confirmed against the rules",)
PLANTS = (
    Plant("an adapter retries a POST", _TWICE, 5, ("lost_response",), broker=Retrying),
    Plant("an adapter calls a lost answer unsent", _TWICE, 5, ("lost_response",), broker=Hopeful),
    Plant("an adapter reads one page of two", _LOST, 2, ("lost_response",), broker=HalfReader),
    Plant(
        "an outage is read as nothing there", _LOST, 32, ("outage", "lost_response"), broker=Deaf
    ),
    Plant(
        "an execution is named by the time it came",
        ("a fill that the broker never made",),
        2,
        (),
        ((settle, "new_executions", _ids_by_time),),
    ),
    Plant(
        "an order is presumed lost after one look",
        _LOST,
        5,
        ("hidden", "lost_response"),
        ((reconcile, "_absent", _presume_at_once),),
    ),
    Plant(
        "an order in doubt is sent again",
        _TWICE,
        4,
        ("hidden", "lost_request"),
        ((reconcile, "broker_for", lambda broker, account: _DEDUPING),),
    ),
    Plant(
        "an interrupted order is sent again",
        _TWICE,
        1,
        ("death",),
        ((reconcile, "_lose_if_left", _send_again_at_boot),),
    ),
    Plant("any token confirms", _FORGED, 1, ("confirm",), ((confirm, "find_token", _any_token),)),
    Plant(
        "a token is bound to nobody",
        _FORGED,
        7,
        ("confirm",),
        ((confirm, "binding_refusal", lambda *_, **__: None),),
    ),
    Plant(
        "the coach may confirm",
        _FORGED,
        7,
        ("confirm",),
        (
            (confirm, "principal_refusal", lambda who: None),
            (confirm, "binding_refusal", lambda *_, **__: None),
        ),
    ),
    Plant(
        "a clock that goes back brings cards to life",
        (*_FORGED, "sent after its confirmation ran out"),
        5,
        ("clock", "confirm"),
        ((desk, "seen_now", _trusting), (desk, "peek_now", lambda ctx: ctx.now)),
    ),
    Plant(
        "a confirmation ignores the data",
        _FORGED,
        10,
        ("spoil", "confirm", "open"),
        (
            (confirm, "clean_market", confirm.guard_context.__globals__["market_facts"]),
            (confirm, "evaluate", _without("quote_fresh", "price_collar", "session_open")),
        ),
    ),
    Plant(
        "the executor ignores the switch",
        ("sent while halted",),
        2,
        ("halt", "confirm"),
        ((execute, "evaluate", _without("kill_switch")),),
    ),
    Plant(
        "what an ended order held stays held",
        ("invariant I5",),
        2,
        ("reject",),
        ((settle, "release", lambda *_, **__: None),),
    ),
    Plant(
        "a cancel without an answer is believed",
        ("never settled",),
        13,
        ("cancel", "cancel_lost_request"),
        ((execute, "_lose_cancel", _believe_cancel),),
    ),
    Plant(
        "nobody asks about ended orders",
        ("never settled",),
        35,
        ("end", "fill"),
        (
            (settle, "LATE_WATCH", timedelta(days=-1)),
            (take_fill, "LATE_WATCH", timedelta(days=-1)),
            (execute, "_end_watch", _forget),
        ),
    ),
    Plant(
        "a second attempt forgets the first",
        ("never settled",),
        2,
        ("dedupes", "late", "lost_response", "not_sent"),
        ((sent, "sent_before", lambda *_, **__: False),),
    ),
    Plant(
        "a change in doubt is asked for again",
        ("sent a change twice",),
        17,
        ("changes", "cancel_card", "cancel_lost_response"),
        ((replace_carry, "_judge", _ask_again),),
    ),
    Plant(
        "exits are forgotten",
        ("never settled",),
        2,
        ("brackets",),
        ((settle, "give_exits", lambda *_: None),),
    ),
    Plant(
        "exits close what was ordered, not what was filled",
        ("sent exits for more than was bought", "invariant I3"),
        2,
        ("brackets", "end", "fill"),
        ((exits, "build_exit", _whole), (confirmed, "build_exit", _whole)),
    ),
)
