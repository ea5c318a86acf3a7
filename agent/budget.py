"""Owns the bounds of a run: steps, calls, tokens, time, and the breaker of repeated calls."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta

from sqlalchemy import func, select

from agent.events import StopReason
from services.chat import requests
from services.kit.context import Context


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one run may use. Times are seconds, sizes are bytes."""

    steps: int = 8
    calls: int = 16
    calls_step: int = 6
    wall_s: float = 45.0
    prompt_tokens: int = 60_000
    completion_tokens: int = 4_000
    repeats: int = 3
    args_bytes: int = 16_384
    result_bytes: int = 8_192
    tool_s: float = 10.0
    context_tokens: int = 32_000


CHAT = Limits()
"""A conversation's run."""
NARRATOR = Limits(steps=3, wall_s=15.0)
"""The narrator's run."""


@dataclass(slots=True)
class Budget:
    """What one run has used so far; every question about going on is answered here."""

    limits: Limits
    deadline: float
    steps: int = 0
    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    _seen: Counter[tuple[str, str]] = field(default_factory=Counter)

    def open_step(self, now: float) -> StopReason | None:
        """Count a step, or say why there is none left; `now` is a monotonic reading."""
        if now >= self.deadline:
            return "deadline"
        if self.steps >= self.limits.steps:
            return "step_limit"
        if (
            self.prompt_tokens >= self.limits.prompt_tokens
            or self.completion_tokens >= self.limits.completion_tokens
        ):
            return "token_budget"
        self.steps += 1
        return None

    @property
    def last_step(self) -> bool:
        """Return True in the last step, or without calls left: the model must answer now."""
        return self.steps >= self.limits.steps or self.calls >= self.limits.calls

    @property
    def tokens_left(self) -> int:
        """Return how many tokens the model may still write, at least 1."""
        return max(1, self.limits.completion_tokens - self.completion_tokens)

    def admit(self, name: str, arguments: str, place: int) -> StopReason | None:
        """Count a call, or say which bound refuses it; `place` counts from 0 in its step.

        `repeated_calls` is the same name and canonical arguments for the third time.
        """
        if self.calls >= self.limits.calls or place >= self.limits.calls_step:
            return "call_limit"
        self._seen[name, arguments] += 1
        if self._seen[name, arguments] >= self.limits.repeats:
            return "repeated_calls"
        self.calls += 1
        return None

    def spend(self, prompt_tokens: int, completion_tokens: int) -> None:
        """Add the tokens of one step; steps add up, reports inside a step do not."""
        self.prompt_tokens += prompt_tokens
        self.completion_tokens += completion_tokens


def tokens_today(ctx: Context, user_id: str) -> int:
    """Return the model tokens that a person spent in the last 24 hours."""
    total = ctx.db.scalar(
        select(func.sum(requests.c.prompt_tokens + requests.c.completion_tokens)).where(
            requests.c.user_id == user_id, requests.c.at > ctx.now - timedelta(days=1)
        )
    )
    return int(total or 0)


def day_is_spent(ctx: Context, user_id: str) -> bool:
    """Return True when a person's daily model tokens are used up."""
    return tokens_today(ctx, user_id) >= ctx.settings.model_tokens_day
