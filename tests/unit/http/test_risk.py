"""The risk of an account through the doors: its figures, its frames, its alerts and notices."""

import time

import pytest

from services.kit.context import SCOPES, Principal, Surface
from services.ledger import portfolio
from tests.fakes.order_desk import OrderDesk
from tests.unit.http.ws import enter

API = "/api/v1"
WAIT_S = 30


@pytest.fixture
def person(live):
    """A person of a tenant of their own, with a key and a desk of orders."""
    number = len(live.clients)
    tenant, name = f"t_risk{number}", f"risk{number}"
    keys = live.key(tenant=tenant, name=name)
    who = Principal(tenant_id=tenant, user_id=live.user(tenant, name).id, surface=Surface.WEB,
                    session_id=f"s_risk{number}", scopes=SCOPES)  # fmt: skip
    live.product.runtime.write(who, lambda ctx: portfolio.get_portfolio(ctx, None))
    return keys, OrderDesk(live.product.runtime, None, who)


def eventually(look):
    ends = time.monotonic() + WAIT_S
    while time.monotonic() < ends:
        found = look()
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError("it did not come")


def test_an_account_without_positions_is_ok_and_shows_every_limit(person):
    keys, _ = person
    found = keys.get(f"{API}/risk")
    assert found.status_code == 200, found.text
    body = found.json()
    assert (body["state"], body["open_risk"], body["equity"]) == ("ok", "0", "100000")
    assert body["text"] == "Risk is inside its limits."
    assert {one["name"] for one in body["limits"]} >= {"day_loss", "week_loss", "open_risk"}
    assert (body["provenance"], bool(body["as_of"])) == ("SIMULATED", True)
    assert keys.get(f"{API}/risk", params={"portfolio_id": "pf_none"}).status_code == 404


def test_a_breach_reaches_the_socket_the_feed_and_the_alerts(live, person):
    keys, desk = person
    made = keys.post(f"{API}/alerts", json={"kind": "risk", "risk_state": "breach"})
    assert made.status_code == 201, made.text
    assert (made.json()["risk_state"], made.json()["repeat"]) == ("breach", True)
    with enter(live, keys) as reader:
        reader.send(type="subscribe", channels=["risk"])
        first = reader.until("risk")
        assert (first["state"], first["switch"]) == ("ok", "ACTIVE")
        desk.buy("AAPL", quantity="20")
        told = reader.until("risk", WAIT_S, state="breach")
    (account,) = told["items"]
    assert (account["breaches"], account["provenance"]) == (["open_risk"], "SIMULATED")
    assert "open risk: " in account["reason"]
    assert keys.get(f"{API}/risk").json()["state"] == "breach"

    def noticed():
        items = keys.get(f"{API}/notifications").json()["items"]
        return {one["topic"]: one for one in items if one["topic"] in ("risk", "alerts")}

    found = eventually(lambda: noticed() if len(noticed()) == 2 else None)
    assert "Open risk has reached its limit" in found["risk"]["message"]
    assert found["alerts"]["message"].startswith("Your risk went from ok to breach.")
    path = f"{API}/alerts/{made.json()['id']}/triggers"
    (trigger,) = keys.get(path).json()["items"]
    assert (trigger["what"], trigger["price"]) == ("breach", "3")
    refused = keys.post(
        f"{API}/tools/propose_order",
        json={
            "args": {
                "symbol": "MSFT",
                "side": "buy",
                "quantity": "1",
                "type": "market",
                "tif": "day",
            }
        },
        headers={"idempotency-key": "risk-propose-0000001"},
    )
    assert (refused.status_code, refused.json()["code"]) == (403, "RISK_BREACH")
    state = keys.get(f"{API}/stream/state").json()["risk"]
    assert (state["state"], state["items"][0]["breaches"]) == ("breach", ["open_risk"])


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"kind": "price_above", "symbol": "AAPL"}, "level"),
        ({"kind": "price_above", "level": "420"}, "symbol"),
        ({"kind": "plan_event"}, "plan_id"),
        ({"kind": "plan_event", "plan_id": "plan_1", "level": "420"}, "level"),
        ({"kind": "risk", "symbol": "AAPL"}, "symbol"),
        ({"kind": "risk", "moments": ["stop"]}, "moments"),
    ],
)
def test_a_kind_without_what_it_needs_is_refused(person, body, field):
    keys, _ = person
    answer = keys.post(f"{API}/alerts", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "PARAM_INVALID")
    assert answer.json()["field"] == field


def test_words_about_the_risk_are_said_back(person):
    keys, _ = person
    said = keys.post(f"{API}/alerts/rules", json={"text": "tell me when my risk is frozen"}).json()
    assert said["canonical"].startswith("Alert each time when risk is frozen, until ")
    assert (said["rule"]["kind"], said["rule"]["risk_state"]) == ("risk", "frozen")
    unknown = {"text": "tell me when plan_0123456789abcdef reaches its stop"}
    assert keys.post(f"{API}/alerts/rules", json=unknown).json()["code"] == "PLAN_UNKNOWN"
