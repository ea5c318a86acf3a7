"""Watchlists: named, ordered, bounded, audited, known to the feed, and a ground for orders."""

import json

import pytest
from sqlalchemy import select

from agent.toolbox import Turn
from app.look import look
from services import audit, watchlist
from services.kit.context import Principal
from services.kit.errors import Refusal
from services.market import replay


@pytest.fixture
def act(runtime, owner):
    runtime.write(owner, replay.resume_at_boot)
    return lambda step: runtime.write(owner, step)


def refused(act, step):
    with pytest.raises(Refusal) as caught:
        act(step)
    return caught.value


def test_there_is_no_list_before_a_person_saves_one(act):
    assert act(watchlist.list_watchlists) == []
    assert act(watchlist.symbols_watched) == frozenset()


def test_a_list_keeps_its_order_and_each_symbol_once(act):
    made = act(lambda ctx: watchlist.save(ctx, " Tech ", ["msft", "AAPL", "$aapl"]))
    assert (made.name, made.symbols) == ("Tech", ("MSFT", "AAPL"))
    assert act(lambda ctx: watchlist.get_watchlist(ctx, made.id)) == made
    assert act(watchlist.symbols_watched) == {"AAPL", "MSFT"}


def test_a_change_replaces_what_is_given_and_leaves_the_rest(act, clock):
    made = act(lambda ctx: watchlist.save(ctx, "Tech", ["AAPL"]))
    clock.advance(seconds=5)
    moved = act(lambda ctx: watchlist.change(ctx, made.id, symbols=["IBM", "AAPL"]))
    assert (moved.name, moved.symbols, moved.created_at) == (
        "Tech",
        ("IBM", "AAPL"),
        made.created_at,
    )
    assert moved.changed_at > made.changed_at
    named = act(lambda ctx: watchlist.change(ctx, made.id, name="TECH"))
    assert (named.name, named.symbols) == ("TECH", ("IBM", "AAPL"))
    assert act(lambda ctx: watchlist.change(ctx, made.id, name="TECH")) == named


def test_a_deleted_list_is_gone(act):
    made = act(lambda ctx: watchlist.save(ctx, "Tech"))
    act(lambda ctx: watchlist.remove(ctx, made.id))
    assert act(watchlist.list_watchlists) == []
    assert refused(act, lambda ctx: watchlist.remove(ctx, made.id)).code == "WATCHLIST_UNKNOWN"


def test_names_differ_without_capitals(act):
    one = act(lambda ctx: watchlist.save(ctx, "Tech"))
    other = act(lambda ctx: watchlist.save(ctx, "Banks"))
    again = refused(act, lambda ctx: watchlist.save(ctx, "tECH"))
    renamed = refused(act, lambda ctx: watchlist.change(ctx, other.id, name="TECH"))
    assert {again.code, renamed.code} == {"WATCHLIST_EXISTS"}
    assert act(watchlist.list_watchlists) == [one, other]


def test_an_unknown_symbol_is_refused_with_three_nearest_names_and_saves_nothing(act):
    refusal = refused(act, lambda ctx: watchlist.save(ctx, "Tech", ["AAPL", "APPL"]))
    assert refusal.code == "SYMBOL_UNKNOWN"
    assert "AAPL" in refusal.facts["nearest"]
    assert len(refusal.facts["nearest"]) == 3
    assert act(watchlist.list_watchlists) == []


@pytest.mark.parametrize(
    "symbol", ["A\x00", "x" * 300, "../etc", "'; DROP TABLE watchlists", "", "\u0410APL", "A/B"]
)
def test_text_that_is_no_symbol_is_refused(act, symbol):
    assert refused(act, lambda ctx: watchlist.save(ctx, "Tech", [symbol])).code == "PARAM_INVALID"


@pytest.mark.parametrize("name", ["", "  ", "x" * 41, "a\u202eb", "a\nb"])
def test_a_name_is_one_plain_short_line(act, name):
    assert refused(act, lambda ctx: watchlist.save(ctx, name)).code == "PARAM_INVALID"


def test_lists_and_symbols_have_a_bound(act):
    for number in range(watchlist.LISTS_MAX):
        act(lambda ctx, number=number: watchlist.save(ctx, f"List {number}"))
    over = refused(act, lambda ctx: watchlist.save(ctx, "One more"))
    assert (over.code, over.facts["limit"]) == ("WATCHLIST_LIMIT", 20)
    first = act(watchlist.list_watchlists)[0].id
    many = refused(act, lambda ctx: watchlist.change(ctx, first, symbols=["AAPL"] * 51))
    assert (many.code, many.facts["limit"]) == ("WATCHLIST_LIMIT", 50)


def test_every_change_is_in_the_audit_chain(act):
    made = act(lambda ctx: watchlist.save(ctx, "Tech", ["AAPL"]))
    act(lambda ctx: watchlist.change(ctx, made.id, symbols=["IBM"]))
    act(lambda ctx: watchlist.remove(ctx, made.id))
    rows = act(
        lambda ctx: ctx.db.rows(select(audit.audit_events).order_by(audit.audit_events.c.seq))
    )
    mine = [row for row in rows if row.subject == made.id]
    assert [row.kind for row in mine] == [
        "watchlist.saved",
        "watchlist.changed",
        "watchlist.deleted",
    ]
    assert json.loads(mine[1].payload)["facts"]["symbols"] == ["IBM"]


def test_a_list_is_seen_by_its_own_tenant_only(act, runtime):
    made = act(lambda ctx: watchlist.save(ctx, "Tech", ["AAPL"]))
    other = Principal(tenant_id="t_other", user_id="u_other")
    assert runtime.read(other, watchlist.list_watchlists) == []
    with pytest.raises(Refusal):
        runtime.read(other, lambda ctx: watchlist.get_watchlist(ctx, made.id))


def test_a_watched_symbol_is_a_ground_for_an_order_and_another_is_not(act):
    before = Turn("buy 5 of the one I follow").grounds(act(look))
    act(lambda ctx: watchlist.save(ctx, "Tech", ["IBM"]))
    after = Turn("buy 5 of the one I follow").grounds(act(look))
    assert (before.knows("IBM"), after.knows("IBM"), after.knows("MSFT")) == (False, True, False)
