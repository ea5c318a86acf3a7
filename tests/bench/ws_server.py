"""Owns the servers of P4 and P5 as a process: ours with tickets, or a bare websockets.broadcast."""

from __future__ import annotations

import asyncio
import io
import json
import sys
import tempfile
import time

EVERY_S = 0.1


def body() -> bytes:
    return b'"type":"price","symbol":"LOAD","last":"101.25","bid":"101.24","ask":"101.26",' + (
        b'"ts":"2026-01-05T15:00:00.000Z","provenance":"LIVE","source":"bench","at":%.6f}'
        % time.perf_counter()
    )


async def ours(clients: int) -> None:
    """Serve /ws on a free port and tell one price ten times a second."""
    from app.http.hub import Hub
    from app.http.server import running
    from app.wiring import build
    from services.identity.session import open_session
    from services.identity.ticket import issue_ticket
    from services.identity.user import principal_of
    from services.kit.context import Surface
    from services.kit.environment import load_settings

    hubs: list[Hub] = []
    begin = Hub.__init__

    def remember(self, product):
        begin(self, product)
        hubs.append(self)

    Hub.__init__ = remember
    with tempfile.TemporaryDirectory() as home:
        given = {"CORNERMAN_HOME": home, "PORT": "0", "WS_CLIENTS_MAX": "10000"}
        settings = load_settings({**given, "LIMIT_STREAM": "100000/second"})
        product = build(settings, log_stream=io.StringIO())
        async with running(product) as (up, _):

            def tickets(ctx):
                from services.identity.user import LOCAL_USER, find_user

                user = find_user(ctx, LOCAL_USER)
                session_id, _ = open_session(ctx, user, surface=Surface.WEB)
                mine = ctx.act_as(principal_of(user, Surface.WEB, session_id))
                return [issue_ticket(mine, "ws") for _ in range(clients)]

            from services.identity.user import LOCAL_TENANT
            from services.kit.context import system_principal

            made = product.runtime.write(system_principal(LOCAL_TENANT), tickets)
            print(json.dumps({"port": up.port, "tickets": made}), flush=True)
            while True:
                await asyncio.sleep(EVERY_S)
                hubs[0].tell("", [("price", "LOAD", body())])


async def peer(_clients: int) -> None:
    """Serve websockets.broadcast with the same bytes."""
    from websockets.asyncio.server import broadcast, serve

    readers = set()

    async def follow(line):
        readers.add(line)
        try:
            await line.wait_closed()
        finally:
            readers.discard(line)

    async with serve(follow, "127.0.0.1", 0, compression=None, subprotocols=["cornerman.v1"]) as up:
        port = up.sockets[0].getsockname()[1]
        print(json.dumps({"port": port, "tickets": []}), flush=True)
        at = 0
        while True:
            await asyncio.sleep(EVERY_S)
            at += 1
            broadcast(readers, (b'{"seq":%d,' % at + body()).decode())


if __name__ == "__main__":
    asyncio.run({"ours": ours, "peer": peer}[sys.argv[1]](int(sys.argv[2])))
