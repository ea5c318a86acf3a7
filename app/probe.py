"""Owns the first question to every configured provider, asked beside the start, never before it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.wiring import Product


@asynccontextmanager
async def start_probes(product: Product) -> AsyncIterator[None]:
    """Probe each provider in a task of its own, so that its record soon tells whether it works.

    A wrong key changes the record and nothing else; the start waits for none of them.
    """
    tasks = [
        asyncio.create_task(product.runtime.in_thread(one.probe), name="probe")
        for one in product.providers.configured
    ]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
