"""What a run tells is stored in order, in few transactions, and a fault is never swallowed."""

import asyncio

import pytest

from agent.events import StepStarted
from agent.run_state import RunState
from services.kit.errors import Refusal, refuse


class Stored(RunState):
    """A run state whose store is slow, or fails, as a test says."""

    def __init__(self, fault=None):
        self._told, self._telling, self.batches, self.fault = [], None, [], fault

    async def _append(self, batch):
        await asyncio.sleep(0.01)
        if self.fault:
            raise self.fault
        self.batches.append([event.step for event in batch])


async def test_what_is_told_while_a_store_is_under_way_goes_together_and_in_order():
    state = Stored()
    for number in range(5):
        state.tell([StepStarted(step=number)])
        await asyncio.sleep(0)
    await state.settle()
    assert state.batches == [[0], [1, 2, 3, 4]]


async def test_taken_events_are_stored_by_the_taker_alone_and_behind_the_others():
    state = Stored()
    state.tell([StepStarted(step=0)])
    await asyncio.sleep(0)
    state.tell([StepStarted(step=1)])
    assert [event.step for event in await state.take_told()] == [1]
    await state.settle()
    assert state.batches == [[0]]


async def test_a_fault_of_the_store_is_raised_by_the_next_settle_and_not_lost():
    state = Stored(refuse("DATABASE_BUSY"))
    state.tell([StepStarted(step=0)])
    await asyncio.sleep(0.05)
    state.tell([StepStarted(step=1)])
    with pytest.raises(Refusal):
        await state.settle()
    await state.come_to_rest()
    assert state.batches == []


async def test_coming_to_rest_waits_for_what_was_told():
    state = Stored()
    state.tell([StepStarted(step=0)])
    state.tell([StepStarted(step=1)])
    await state.come_to_rest()
    assert [step for batch in state.batches for step in batch] == [0, 1]
