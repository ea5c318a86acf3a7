"""Once means once: a key stands for one request and one answer."""

import threading

import pytest

from services.kit import outbox
from services.kit.context import system_principal
from services.kit.db import Database
from services.kit.errors import Refusal
from services.kit.idempotency import once
from services.kit.ids import RandomIds
from services.kit.work import Runtime

ME = system_principal("t_a")
KEY = "k" * 20


@pytest.fixture
def bare(database_url, clock, settings):
    database = Database(database_url)
    yield Runtime(database, clock, RandomIds(clock), settings)
    database.close()


def perform(runtime, key=KEY, body=None, principal=ME, effect="e"):
    def act(ctx):
        def effect_once():
            outbox.put(ctx, "k", effect, {}, dedupe=ctx.ids.new("x"))
            return 200, {"done": effect}

        return once(ctx, "POST /x", key, body or {"a": "1"}, effect_once)

    return runtime.write(principal, act)


def effects(runtime, principal=ME):
    return len(runtime.read(principal, outbox.due))


@pytest.mark.fault("F102")
def test_a_repeat_gets_the_stored_answer_and_no_second_effect(bare):
    first, second = perform(bare), perform(bare)
    assert (first.replayed, second.replayed) == (False, True)
    assert (second.status, second.body) == (200, {"done": "e"})
    assert effects(bare) == 1


def test_another_body_under_the_same_key_is_refused(bare):
    perform(bare)
    with pytest.raises(Refusal, match="IDEMPOTENCY_KEY_REUSED"):
        perform(bare, body={"a": "2"})


def test_keys_of_two_users_do_not_meet(bare):
    other = system_principal("t_b")
    perform(bare)
    assert perform(bare, principal=other, body={"b": "1"}).replayed is False
    assert effects(bare, other) == 1


@pytest.mark.parametrize("key", ["short", "x" * 65, "white space in the key", "ключключключключ"])
def test_malformed_keys_are_refused(bare, key):
    with pytest.raises(Refusal, match="IDEMPOTENCY_KEY_INVALID"):
        perform(bare, key=key)


def test_sixteen_at_once_have_one_effect(bare):
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(perform(bare))) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 16
    assert sum(not answer.replayed for answer in answers) == 1
    assert effects(bare) == 1


def test_a_failed_effect_frees_the_key(bare):
    def broken(ctx):
        return once(ctx, "POST /x", KEY, {"a": "1"}, lambda: 1 / 0)

    with pytest.raises(ZeroDivisionError):
        bare.write(ME, broken)
    assert perform(bare).replayed is False
