"""Owns the JSON shapes that gather several services' values: proposals, challenges, orders."""

from __future__ import annotations

import dataclasses
from typing import Any

from pydantic import BaseModel

from app.http.label import label, label_of_proposal
from services.kit.context import Context
from services.orders import store
from services.orders.card import card
from services.orders.confirm import Challenge
from services.orders.proposal import Proposal
from services.orders.store import OrderView


def proposal_body(ctx: Context, one: Proposal) -> dict[str, Any]:
    """Return a proposal as the page draws it, with its card and, once confirmed, its order."""
    order = store.find_order_of(ctx, one.id)
    return {
        "id": one.id,
        "version": one.version,
        "kind": one.kind,
        "status": one.status,
        "status_reason": one.status_reason,
        "expires_at": one.expires_at,
        "order": one.order,
        "order_hash": one.order_hash,
        "card": card(ctx, one),
        "conversation_id": one.conversation_id,
        "supersedes": one.supersedes,
        "order_id": order.id if order else None,
        "order_state": order.state if order else None,
        **label_of_proposal(one),
    }


def challenge_body(issued: Challenge, one: Proposal) -> dict[str, Any]:
    """Return a challenge of `one` with the server's time: the page counts down by our clock."""
    return {
        **label_of_proposal(one),
        "token": issued.token,
        "version": issued.version,
        "order_hash": issued.order_hash,
        "expires_at": issued.expires_at,
        "server_time": issued.server_time,
        "card": issued.card,
    }


def order_body(view: OrderView) -> dict[str, Any]:
    """Return an order: its own fields, the terms at the top level, what is derived, its label."""
    body = {field.name: getattr(view, field.name) for field in dataclasses.fields(view)}
    terms = body.pop("order")
    flat = {field.name: getattr(terms, field.name) for field in dataclasses.fields(terms)}
    derived = {"remaining": view.remaining, "is_open": view.is_open}
    return {**flat, **body, **derived, **label(view.updated_at, terms.provenance, view.broker)}


class Problem(BaseModel):
    """A refusal: stable `code`, what happened, what to do, and the numbers."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    message: str
    hint: str
    facts: dict[str, Any]
    retryable: bool
    request_id: str
    field: str | None = None
