"""Owns what Alpaca's answers about orders mean: verdicts on a request, and records or no answer."""

from __future__ import annotations

from services.kit.errors import Refusal
from services.market.alpaca_decode import decode_alpaca
from services.market.alpaca_refusal import PROVIDER, error_of
from services.market.decode import Given, Record, find_at, read_json, text
from services.orders.broker import Accepted, Ambiguous, BrokerUnreachable, Outcome, Rejected
from services.orders.order_client import Exchange, Failure, Reply

WORDS_MAX = 280
NOT_FOUND = "40410000"
"""The number of the error that proves an order to be unknown."""
_REFUSED = {
    400: ("40010000", "40010001"),
    403: ("40310000", "40310100"),
    422: ("40010000", "40010001", "42210000"),
}
"""Numbers by status that mean a clear no to an order: its fields, its money, its rules."""
_BEFORE_ORDERS = {401: ("request is not authorized", "unauthorized"), 403: ("forbidden",)}
"""Words by status of an answer given to the keys, before an order is looked at."""
_TWICE = "client_order_id must be unique"
_FINAL = ("42210000", "40310000")


def judge_submit(reply: Reply) -> Outcome:
    """Return the verdict on a placed order; pure.

    The table: 2xx with an order id is accepted. An error whose status and number stand in
    `_REFUSED`, and one about the keys, is rejected. A client id that stands there already means
    that an earlier request of ours arrived, so it is ambiguous and the order is looked for.
    Everything else is ambiguous.
    """
    if reply.status < 300:
        return _judge_body(reply)
    said, number = error_of(reply.body)
    shown = said[:WORDS_MAX]
    if _TWICE in said.lower():
        return Ambiguous(f"an earlier request has arrived: {shown}")
    about_keys = not number or number.startswith("401")
    words = _BEFORE_ORDERS.get(reply.status, ())
    if about_keys and any(said.lower().startswith(one) for one in words):
        return Rejected(shown)
    if said and number in _REFUSED.get(reply.status, ()):
        return Rejected(shown)
    return Ambiguous(f"HTTP {reply.status}: {shown}"[:WORDS_MAX])


def judge_change(reply: Reply, broker_order_id: str) -> Outcome:
    """Return the verdict on a cancel or a change of this order; pure.

    An acknowledgement is no end: the order says later what became of it. 422 with its number is
    the broker's no, such as "order is not cancelable"; 404 with its number is an unknown order.
    """
    if reply.status < 300:
        return Accepted(broker_order_id)
    said, number = error_of(reply.body)
    refused = reply.status in (403, 422) and number in _FINAL
    unknown = reply.status == 404 and number == NOT_FOUND
    if said and (refused or unknown):
        return Rejected(said[:WORDS_MAX])
    return Ambiguous(f"HTTP {reply.status}: {said}"[:WORDS_MAX])


def _judge_body(reply: Reply) -> Outcome:
    try:
        document = read_json(reply.body, PROVIDER)
    except Refusal:
        return Ambiguous(f"HTTP {reply.status} without a JSON document")
    order_id, status = text(find_at(document, "id")), text(find_at(document, "status"))
    if order_id is not None and status is not None:
        return Accepted(order_id)
    said, _ = error_of(reply.body)
    return Ambiguous(f"HTTP {reply.status} without a clear answer: {said}"[:WORDS_MAX])


def is_unknown(exchange: Exchange) -> bool:
    """Return True when the broker itself says that it has no such order."""
    if not isinstance(exchange, Reply) or exchange.status != 404:
        return False
    return error_of(exchange.body)[1] == NOT_FOUND


def read_records(kind: str, exchange: Exchange) -> list[Record]:
    """Return the records of an answer. Raises `BrokerUnreachable` for everything else."""
    if isinstance(exchange, Failure):
        raise BrokerUnreachable(f"Alpaca did not answer: {exchange.kind}")
    given = Given(http_status=exchange.status, content_type=exchange.content_type)
    try:
        return decode_alpaca(kind, exchange.body, given)
    except Refusal as refusal:
        raise BrokerUnreachable(f"HTTP {exchange.status}, {refusal.code}") from refusal
