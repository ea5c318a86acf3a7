"""Owns what Tradier's answers about orders mean: verdicts on a request, views of an order."""

from __future__ import annotations

import json
from datetime import datetime
from decimal import Decimal

from services.kit.errors import Refusal, refuse
from services.kit.money import rounded
from services.market.decode import Given, Record, as_list, find_at, read_json, text
from services.market.tradier_decode import decode_tradier
from services.market.tradier_refusal import PROVIDER
from services.orders.broker import (
    Accepted,
    Ambiguous,
    BrokerLeg,
    BrokerStatus,
    BrokerTotal,
    BrokerUnreachable,
    BrokerView,
    Change,
    Outcome,
    Rejected,
)
from services.orders.order import OrderType, Tif
from services.orders.order_client import Exchange, Failure, Reply
from services.orders.preview import BrokerPreview

_WORDS_MAX = 280
_ZERO = Decimal(0)
_PRICE_PLACES = 8
_STATUSES = {
    "pending": BrokerStatus.OPEN,
    "open": BrokerStatus.OPEN,
    "partially_filled": BrokerStatus.OPEN,
    "filled": BrokerStatus.FILLED,
    "cancelled": BrokerStatus.CANCELLED,
    "expired": BrokerStatus.EXPIRED,
    "rejected": BrokerStatus.REJECTED,
}
"""Standings by the decoder's word. A word that is not here says nothing of an end: still open."""
_TERMS = {
    "market": OrderType.MARKET,
    "limit": OrderType.LIMIT,
    "stop": OrderType.STOP,
    "stop_limit": OrderType.STOP,
}
_BEFORE_ORDERS = ("unauthorized account", "access token", "invalid api call")
"""Words of a 401 that is given before an order is looked at: nothing was accepted."""
_UNSURE = ("backend", "datastore", "gateway", "time out", "timeout", "try again", "unavailable")
"""Words of an error that speaks of the broker's own trouble and not of the order."""


def judge_submit(reply: Reply) -> Outcome:
    """Return the verdict on a placed order; pure.

    The table: 2xx with an order id and nothing said against it is accepted; 2xx with errors and
    no id is rejected, as the risk desk answers downstream; 400 in words is rejected; 401 about
    account or token is rejected. Everything else is ambiguous, also 403, 404, 408 and 422, which
    this broker has never been seen to give.
    """
    if reply.status < 300:
        return _judge_body(reply)
    said = words_of(reply.body)
    about_us = reply.status == 401 and any(mark in said.lower() for mark in _BEFORE_ORDERS)
    if about_us or _is_no(reply, said):
        return Rejected(said)
    return Ambiguous(f"HTTP {reply.status}: {said}"[:_WORDS_MAX])


def judge_cancel(reply: Reply) -> Outcome:
    """Return the verdict on a cancel or a change; pure.

    An acknowledgement is no end: the order says later what became of it. A 400 is the broker's
    no, for an ended order in the words "finalized state". A 401 is the same text for an unknown
    order, a foreign account and a dead token, so it proves nothing.
    """
    if reply.status < 300:
        return _judge_body(reply)
    said = words_of(reply.body)
    if _is_no(reply, said):
        return Rejected(said)
    return Ambiguous(f"HTTP {reply.status}: {said}"[:_WORDS_MAX])


def _is_no(reply: Reply, said: str) -> bool:
    return reply.status == 400 and said != "" and b'"fault"' not in reply.body and _is_sure(said)


def _is_sure(said: str) -> bool:
    return not any(mark in said.lower() for mark in _UNSURE)


def _judge_body(reply: Reply) -> Outcome:
    try:
        document = read_json(reply.body, PROVIDER)
    except Refusal:
        return Ambiguous(f"HTTP {reply.status} without a JSON document")
    order_id = text(find_at(document, "order.id"))
    refused = as_list(find_at(document, "errors")) or as_list(find_at(document, "order.errors"))
    said = words_of(reply.body)
    if order_id is None and refused and _is_sure(said):
        return Rejected(said or "refused without a reason")
    taken = text(find_at(document, "order.status")) == "ok"
    if order_id is not None and taken and not refused:
        return Accepted(order_id)
    return Ambiguous(f"HTTP {reply.status} without a clear answer: {said}"[:_WORDS_MAX])


