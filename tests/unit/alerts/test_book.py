"""Setting, changing and deleting alerts: what is written into them, what is refused, the audit."""

from datetime import timedelta
from decimal import Decimal as D  # noqa: N817 - tables of numbers read better short

import pytest

from services import audit
from services.alerts import book, store
from services.alerts.book import AlertChange
from services.kit.errors import Refusal
from tests.unit.alerts.conftest import OPEN, bar


def kinds(desk, alert_id):
    return [one.kind for one in desk.do(lambda ctx: audit.trail(ctx, alert_id))]


def test_an_alert_carries_its_reference_hysteresis_cooldown_and_expiry(desk, feed):
    made = desk.set("200").alert
    assert (made.state, made.ref_price, made.last_close) == ("armed", D(198), D(198))
    assert (made.hysteresis, made.cooldown_s) == (D("0.2"), 300)
    assert made.expires_at.isoformat() == "2027-01-19T21:00:00+00:00"
    assert (made.created_at, made.basis, made.note_by) == (feed.time, "touch", "person")
    assert kinds(desk, made.id) == ["alert.set"]


def test_hysteresis_comes_from_the_range_of_the_timeframe(desk, feed):
    feed.put(*[bar(at, 198, 200, 196, 198) for at in range(30)])
    assert desk.set("205").alert.hysteresis == D(1)
    feed.put(*[bar(OPEN - timedelta(days=at), 198, 202, 194, 198) for at in range(40)],
             timeframe="1d")  # fmt: skip
    assert desk.set("206", timeframe="day").alert.hysteresis == D(2)


def test_a_level_that_the_price_has_passed_waits_for_a_reset(desk):
    assert desk.set("197").flags == ("ALREADY_BEYOND",)
    assert desk.set("196", mode="level").alert.state == "armed"


def test_without_a_direction_the_last_price_decides(desk):
    assert desk.set("200", kind=None).alert.kind == "price_above"
    assert desk.set("190", kind=None).alert.kind == "price_below"


def test_a_distance_becomes_a_level_on_the_tick(desk):
    assert desk.set(None, kind="price_below", distance_pct=D(-5)).alert.level == D("188.1")


@pytest.mark.parametrize(
    ("terms", "code"),
    [
        ({"level": "0"}, "ALERT_LEVEL_INVALID"),
        ({"level": "-3"}, "ALERT_LEVEL_INVALID"),
        ({"level": None}, "ALERT_LEVEL_INVALID"),
        ({"level": "200", "threshold_pct": D("20.1")}, "ALERT_THRESHOLD_RANGE"),
        ({"level": "200", "expires_at": OPEN - timedelta(minutes=1)}, "ALERT_EXPIRED"),
        ({"level": "297.01"}, "ALERT_LEVEL_FAR"),
        ({"level": "98.99", "kind": "price_below"}, "ALERT_LEVEL_FAR"),
        ({"level": "51", "kind": "vwap_cross"}, "ALERT_LEVEL_INVALID"),
        ({"level": "1001", "kind": "rvol_above"}, "ALERT_LEVEL_INVALID"),
        ({"level": "-2", "kind": "vwap_cross", "timeframe": "day"}, "PARAM_INVALID"),
        ({"level": "2", "kind": "rvol_above", "threshold_pct": D(1)}, "PARAM_INVALID"),
        ({"level": "200", "symbol": "ZZZZ"}, "SYMBOL_UNKNOWN"),
        ({"level": "200", "note": "a\x00b"}, "PARAM_INVALID"),
    ],
)
def test_what_can_not_be_watched_is_refused(desk, terms, code):
    with pytest.raises(Refusal) as refused:
        desk.set(**terms)
    assert refused.value.code == code


def test_a_far_level_is_set_after_a_second_yes(desk):
    assert desk.set("300", confirm_far=True).alert.level == D(300)


def test_an_alert_on_bad_data_is_not_set(desk, feed):
    feed.set("AAPL", "198", "190")
    with pytest.raises(Refusal, match="DQ_BLOCK"):
        desk.set("200")


def test_the_same_alert_again_is_the_one_that_stands(desk):
    first = desk.set("200").alert
    same = desk.set("200.00")
    assert (same.alert.id, same.flags) == (first.id, ("DUPLICATE",))
    assert desk.set("199", threshold_pct=D(1)).alert.id != first.id
    assert desk.set("160", threshold_pct=D(20)).alert.id != first.id
    assert desk.set("250", threshold_pct=D(-20)).alert.id == first.id, "250 less 20 % is 200"
    assert len(desk.do(store.list_alerts)) == 3


