"""Evaluating alerts: once means once, on sound bars only, late ones say so, and rests are told."""

import threading
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal as D  # noqa: N817 - tables of numbers read better short

import pytest

from agent.log import desk_stream, replay
from agent.relay import deliver
from services import audit
from services.alerts import fast, notification, store, watch
from services.kit.context import system_principal
from services.market.action_record import record_split
from services.market.feed import Split
from services.market.finding import Finding, Severity
from services.market.freeze import active_freezes, end_freeze, listing_scope, open_freeze
from tests.unit.alerts.conftest import MINUTE, OPEN, bar

RISING = [
    bar(0, 198, 199, 197.5, 198.8),
    bar(1, 198.8, 200.4, 198.6, 199.6),
    bar(2, 199.6, 200.9, 199.5, 200.7),
]


def notes(desk):
    desk.do(deliver)
    return [one.message for one in desk.feed_of().items[::-1]]


def test_a_touch_fires_once_and_is_told_once(any_desk, feed):
    made = any_desk.set("200").alert
    feed.put(*RISING)
    assert any_desk.poll() == 1
    assert [any_desk.poll() for _ in range(3)] == [0, 0, 0]
    assert any_desk.events(made.id) == [(2, "200", False)]
    [told] = notes(any_desk)
    assert told.startswith("AAPL traded at 200.00, at or above your level of 200.00 (09:32 EST).")
    after = any_desk.alert(made.id)
    assert (after.state, after.triggers) == ("done", 1)
    assert after.first_triggered_at == OPEN + 2 * MINUTE
    trail = [one.kind for one in any_desk.do(lambda ctx: audit.trail(ctx, made.id))]
    assert trail == ["alert.set", "alert.state", "alert.fired"]


def test_nothing_is_asked_of_the_feed_while_no_minute_has_passed(desk, feed):
    desk.set("200")
    feed.put(RISING[0])
    desk.poll()
    asked = feed.asked
    desk.poll()
    assert feed.asked == asked


def test_stream_and_poller_tell_an_event_once(any_desk, feed):
    made = any_desk.set("200").alert
    feed.put(*RISING)
    assert any_desk.stream(*RISING[:2]) == 1
    assert any_desk.poll() == 0
    assert any_desk.stream(*RISING) == 0
    assert any_desk.events(made.id) == [(2, "200", False)]


def test_the_stream_gets_the_bars_it_missed_from_the_feed(desk, feed):
    made = desk.set("200", basis="close", repeat=True).alert
    feed.put(*RISING, bar(3, 200.7, 201, 200.5, 200.9))
    assert desk.stream(bar(3, 200.7, 201, 200.5, 200.9)) == 1
    assert desk.events(made.id) == [(3, "200.7", False)]


