"""Owns timing turns in a peer's process; standard library only."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable

QUESTION = "What are AAPL, MSFT and IBM doing?"


def quote(symbols: list[str]) -> dict:
    """Return the newest quote of each symbol."""
    return {"items": [{"symbol": symbol, "last": "100.00"} for symbol in symbols]}


def memory_mb() -> float:
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS")) * 1.024e-3


async def timed(turn: Callable[[], Awaitable[int]], turns: int, warm: int) -> dict:
    """Run turns one after the other; each must have made three calls."""
    wall, cpu = [], []
    for at in range(warm + turns):
        began, used = time.perf_counter(), time.process_time()
        calls = await turn()
        if at >= warm:
            wall.append((time.perf_counter() - began) * 1000)
            cpu.append((time.process_time() - used) * 1000)
        if calls != 3:
            raise RuntimeError(f"a turn made {calls} calls")
    return {"wall": wall, "cpu": cpu}


def main(name: str, build: Callable[[str, str], Callable[[], Awaitable[int]]]) -> None:
    """Measure both shapes against `argv`: base URL, turns, warm-up."""
    base_url, turns, warm = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])

    async def run() -> dict:
        shapes = {}
        for shape in ("par3", "seq3"):
            shapes[shape] = await timed(build(base_url, shape), turns, warm)
        return shapes

    shapes = asyncio.run(run())
    print(json.dumps({"name": name, "rss_mb": memory_mb(), "shapes": shapes}))
