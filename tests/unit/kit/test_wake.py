"""Who is to be woken is woken once, as soon as what was written can be read."""

import asyncio

import pytest

from services import audit, audit_anchor
from services.kit import outbox
from services.kit.bus.memory import MemoryBus
from services.kit.bus.port import Bus
from services.kit.context import system_principal
from services.kit.errors import Refusal, refuse
from services.kit.ids import CountedIds
from services.kit.work import Runtime

ME = system_principal("t_a")


class NotedBus(MemoryBus):
    """A bus that notes what was published, and whether the audit's head stood by then."""

    def __init__(self, home):
        super().__init__()
        self.home, self.said = home, []

    def publish(self, topic, key):
        head = audit_anchor.find_head(self.home, ME.tenant_id)
        self.said.append((topic, key, head is not None))
        super().publish(topic, key)


@pytest.fixture
def bus(settings):
    return NotedBus(settings.cornerman_home)


@pytest.fixture
def runtime(database, clock, settings, bus):
    return Runtime(database, clock, CountedIds(), settings, ports={Bus: bus})


def _note(ctx, *names):
    audit.record(ctx, "noted", "x")
    for name in names:
        outbox.put(ctx, "note", name, {}, dedupe=name)
    outbox.wake(ctx, "orders", "o")


def test_one_transaction_wakes_each_reader_once_before_it_writes_its_head(runtime, bus):
    runtime.write(ME, lambda ctx: _note(ctx, "a", "b", "c"))
    assert bus.said == [("outbox", "t_a", False), ("orders", "o", False)]
    assert audit_anchor.find_head(bus.home, ME.tenant_id).seq == 1


def test_what_rolls_back_wakes_nobody(runtime, bus):
    def act(ctx):
        _note(ctx, "a")
        raise refuse("KILL_SWITCH", reason="test")

    with pytest.raises(Refusal):
        runtime.write(ME, act)
    assert bus.said == []


async def _taken(line, count):
    return [await line.next(0.2) for _ in range(count)]


def test_a_key_that_waits_is_not_queued_again_and_one_that_was_taken_is():
    async def run():
        bus = MemoryBus()
        async with bus.subscribe("events") as line:
            for key in ("a", "b", "a", "a"):
                bus.publish("events", key)
            first = await _taken(line, 3)
            bus.publish("events", "a")
            return first, await _taken(line, 1)

    assert asyncio.run(run()) == (["a", "b", None], ["a"])


def test_a_full_queue_drops_a_wake_up_and_takes_the_key_again_later(monkeypatch):
    monkeypatch.setattr("services.kit.bus.memory._QUEUE_MAX", 1)

    async def run():
        bus = MemoryBus()
        async with bus.subscribe("events") as line:
            bus.publish("events", "a")
            bus.publish("events", "b")
            first = await _taken(line, 2)
            bus.publish("events", "b")
            return first, await _taken(line, 1)

    assert asyncio.run(run()) == (["a", None], ["b"])
