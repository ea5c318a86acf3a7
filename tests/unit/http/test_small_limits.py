"""Bounds that two places know are one number, and what counts towards which limit."""

import pytest

from app.http.access import API, find_access
from app.http.wire import dump
from services.market.replay_clock import STEP_SECONDS_MAX
from services.orders.order import Status


@pytest.mark.parametrize(
    ("seconds", "status"), [(STEP_SECONDS_MAX, 200), (STEP_SECONDS_MAX + 1, 422)]
)
def test_the_longest_step_of_the_replay_is_that_of_its_clock(owner_key, seconds, status):
    answer = owner_key.post(f"{API}/market/replay", json={"action": "step", "seconds": seconds})
    assert answer.status_code == status, answer.text


def test_showing_a_card_takes_nothing_from_the_confirmations():
    shown = find_access("GET", f"{API}/proposals/prop_1/challenge").access
    confirmed = find_access("POST", f"{API}/proposals/prop_1/confirm").access
    assert (shown.group, confirmed.group) == ("mutate", "confirm")


def test_a_closed_set_is_a_type_of_its_own_in_queries_and_in_the_document(live, owner_key):
    assert (
        dump({"enum": [Status.PENDING], Status.EXPIRED: 1}) == b'{"enum":["pending"],"expired":1}'
    )
    document = live.client().get("/openapi.json").json()
    listed = document["paths"][f"{API}/proposals"]["get"]["parameters"]
    assert [one["name"] for one in listed] == ["status"]
    assert document["components"]["schemas"]["Status"]["enum"] == [one.value for one in Status]
    answer = owner_key.get(f"{API}/proposals", params={"status": "zzz"})
    assert (answer.status_code, answer.json()["code"]) == (422, "PARAM_INVALID")
