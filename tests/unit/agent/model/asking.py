"""Helpers of the model tests: one request to a scripted server, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from agent.model.openai import Endpoint, OpenAIModel
from agent.model.port import (
    AssistantStep,
    Message,
    ModelRequest,
    StepDone,
    TextDelta,
    TextReset,
    ToolSpec,
)
from agent.model.profile import PRESETS, ProviderProfile
from agent.model.retry import RetryPolicy
from services.kit.clock import SystemClock
from tests.fakes.model_server import Answer, ModelServer

QUOTE = ToolSpec(
    "quote",
    "Latest quote.",
    {
        "type": "object",
        "properties": {
            "symbol": {"type": "string", "pattern": "^[A-Z]+$"},
            "note": {"type": "string"},
        },
        "required": ["symbol"],
        "additionalProperties": False,
    },
)
CLOCK = ToolSpec(
    "clock", "Time now.", {"type": "object", "properties": {}, "additionalProperties": False}
)
ASK = ModelRequest(
    (Message("system", "You coach."), Message("user", "Price of AAPL?")), (QUOTE, CLOCK)
)


@dataclass
class Sleeper:
    """Takes the place of waiting; keeps how long each wait would have been."""

    waits: list[float] = field(default_factory=list)

    async def __call__(self, seconds: float) -> None:
        self.waits.append(seconds)


@dataclass
class Asked:
    step: AssistantStep
    shown: str
    resets: int
    requests: list[dict[str, Any]]
    waits: list[float]
    profile: ProviderProfile

    @property
    def calls(self) -> list[tuple[str, str]]:
        return [(call.name, call.arguments) for call in self.step.calls]


def model_of(
    server: ModelServer,
    *,
    profile: ProviderProfile | None = None,
    sleeper: Sleeper | None = None,
    **options: Any,
) -> OpenAIModel:
    retry = RetryPolicy(sleep=sleeper or Sleeper())
    return OpenAIModel(
        Endpoint(server.base_url, "scripted", "sk-test"),
        SystemClock(),
        profile=profile or PRESETS["auto"],
        retry=retry,
        **options,
    )


async def collect(
    model: OpenAIModel, request: ModelRequest = ASK, *, deadline: float | None = None
) -> tuple[AssistantStep, str, int]:
    shown, resets, steps = "", 0, []
    async with aclosing(model.stream(request, deadline=deadline)) as events:
        async for event in events:
            match event:
                case TextDelta():
                    shown += event.text
                case TextReset():
                    shown, resets = "", resets + 1
                case StepDone():
                    steps.append(event.step)
    assert len(steps) == 1
    return steps[0], shown, resets


async def ask(
    script: Sequence[Answer],
    request: ModelRequest = ASK,
    *,
    profile: ProviderProfile | None = None,
    **options: Any,
) -> Asked:
    sleeper = Sleeper()
    async with ModelServer(script) as server:
        model = model_of(server, profile=profile, sleeper=sleeper, **options)
        try:
            step, shown, resets = await collect(model, request)
        finally:
            await model.close()
        return Asked(step, shown, resets, server.requests, sleeper.waits, model.profile)
