"""Owns the wire to a broker: one request per call, sent once, and what its end may prove.

Nothing here asks twice. There is no retry, no connection that outlives its request, no redirect
and no proxy, so a request that may have arrived arrived at most once.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

import structlog

from services.kit.clock import Clock
from services.kit.errors import check
from services.market.decode import is_page
from services.orders.broker import Ambiguous, NotSent, Outcome

if TYPE_CHECKING:
    import httpx

_log = structlog.get_logger("orders")
_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_CONNECTIONS_MAX = 4
_BEGUN = "send_request_headers.started"
"""Where the transport stands when the first byte of a request may leave; before it none did."""

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
_FORM, _JSON = "application/x-www-form-urlencoded", "application/json"
UNSENT = frozenset(
    {"ConnectError", "ConnectTimeout", "PoolTimeout", "UnsupportedProtocol", "LocalProtocolError"}
)
"""Ends of a request that prove, before its first byte, that nothing reached the broker."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WireLimits:
    """Bounds of one request: each wait, the whole of it, and the bytes of its answer."""

    connect_s: float = 2.0
    read_s: float = 10.0
    total_s: float = 12.0
    body_bytes_max: int = 4_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What a broker answered, whatever its status; the names of `headers` are in small letters."""

    status: int
    content_type: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """How a request ended without an answer; `begun` when a byte of it may have left."""

    kind: str
    begun: bool

    @property
    def is_unsent(self) -> bool:
        """Return True when it is proved that nothing reached the broker."""
        return not self.begun and self.kind in UNSENT


Exchange = Reply | Failure


def build_outcome(exchange: Exchange, judge: Callable[[Reply], Outcome]) -> Outcome:
    """Return what one request that changes something came to; pure, `Ambiguous` by default.

    Only an answer of the broker itself reaches `judge`: a gateway's page, a redirect, a limit and
    every status from 500 on say nothing about the order.
    """
    if isinstance(exchange, Failure):
        return NotSent(exchange.kind) if exchange.is_unsent else Ambiguous(exchange.kind)
    status = exchange.status
    if status < 200 or 300 <= status < 400 or status == 429 or status >= 500:
        return Ambiguous(f"HTTP {status}")
    if is_page(exchange.body):
        return Ambiguous(f"HTTP {status} with a page")
    return judge(exchange)


class OrderClient:
    """Asks one broker; safe for many threads. Nothing but host, template and time is logged."""

    def __init__(
        self,
        base_url: str,
        headers: Mapping[str, str],
        clock: Clock,
        *,
        limits: WireLimits | None = None,
    ) -> None:
        parts = urlsplit(base_url)
        safe = parts.scheme == "https" or parts.hostname in _LOOPBACK
        check(parts.hostname and safe, "a broker is asked over https", url=base_url)
        self.host = parts.hostname or ""
        self._base_url = base_url
        self._headers = dict(headers)
        self._clock = clock
        self._limits = limits or WireLimits()
        self._lock = threading.Lock()
        self._client: httpx.Client | None = None

    def send(
        self, method: Method, path: str, *, template: str, form: bytes = b"", document: bytes = b""
    ) -> Exchange:
        """Send one request and return its end; never raises for what the network does.

        `form` is the urlencoded body, byte for byte, and `document` one of JSON; at most one is
        given. `template` is the path without its values.
        """
        import httpx

        check(path.startswith("/") and not path.startswith("//"), "a path, no address", path=path)
        check(not (form and document), "one request has one body", path=template)
        kind = _FORM if form else _JSON if document else ""
        began, begun = self._clock.monotonic(), threading.Event()

        def trace(event: str, _facts: Mapping[str, object]) -> None:
            if event.endswith(_BEGUN):
                begun.set()

        try:
            exchange = self._once(method, path, (kind, form or document), trace)
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
            exchange = Failure(kind=type(error).__name__, begun=begun.is_set())
        _log.info(
            "broker.asked",
            host=self.host,
            method=method,
            path=template,
            outcome=exchange.status if isinstance(exchange, Reply) else exchange.kind,
            duration_ms=round((self._clock.monotonic() - began) * 1000),
        )
        return exchange

    def close(self) -> None:
        """Close the client; the next request opens another."""
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()

    def _once(
        self, method: Method, path: str, body_of: tuple[str, bytes], trace: Callable[..., None]
    ) -> Exchange:
        kind, content = body_of
        named = {"content-type": kind} if kind else {}
        deadline = self._clock.monotonic() + self._limits.total_s
        with self._open().stream(
            method, path, content=content or None, headers=named, extensions={"trace": trace}
        ) as response:
            body = bytearray()
            for piece in response.iter_bytes():
                body += piece
                if len(body) > self._limits.body_bytes_max:
                    return Failure(kind="BodyTooLong", begun=True)
                if self._clock.monotonic() > deadline:
                    return Failure(kind="BodyTooSlow", begun=True)
            return Reply(
                status=response.status_code,
                content_type=response.headers.get("content-type", ""),
                body=bytes(body),
                headers={name.lower(): value for name, value in response.headers.items()},
            )

    def _open(self) -> httpx.Client:
        import httpx

        with self._lock:
            if self._client is None:
                logging.getLogger("httpx").setLevel(logging.WARNING)
                pool = httpx.Limits(max_connections=_CONNECTIONS_MAX, max_keepalive_connections=0)
                self._client = httpx.Client(
                    base_url=self._base_url,
                    headers={
                        "accept": "application/json",
                        "accept-encoding": "identity",
                        "user-agent": "cornerman",
                        **self._headers,
                    },
                    timeout=httpx.Timeout(self._limits.read_s, connect=self._limits.connect_s),
                    transport=httpx.HTTPTransport(retries=0, limits=pool, trust_env=False),
                    follow_redirects=False,
                    trust_env=False,
                )
            return self._client
