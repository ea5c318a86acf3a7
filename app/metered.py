"""Owns the counting of model calls: a model that answers as the one inside and is measured."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Protocol, runtime_checkable

from agent.model.port import Model, ModelEvent, ModelRequest, StepDone, Usage
from app.metrics import Metrics
from app.telemetry import stopwatch
from services.kit.errors import Refusal


@runtime_checkable
class _Closes(Protocol):
    async def close(self) -> None: ...


class MeteredModel:
    """Passes everything on unchanged; counts calls by outcome, their time and their tokens."""

    def __init__(self, model: Model, metrics: Metrics) -> None:
        self._model = model
        self._metrics = metrics

    @property
    def name(self) -> str:
        """Return the inner model's name."""
        return self._model.name

    @property
    def calls_tools(self) -> bool:
        """Return whether the inner model chooses tools."""
        return self._model.calls_tools

    async def stream(
        self, request: ModelRequest, *, deadline: float | None = None
    ) -> AsyncIterator[ModelEvent]:
        """Answer as the inner model does; see the port."""
        started, outcome = stopwatch(), "abandoned"
        try:
            stream = self._model.stream(request, deadline=deadline)
            async with aclosing(stream) as events:  # type: ignore[type-var]
                async for event in events:
                    if isinstance(event, StepDone):
                        outcome = "ok" if event.step.complete else "incomplete"
                        self._count(event.step.usage)
                    yield event
        except Refusal as refusal:
            outcome = refusal.code
            raise
        finally:
            self._metrics.model_calls.labels(self.name, outcome).inc()
            self._metrics.model_s.labels(self.name).observe(stopwatch() - started)

    async def close(self) -> None:
        """Close the connections of a model that holds some; call it in the loop that used it."""
        if isinstance(self._model, _Closes):
            await self._model.close()

    def _count(self, usage: Usage) -> None:
        tokens = self._metrics.model_tokens
        tokens.labels(self.name, "prompt").inc(max(0, usage.prompt_tokens))
        tokens.labels(self.name, "completion").inc(max(0, usage.completion_tokens))
