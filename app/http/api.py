"""Owns the routes of conversations: start, list, read, post a message, cancel a run."""

from __future__ import annotations

from fastapi import APIRouter, Request
from pydantic import Field
from starlette.responses import Response

from agent import conversation, runs
from app.http.unit import ACCEPTED, CREATED, principal_of, product_of, read, write
from app.http.wire import Body, Name, Prose, Word
from services.kit.context import Context

router = APIRouter(prefix="/api/v1/coach")


class StartBody(Body):
    """A new conversation; without a title it takes the first message's words."""

    title: Name | None = None


class MessageBody(Body):
    """What the person says; `pastes` are attached blocks of material."""

    text: Prose
    pastes: list[Prose] = Field(default_factory=list, max_length=8)


@router.get("/conversations")
async def list_conversations(request: Request) -> Response:
    """List the person's conversations, newest first."""
    return await read(request, lambda ctx: {"items": conversation.list_conversations(ctx)})


@router.post("/conversations", status_code=CREATED)
async def start_conversation(request: Request, body: StartBody | None = None) -> Response:
    """Start a conversation."""
    title = body.title if body else None
    return await write(request, lambda ctx: conversation.start(ctx, title), status=CREATED)


@router.get("/conversations/{id}/messages")
async def list_messages(request: Request, id: Word) -> Response:  # noqa: A002
    """Return what was said and the cursor from which the events go on."""
    return await read(request, lambda ctx: conversation.messages(ctx, id))


@router.post("/conversations/{id}/messages", status_code=ACCEPTED)
async def post_message(request: Request, id: Word, body: MessageBody) -> Response:  # noqa: A002
    """Store a message and start the run that answers it; the answer comes by the event stream."""
    begun: list[str] = []

    def act(ctx: Context) -> conversation.Posted:
        posted = conversation.post_message(ctx, id, body.text, pastes=tuple(body.pastes))
        begun.append(posted.run_id)
        return posted

    answer = await write(request, act, status=ACCEPTED)
    for run_id in begun:
        request.app.state.runs.start(principal_of(request), id, run_id)
    return answer


@router.post("/runs/{id}/cancel", status_code=ACCEPTED)
async def cancel_run(request: Request, id: Word) -> Response:  # noqa: A002
    """Ask a run to stop; it ends with `run.finished` and what it has."""
    await product_of(request).coach.cancel(principal_of(request), id)
    return await read(request, lambda ctx: runs.get_run(ctx, id), status=ACCEPTED)
