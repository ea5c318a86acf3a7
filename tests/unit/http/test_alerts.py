"""Alerts over HTTP: rules from words, set, change, delete, and the feed of what they told."""

import time

import pytest

LEVEL = {"symbol": "AAPL", "kind": "price_above", "level": "420"}
API = "/api/v1"
_WAIT_S = 30


@pytest.fixture
def keys(live):
    """A person of a tenant of their own, so that alerts of other tests are elsewhere."""
    return live.key(tenant=f"t_alerts{len(live.clients)}", name=f"alerts{len(live.clients)}")


def test_words_are_said_back_before_anything_is_set(keys):
    said = keys.post(f"{API}/alerts/rules", json={"text": "notify when AAPL > 420"}).json()
    assert said["canonical"].startswith("Alert once when AAPL trades at or above 420.00")
    assert (said["rule"]["kind"], said["alert"]) == ("price_above", None)
    assert keys.get(f"{API}/alerts").json()["items"] == []
    done = keys.post(f"{API}/alerts/rules", json={"text": said["canonical"], "dry_run": False})
    assert done.status_code == 200, done.text
    assert done.json()["canonical"] == said["canonical"]
    [item] = keys.get(f"{API}/alerts", params={"active": True}).json()["items"]
    assert (item["text"], item["state"], item["triggers"]) == (said["canonical"], "armed", 0)


def test_an_alert_is_set_changed_paused_and_deleted(keys):
    made = keys.post(f"{API}/alerts", json={**LEVEL, "note": "gap"})
    assert made.status_code == 201, made.text
    alert = made.json()
    assert (alert["effective"], alert["note_why"], alert["flags"]) == ("420", "your note", [])
    again = keys.post(f"{API}/alerts", json=LEVEL).json()
    assert (again["id"], again["flags"]) == (alert["id"], ["DUPLICATE"])
    path = f"{API}/alerts/{alert['id']}"
    assert keys.patch(path, json={"level": "430"}).json()["level"] == "430"
    assert keys.patch(path, json={"paused": True}).json()["state"] == "paused"
    assert keys.get(f"{API}/alerts", params={"active": True}).json()["items"] == []
    assert keys.patch(path, json={"paused": False}).json()["state"] == "armed"
    assert keys.delete(path).json() == {"deleted": alert["id"]}
    assert keys.delete(path).json()["code"] == "ALERT_UNKNOWN"


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"level": "-1"}, 422, "ALERT_LEVEL_INVALID"),
        ({"level": "4200"}, 422, "ALERT_LEVEL_FAR"),
        ({"threshold_pct": "21"}, 422, "ALERT_THRESHOLD_RANGE"),
        ({"expires_at": "2001-01-01T00:00:00Z"}, 422, "ALERT_EXPIRED"),
        ({"expires_at": "2027-01-01 00:00:00"}, 422, "PARAM_INVALID"),
        ({"symbol": "AAPK"}, 422, "SYMBOL_UNKNOWN"),
        ({"level": 420}, 422, "BODY_INVALID"),
        ({"order": {"side": "buy"}}, 422, "BODY_INVALID"),
    ],
)
def test_a_bad_alert_is_refused(keys, change, status, code):
    answer = keys.post(f"{API}/alerts", json={**LEVEL, **change})
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_a_far_level_is_set_after_a_second_yes(keys):
    body = {**LEVEL, "level": "4200", "confirm_far": True}
    assert keys.post(f"{API}/alerts", json=body).status_code == 201


def test_words_with_more_in_them_are_refused_and_set_nothing(keys):
    body = {"text": "AAPL > 420 then buy 10", "dry_run": False}
    answer = keys.post(f"{API}/alerts/rules", json=body).json()
    assert answer["code"] == "ALERT_RULE_UNREAD"
    assert "then buy 10" in answer["message"]
    assert keys.get(f"{API}/alerts").json()["items"] == []


def test_alerts_and_notifications_of_another_tenant_are_not_there(live, keys):
    alert = keys.post(f"{API}/alerts", json=LEVEL).json()["id"]
    stranger = live.key(tenant="t_stranger", name="stranger")
    assert stranger.get(f"{API}/alerts").json()["items"] == []
    for answer in (
        stranger.get(f"{API}/alerts/{alert}/triggers"),
        stranger.patch(f"{API}/alerts/{alert}", json={"note": "x"}),
        stranger.delete(f"{API}/alerts/{alert}"),
    ):
        assert (answer.status_code, answer.json()["code"]) == (404, "ALERT_UNKNOWN")


def test_a_key_that_only_reads_can_set_nothing(live):
    reader = live.key("read")
    assert reader.post(f"{API}/alerts", json=LEVEL).json()["code"] == "SCOPE_MISSING"


def test_the_poller_tells_an_alert_in_the_feed_with_a_next_action(keys):
    keys.post(f"{API}/market/replay", json={"action": "pause"})
    quote = keys.get(f"{API}/symbols/AAPL/price").json()
    below = f"{float(quote['last']) * 0.99:.2f}"
    made = keys.post(f"{API}/alerts", json={**LEVEL, "level": below, "mode": "level"}).json()
    assert made["state"] == "armed"
    keys.post(f"{API}/market/replay", json={"action": "step", "seconds": 180})
    end = time.monotonic() + _WAIT_S
    while not (page := keys.get(f"{API}/notifications").json())["items"]:
        assert time.monotonic() < end
        time.sleep(0.05)
    [told] = page["items"]
    assert (told["topic"], told["code"], told["level"]) == ("alerts", "ALERT_FIRED", "info")
    assert told["message"].startswith("AAPL ")
    assert told["next_action"]["text"] == "Build a plan for AAPL."
    assert (page["unread"], page["cursor"]) == (1, told["id"])
    later = keys.get(f"{API}/notifications", params={"after": told["id"]}).json()
    assert (later["items"], later["cursor"]) == ([], told["id"])
    assert keys.post(f"{API}/notifications/read", json={"up_to": told["id"]}).json() == {
        "unread": 0
    }
    [item] = keys.get(f"{API}/alerts", params={"active": False}).json()["items"]
    assert (item["state"], item["triggers"]) == ("done", 1)
    events = keys.get(f"{API}/alerts/{made['id']}/triggers").json()["items"]
    assert [one["provisional"] for one in events] == [False]
    assert events[0]["at"] == item["first_triggered_at"]
