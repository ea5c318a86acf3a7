"""The same bars make the same events: by stream, poller, both, restarts and one late replay."""

from dataclasses import replace
from decimal import Decimal as D  # noqa: N817 - tables of numbers read better short

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.alerts import book, store
from services.alerts.fold import fold
from services.kit.money import decimal_text
from services.kit.work import Runtime
from tests.unit.alerts.conftest import MINUTE, OPEN, AlertDesk, bar

TERMS = (
    {"level": "100", "repeat": True},
    {"level": "100.2", "repeat": True, "basis": "close"},
    {"level": "99.8", "kind": "price_below", "repeat": True},
    {"level": "99.9", "kind": "price_below", "mode": "level"},
    {"level": "100.1", "threshold_pct": D("0.1")},
    {"level": "-0.1", "kind": "vwap_cross", "repeat": True},
    {"level": "100.3", "expires_at": OPEN + 20 * MINUTE},
)


@st.composite
def markets(draw):
    """Minutes of a price that wanders about 100; some minutes have no trade and no bar."""
    bars, last = [], 10000
    for at in range(3, draw(st.integers(5, 45))):
        if draw(st.integers(0, 9)) == 0:
            continue
        o = last + draw(st.integers(-4, 4))
        c = o + draw(st.integers(-15, 15))
        h = max(o, c) + draw(st.integers(0, 10))
        l = min(o, c) - draw(st.integers(0, 10))  # noqa: E741
        bars.append(bar(at, *(D(one) / 100 for one in (o, h, l, c)), draw(st.integers(0, 500))))
        last = c
    return bars


def begun(desk):
    """Begin anew: three minutes of history, and an alert of each kind."""
    desk.feed.lists.clear()
    desk.feed.time = OPEN
    desk.feed.put(*[bar(at, 100, 100.05, 99.95, 100, 100) for at in range(3)])
    desk.feed.quotes["AAPL"] = replace(desk.feed.quotes["AAPL"], ts=desk.feed.time)
    plan_id = desk.store_plan()
    return [desk.set(**terms).alert for terms in TERMS] + [
        desk.watch_plan(plan_id).alert,
        desk.watch_plan(plan_id, moments=("stop",), repeat=False).alert,
    ]


def ended(desk, made):
    """Return the events and the end of every alert, and leave nothing behind."""
    found = []
    for one in made:
        now = desk.alert(one.id)
        end = (now.state, now.triggers, now.last_event_at, now.first_triggered_at, now.suppressed)
        found.append((desk.events(one.id), end))
        desk.do(lambda ctx, one=one: book.delete_alert(ctx, one.id))
    return found


def expected(made, bars):
    found = []
    for one in made:
        done = fold(one, bars)
        after = done.after
        told = [
            (int((step.bar.t_close - OPEN) / MINUTE), decimal_text(step.event.price),
             step.event.gap)
            for step in done.steps if step.event
        ]  # fmt: skip
        end = (after.state, after.triggers, after.last_event_at, after.first_triggered_at,
               after.suppressed)  # fmt: skip
        found.append((told, end))
    return found


def by_one_replay(desk, bars, cuts):
    desk.feed.put(*bars)
    desk.poll()
    return desk


def by_poller(desk, bars, cuts):
    for low, high in cuts:
        desk.feed.put(*bars[low:high])
        desk.poll()
    return desk


def by_stream(desk, bars, cuts):
    for low, high in cuts:
        desk.feed.put(*bars[low:high])
        desk.stream(*bars[max(0, low - 2) : high])
    return desk


def by_all(desk, bars, cuts):
    """Stream, poller and a process that begins again, in turns; some batches reach nobody."""
    for turn, (low, high) in enumerate(cuts):
        desk.feed.put(*bars[low:high])
        if turn % 4 == 0:
            desk.stream(*bars[low:high])
        elif turn % 4 == 1:
            old = desk.runtime
            fresh = Runtime(old.database, old.clock, old.ids, old.settings, ports=old.ports)
            desk = AlertDesk(fresh, desk.owner, desk.feed)
            desk.poll()
            old.threads.shutdown(wait=False)
        elif turn % 4 == 2:
            desk.stream(*bars[low:high][-1:])
            desk.poll()
    desk.poll()
    return desk


@pytest.mark.fault("F027")
@settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))
@given(bars=markets(), sizes=st.lists(st.integers(1, 7), min_size=45, max_size=45))
def test_stream_poller_restart_and_late_replay_tell_the_same(any_desk, bars, sizes):
    if not bars:
        return
    cuts, low = [], 0
    for size in sizes:
        if low < len(bars):
            cuts.append((low, min(len(bars), low + size)))
            low += size
    desk = AlertDesk(any_desk.runtime, any_desk.owner, any_desk.feed)
    wanted = expected(begun(desk), bars)
    for one in desk.do(store.list_alerts):
        desk.do(lambda ctx, one=one: book.delete_alert(ctx, one.id))
    for path in (by_one_replay, by_poller, by_stream, by_all):
        made = begun(desk)
        desk = path(desk, bars, cuts)
        assert ended(desk, made) == wanted, path.__name__


def test_the_paths_are_compared_on_markets_that_do_fire(desk):
    bars = [bar(at, 100, 100.5 if at % 8 < 4 else 100.1, 99.5, 100 + (at % 4) / 5 - 0.3, 100)
            for at in range(3, 40)]  # fmt: skip
    told = expected(begun(desk), bars)
    assert all(events for events, _ in told), told
