"""Owns the peer of P11 as a process: FastAPI with one endpoint, same body, same server settings."""

from __future__ import annotations

import asyncio
import json
import sys

import uvicorn
from fastapi import FastAPI
from pydantic import create_model

from app.http import server


def build_app(body: dict) -> FastAPI:
    """Return an application whose one endpoint answers `body` by way of a model of its shape."""
    bare = FastAPI()
    shape = create_model("Body", **{name: (type(value), ...) for name, value in body.items()})

    @bare.get("/api/v1/auth/session", response_model=shape)
    async def show():
        return shape(**body)

    return bare


async def main() -> None:
    listening = server._listen("127.0.0.1", 0)
    running = uvicorn.Server(server._config(build_app(json.loads(sys.argv[1]))))
    serving = asyncio.create_task(running.serve([listening]))
    while not running.started and not serving.done():  # noqa: ASYNC110 - uvicorn has no event
        await asyncio.sleep(0.01)
    print(listening.getsockname()[1], flush=True)
    await serving


if __name__ == "__main__":
    asyncio.run(main())
