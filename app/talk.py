"""Owns a conversation at the terminal, from the first line to the settled order."""

from __future__ import annotations

import sys
from typing import TextIO

import typer

from agent import conversation
from app.terminal import (
    Desk,
    Drawing,
    ask,
    confirm_here,
    json_line,
    person,
    plain,
    read_line,
    settled,
    working,
)
from services.kit.errors import Refusal


async def talk(desk: Desk, *, once: str | None, as_json: bool, go_on: bool) -> int:
    """Hold the conversation; return the exit code. `once` sends one message and ends."""
    conversation_id = await _conversation(desk, go_on=go_on)
    async with working(desk):
        if once is not None:
            return await _turn(desk, conversation_id, once, as_json=as_json, may_ask=False)
        if not as_json:
            typer.echo(
                "Talk to the coach; an empty line or Ctrl-D ends. Orders come as a card "
                "that only you confirm.\n"
            )
        worst, typed = 0, sys.stdin.isatty()
        while line := read_line():
            failed = await _turn(
                desk, conversation_id, line, as_json=as_json, may_ask=typed and not as_json
            )
            worst = max(worst, 0 if typed else failed)
    return worst


async def _conversation(desk: Desk, *, go_on: bool) -> str:
    runtime, me = desk.product.runtime, desk.principal
    known = await runtime.read_async(me, conversation.list_conversations) if go_on else []
    if known:
        return known[0].id
    return (await runtime.write_async(me, conversation.start)).id


async def _turn(
    desk: Desk, conversation_id: str, text: str, *, as_json: bool, may_ask: bool
) -> int:
    drawing, failed = Drawing(typer.echo), False
    try:
        async for envelope in ask(desk, conversation_id, text):
            failed = envelope.type == "run.error"
            if as_json:
                typer.echo(json_line(envelope))
            else:
                drawing.draw(envelope)
    except Refusal as refusal:
        typer.echo(plain(f"{refusal.message} ({refusal.code}). {refusal.hint}"), err=True)
        return 1
    for proposal_id in drawing.pending:
        await _offer(desk, proposal_id, may_ask=may_ask)
    return int(failed)


async def _offer(desk: Desk, proposal_id: str, *, may_ask: bool) -> None:
    if not may_ask:
        typer.echo(f"A card waits. Confirm it yourself: cornerman confirm {proposal_id}")
        return
    try:
        with person() as terminal:
            done = await desk.product.runtime.in_thread(
                lambda: confirm_here(desk, proposal_id, terminal)
            )
        typer.echo(
            await settled(desk, proposal_id)
            if done
            else f"Not confirmed. It waits until it expires: cornerman confirm {proposal_id}"
        )
    except Refusal as refusal:
        typer.echo(f"{refusal.message} ({refusal.code}). {refusal.hint}", err=True)


async def confirm_and_settle(desk: Desk, proposal_id: str, terminal: TextIO) -> str:
    """Ask for the confirmation, wait for the order to settle; return its state, or nothing."""
    async with working(desk):
        done = await desk.product.runtime.in_thread(
            lambda: confirm_here(desk, proposal_id, terminal)
        )
        return await settled(desk, proposal_id) if done else ""
