"""Owns the retry policy of one step and the circuit breaker of one endpoint."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from agent.model.failure import StepFailure
from services.kit.clock import Clock
from services.kit.errors import refuse

if TYPE_CHECKING:
    from tenacity import AsyncRetrying, RetryCallState

Sleep = Callable[[float], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Bounds of the attempts of one step; `jitter_seed` makes the waits repeatable."""

    attempts_max: int = 3
    attempts_after_text_max: int = 2
    wait_s_min: float = 0.5
    wait_s_max: float = 8.0
    retry_after_s_max: float = 30.0
    jitter_seed: str = "model"
    sleep: Sleep = asyncio.sleep


@dataclass(slots=True)
class StepRetry:
    """The attempts of one step: whether another is worth it, and how long to wait before it."""

    policy: RetryPolicy
    clock: Clock
    deadline: float | None = None
    text_sent: bool = False
    _jitter: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self._jitter = random.Random(self.policy.jitter_seed)  # noqa: S311 - spreads waits only

    def remaining_s(self) -> float | None:
        """Return the seconds to the deadline, at least 0; None without one."""
        if self.deadline is None:
            return None
        return max(0.0, self.deadline - self.clock.monotonic())

    def retrying(self) -> AsyncRetrying:
        """Return the loop over attempts; a failure that is not retried is raised as it is."""
        import tenacity

        return tenacity.AsyncRetrying(
            sleep=self.policy.sleep,
            stop=self._stop,
            wait=self._wait,
            retry=tenacity.retry_if_exception(self._worth),
            reraise=True,
        )

    def _worth(self, failure: BaseException) -> bool:
        if not isinstance(failure, StepFailure) or not failure.retryable:
            return False
        remaining = self.remaining_s()
        asked = failure.retry_after_s or 0.0
        if remaining is None:
            return asked <= self.policy.retry_after_s_max
        return remaining > 0.0 and asked < remaining

    def _stop(self, state: RetryCallState) -> bool:
        policy = self.policy
        most = policy.attempts_after_text_max if self.text_sent else policy.attempts_max
        return state.attempt_number >= most

    def _wait(self, state: RetryCallState) -> float:
        failure = state.outcome.exception() if state.outcome is not None else None
        if isinstance(failure, StepFailure) and failure.retry_after_s is not None:
            return failure.retry_after_s
        remaining = self.remaining_s()
        cap = self.policy.wait_s_max
        if remaining is not None:
            cap = min(cap, remaining / 2)
        most = min(cap, self.policy.wait_s_min * 2.0**state.attempt_number)
        return self._jitter.uniform(most / 2, most)


class CircuitBreaker:
    """Stops asking an endpoint that keeps failing: 5 failures in 30 s close the door for 20 s.

    After that one attempt may try; its success opens the door again, its failure shuts it.
    """

    def __init__(
        self, clock: Clock, *, failures_max: int = 5, window_s: float = 30.0, open_s: float = 20.0
    ) -> None:
        self._clock = clock
        self._failures_max = failures_max
        self._window_s = window_s
        self._open_s = open_s
        self._failures: deque[float] = deque(maxlen=failures_max)
        self._open_until: float | None = None

    def require_closed(self) -> None:
        """Fail with `MODEL_UNAVAILABLE`, not to be retried, while the endpoint is left alone."""
        if self._open_until is None:
            return
        left = self._open_until - self._clock.monotonic()
        if left > 0:
            raise StepFailure(
                refuse(
                    "MODEL_UNAVAILABLE",
                    reason=f"it failed too often; asked again in {left:.0f} s",
                    retry_after_s=round(left),
                )
            )
        self._open_until = self._clock.monotonic() + self._open_s

    def append_failure(self) -> None:
        """Count one failure of the endpoint, not of the request."""
        now = self._clock.monotonic()
        self._failures.append(now)
        full = len(self._failures) == self._failures_max
        if full and now - self._failures[0] <= self._window_s:
            self._open_until = now + self._open_s

    def reset(self) -> None:
        """Forget all failures: the endpoint answered."""
        self._failures.clear()
        self._open_until = None
