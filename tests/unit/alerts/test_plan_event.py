"""Alerts on a stored plan: its moments, each told once, and what a person may set and change."""

from dataclasses import replace
from decimal import Decimal as D  # noqa: N817 - tables of numbers read better short

import pytest

from services.alerts import book
from services.alerts.book import AlertChange
from services.alerts.plan_event import (
    MOMENTS,
    CloseRule,
    PlanTerms,
    read_terms,
    scaled,
    step_plan,
    terms_of,
    terms_text,
)
from services.kit.errors import Refusal
from tests.unit.alerts.conftest import MINUTE, OPEN, bar, plan_document

LONG = PlanTerms(
    plan_id="plan_0123456789abcdef", side="long", setup="orb", lo=D(100), hi=D("100.2"),
    stop=D(98), targets=(D(103), D(105)),
    rules=(CloseRule(rule="close_below", timeframe="5m", price=D(99)),
           CloseRule(rule="open_above", timeframe="1d", price=D(102))),
    opens_until=OPEN + 60 * MINUTE, time_stop=OPEN + 90 * MINUTE,
)  # fmt: skip
SHORT = replace(
    LONG, side="short", lo=D("99.8"), hi=D(100), stop=D(102), targets=(D(97), D(95)),
    rules=(CloseRule(rule="close_above", timeframe="5m", price=D(101)),),
)  # fmt: skip


def told(terms, *bars, memory=None):
    """The moments of some bars, and whether the plan is over."""
    memory, found = memory or {}, []
    for one in bars:
        step = step_plan(terms, memory, one, calendar="XNYS")
        memory = step.memory
        if step.moment:
            found.append((step.moment, step.price, step.gap))
        if step.over:
            return found, True
    return found, False


@pytest.mark.parametrize(
    ("terms", "bars", "events", "over"),
    [
        (LONG, [bar(1, 101, 101, 100.1, 100.5)], [("entry", D("100.2"), False)], False),
        (LONG, [bar(1, 99.5, 100.1, 99.4, 100)], [("entry", D(100), False)], False),
        (LONG, [bar(1, 100.1, 100.3, 100.1, 100.3)], [("entry", D("100.1"), False)], False),
        (LONG, [bar(1, 101, 101, 100.3, 100.5)], [], False),
        (LONG, [bar(1, 100.1, 100.2, 98, 99.5)], [("stop", D(98), False)], True),
        (LONG, [bar(1, 97.5, 97.6, 97, 97.2)], [("stop", D("97.5"), True)], True),
        (LONG, [bar(1, 101, 101, 100, 100.2), bar(2, 100.2, 103.1, 100, 103)],
         [("entry", D("100.2"), False), ("target", D(103), False)], False),
        (LONG, [bar(1, 101, 101, 100, 100.2), bar(2, 100.2, 106, 100, 103)],
         [("entry", D("100.2"), False), ("target", D(105), False)], True),
        (LONG, [bar(1, 101, 101, 100, 100.2), bar(2, 104, 104.5, 103.9, 104)],
         [("entry", D("100.2"), False), ("target", D(104), True)], False),
        (LONG, [bar(1, 101, 101, 100, 100.2), bar(2, 100, 106, 97, 103)],
         [("entry", D("100.2"), False), ("stop", D(98), False)], True),
        (LONG, [bar(3, 99, 99.1, 98.5, 98.8)], [], False),
        (LONG, [bar(4, 99, 99.1, 98.5, 98.8)], [("invalidation", D("98.8"), False)], True),
        (LONG, [bar(0, 102.5, 102.6, 102.4, 102.5)],
         [("invalidation", D("102.5"), False)], True),
        (LONG, [bar(1, 102.5, 102.6, 102.4, 102.5)], [], False),
        (LONG, [bar(60, 101, 101, 100, 100.2)], [], True),
        (LONG, [bar(1, 101, 101, 100, 100.2), bar(89, 100, 100.4, 99.9, 100.3)],
         [("entry", D("100.2"), False), ("time_stop", D("100.3"), False)], True),
        (SHORT, [bar(1, 99, 99.9, 99, 99.7), bar(2, 99, 99, 96.9, 97)],
         [("entry", D("99.8"), False), ("target", D(97), False)], False),
        (SHORT, [bar(1, 101, 102, 100.5, 101)], [("stop", D(102), False)], True),
        (SHORT, [bar(4, 101, 101.5, 100.5, 101.2)],
         [("invalidation", D("101.2"), False)], True),
    ],
)  # fmt: skip
def test_a_bar_means_at_most_one_moment(terms, bars, events, over):
    assert told(terms, *bars) == (events, over)


def test_a_gap_of_the_open_ends_no_trade_that_is_on():
    assert told(LONG, bar(0, 102.5, 102.6, 102.4, 102.5), memory={"phase": "entered"}) == (
        [], False,
    )  # fmt: skip


def test_terms_are_read_from_a_plan_and_kept_as_text():
    document = {**plan_document(), "plan_id": LONG.plan_id}
    terms = terms_of(document, ("stop", "entry"))
    assert read_terms(terms_text(terms)) == terms
    assert terms.moments == ("entry", "stop")
    assert terms_of(document, ()).moments == MOMENTS


def test_a_split_halves_every_price():
    half = scaled(LONG, D("0.5"))
    assert (half.lo, half.hi, half.stop, half.targets) == (
        D(50), D("50.1"), D(49), (D("51.5"), D("52.5")),
    )  # fmt: skip
    assert [one.price for one in half.rules] == [D("49.5"), D(51)]


