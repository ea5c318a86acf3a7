"""Model calls are counted by how they ended, and the events come through unchanged."""

from __future__ import annotations

from contextlib import aclosing

import pytest

from agent.model.port import AssistantStep, Message, ModelRequest, StepDone, TextDelta, Usage
from app.metered import MeteredModel
from app.metrics import Metrics
from services.kit.errors import Refusal, refuse

ASKED = ModelRequest(messages=(Message("user", "hello"),))
DONE = StepDone(AssistantStep("hi", usage=Usage(prompt_tokens=7, completion_tokens=2)))
CUT = StepDone(AssistantStep("", complete=False))


class Script:
    """A model that says what it was given, then perhaps fails."""

    name, calls_tools = "script", True

    def __init__(self, *events, fault=None):
        self.events, self.fault, self.closed = events, fault, False

    async def stream(self, request, *, deadline=None):
        for event in self.events:
            yield event
        if self.fault is not None:
            raise self.fault

    async def close(self):
        self.closed = True


def counted(metrics, outcome):
    return metrics.model_calls.labels("script", outcome)._value.get()


@pytest.mark.parametrize(("event", "outcome"), [(DONE, "ok"), (CUT, "incomplete")])
async def test_a_whole_call_is_counted_with_its_tokens_and_passed_on(event, outcome):
    metrics = Metrics()
    model = MeteredModel(Script(TextDelta("h"), event), metrics)
    assert [one async for one in model.stream(ASKED)] == [TextDelta("h"), event]
    assert counted(metrics, outcome) == 1
    tokens = metrics.model_tokens.labels("script", "prompt")._value.get()
    assert tokens == (7 if event is DONE else 0)
    assert (model.name, model.calls_tools) == ("script", True)


async def test_a_refused_call_is_counted_by_its_code():
    metrics = Metrics()
    model = MeteredModel(Script(fault=refuse("MODEL_UNAVAILABLE")), metrics)
    with pytest.raises(Refusal):
        [one async for one in model.stream(ASKED)]
    assert counted(metrics, "MODEL_UNAVAILABLE") == 1


async def test_a_call_that_is_left_early_is_counted_as_abandoned():
    metrics = Metrics()
    model = MeteredModel(Script(TextDelta("h"), DONE), metrics)
    async with aclosing(model.stream(ASKED)) as events:
        await anext(events)
    assert counted(metrics, "abandoned") == 1


async def test_closing_reaches_the_model_that_holds_connections():
    inner = Script()
    await MeteredModel(inner, Metrics()).close()
    assert inner.closed