def test_at_most_two_hundred_alerts_are_active(desk):
    for at in range(book.ACTIVE_MAX):
        desk.set(200 + at * D("0.01"))
    with pytest.raises(Refusal, match="ALERT_LIMIT"):
        desk.set("250")
    gone = desk.do(store.list_alerts)[0]
    desk.do(lambda ctx: book.delete_alert(ctx, gone.id))
    assert desk.set("250").alert.active


def test_a_preview_sets_nothing(desk):
    from services.alerts.alert import AlertAsk

    seen = desk.do(lambda ctx: book.preview_alert(ctx, AlertAsk(symbol="AAPL", level=D(200))))
    assert seen.text.startswith("Alert once when AAPL trades at or above 200.00")
    assert desk.do(store.list_alerts) == []


def test_a_new_level_begins_the_alert_anew_and_keeps_its_first_trigger(desk, feed):
    made = desk.set("200").alert
    feed.put(bar(0, 198, 200.5, 198, 200.4))
    assert desk.poll() == 1
    fired = desk.alert(made.id)
    assert (fired.state, fired.triggers) == ("done", 1)
    changed = desk.do(lambda ctx: book.update_alert(ctx, made.id, AlertChange(level=D("200.2"))))
    assert changed.flags == ("ALREADY_BEYOND",)
    now = desk.alert(made.id)
    assert (now.state, now.ref_price, now.first_triggered_at) == (
        "waiting_reset", D("200.4"), fired.first_triggered_at,
    )  # fmt: skip
    assert "alert.updated" in kinds(desk, made.id)


def test_a_note_alone_leaves_the_state(desk, feed):
    made = desk.set("200").alert
    feed.put(bar(0, 198, 199, 198, 199))
    desk.poll()
    before = desk.alert(made.id)
    desk.do(lambda ctx: book.update_alert(ctx, made.id, AlertChange(note="look at volume")))
    now = desk.alert(made.id)
    assert (now.note, now.last_bar_at, now.state) == (
        "look at volume", before.last_bar_at, before.state,
    )  # fmt: skip


def test_a_paused_alert_sees_nothing_and_wakes_at_the_price_of_then(desk, feed):
    made = desk.set("200").alert
    desk.do(lambda ctx: book.update_alert(ctx, made.id, AlertChange(paused=True)))
    feed.put(bar(0, 198, 201, 198, 200.9))
    assert desk.poll() == 0
    desk.do(lambda ctx: book.update_alert(ctx, made.id, AlertChange(paused=False)))
    now = desk.alert(made.id)
    assert (now.state, now.ref_price) == ("waiting_reset", D("200.9"))
    feed.put(bar(1, 200.9, 201, 200.5, 200.9))
    assert desk.poll() == 0


def test_a_change_into_an_alert_that_stands_is_refused(desk):
    desk.set("200")
    other = desk.set("201").alert
    with pytest.raises(Refusal, match="ALERT_DUPLICATE"):
        desk.do(lambda ctx: book.update_alert(ctx, other.id, AlertChange(level=D(200))))


def test_a_deleted_alert_is_gone_for_good(desk, feed):
    made = desk.set("200").alert
    desk.do(lambda ctx: book.delete_alert(ctx, made.id))
    feed.put(bar(0, 198, 201, 198, 201))
    assert desk.poll() == 0
    for act in (store.get_alert, book.delete_alert):
        with pytest.raises(Refusal, match="ALERT_UNKNOWN"):
            desk.do(lambda ctx, act=act: act(ctx, made.id))
    assert kinds(desk, made.id) == ["alert.set", "alert.deleted"]
    assert desk.set("200").alert.id != made.id


def test_another_person_of_the_desk_sees_other_alerts(desk):
    from dataclasses import replace

    made = desk.set("200").alert
    other = replace(desk.owner, user_id="u_other")
    assert desk.runtime.read(other, store.list_alerts) == []
    with pytest.raises(Refusal, match="ALERT_UNKNOWN"):
        desk.runtime.write(other, lambda ctx: book.delete_alert(ctx, made.id))
