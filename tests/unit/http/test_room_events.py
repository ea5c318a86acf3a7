"""Readers of stored events: each gets what the log holds, whenever it comes and however slow."""

import asyncio
import io
import random
import re
import shutil
from contextlib import aclosing

import pytest

from agent.events import StateSnapshot, TextPart
from agent.log import Cursor, append_many, begin_epoch, replay
from app.http.room_events import PAGES_MAX, EventReader, EventRooms, Page
from app.wiring import build
from services.identity.user import LOCAL_TENANT
from services.kit.context import system_principal
from services.kit.environment import load_settings

WHO = system_principal(LOCAL_TENANT)
STREAM = "conv_1"
_ID = re.compile(rb"^id: (\d+)\.(\d+)$", re.MULTILINE)


@pytest.fixture
def product(migrated_file, tmp_path):
    shutil.copyfile(migrated_file, tmp_path / "cornerman.db")
    made = build(load_settings({"CORNERMAN_HOME": str(tmp_path)}), log_stream=io.StringIO())
    yield made
    made.close()


async def add(product, count):
    parts = [TextPart(message_id="m", text=str(at)) for at in range(count)]
    await product.runtime.write_async(WHO, lambda ctx: append_many(ctx, STREAM, parts))


def stored(product):
    """The plain definition: what the log itself gives from the beginning."""
    found = product.runtime.read(WHO, lambda ctx: replay(ctx, STREAM, Cursor(1, 0), limit=10_000))
    return [(one.epoch, one.seq) for one in found]


async def collect(rooms, after, into, *, pause_s=0.0, life_s=60.0):
    source = rooms.follow(
        WHO, STREAM, after=after, snapshot=lambda _: StateSnapshot(), life_s=life_s
    )
    async with aclosing(source) as frames:
        async for one in frames:
            into += [(int(epoch), int(seq)) for epoch, seq in _ID.findall(one)]
            if pause_s:
                await asyncio.sleep(pause_s)


async def until(fits):
    for _ in range(3000):
        if fits():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not come to be")


@pytest.mark.parametrize("seed", range(6))
async def test_every_reader_gets_what_the_log_holds_behind_its_place_once(product, seed):
    draw, rooms = random.Random(seed), EventRooms(product, asyncio.Event())
    tasks, readers = [], []
    await add(product, 3)
    for _ in range(25):
        if draw.random() < 0.4:
            seen = len(stored(product))
            after = draw.choice([Cursor(1, 0), Cursor(1, draw.randint(0, seen))])
            got = []
            readers.append((after, got))
            tasks.append(asyncio.create_task(
                collect(rooms, after, got, pause_s=draw.choice([0.0, 0.0, 0.02]))
            ))  # fmt: skip
        await add(product, draw.randint(1, 4))
        if draw.random() < 0.5:
            await asyncio.sleep(draw.random() / 50)
        if tasks and draw.random() < 0.1:
            tasks.pop().cancel()
            readers.pop()
    due = stored(product)
    await until(lambda: all(got[-1:] == due[-1:] or not due[after.seq :] for after, got in readers))
    for after, got in readers:
        assert got == due[after.seq :]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert not rooms._rooms, "the last reader closes the room"


async def test_a_reader_without_a_place_begins_at_the_head(product):
    rooms, got = EventRooms(product, asyncio.Event()), []
    await add(product, 2)
    task = asyncio.create_task(collect(rooms, None, got))
    await until(lambda: any(room.ready.is_set() for room in rooms._rooms.values()))
    await asyncio.sleep(0.2)
    await add(product, 2)
    await until(lambda: len(got) == 2)
    assert got == [(1, 3), (1, 4)]
    task.cancel()


async def test_a_place_that_is_gone_gets_a_resync_and_the_state_behind_it(product):
    rooms, got = EventRooms(product, asyncio.Event()), []
    await add(product, 2)
    task = asyncio.create_task(collect(rooms, Cursor(1, 1), got))
    await until(lambda: got == [(1, 2)])
    await product.runtime.write_async(WHO, lambda ctx: begin_epoch(ctx, STREAM))
    await add(product, 1)
    await until(lambda: len(got) == 3)
    assert got[1:] == [(2, 1), (2, 1)]
    await add(product, 1)
    await until(lambda: got[-1] == (2, 2))
    task.cancel()


async def test_the_close_of_the_server_and_the_end_of_its_life_end_a_reader(product):
    closing = asyncio.Event()
    rooms = EventRooms(product, closing)
    async with asyncio.timeout(20):
        await collect(rooms, None, [], life_s=0.05)
        waiting = asyncio.create_task(collect(rooms, None, []))
        await asyncio.sleep(0.05)
        closing.set()
        await waiting
        await collect(rooms, None, [])


async def test_a_reader_that_is_too_slow_keeps_few_pages_and_reads_for_itself():
    reader = EventReader()
    for at in range(PAGES_MAX * 3):
        reader.offer(Page(Cursor(1, at), Cursor(1, at + 1), b""))
        assert reader._pages.qsize() <= PAGES_MAX
    assert await reader.following(Cursor(1, 0)) is None
    reader.begin()
    reader.offer(Page(Cursor(1, 7), Cursor(1, 8), b"known"))
    reader.offer(Page(Cursor(1, 8), Cursor(1, 9), b"next"))
    page = await reader.following(Cursor(1, 8))
    assert (page.frames, page.after) == (b"next", Cursor(1, 9))
