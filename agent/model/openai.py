"""Owns the adapter of OpenAI-compatible endpoints; the openai package is the transport only."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import AsyncExitStack, aclosing, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import structlog

from agent.model.assembler import CHARS_PER_TOKEN, Bounds
from agent.model.call import CallIds
from agent.model.failure import (
    StepFailure,
    error_param,
    error_refusal,
    is_retryable_status,
    read_error,
    retry_after,
    step_failure,
)
from agent.model.port import AssistantStep, ModelEvent, ModelRequest, StepDone, TextDelta, TextReset
from agent.model.profile import (
    OPTIONAL_FIELDS,
    ProviderProfile,
    find_preset,
    find_refused_field,
    without_field,
)
from agent.model.reader import StepReader
from agent.model.retry import CircuitBreaker, RetryPolicy, StepRetry
from agent.model.wire import build_body
from services.kit.clock import Clock
from services.kit.errors import refuse
from services.kit.ids import sha256_hex

if TYPE_CHECKING:
    from openai import AsyncOpenAI

_log = structlog.get_logger(__name__)
_PATH = "/chat/completions"
_NO_KEY = "none"
_DRAIN_S = 0.05


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a model answers. `path` is appended to `base_url`; an empty key is for local servers.

    The key never appears in a representation.
    """

    base_url: str
    model: str
    api_key: str = ""
    path: str = _PATH

    def __repr__(self) -> str:
        return f"Endpoint({self.base_url!r}, {self.model!r})"


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds to wait: for a connection, the first byte, between pieces, and after a finish."""

    connect_s: float = 5.0
    first_byte_s: float = 15.0
    gap_s: float = 20.0
    after_finish_s: float = 2.0


_TIMEOUTS, _BOUNDS = Timeouts(), Bounds(text_chars_max=400_000, arguments_chars_max=262_144)


class OpenAIModel:
    """A model behind an OpenAI-compatible endpoint; make one per endpoint and close it."""

    def __init__(
        self,
        endpoint: Endpoint,
        clock: Clock,
        *,
        profile: ProviderProfile | None = None,
        retry: RetryPolicy | None = None,
        timeouts: Timeouts = _TIMEOUTS,
        bounds: Bounds = _BOUNDS,
    ) -> None:
        self._endpoint = endpoint
        self._clock = clock
        self._retry = retry or RetryPolicy()
        self._timeouts = timeouts
        self._bounds = bounds
        self._breaker = CircuitBreaker(clock)
        self._client: AsyncOpenAI | None = None
        self.profile = profile or find_preset(endpoint.base_url)
        self.name = endpoint.model

    @property
    def calls_tools(self) -> bool:
        """False for an endpoint that only narrates; the rule model then chooses the tools."""
        return self.profile.calls_tools

    async def stream(
        self, request: ModelRequest, *, deadline: float | None = None
    ) -> AsyncIterator[ModelEvent]:
        """Answer one request; see the port. Attempts before a whole step may repeat.

        After text was sent a second attempt starts with `TextReset`, and there is no third.
        """
        steps = StepRetry(self._retry, self._clock, deadline)
        try:
            async for attempt in steps.retrying():
                with attempt:
                    if steps.text_sent:
                        yield TextReset()
                    async with aclosing(self._attempt(request, steps)) as events:
                        async for event in events:
                            steps.text_sent = steps.text_sent or isinstance(event, TextDelta)
                            yield event
        except StepFailure as failure:
            raise failure.refusal from failure

    async def close(self) -> None:
        """Close the connections to the endpoint."""
        if self._client is not None:
            await self._client.close()
            self._client = None

    async def _attempt(
        self, request: ModelRequest, steps: StepRetry
    ) -> AsyncGenerator[ModelEvent, None]:
        self._breaker.require_closed()
        reader = self._reader(request)
        try:
            async with AsyncExitStack() as stack:
                rest = await self._open(stack, request, steps)
                pieces = aclosing(self._pieces(rest, reader, steps))
                async for piece in await stack.enter_async_context(pieces):
                    for event in reader.feed(piece):
                        yield event
        except StepFailure as failure:
            if failure.retryable:
                self._breaker.append_failure()
            raise
        events, step = reader.close()
        for event in events:
            yield event
        yield StepDone(self._judged(step, reader, request))

    def _reader(self, request: ModelRequest) -> StepReader:
        seed = request.id_seed or sha256_hex(repr(request.messages))
        taken = {call.id for message in request.messages for call in message.calls}
        needs = {spec.name: bool(spec.parameters.get("required")) for spec in request.tools}
        return StepReader(
            CallIds(seed, taken),
            bounds=self._bounds,
            accepts_empty=lambda name: not needs.get(name, False),
        )

    def _judged(
        self, step: AssistantStep, reader: StepReader, request: ModelRequest
    ) -> AssistantStep:
        if not step.complete:
            failure = step_failure(
                step,
                reader.decoder.form,
                status=reader.assembler.error_status,
                chunks_seen=reader.decoder.chunks_seen,
            )
            if failure.retryable:
                self._breaker.append_failure()
            raise failure
        self._breaker.reset()
        if not step.usage.estimated:
            return step
        chars = sum(len(message.content) for message in request.messages)
        return replace(step, usage=replace(step.usage, prompt_tokens=-(-chars // CHARS_PER_TOKEN)))

    async def _open(
        self, stack: AsyncExitStack, request: ModelRequest, steps: StepRetry
    ) -> _Opened:
        """Open the stream; a field that the endpoint refuses by name is dropped, each once."""
        for _ in OPTIONAL_FIELDS:
            body = build_body(request, self.profile, model=self._endpoint.model)
            try:
                return await self._send(stack, body, steps)
            except _FieldRefused as refused:
                _log.info("model.field_dropped", field=refused.field, model=self.name)
                self.profile = without_field(self.profile, refused.field)
        raise StepFailure(refuse("MODEL_BAD_REQUEST", reason="every optional field was refused"))

    async def _send(
        self, stack: AsyncExitStack, body: Mapping[str, Any], steps: StepRetry
    ) -> _Opened:
        import httpx2
        import openai

        client = self._get_client()
        opening = client.chat.completions.with_streaming_response.create(
            messages=[], model=self._endpoint.model, stream=True, extra_body=body
        )
        try:
            async with asyncio.timeout(_shorter(self._timeouts.first_byte_s, steps)):
                response = await stack.enter_async_context(opening)
                pieces = response.iter_bytes()
                first = await anext(pieces, b"")
        except openai.APIStatusError as error:
            raise self._status_failure(error, body) from error
        except (openai.APIError, httpx2.HTTPError, TimeoutError) as error:
            reason = "no first byte in time" if _is_timeout(error) else "no connection"
            raise StepFailure(refuse("MODEL_UNAVAILABLE", reason=reason), retryable=True) from error
        return _Opened(first, pieces)

    def _status_failure(self, error: Any, body: Mapping[str, Any]) -> Exception:
        status: int = error.response.status_code
        raw: bytes = error.response.content
        refused = None
        if status in (400, 422) and not read_error(raw)[1]:
            text = f"{read_error(raw)[0].message} {raw[:4000].decode('utf-8', 'replace')}"
            refused = find_refused_field(body, error_param(raw), text)
        if refused is not None:
            return _FieldRefused(refused)
        wait = retry_after(error.response.headers, self._clock.now())
        return StepFailure(
            error_refusal(status, raw, retry_after_s=wait),
            retryable=is_retryable_status(status),
            retry_after_s=wait,
        )

    async def _pieces(
        self, opened: _Opened, reader: StepReader, steps: StepRetry
    ) -> AsyncGenerator[bytes, None]:
        """Yield the bytes of the answer; a cut connection ends them, silence is a failure.

        Once a finish was seen nothing is owed any more: silence then ends the answer soon.
        """
        import httpx2
        import openai

        piece = opened.first
        while piece:
            yield piece
            if reader.stopped:
                await self._drain(opened, reader)
                return
            finished = reader.assembler.finish_seen
            limit_s = self._timeouts.after_finish_s if finished else self._timeouts.gap_s
            try:
                async with asyncio.timeout(_shorter(limit_s, steps)):
                    piece = await anext(opened.rest, b"")
            except (openai.APIError, httpx2.HTTPError, TimeoutError) as error:
                if finished or not _is_timeout(error):
                    return
                late = steps.remaining_s() == 0.0
                reason = "the deadline of the turn passed" if late else "the endpoint fell silent"
                raise StepFailure(
                    refuse("MODEL_STREAM_FAULT", reason=reason, fault="Q17")
                ) from error

    async def _drain(self, opened: _Opened, reader: StepReader) -> None:
        """Read the end of the body after a proper end, so that the connection can be used again."""
        import httpx2
        import openai

        if not reader.assembler.finish_seen:
            return
        with suppress(openai.APIError, httpx2.HTTPError, TimeoutError):
            async with asyncio.timeout(_DRAIN_S):
                async for _ in opened.rest:
                    pass

    def _get_client(self) -> AsyncOpenAI:
        if self._client is None:
            self._client = _build_client(self._endpoint, self._timeouts)
        return self._client


@dataclass(frozen=True, slots=True)
class _Opened:
    """An answer that has begun: its first bytes and where the rest comes from."""

    first: bytes
    rest: AsyncIterator[bytes]


class _FieldRefused(Exception):
    """The endpoint refused an optional field by name."""

    def __init__(self, field: str) -> None:
        super().__init__(field)
        self.field = field


def _build_client(endpoint: Endpoint, timeouts: Timeouts) -> AsyncOpenAI:
    """Return a client without retries of its own, posting to the endpoint's path."""
    import httpx2
    import openai

    async def to_path(request: httpx2.Request) -> None:
        request.url = request.url.copy_with(
            raw_path=request.url.raw_path.replace(_PATH.encode(), endpoint.path.encode())
        )

    hooks = {"request": [to_path]} if endpoint.path != _PATH else {}
    return openai.AsyncOpenAI(
        api_key=endpoint.api_key or _NO_KEY,
        base_url=endpoint.base_url,
        max_retries=0,
        http_client=openai.DefaultAsyncHttpxClient(
            timeout=httpx2.Timeout(None, connect=timeouts.connect_s),
            follow_redirects=False,
            event_hooks=hooks,
        ),
    )


def _shorter(limit_s: float, steps: StepRetry) -> float:
    remaining = steps.remaining_s()
    return limit_s if remaining is None else min(limit_s, remaining)


def _is_timeout(error: BaseException) -> bool:
    import httpx2
    import openai

    return isinstance(error, (TimeoutError, openai.APITimeoutError, httpx2.TimeoutException))
