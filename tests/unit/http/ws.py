"""A reader of /ws in a test: a ticket, the handshake, frames as documents."""

import contextlib
import json
import socket
import time
from dataclasses import replace
from datetime import timedelta

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from agent.events import Alert
from agent.log import append_many, desk_stream
from services.identity.session import open_session
from services.identity.ticket import issue_ticket
from services.identity.user import LOCAL_TENANT, principal_of
from services.kit.context import Surface, system_principal

PROTOCOL = "cornerman.v1"
WAIT_S = 20.0


def ticket(client) -> str:
    """A ticket of whoever `client` is."""
    answer = client.post("/api/v1/auth/ws-token")
    assert answer.status_code == 200, answer.text
    return answer.json()["ticket"]


def session_ticket(live, *, age_s=0) -> tuple[str, str]:
    """A ticket of a new web session that was issued `age_s` ago, and the session's id."""
    user = live.user(LOCAL_TENANT, "owner")

    def act(ctx):
        session_id, _ = open_session(ctx, user, surface=Surface.WEB)
        mine = ctx.act_as(principal_of(user, Surface.WEB, session_id))
        return issue_ticket(replace(mine, now=ctx.now - timedelta(seconds=age_s)), "ws"), session_id

    return live.product.runtime.write(principal_of(user, Surface.WEB, ""), act)


def tell(live, count, *, size=20, tenant=LOCAL_TENANT, first=0) -> None:
    """Put alerts onto a tenant's desk, numbered from `first`."""
    said = [
        Alert(level="warning", message=f"{at} ".ljust(size, "x"))
        for at in range(first, first + count)
    ]
    live.product.runtime.write(
        system_principal(tenant), lambda ctx: append_many(ctx, desk_stream(tenant), said)
    )


class Reader:
    """One connection. `given` goes to the client library."""

    def __init__(self, live, *, path="/ws", protocols=(PROTOCOL,), **given):
        given.setdefault("origin", live.origin)
        given.setdefault("max_queue", None)  # or a full queue holds the closing handshake up
        if "sock" not in given:
            given["sock"] = socket.create_connection(("127.0.0.1", live.port), 10)
        try:
            self.line = connect(
                f"ws://{live.origin.split('://')[1]}{path}",
                subprotocols=protocols or None,
                proxy=None,
                ping_interval=None,
                legacy=True,
                **given,
            )
        except BaseException:
            given["sock"].close()
            raise
        self.seen = []

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        with contextlib.suppress(ConnectionClosed):
            self.line.close()

    def send(self, **message):
        self.line.send(json.dumps(message))

    def next(self, wait_s=WAIT_S):
        frame = json.loads(self.line.recv(timeout=wait_s))
        self.seen.append(frame)
        return frame

    def until(self, kind, wait_s=WAIT_S, **wanted):
        ends = time.monotonic() + wait_s
        while True:
            frame = self.next(max(0.01, ends - time.monotonic()))
            if frame["type"] == kind and all(frame.get(key) == it for key, it in wanted.items()):
                return frame

    def closed(self, wait_s=WAIT_S):
        """The close code, after whatever comes before it."""
        ends = time.monotonic() + wait_s
        with contextlib.suppress(ConnectionClosed):
            while True:
                self.next(max(0.01, ends - time.monotonic()))
        return self.line.close_code


def enter(live, client, **given) -> Reader:
    """An authenticated connection, welcomed."""
    reader = Reader(live, **given)
    reader.send(type="auth", ticket=ticket(client))
    assert reader.next()["type"] == "welcome"
    return reader
