"""Owns the servers of P4's SSE row: our stored desk stream, or a bare sse-starlette loop."""

from __future__ import annotations

import asyncio
import io
import json
import sys
import tempfile
import time

EVERY_S = 0.1
PER_SESSION = 3


async def ours(clients: int) -> None:
    """Serve the desk stream on a free port; store an event ten times a second."""
    from agent.events import TextPart
    from agent.log import append, desk_stream
    from app.http.server import running
    from app.wiring import build
    from services.identity.session import open_session
    from services.identity.user import LOCAL_TENANT, LOCAL_USER, find_user
    from services.kit.context import Surface, system_principal
    from services.kit.environment import load_settings

    with tempfile.TemporaryDirectory() as home:
        given = {"CORNERMAN_HOME": home, "PORT": "0", "LIMIT_STREAM": "100000/second"}
        product = build(load_settings(given), log_stream=io.StringIO())
        async with running(product) as (up, _):
            me, stream = system_principal(LOCAL_TENANT), desk_stream(LOCAL_TENANT)

            def sessions(ctx):
                user, count = find_user(ctx, LOCAL_USER), 1 + clients // PER_SESSION
                return [open_session(ctx, user, surface=Surface.WEB)[1] for _ in range(count)]

            secrets = product.runtime.write(me, sessions)
            cookies = [f"cornerman={secrets[at // PER_SESSION]}" for at in range(clients)]
            said = {"port": up.port, "path": "/api/v1/coach/stream", "cookies": cookies}
            print(json.dumps(said), flush=True)
            while True:
                await asyncio.sleep(EVERY_S)
                event = TextPart(message_id="msg_load", text=f"@{time.perf_counter():.6f}@")
                await product.runtime.write_async(
                    me, lambda ctx, one=event: append(ctx, stream, one)
                )


async def peer(clients: int) -> None:
    """Serve sse-starlette with a queue a reader; nothing is stored and nobody resumes."""
    import uvicorn
    from sse_starlette import EventSourceResponse
    from starlette.applications import Starlette
    from starlette.routing import Route

    queues: set[asyncio.Queue[dict[str, str]]] = set()

    async def events():
        mine: asyncio.Queue[dict[str, str]] = asyncio.Queue()
        queues.add(mine)
        try:
            while True:
                yield await mine.get()
        finally:
            queues.discard(mine)

    async def answer(_request):
        return EventSourceResponse(events())

    app = Starlette(routes=[Route("/events", answer)])
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, access_log=False))
    task = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn has no event
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    said = {"port": port, "path": "/events", "cookies": [""] * clients}
    print(json.dumps(said), flush=True)
    at = 0
    while not task.done():
        await asyncio.sleep(EVERY_S)
        at += 1
        text = f"@{time.perf_counter():.6f}@"
        body = {"type": "text.delta", "message_id": "msg_load", "text": text, "v": 1, "run": ""}
        for queue in queues:
            queue.put_nowait({"id": f"1.{at}", "event": "text.delta", "data": json.dumps(body)})


if __name__ == "__main__":
    asyncio.run({"ours": ours, "peer": peer}[sys.argv[1]](int(sys.argv[2])))
