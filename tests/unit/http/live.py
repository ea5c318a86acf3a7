"""A real server on a free loopback port, in a thread of its own, and clients for it."""

import asyncio
import io
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import httpx

from app.http.server import Running, running
from app.wiring import Product, build
from services.identity.key import issue_key
from services.identity.session import open_session
from services.identity.user import LOCAL_TENANT, open_tenant, open_user, principal_of
from services.kit.context import SCOPES, Surface, system_principal
from services.kit.environment import load_settings

KEY = "idem-0123456789abcdef"
SERVED = {
    "CORNERMAN_MODE": "served",
    "CORNERMAN_SECRET": "s" * 40,
    "ADMIN_PASSWORD": "a long password",
    "PUBLIC_BASE_URL": "https://coach.example",
    "ALLOWED_HOSTS": "coach.example",
    "CORS_ALLOWLIST": "https://blog.example",
    "SERVED_SQLITE_OK": "true",
}
GENEROUS = {
    f"LIMIT_{group}": "100000/minute"
    for group in ("LOGIN", "CHAT", "CHAT_DAY", "CONFIRM", "MUTATE", "READ", "STREAM")
}


@dataclass
class Live:
    """A running server, its product, and everything it logged."""

    product: Product
    up: Running
    log: io.StringIO
    clients: list[httpx.Client] = field(default_factory=list)

    @property
    def origin(self) -> str:
        return (self.product.settings.public_base_url or self.up.address).rstrip("/")

    def client(self, **headers: str) -> httpx.Client:
        """A client without a credential; `headers` go with every request."""
        base = {"host": self.origin.split("://")[1], **headers}
        made = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", headers=base, timeout=30)
        self.clients.append(made)
        return made

    @property
    def port(self) -> int:
        return self.up.port

    def key(self, *scopes: str, tenant: str = LOCAL_TENANT, name: str = "owner") -> httpx.Client:
        """A client with an API key of `tenant`, opened when it is new."""
        user = self.user(tenant, name)
        _, text = self.product.runtime.write(
            principal_of(user, Surface.WEB, "ses_test"),
            lambda ctx: issue_key(ctx, "test", scopes=frozenset(scopes) or SCOPES),
        )
        return self.client(authorization=f"Bearer {text}")

    def page(self, surface: Surface = Surface.WEB, tenant: str = LOCAL_TENANT) -> httpx.Client:
        """A client with a session cookie, as the page sends it."""
        user = self.user(tenant, "owner" if tenant == LOCAL_TENANT else tenant)
        _, secret = self.product.runtime.write(
            principal_of(user, surface, ""), lambda ctx: open_session(ctx, user, surface=surface)
        )
        name = "cornerman"
        if self.product.settings.cornerman_mode == "served":
            name = "__Host-cornerman-frame" if surface is Surface.FRAME else "__Host-cornerman"
        return self.client(
            cookie=f"{name}={secret}", origin=self.origin, **{"sec-fetch-site": "same-origin"}
        )

    def user(self, tenant: str, name: str):
        def act(ctx):
            open_tenant(ctx, tenant)
            return open_user(ctx, name)

        return self.product.runtime.write(system_principal(tenant), act)

    def find_line(self, **wanted):
        """The log line with these fields; it is written just after the answer left."""
        end = time.monotonic() + 15
        while time.monotonic() < end:
            for line in map(json.loads, self.lines().splitlines()):
                if all(line.get(name) == value for name, value in wanted.items()):
                    return line
            time.sleep(0.01)
        raise AssertionError(f"no log line with {wanted}")

    def lines(self) -> str:
        return self.log.getvalue()


@contextmanager
def live_server(home, url: str, **given) -> Iterator[Live]:
    """Run the product on the database at `url`; `environment` and adapters come by keyword."""
    environment = {
        "CORNERMAN_HOME": str(home),
        "DATABASE_URL": url,
        "PORT": "0",
        **given.pop("environment", GENEROUS),
    }
    log = io.StringIO()
    product = build(load_settings(environment), log_stream=log, **given)
    started, ended = threading.Event(), asyncio.Event()
    box: list[Live | BaseException | asyncio.AbstractEventLoop] = []

    async def main() -> None:
        async with running(product) as (up, _task):
            box.append(asyncio.get_running_loop())
            box.append(Live(product, up, log))
            started.set()
            await ended.wait()

    def serve() -> None:
        try:
            asyncio.run(main())
        except BaseException as error:
            box.append(error)
            started.set()

    thread = threading.Thread(target=serve, name="live-server")
    thread.start()
    started.wait(60)
    try:
        if not box or isinstance(box[-1], BaseException):
            raise RuntimeError("the server did not start") from (box[-1] if box else None)
        yield box[1]
    finally:
        if len(box) > 1:
            for client in box[1].clients:
                client.close()
            box[0].call_soon_threadsafe(ended.set)
        thread.join(30)
        product.close()


def as_principal(live: Live, tenant: str = LOCAL_TENANT):
    """The owner of a tenant, for reading rows behind the server's back."""
    return replace(principal_of(live.user(tenant, "owner"), Surface.WEB, "ses_test"))
