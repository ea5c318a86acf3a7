"""Owns outgoing HTTP: one client per provider, reading only, bounded in time, size and retries."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import structlog

from services.kit.clock import Clock
from services.kit.errors import Refusal, check, refuse

if TYPE_CHECKING:
    import httpx

_log = structlog.get_logger("http")
_RETRIED = frozenset({408, 499, 500, 502, 503, 504})
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpLimits:
    """Bounds of one request: each wait, the whole with its retries, the body, the attempts."""

    connect_s: float = 3.0
    read_s: float = 5.0
    total_s: float = 8.0
    body_bytes_max: int = 16_000_000
    attempts_max: int = 3
    backoff_s: float = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpAnswer:
    """What a server answered, whatever its status; `retry_after_s` when it named one.

    The names of `headers` are in small letters.
    """

    status: int
    content_type: str
    body: bytes
    retry_after_s: float | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Who is asked: the provider's name for refusals, its base address, and standing headers."""

    provider: str
    base_url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


class HttpClient:
    """Reads from one origin; safe for many threads. No redirect is followed, no proxy is read.

    Failed connections, timeouts and the statuses 408, 499, 500 and 502 to 504 are asked again
    within the limits. Nothing but host, path template, status and time is logged.
    """

    def __init__(
        self,
        origin: Origin,
        clock: Clock,
        *,
        limits: HttpLimits | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        parts = urlsplit(origin.base_url)
        safe = parts.scheme == "https" or parts.hostname in _LOOPBACK
        check(parts.hostname and safe, "a provider is asked over https", url=origin.base_url)
        self._origin = origin
        self._host = parts.hostname or ""
        self._clock = clock
        self._limits = limits or HttpLimits()
        self._sleep = sleep
        self._lock = threading.Lock()
        self._client: httpx.Client | None = None

    def get(
        self, path: str, params: Mapping[str, str] | None = None, *, template: str = ""
    ) -> HttpAnswer:
        """Return the answer to `path`, which may carry a query; `template` names it in the log.

        Raises `PROVIDER_UNAVAILABLE` when nothing answers in time and `PROVIDER_BODY_INVALID` for
        a body above the limit.
        """
        import httpx
        import tenacity

        check(path.startswith("/") and not path.startswith("//"), "a path, no address", path=path)
        began = self._clock.monotonic()
        deadline = began + self._limits.total_s
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(httpx.TransportError)
            | tenacity.retry_if_result(_is_retried),
            stop=lambda state: self._is_over(state.attempt_number, deadline),
            wait=tenacity.wait_exponential(multiplier=self._limits.backoff_s, max=2),
            sleep=self._sleep,
            retry_error_callback=_last_outcome,
        )
        outcome = "no answer"
        try:
            answer: HttpAnswer = retrying(self._once, path, params, deadline)
            outcome = str(answer.status)
        except httpx.TransportError as error:
            outcome = type(error).__name__
            raise self._unavailable(outcome) from error
        finally:
            self._note(template, outcome, began)
        return answer

    @property
    def host(self) -> str:
        """Return the name of the host that is asked."""
        return self._host

    def close(self) -> None:
        """Close the connections; the next request opens new ones."""
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()

    def _once(self, path: str, params: Mapping[str, str] | None, deadline: float) -> HttpAnswer:
        with self._open().stream("GET", path, params=params) as response:
            body = bytearray()
            for piece in response.iter_bytes():
                body += piece
                if len(body) > self._limits.body_bytes_max:
                    raise refuse(
                        "PROVIDER_BODY_INVALID",
                        provider=self._origin.provider,
                        reason=f"more than {self._limits.body_bytes_max} bytes",
                    )
                if self._clock.monotonic() > deadline:
                    raise self._unavailable("the body came too slowly")
            return HttpAnswer(
                status=response.status_code,
                content_type=response.headers.get("content-type", ""),
                body=bytes(body),
                retry_after_s=self._retry_after(response.headers.get("retry-after", "")),
                headers={name.lower(): value for name, value in response.headers.items()},
            )

    def _is_over(self, attempts: int, deadline: float) -> bool:
        late = self._clock.monotonic() + self._limits.backoff_s >= deadline
        return late or attempts >= self._limits.attempts_max

    def _open(self) -> httpx.Client:
        import httpx

        with self._lock:
            if self._client is None:
                logging.getLogger("httpx").setLevel(logging.WARNING)
                limits = self._limits
                self._client = httpx.Client(
                    base_url=self._origin.base_url,
                    headers={
                        "accept": "application/json",
                        "accept-encoding": "identity",
                        "user-agent": "cornerman",
                        **self._origin.headers,
                    },
                    timeout=httpx.Timeout(limits.read_s, connect=limits.connect_s),
                    follow_redirects=False,
                    trust_env=False,
                )
            return self._client

    def _retry_after(self, text: str) -> float | None:
        """Return the seconds of a `Retry-After` header, a number or a date; never below 0."""
        if text.isascii() and text.isdecimal():
            return float(text[:6])
        try:
            due = parsedate_to_datetime(text)
        except ValueError:
            return None
        return None if due.tzinfo is None else max(0.0, (due - self._clock.now()).total_seconds())

    def _unavailable(self, reason: str) -> Refusal:
        return refuse("PROVIDER_UNAVAILABLE", provider=self._origin.provider, reason=reason)

    def _note(self, template: str, outcome: str, began: float) -> None:
        duration_ms = round((self._clock.monotonic() - began) * 1000)
        _log.info(
            "provider_asked",
            host=self._host,
            path=template,
            outcome=outcome,
            duration_ms=duration_ms,
        )


def _is_retried(answer: HttpAnswer) -> bool:
    return answer.status in _RETRIED


def _last_outcome(state: object) -> HttpAnswer:
    """Return the last answer, or raise what the last attempt raised."""
    outcome = getattr(state, "outcome", None)
    check(outcome is not None, "a request was made")
    answer: HttpAnswer = outcome.result()  # type: ignore[union-attr]
    return answer
