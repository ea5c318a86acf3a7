"""Owns the routes of the confirm gate: proposals, challenge, confirm, decline, edit."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from app.http.label import labelled_items
from app.http.shape import challenge_body, proposal_body
from app.http.unit import call_of, principal_of, product_of, read, render, write
from app.http.wire import Body, Line, Number, Word
from app.previews import await_preview
from services.orders import confirm, proposal, propose
from services.orders.order import Status

router = APIRouter(prefix="/api/v1/proposals")
_NUMBERS = {"quantity", "limit_price", "stop_price", "take_profit", "stop_loss"}


class ConfirmBody(Body):
    """What the card showed: its one-time token, its version, its order hash, and what was typed."""

    token: Line
    version: int
    order_hash: Line
    typed: Line | None = None


class ReasonBody(Body):
    """Why; may be empty."""

    reason: Line = ""


class EditBody(Body):
    """The fields of the order to change; what is absent stays."""

    quantity: Number | None = None
    limit_price: Number | None = None
    stop_price: Number | None = None
    take_profit: Number | None = None
    stop_loss: Number | None = None
    tif: Literal["day", "gtc"] | None = None
    type: Literal["market", "limit", "stop", "stop_limit"] | None = None


@router.get("")
async def list_proposals(
    request: Request, status: Annotated[Status | None, Query()] = None
) -> Response:
    """List the tenant's proposals, newest first."""
    return await read(
        request,
        lambda ctx: labelled_items(
            ctx, [proposal_body(ctx, one) for one in proposal.list_proposals(ctx, status=status)]
        ),
    )


@router.get("/{id}")
async def show_proposal(request: Request, id: Word) -> Response:  # noqa: A002
    """Return one proposal with its card."""
    return await read(request, lambda ctx: proposal_body(ctx, proposal.get_proposal(ctx, id)))


@router.get("/{id}/challenge")
async def challenge(request: Request, id: Word) -> Response:  # noqa: A002
    """Issue a confirmation token for a person on this surface, with the card to show beside it."""
    runtime, principal = product_of(request).runtime, principal_of(request)
    await await_preview(runtime, principal, id)
    issued = await runtime.write_async(
        principal,
        lambda ctx: challenge_body(confirm.issue(ctx, id), proposal.get_proposal(ctx, id)),
    )
    return render(issued, token_expected=True)


@router.post("/{id}/confirm")
async def confirm_proposal(request: Request, id: Word, body: ConfirmBody) -> Response:  # noqa: A002
    """Redeem the token: the proposal is confirmed and its order queued, once."""
    attempt = confirm.Attempt(
        proposal_id=id,
        token=body.token,
        version=body.version,
        order_hash=body.order_hash,
        typed=body.typed,
    )
    runtime, principal, call = product_of(request).runtime, principal_of(request), call_of(request)
    done = await runtime.in_thread(
        lambda: confirm.confirm(
            runtime, principal, attempt, key=call.idempotency_key, trace=call.request_id
        )
    )
    headers = {"Idempotency-Replayed": "true"} if done.replayed else None
    return render(done.body, status=done.status, headers=headers)


@router.post("/{id}/decline")
async def decline_proposal(request: Request, id: Word, body: ReasonBody) -> Response:  # noqa: A002
    """Decline a proposal; its tokens die."""
    return await write(
        request, lambda ctx: proposal_body(ctx, proposal.decline(ctx, id, body.reason))
    )


@router.post("/{id}/edit")
async def edit_proposal(request: Request, id: Word, body: EditBody) -> Response:  # noqa: A002
    """Make a new version with other terms; the old card and its tokens die."""
    changes: dict[str, Any] = body.model_dump(exclude_none=True)
    for name in _NUMBERS & changes.keys():
        changes[name] = Decimal(changes[name])
    return await write(request, lambda ctx: proposal_body(ctx, propose.edit(ctx, id, changes)))
