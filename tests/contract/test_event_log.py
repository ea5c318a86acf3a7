"""The event log's contract, which is Kafka's: one suite for every adapter of the port."""

import asyncio
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kit.bus.log import MemoryLog
from services.kit.bus.port import EventLog
from services.kit.errors import InvariantBroken

SOON = 0.01


@pytest.fixture(params=["memory"])
def log(request) -> EventLog:
    return {"memory": MemoryLog}[request.param]()


async def drained(consumer, *, commit=True):
    """Everything there is to read now."""
    found = []
    while page := await consumer.poll(100, SOON):
        found += page
        if commit:
            consumer.commit(page)
    return found


def values(records):
    return [record.value for record in records]


async def test_records_of_one_key_keep_their_order_and_offsets_have_no_gap(log):
    async with log.consume("market", "hub") as reader:
        for at in range(50):
            log.publish("market", "AAPL", b"%d" % at)
            log.publish("market", "MSFT", b"%d" % at)
        found = await drained(reader)
    for key in ("AAPL", "MSFT"):
        mine = [record for record in found if record.key == key]
        assert values(mine) == [b"%d" % at for at in range(50)]
        assert len({record.partition for record in mine}) == 1
    by_partition = {}
    for record in found:
        by_partition.setdefault(record.partition, []).append(record.offset)
    assert all(offsets == list(range(len(offsets))) for offsets in by_partition.values())


async def test_each_group_reads_everything_and_a_group_reads_each_record_once(log):
    async with (
        log.consume("market", "hub") as hub,
        log.consume("market", "alerts") as first,
        log.consume("market", "alerts") as second,
    ):
        for at in range(64):
            log.publish("market", f"S{at}", b"x")
        alone = await drained(hub)
        shared = [await drained(first), await drained(second)]
    assert len(alone) == 64
    assert all(shared)
    assert sorted(one.key for part in shared for one in part) == sorted(one.key for one in alone)


async def test_what_was_not_committed_comes_again_to_the_next_member(log):
    async with log.consume("market", "alerts") as reader:
        for at in range(6):
            log.publish("market", "AAPL", b"%d" % at)
        read = await drained(reader, commit=False)
        reader.commit(read[:4])
    async with log.consume("market", "alerts") as again:
        assert values(await drained(again)) == [b"4", b"5"]


async def test_a_member_that_leaves_gives_its_uncommitted_records_to_those_that_stay(log):
    async with log.consume("market", "alerts") as stays:
        async with log.consume("market", "alerts") as leaves:
            for at in range(64):
                log.publish("market", f"S{at}", b"x")
            lost = {one.key for one in await drained(leaves, commit=False)}
            kept = {one.key for one in await drained(stays)}
        assert lost
        assert {one.key for one in await drained(stays)} == lost
        assert not lost & kept


async def test_a_group_reads_again_from_an_offset(log):
    async with log.consume("market", "replay") as reader:
        placed = [log.publish("market", "AAPL", b"%d" % at) for at in range(5)]
        await drained(reader)
        reader.seek(placed[0].partition, placed[2].offset)
        assert values(await drained(reader)) == [b"2", b"3", b"4"]


async def test_an_early_start_reads_what_is_kept_and_a_late_one_only_what_comes(log):
    log.publish("market", "AAPL", b"old")
    async with (
        log.consume("market", "early", start="earliest") as early,
        log.consume("market", "late") as late,
    ):
        log.publish("market", "AAPL", b"new")
        assert values(await drained(early)) == [b"old", b"new"]
        assert values(await drained(late)) == [b"new"]


async def test_topics_do_not_mix_and_the_trace_travels_with_the_record(log):
    trace = f"00-{'a' * 32}-{'b' * 16}-01"
    async with log.consume("market", "hub") as reader:
        log.publish("other", "AAPL", b"no")
        log.publish("market", "AAPL", b"yes", traceparent=trace)
        [found] = await drained(reader)
    assert (found.value, found.traceparent) == (b"yes", trace)


async def test_a_waiting_reader_is_woken_from_another_thread(log):
    async with log.consume("market", "hub") as reader:
        waiting = asyncio.create_task(reader.poll(10, 5.0))
        await asyncio.sleep(SOON)
        thread = threading.Thread(target=log.publish, args=("market", "AAPL", b"now"))
        thread.start()
        assert values(await asyncio.wait_for(waiting, 15)) == [b"now"]
        thread.join()


async def test_publishing_from_many_threads_loses_nothing_and_repeats_nothing(log):
    def publish(name):
        for at in range(200):
            log.publish("market", f"{name}{at % 7}", b"%s:%d" % (name.encode(), at))

    async with log.consume("market", "hub") as reader:
        threads = [threading.Thread(target=publish, args=(name,)) for name in "ABCD"]
        for thread in threads:
            thread.start()
        found = []
        while len(found) < 800:
            page = await reader.poll(100, 1.0)
            assert page, "records were lost"
            found += page
            reader.commit(page)
        for thread in threads:
            thread.join()
    assert sorted(values(found)) == sorted(
        b"%s:%d" % (name.encode(), at) for name in "ABCD" for at in range(200)
    )


async def test_the_retention_is_bounded_and_says_what_a_reader_lost():
    small = MemoryLog(partitions=1, kept_max=10)
    async with small.consume("market", "hub") as reader:
        for at in range(25):
            small.publish("market", "AAPL", b"%d" % at)
        assert values(await drained(reader)) == [b"%d" % at for at in range(15, 25)]
        assert reader.lost == 15


async def test_a_member_seeks_only_in_its_own_partitions():
    small = MemoryLog(partitions=1)
    async with small.consume("market", "hub"), small.consume("market", "hub") as idle:
        with pytest.raises(InvariantBroken):
            idle.seek(0, 0)


@given(keys=st.lists(st.sampled_from("ABCDEFGH"), max_size=60), cut=st.integers(0, 60))
async def test_at_least_once_holds_for_any_commit_place(keys, cut):
    log = MemoryLog(partitions=3)
    async with log.consume("market", "g") as reader:
        for at, key in enumerate(keys):
            log.publish("market", key, b"%d" % at)
        read = await reader.poll(cut, 0) if cut else []
        reader.commit(read)
    async with log.consume("market", "g") as again:
        rest = list(await again.poll(100, 0))
    assert sorted(values([*read, *rest])) == sorted(b"%d" % at for at in range(len(keys)))