def words_of(body: bytes) -> str:
    """Return the broker's own words of an error body, plain text or JSON; empty when none."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return " ".join(body[:_WORDS_MAX].decode("utf-8", "replace").split())
    places = ("errors.error", "errors", "order.errors.error", "order.errors", "fault.faultstring")
    for place in (*places, "error", "message"):
        said = [one for one in as_list(find_at(document, place)) if isinstance(one, str)]
        if said:
            return "; ".join(said)[:_WORDS_MAX]
    return ""


def read_records(kind: str, exchange: Exchange) -> list[Record]:
    """Return the records of an answer. Raises `BrokerUnreachable` for everything else."""
    if isinstance(exchange, Failure):
        raise BrokerUnreachable(f"Tradier did not answer: {exchange.kind}")
    given = Given(http_status=exchange.status, content_type=exchange.content_type)
    try:
        return decode_tradier(kind, exchange.body, given)
    except Refusal as refusal:
        raise BrokerUnreachable(f"HTTP {exchange.status}, {refusal.code}") from refusal


def read_preview(exchange: Exchange) -> BrokerPreview:
    """Return the answer to a preview.

    Raises the refusals of the edge, such as `BROKER_REJECTED` with the broker's words, and
    `BrokerUnreachable` when there was no answer.
    """
    if isinstance(exchange, Failure):
        raise BrokerUnreachable(f"Tradier did not answer: {exchange.kind}")
    given = Given(http_status=exchange.status, content_type=exchange.content_type)
    rows = decode_tradier("order_preview", exchange.body, given)
    if not rows or not rows[0]["accepted"]:
        raise refuse("BROKER_REJECTED", reason=words_of(exchange.body) or "the preview says no")
    row = rows[0]
    return BrokerPreview(
        **{name: row[name] or _ZERO for name in ("cost", "order_cost", "commission", "fees")},
        day_trades=int(row["day_trades"] or 0),
    )


def build_view(record: Record, *, now: datetime, provenance: str) -> BrokerView:
    """Return what a decoded order says; pure.

    A `filled` whose count is still short of its quantity is open: the count follows. The time is
    the broker's last change, `now` when it names none. What a group has filled stands in its legs.
    """
    filled = record["filled_quantity"] or _ZERO
    total = None
    if filled > 0 and not record["legs"]:
        total = BrokerTotal(
            quantity=filled,
            price=rounded(record["avg_fill_price"] or _ZERO, _PRICE_PLACES),
            at=record["updated_at"] or record["created_at"] or now,
            provenance=provenance,
        )
    return BrokerView(
        client_order_id=record["client_order_id"] or "",
        broker_order_id=record["broker_order_id"],
        status=status_of(record),
        reason=(record["reason"] or "")[:_WORDS_MAX],
        total=total,
        legs=tuple(_leg(row) for row in record["legs"]),
        terms=_find_terms(record),
    )


def _find_terms(record: Record) -> Change | None:
    """Return at what a plain order stands, or None for a type or time of other orders."""
    kind, tif = record["type"] or "", record["tif"] or ""
    if kind not in _TERMS or tif not in ("day", "gtc") or record["legs"]:
        return None
    return Change(
        type=_TERMS[kind],
        tif=Tif(tif),
        limit_price=record["limit_price"] if kind in ("limit", "stop_limit") else None,
        stop_price=record["stop_price"] if kind in ("stop", "stop_limit") else None,
    )


def status_of(record: Record) -> BrokerStatus:
    """Return how one row stands; `filled` with a count short of its quantity is still open."""
    status = _STATUSES.get(record["status"], BrokerStatus.OPEN)
    wanted, filled = record["quantity"] or _ZERO, record["filled_quantity"] or _ZERO
    if status is BrokerStatus.FILLED and filled < wanted and not record["legs"]:
        return BrokerStatus.OPEN
    return status


def _leg(record: Record) -> BrokerLeg:
    return BrokerLeg(
        broker_order_id=record["broker_order_id"],
        symbol=record["osi"] or record["symbol"] or "",
        side=record["side"] or "",
        type=record["type"] or "",
        status=_STATUSES.get(record["status"], BrokerStatus.OPEN),
        quantity=record["quantity"] or _ZERO,
        filled=record["filled_quantity"] or _ZERO,
        reason=(record["reason"] or "")[:_WORDS_MAX],
    )
