"""Owns how long a card waits for the broker's preview: it is welcome, and never in the way."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from services.kit.context import Principal
from services.kit.work import Runtime
from services.orders.preview import ask_preview

WAIT_S = 2.5
"""A preview that takes longer is stored when it comes, and shows on the next card."""


async def await_preview(runtime: Runtime, who: Principal, proposal_id: str) -> None:
    """Ask for the preview of a proposal and wait a moment for it; run before a card is drawn."""
    with suppress(TimeoutError):
        asked = runtime.in_thread(lambda: ask_preview(runtime, who, proposal_id))
        await asyncio.wait_for(asked, WAIT_S)