def test_each_moment_is_told_once_with_its_words_and_a_next_step(desk):
    desk.feed.put(bar(0, 100.3, 100.35, 100.2, 100.3))
    made = desk.watch_plan(desk.store_plan())
    assert made.text == (
        "Alert each time when plan plan_0000000000000001 of AAPL reaches its entry zone, targets, "
        "stop, invalidation or time stop, until 2027-01-13 10:10 EST."
    )
    desk.feed.put(bar(1, 100.2, 100.2, 100.05, 100.1))
    assert desk.poll() == 1
    desk.feed.put(bar(2, 100.1, 100.35, 100.1, 100.3))
    assert desk.poll() == 1
    assert desk.stream(bar(2, 100.1, 100.35, 100.1, 100.3)) == 0
    desk.feed.put(bar(3, 100.3, 100.55, 100.2, 100.5))
    assert desk.stream(bar(3, 100.3, 100.55, 100.2, 100.5)) == 1
    assert desk.alert(made.alert.id).state == "done"
    found = desk.do(lambda ctx: book.store.list_triggers(ctx, made.alert.id))
    assert [(one.what, one.price) for one in found[::-1]] == [
        ("entry", D("100.1")), ("target 1", D("100.3")), ("target 2", D("100.5")),
    ]  # fmt: skip
    told = desk.outbox()
    assert told[0]["message"] == (
        "AAPL is in the entry zone 99.90 to 100.10 of its long plan, at 100.10 (09:32 EST)."
    )
    assert told[0]["next_action"]["tool"] == "size"


def test_an_alert_on_one_moment_hears_nothing_of_the_others(desk):
    desk.feed.put(bar(0, 100.3, 100.35, 100.2, 100.3))
    made = desk.watch_plan(desk.store_plan(), moments=("stop",), repeat=False).alert
    desk.feed.put(bar(1, 100.2, 100.2, 100.05, 100.1), bar(2, 100.1, 100.35, 100.1, 100.3))
    assert desk.poll() == 0
    desk.feed.put(bar(3, 100, 100, 99.5, 99.7))
    assert desk.poll() == 1
    assert desk.events(made.id) == [(4, "99.6", False)]
    assert desk.alert(made.id).state == "done"


def test_a_plan_that_is_not_entered_in_its_time_ends_its_alert_without_a_word(desk):
    desk.feed.put(bar(0, 100.3, 100.35, 100.2, 100.3))
    made = desk.watch_plan(desk.store_plan()).alert
    desk.feed.put(*[bar(at, 100.3, 100.35, 100.2, 100.3) for at in range(1, 22)])
    assert desk.poll() == 0
    assert desk.alert(made.id).state == "expired"


def test_the_same_plan_and_moments_stand_once(desk):
    desk.feed.put(bar(0, 100.3, 100.35, 100.2, 100.3))
    plan_id = desk.store_plan()
    first = desk.watch_plan(plan_id)
    again = desk.watch_plan(plan_id)
    assert (again.alert.id, again.flags) == (first.alert.id, ("DUPLICATE",))
    other = desk.watch_plan(plan_id, moments=("stop",))
    assert other.alert.id != first.alert.id


def test_what_is_no_plan_or_no_moment_is_refused(desk):
    desk.feed.put(bar(0, 100.3, 100.35, 100.2, 100.3))
    plan_id = desk.store_plan()
    for code, terms in (
        ("PLAN_UNKNOWN", {"plan_id": "plan_ffffffffffffffff"}),
        ("PARAM_INVALID", {"plan_id": ""}),
        ("PARAM_INVALID", {"plan_id": plan_id, "moments": ("lunch",)}),
        ("ALERT_EXPIRED", {"plan_id": plan_id, "expires_at": OPEN}),
    ):
        with pytest.raises(Refusal, match=code):
            desk.watch_plan(**terms)
    desk.feed.at(41)
    with pytest.raises(Refusal, match="PLAN_EXPIRED"):
        desk.watch_plan(plan_id)


def test_an_alert_on_a_plan_rests_lasts_longer_and_has_no_level_to_change(desk):
    desk.feed.put(bar(0, 100.3, 100.35, 100.2, 100.3))
    made = desk.watch_plan(desk.store_plan()).alert
    until = OPEN + 3000 * MINUTE

    def change(**terms):
        return desk.do(lambda ctx: book.update_alert(ctx, made.id, AlertChange(**terms))).alert

    assert change(paused=True).state == "paused"
    desk.feed.put(bar(1, 100.2, 100.2, 100.05, 100.1))
    assert desk.poll() == 0
    longer = change(paused=False, expires_at=until)
    assert (longer.state, longer.expires_at) == ("armed", until)
    assert change(note="for Friday").note == "for Friday"
    with pytest.raises(Refusal, match="PARAM_INVALID"):
        change(level=D(100))


def test_an_expired_alert_on_a_plan_wakes_with_the_usual_end(desk):
    desk.feed.put(bar(0, 100.3, 100.35, 100.2, 100.3))
    made = desk.watch_plan(desk.store_plan(), expires_at=OPEN + 3 * MINUTE).alert
    desk.feed.put(*[bar(at, 100.3, 100.35, 100.2, 100.3) for at in range(1, 8)])
    desk.poll()
    assert desk.alert(made.id).state == "expired"
    woken = desk.do(lambda ctx: book.update_alert(ctx, made.id, AlertChange(paused=False))).alert
    assert (woken.state, woken.expires_at) == ("armed", OPEN + (40 + 24 * 60) * MINUTE)