def test_two_pollers_at_once_tell_an_event_once(any_desk, feed):
    made = any_desk.set("200").alert
    feed.put(*RISING)
    found = []
    threads = [threading.Thread(target=lambda: found.append(any_desk.poll())) for _ in range(3)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert sorted(found) == [0, 0, 1]
    assert len(any_desk.events(made.id)) == 1


def test_the_database_refuses_a_second_row_of_an_event(any_desk, feed):
    made = any_desk.set("200").alert
    feed.put(*RISING)
    any_desk.poll()
    [trigger] = any_desk.do(lambda ctx: store.list_triggers(ctx, made.id))
    with pytest.raises(Exception, match=r"UNIQUE|unique"):
        any_desk.do(lambda ctx: store.insert_trigger(ctx, replace(trigger, id="trg_other")))


def test_an_alert_that_changed_meanwhile_is_not_overwritten(desk, feed):
    made = desk.set("200").alert
    feed.put(*RISING)
    desk.poll()
    assert desk.do(lambda ctx: store.save(ctx, made)) is None


def test_what_happened_in_a_downtime_is_told_late_at_the_time_of_its_bar(desk, feed):
    made = desk.set("200").alert
    feed.put(*RISING)
    feed.at(63)
    assert desk.poll() == 1
    [trigger] = desk.do(lambda ctx: store.list_triggers(ctx, made.id))
    assert (trigger.at, trigger.late_s) == (OPEN + 2 * MINUTE, 61 * 60)
    assert "Told 1 h 1 min late." in notes(desk)[0]


def test_what_is_older_than_one_session_of_minutes_is_one_summary(desk, feed):
    made = desk.set("200", repeat=True).alert
    old = [bar(at, 199, 200.5 if at == 5 else 199.5, 198.8, 199) for at in range(390)]
    later = OPEN + timedelta(days=1)
    new = [bar(later + at * MINUTE, 199, 200.5 if at == 5 else 199.5, 198.8, 199)
           for at in range(60)]  # fmt: skip
    feed.put(*old, *new)
    feed.set("AAPL", "198.99", "199.01")
    assert desk.poll() == 1
    [trigger] = desk.do(lambda ctx: store.list_triggers(ctx, made.id))
    assert trigger.at == later + 6 * MINUTE
    told = notes(desk)
    assert told[0].startswith("1 of your alerts on AAPL did not see every minute of 2027-01-12")
    assert len(told) == 2


def test_a_day_alert_looks_at_the_close_of_a_session_once(desk, feed):
    made = desk.set("200", timeframe="day", repeat=True).alert
    day = OPEN.replace(hour=14, minute=30)
    first = replace(bar(day, 198, 205, 197, 199), t_close=OPEN.replace(hour=21, minute=0))
    feed.time = OPEN.replace(hour=20)
    assert desk.poll() == 0
    feed.put(first, timeframe="1d")
    assert desk.poll() == 0, "the high of the day does not count, its close does"
    second = replace(bar(day + timedelta(days=1), 199, 205, 198, 201),
                     t_close=first.t_close + timedelta(days=1))  # fmt: skip
    feed.put(second, timeframe="1d")
    assert [desk.poll(), desk.poll()] == [1, 0]
    [trigger] = desk.do(lambda ctx: store.list_triggers(ctx, made.id))
    assert (trigger.price, trigger.at) == (D(201), second.t_close)


def test_the_bar_in_which_an_alert_is_set_counts_with_its_close_only(desk, feed):
    feed.time = OPEN + timedelta(seconds=30)
    feed.advance(seconds=0)
    made = desk.set("200").alert
    feed.put(bar(0, 198, 201, 198, 199), bar(1, 199, 199.5, 198.5, 199))
    assert desk.poll() == 0
    feed.put(bar(2, 199, 200, 198.5, 199))
    assert desk.poll() == 1
    assert desk.events(made.id) == [(3, "200", False)]


def test_an_expired_alert_is_not_evaluated_and_ends_by_time_as_well(desk, feed):
    seen = desk.set("200", expires_at=OPEN + 1.5 * MINUTE).alert
    silent = desk.set("201", expires_at=OPEN + 5 * MINUTE, symbol="MSFT", confirm_far=True).alert
    feed.put(*RISING)
    assert desk.poll() == 0
    assert desk.alert(seen.id).state == "expired"
    assert desk.alert(silent.id).state != "expired"
    feed.at(20)
    desk.poll()
    assert desk.alert(silent.id).state == "expired"


def test_a_bar_that_can_not_be_true_is_passed_over_and_flagged(desk, feed):
    made = desk.set("200").alert
    feed.put(bar(0, 198, 199, 198, 198.5))
    feed.lists["AAPL", "1m"].append(replace(bar(1, 198, 201, 199, 198), l=D(-1)))
    feed.put(bar(2, 198, 199, 198, 198.5))
    assert desk.poll() == 0
    after = desk.alert(made.id)
    assert (after.last_bar_at, after.flags) == (OPEN + 3 * MINUTE, ("BARS_NOT_JUDGED",))


@pytest.mark.fault("F018")
def test_while_the_data_are_frozen_no_bar_is_judged_and_that_is_said_once(desk, feed):
    made = desk.set("200").alert
    scope = listing_scope(made.listing)
    found = Finding("AAPL", "DQ_JUMP", Severity.CRIT, "price jumped by 80 percent")
    desk.do(lambda ctx: open_freeze(ctx, scope, found))
    feed.put(bar(0, 198, 356, 198, 198.5))
    assert [desk.poll(), desk.poll()] == [0, 0]
    feed.put(bar(1, 198.5, 350, 198, 198.5))
    assert desk.poll() == 0
    rests = [one for one in notes(desk) if one.startswith("Alerts on AAPL rest")]
    assert len(rests) == 1
    assert "price jumped by 80 percent" in rests[0]
    assert desk.alert(made.id).flags == ("BARS_NOT_JUDGED",)
    desk.do(lambda ctx: [end_freeze(ctx, one, "test") for one in active_freezes(ctx, (scope,))])
    feed.put(bar(2, 199, 200.2, 198.9, 199.9))
    assert desk.poll() == 1
    assert desk.events(made.id) == [(3, "200", False)]


def test_a_feed_that_does_not_answer_leaves_alerts_as_they_are(desk, feed):
    made = desk.set("200").alert
    feed.put(*RISING)
    feed.refusal = "PROVIDER_UNAVAILABLE"
    assert desk.poll() == 0
    feed.refusal = None
    assert desk.poll() == 1
    assert desk.events(made.id) == [(2, "200", False)]


@pytest.mark.parametrize("teller", ["provider", "person"])
def test_a_split_moves_the_level_with_the_price(desk, feed, teller):
    made = desk.set("200").alert
    feed.put(bar(0, 198, 199, 198, 198.5))
    desk.poll()
    later = OPEN + timedelta(days=1)
    split = Split(later.date(), later, 1, 2)
    if teller == "provider":
        feed.split_list = [split]
    else:
        desk.do(lambda ctx: record_split(ctx, feed.instrument(ctx, "AAPL"), split, "a person"))
    feed.put(bar(later, 99.3, 99.9, 99, 99.5), bar(later + MINUTE, 99.5, 100.1, 99.5, 100))
    assert [desk.poll(), desk.poll()] == [1, 0]
    after = desk.alert(made.id)
    assert (after.level, after.hysteresis) == (D(100), D("0.1"))
    [trigger] = desk.do(lambda ctx: store.list_triggers(ctx, made.id))
    assert (trigger.price, trigger.gap) == (D(100), False)


def test_a_new_round_of_the_replay_is_watched_from_its_beginning(desk, feed):
    made = desk.set("200", repeat=True).alert
    feed.put(*RISING)
    assert desk.poll() == 1
    feed.turn, feed.time = 1, OPEN
    desk.poll()
    assert desk.alert(made.id).round == 1
    feed.put(bar(0, 199, 199, 199, 199), *RISING[1:])
    feed.time = OPEN + 3 * MINUTE
    assert desk.poll() == 1
    assert len(desk.events(made.id)) == 2


def test_a_fall_below_the_vwap_is_measured_from_the_session_so_far(desk, feed):
    feed.put(bar(0, 100, 100, 100, 100, 10), bar(1, 104, 104, 104, 104, 30))
    made = desk.set("-2", kind="vwap_cross").alert
    assert (made.side, made.memory["volume"], made.effective) == ("below", "40", D(98))
    feed.put(bar(2, 104, 104, 101.2, 101.2, 0), bar(3, 101, 101, 100.94, 100.94, 0))
    assert desk.poll() == 1
    [trigger] = desk.do(lambda ctx: store.list_triggers(ctx, made.id))
    assert (trigger.at, trigger.price) == (OPEN + 4 * MINUTE, D(98))
    assert notes(desk)[0].startswith("AAPL was 2% below its VWAP (09:34 EST).")


def test_relative_volume_is_read_against_the_sessions_before(desk, feed):
    days = [OPEN - timedelta(days=back) for back in (11, 8, 7, 6, 5, 4, 1)]
    feed.put(*[bar(day + at * 5 * MINUTE, 198, 198, 198, 198, 500, n=None) for day in days
               for at in range(78)], timeframe="5m")  # fmt: skip
    feed.at(0)
    made = desk.set("2", kind="rvol_above").alert
    feed.put(*[bar(at, 198, 198, 198, 198, 100) for at in range(5)])
    assert desk.poll() == 0
    feed.put(*[bar(at, 198, 198, 198, 198, 300) for at in range(5, 10)])
    assert desk.poll() == 1
    [trigger] = desk.do(lambda ctx: store.list_triggers(ctx, made.id))
    assert (trigger.at, trigger.price) == (OPEN + 10 * MINUTE, D(2))


def test_a_trade_tells_a_fast_alert_early_and_the_bar_confirms_it(any_desk, feed):
    made = any_desk.set("200", latency="fast").alert
    view = fast.FastWatch()
    assert view.load(any_desk.do(fast.watched_fast)) == 1
    ts = OPEN + timedelta(seconds=75)
    [touch] = view.touched([("AAPL", D("199.99"), ts), ("AAPL", D("200.01"), ts)])
    assert view.touched([("AAPL", D("200.02"), ts)]) == []
    feed.time = ts
    assert any_desk.do(lambda ctx: fast.tell_touch(ctx, touch)) is True
    assert any_desk.do(lambda ctx: fast.tell_touch(ctx, touch)) is False
    [early] = any_desk.do(lambda ctx: store.list_triggers(ctx, made.id))
    assert (early.provisional, early.price) == (True, D("200.01"))
    assert any_desk.alert(made.id).state == "armed"
    feed.put(*RISING)
    assert any_desk.poll() == 0, "the event was told before"
    [sure] = any_desk.do(lambda ctx: store.list_triggers(ctx, made.id))
    assert (sure.provisional, sure.price, sure.event_key) == (False, D(200), early.event_key)
    assert any_desk.alert(made.id).state == "done"
    assert len(notes(any_desk)) == 1


def test_a_trade_that_its_bar_does_not_bear_out_is_taken_back(desk, feed):
    made = desk.set("200", latency="fast").alert
    ts = OPEN + timedelta(seconds=20)
    feed.time = ts
    touch = fast.Touch(made.id, "AAPL", D("200.5"), ts)
    assert desk.do(lambda ctx: fast.tell_touch(ctx, touch))
    feed.put(bar(0, 198, 199, 198, 198.5))
    assert [desk.poll(), desk.poll()] == [0, 0]
    assert desk.alert(made.id).state == "armed"
    assert "does not confirm the alert at 200.50" in notes(desk)[1]
    assert len(notes(desk)) == 2


def test_the_poller_of_the_product_itself_sees_every_persons_alerts(desk, feed):
    made = desk.set("200").alert
    feed.put(*RISING)
    system = system_principal(desk.owner.tenant_id)
    assert desk.runtime.read(system, watch.due) == [watch.Work("AAPL", "minute")]
    assert desk.runtime.write(system, watch.evaluate_due) == 1
    assert desk.events(made.id) == [(2, "200", False)]


def test_an_alert_on_the_desk_names_its_place_in_the_feed(any_desk, feed):
    any_desk.set("200")
    feed.put(*RISING)
    any_desk.poll()
    assert any_desk.do(deliver) == 1
    assert any_desk.do(deliver) == 0
    [note] = any_desk.feed_of().items
    stream = desk_stream(any_desk.owner.tenant_id)
    [event] = any_desk.do(lambda ctx: replay(ctx, stream, limit=10))
    body = dict(event.body)
    assert (event.type, body.pop("message")) == ("alert", note.message)
    assert body == {
        "level": "info",
        "topic": "alerts",
        "subject": "AAPL",
        "code": "ALERT_FIRED",
        "notification_id": note.id,
    }
    assert any_desk.do(lambda ctx: notification.mark_read(ctx, note.id)) == 0
    assert any_desk.feed_of().items[0].read_at is not None
