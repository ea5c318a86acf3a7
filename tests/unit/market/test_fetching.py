"""Asking the network between units of work: nothing is held open, nothing happens twice."""

import pytest

from services import journal
from services.kit.errors import InvariantBroken, Refusal, refuse
from services.market.fetching import Fetched, FetchingRuntime, read_ahead


@pytest.fixture
def fetching(runtime):
    return FetchingRuntime(
        runtime.database, runtime.clock, runtime.ids, runtime.settings, ports=runtime.ports
    )


class Network:
    """An answer that counts how often it was asked for, and advances the clock meanwhile."""

    def __init__(self, clock, database=None, refusal=None):
        self.clock = clock
        self.database = database
        self.refusal = refusal
        self.asked = 0

    def __call__(self):
        self.asked += 1
        self.clock.advance(seconds=3)
        if self.database is not None:
            with self.database.write("t_owner"):
                pass
        if self.refusal is not None:
            raise self.refusal
        return self.asked


def test_no_transaction_is_open_while_the_network_is_asked(fetching, owner):
    network = Network(fetching.clock, fetching.database)
    fetched = Fetched(fetching.clock)
    assert fetching.write(owner, lambda ctx: fetched.get("k", 1, network)) == 1


def test_what_a_unit_wrote_before_it_asked_happens_once(fetching, owner):
    fetched, network = Fetched(fetching.clock), Network(fetching.clock)
    runs = []

    def act(ctx):
        runs.append(ctx.now)
        journal.add(ctx, "a note of mine")
        return fetched.get("k", 1, network)

    fetching.write(owner, act)
    assert len(fetching.read(owner, journal.list_entries)) == 1
    assert len(runs) == 2
    assert runs[0] == runs[1]


def test_several_answers_stay_good_for_the_whole_unit_however_long_it_takes(fetching, owner):
    fetched, network = Fetched(fetching.clock), Network(fetching.clock)
    keys = range(20)
    assert len(fetching.read(owner, lambda ctx: [fetched.get(k, 1, network) for k in keys])) == 20
    assert network.asked == 20


def test_the_next_unit_asks_again_when_the_answer_is_old(fetching, owner):
    fetched, network = Fetched(fetching.clock), Network(fetching.clock)
    assert fetching.read(owner, lambda ctx: fetched.get("k", 1, network)) == 1
    fetching.clock.advance(seconds=2)
    assert fetching.read(owner, lambda ctx: fetched.get("k", 1, network)) == 2
    assert fetching.read(owner, lambda ctx: fetched.get("k", 1, network)) == 2


def test_a_refusal_is_kept_and_raised_inside_the_unit(fetching, owner):
    fetched = Fetched(fetching.clock)
    network = Network(fetching.clock, refusal=refuse("PROVIDER_UNAVAILABLE", provider="X"))

    def act(ctx):
        with pytest.raises(Refusal):
            fetched.get("k", 1, network)
        return "handled"

    assert fetching.read(owner, act) == "handled"
    assert fetching.read(owner, act) == "handled"
    assert network.asked == 1


def test_a_unit_that_never_has_enough_is_a_defect(fetching, owner):
    fetched, network = Fetched(fetching.clock), Network(fetching.clock)
    with pytest.raises(InvariantBroken):
        fetching.read(owner, lambda ctx: [fetched.get(k, 1, network) for k in range(200)])


def test_outside_such_a_runtime_the_answer_is_asked_at_once(runtime, owner):
    fetched, network = Fetched(runtime.clock), Network(runtime.clock)
    assert runtime.read(owner, lambda ctx: fetched.get("k", 1, network)) == 1


def test_only_the_newest_answers_are_kept(runtime):
    fetched, network = Fetched(runtime.clock, size_max=2), Network(runtime.clock)
    for key in ("a", "b", "c"):
        fetched.get(key, 100, network)
    assert fetched.get("b", 100, network) == 2
    assert fetched.get("a", 100, network) == 4


def test_a_writing_unit_has_read_before_it_and_begins_again(fetching, owner):
    seen, begun = [], []

    def read(ctx):
        with fetching.database.write("t_owner"):
            seen.append((ctx.db.writing, ctx.now))
        return len(journal.list_entries(ctx))

    def act(ctx):
        begun.append(ctx.now)
        journal.add(ctx, "a note of mine")
        return read_ahead(ctx, "notes", read), read_ahead(ctx, "notes", read)

    assert fetching.write(owner, act) == (0, 0)
    assert seen == [(False, begun[0])]
    assert begun == [begun[0]] * 2
    assert len(fetching.read(owner, journal.list_entries)) == 1
    assert fetching.write(owner, act) == (1, 1)


def test_a_reading_unit_and_a_plain_runtime_read_at_once(fetching, runtime, owner):
    def read(ctx):
        return ctx.db.writing

    assert fetching.read(owner, lambda ctx: read_ahead(ctx, "k", read)) is False
    assert runtime.write(owner, lambda ctx: read_ahead(ctx, "k", read)) is True


def test_what_is_read_ahead_may_ask_the_network(fetching, owner):
    fetched, network = Fetched(fetching.clock), Network(fetching.clock, fetching.database)
    runs = []

    def read(ctx):
        runs.append(ctx.db.writing)
        return fetched.get("k", 1, network)

    assert fetching.write(owner, lambda ctx: read_ahead(ctx, "read", read)) == 1
    assert (network.asked, runs) == (1, [False, False])


def test_a_refusal_and_what_was_left_to_do_come_from_the_reading_to_the_unit(fetching, owner):
    def later(ctx):
        journal.add(ctx, "found while reading")

    def read(ctx):
        ctx.afterwards.append(later)
        raise refuse("PROVIDER_UNAVAILABLE", provider="X")

    def act(ctx):
        journal.add(ctx, "rolled back")
        read_ahead(ctx, "k", read)

    with pytest.raises(Refusal) as caught:
        fetching.write(owner, act)
    assert caught.value.code == "PROVIDER_UNAVAILABLE"
    [entry] = fetching.read(owner, journal.list_entries)
    assert entry.text == "found while reading"


def test_what_is_read_ahead_without_end_stops_as_a_bug(fetching, owner):
    counted = iter(range(1000))

    def act(ctx):
        return read_ahead(ctx, next(counted), lambda _: None) or act(ctx)

    with pytest.raises(InvariantBroken):
        fetching.write(owner, act)
