"""Owns timing our turns: message stored, run claimed, real tools, grounding, every event on disk."""

from __future__ import annotations

import asyncio
import io
import json
import sys
import tempfile
import time

from agent.conversation import post_message, start
from app.background import boot
from app.wiring import Product, build, open_first_user, prepare_database
from services.identity.user import principal_of
from services.kit.context import Principal, Surface
from services.kit.environment import load_settings
from tests.bench.measure import rss_mb
from tests.bench.peers.turns import QUESTION


async def timed(product: Product, person: Principal, turns: int, warm: int) -> dict:
    """Run turns in a conversation each, from the posted message to the stored end of the run."""
    wall, cpu = [], []
    write = product.runtime.write_async
    for at in range(warm + turns):
        talk = (await write(person, start)).id
        began, used = time.perf_counter(), time.process_time()
        posted = await write(person, lambda ctx, talk=talk: post_message(ctx, talk, QUESTION))
        await product.coach.start(person, posted.run_id)
        if at >= warm:
            wall.append((time.perf_counter() - began) * 1000)
            cpu.append((time.process_time() - used) * 1000)
        require_three_calls(product, posted.run_id)
    return {"wall": wall, "cpu": cpu}


def require_three_calls(product: Product, run_id: str) -> None:
    """A turn counts only when it ended well with three tools that answered."""
    with product.runtime.database.engine.connect() as db:
        found = db.exec_driver_sql(
            f"SELECT type, body FROM coach_events WHERE run_id = '{run_id}'"
        ).fetchall()
    calls = [body for kind, body in found if kind == "tool.finished" and '"ok":true' in body]
    if len(calls) != 3 or not any(kind == "run.finished" for kind, _ in found):
        raise RuntimeError(f"the turn went wrong: {[tuple(row) for row in found]}")


async def measure(base_url: str, turns: int, warm: int) -> dict:
    """Measure both shapes, each with a product and a home of its own."""
    shapes = {}
    for shape in ("par3", "seq3"):
        with tempfile.TemporaryDirectory() as home:
            settings = load_settings(
                {
                    "CORNERMAN_HOME": home,
                    "OPENAI_BASE_URL": base_url,
                    "OPENAI_MODEL": shape,
                    "OPENAI_API_KEY": "none",
                }
            )
            product = build(settings, log_stream=io.StringIO())
            prepare_database(product)
            person = principal_of(open_first_user(product), Surface.WEB, "")
            boot(product)
            shapes[shape] = await timed(product, person, turns, warm)
            await product.coach.close()
            product.close()
    return {"name": "cornerman", "rss_mb": rss_mb("self"), "shapes": shapes}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(measure(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))))
