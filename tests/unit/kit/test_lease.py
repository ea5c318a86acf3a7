"""A lease has one holder; who stops renewing loses it, and only then."""

import threading

import pytest

from services.kit import lease
from services.kit.context import system_principal
from services.kit.db import Database
from services.kit.ids import RandomIds
from services.kit.work import Runtime

ME = system_principal("t_a")
NAME, TTL_S = "stream", 30


@pytest.fixture
def bare(database_url, clock, settings):
    database = Database(database_url)
    yield Runtime(database, clock, RandomIds(clock), settings)
    database.close()


def take(runtime, holder, principal=ME):
    return runtime.write(principal, lambda ctx: lease.take(ctx, NAME, holder, TTL_S))


def holder_of(runtime, principal=ME):
    return runtime.read(principal, lambda ctx: lease.find_holder(ctx, NAME))


def test_the_second_who_asks_is_told_no(bare):
    assert take(bare, "one") is True
    assert take(bare, "two") is False
    assert holder_of(bare) == "one"


def test_a_holder_that_renews_keeps_the_lease_past_its_first_term(bare, clock):
    take(bare, "one")
    for _ in range(3):
        clock.advance(seconds=TTL_S - 1)
        assert take(bare, "one") is True
    assert take(bare, "two") is False


def test_a_lease_is_free_at_its_end_and_not_a_microsecond_before(bare, clock):
    take(bare, "one")
    clock.advance(seconds=TTL_S, microseconds=-1)
    assert take(bare, "two") is False
    clock.advance(microseconds=1)
    assert holder_of(bare) is None
    assert take(bare, "two") is True
    assert take(bare, "one") is False


def test_a_released_lease_is_free_at_once(bare):
    take(bare, "one")
    bare.write(ME, lambda ctx: lease.release(ctx, NAME, "one"))
    assert holder_of(bare) is None
    assert take(bare, "two") is True


def test_nobody_releases_the_lease_of_another(bare):
    take(bare, "one")
    bare.write(ME, lambda ctx: lease.release(ctx, NAME, "two"))
    assert holder_of(bare) == "one"


def test_tenants_do_not_share_leases(bare):
    assert take(bare, "one") is True
    assert take(bare, "two", system_principal("t_b")) is True


def test_of_many_who_ask_at_once_exactly_one_leads(bare):
    won, gate = [], threading.Barrier(6)

    def ask(holder):
        gate.wait()
        if take(bare, holder):
            won.append(holder)

    threads = [threading.Thread(target=ask, args=(f"h{at}",)) for at in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert won == [holder_of(bare)]
