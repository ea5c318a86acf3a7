"""Owns the list of modules that a ready server has imported too early; a process of its own."""

from __future__ import annotations

import asyncio
import io
import json
import sys

from app.http.server import running
from app.wiring import build
from services.kit.environment import load_settings

LATE = ("openai", "discord", "mcp", "dbos", "numpy", "pandas", "kafka", "confluent_kafka",
        "aiokafka", "alembic", "talib", "websockets", "msgspec")  # fmt: skip


async def main(home: str) -> dict:
    """Start the server and look at what is imported when it is ready."""
    product = build(load_settings({"CORNERMAN_HOME": home, "PORT": "0"}), log_stream=io.StringIO())
    try:
        async with running(product):
            return {
                "early": [name for name in LATE if name in sys.modules],
                "count": len(sys.modules),
            }
    finally:
        product.close()


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main(sys.argv[1]))))
