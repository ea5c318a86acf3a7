"""Who gets onto /ws, what a client may ask there, and what ends it; against a real server."""

import json

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from services.identity.session import revoke_session
from services.identity.user import LOCAL_TENANT
from tests.unit.http.live import as_principal
from tests.unit.http.ws import PROTOCOL, Reader, enter, session_ticket, tell, ticket

MADE_UP = "A" * 43


def refused(live, **given):
    """The status and code of a handshake that is refused."""
    with pytest.raises(InvalidStatus) as error:
        Reader(live, **given)
    answer = error.value.response
    return answer.status_code, json.loads(bytes(answer.body))["code"]


def test_a_ticket_opens_one_connection_by_its_first_message(live, owner_key):
    with enter(live, owner_key) as reader:
        welcome = reader.seen[0]
        assert reader.line.subprotocol == PROTOCOL
        assert (welcome["seq"], welcome["symbols_max"]) == (1, 200)
        assert welcome["payload_bytes_max"] == live.product.settings.ws_max_payload_bytes


def test_a_ticket_in_the_subprotocol_opens_it_before_the_first_message(live, owner_key):
    with Reader(live, protocols=(PROTOCOL, f"ticket.{ticket(owner_key)}")) as reader:
        assert reader.next()["type"] == "welcome"
        assert reader.line.subprotocol == PROTOCOL


@pytest.mark.fault("F113")
def test_a_ticket_is_used_once(live, owner_key):
    given = ticket(owner_key)
    with Reader(live) as first:
        first.send(type="auth", ticket=given)
        assert first.next()["type"] == "welcome"
        with Reader(live) as second:
            second.send(type="auth", ticket=given)
            assert second.closed() == 4401
        first.send(type="ping")
        assert first.next()["type"] == "pong"


@pytest.mark.fault("F113")
@pytest.mark.parametrize(("age_s", "opens"), [(25, True), (31, False)])
def test_a_ticket_lives_thirty_seconds(live, age_s, opens):
    given, _ = session_ticket(live, age_s=age_s)
    with Reader(live) as reader:
        reader.send(type="auth", ticket=given)
        if opens:
            assert reader.next()["type"] == "welcome"
        else:
            assert reader.closed() == 4401


@pytest.mark.fault("F113")
def test_a_ticket_of_a_login_that_has_ended_opens_nothing(live):
    given, session_id = session_ticket(live)
    live.product.runtime.write(as_principal(live), lambda ctx: revoke_session(ctx, session_id))
    with Reader(live) as reader:
        reader.send(type="auth", ticket=given)
        assert reader.closed() == 4401


@pytest.mark.fault("F113")
@pytest.mark.parametrize(
    "first",
    [
        {"type": "auth", "ticket": MADE_UP},
        {"type": "auth", "ticket": "short"},
        {"type": "auth", "ticket": ["x"]},
        {"type": "auth"},
        {"type": "subscribe", "channels": ["orders"]},
        {"type": "ping"},
        [],
        "text",
    ],
    ids=str,
)
def test_any_other_first_message_ends_it(live, first):
    with Reader(live) as reader:
        reader.line.send(json.dumps(first))
        assert reader.closed() == 4401
        assert reader.seen == []


@pytest.mark.fault("F113")
@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "https://127.0.0.1", "http://localhost.evil.example"]
)
def test_a_foreign_origin_is_refused_before_the_handshake(live, owner_key, origin):
    given = f"ticket.{ticket(owner_key)}"
    assert refused(live, origin=origin, protocols=(PROTOCOL, given)) == (403, "ORIGIN_REFUSED")
    with Reader(live, protocols=(PROTOCOL, given)) as reader:
        assert reader.next()["type"] == "welcome", "a refused handshake uses no ticket up"


def test_a_foreign_host_another_protocol_and_a_key_in_the_address_are_refused(live, owner_key):
    assert refused(live, protocols=("cornerman.v9",)) == (422, "PARAM_INVALID")
    key = owner_key.headers["authorization"].removeprefix("Bearer ")
    assert refused(live, path=f"/ws?api_key={key}") == (401, "UNAUTHENTICATED")
    assert refused(live, path="/ws?x=1") == (401, "UNAUTHENTICATED")
    assert key not in live.lines()


def test_another_path_has_no_socket_and_ws_no_page(live):
    with pytest.raises(InvalidStatus) as error:
        Reader(live, path="/ws/stream")
    assert error.value.response.status_code == 403
    assert live.client().get("/ws").json()["code"] == "NOT_FOUND"


def test_a_served_page_needs_its_own_origin_and_an_allow_listed_one_passes(served):
    key = served.key()
    for origin in ("https://coach.example", "https://blog.example"):
        with enter(served, key, origin=origin):
            pass
    assert refused(served, origin="http://coach.example") == (403, "ORIGIN_REFUSED")


@pytest.fixture
def reader(live, owner_key):
    with enter(live, owner_key) as one:
        yield one


@pytest.mark.parametrize(
    ("message", "field"),
    [
        ({"type": "shout"}, "message"),
        ({"type": "subscribe", "channels": ["prices"]}, "subscribe.channels.0"),
        ({"type": "subscribe", "channels": []}, "subscribe.channels"),
        ({"type": "subscribe", "channels": ["price"], "symbols": "AAPL"}, "subscribe.symbols"),
        ({"type": "subscribe", "channels": ["price"], "extra": 1}, "subscribe.extra"),
        ({"type": "auth", "ticket": MADE_UP}, "type"),
    ],
    ids=str,
)
def test_a_request_that_is_not_one_gets_an_error_and_changes_nothing(reader, message, field):
    reader.line.send(json.dumps(message))
    error = reader.next()
    assert (error["type"], error["code"]) == ("error", "PARAM_INVALID")
    assert field in error["message"]
    reader.send(type="subscribe", channels=["risk"])
    assert reader.next()["channels"] == ["risk"]


@pytest.mark.parametrize(
    "symbol",
    ["A" * 300, "../etc/passwd", "AAPL;DROP TABLE", "AAPL\u0000", "ＡＡＰＬ", "", " ", "<b>"],
    ids=ascii,
)
def test_symbols_pass_the_one_validator(reader, symbol):
    reader.send(type="subscribe", channels=["price"], symbols=["MSFT", symbol])
    error = reader.next()
    assert error["type"] == "error"
    assert error["code"] in ("PARAM_INVALID", "BODY_INVALID")
    reader.send(type="unsubscribe", channels=["price"])
    assert reader.until("subscribed")["symbols"] == []


@pytest.mark.parametrize("text", ["", "{", '{"type":"ping","type":"ping"}', "NaN", "[" * 1000])
def test_what_is_no_json_gets_an_error(reader, text):
    reader.line.send(text)
    assert reader.next()["code"] == "BODY_INVALID"


def test_a_client_follows_at_most_two_hundred_symbols(reader):
    many = [f"S{at}" for at in range(200)]
    reader.send(type="subscribe", channels=["price"], symbols=many)
    assert len(reader.next()["symbols"]) == 200
    reader.send(type="subscribe", channels=["trades"], symbols=["ONE.MORE"])
    assert reader.until("error", symbol=None)["message"].endswith("at most 200")
    reader.send(type="unsubscribe", channels=["price"], symbols=many[:1])
    assert len(reader.until("subscribed")["symbols"]) == 199


def test_a_subscription_grows_shrinks_and_ends(reader):
    reader.send(type="subscribe", channels=["price", "risk"], symbols=["aapl", "$MSFT"])
    assert reader.next()["symbols"] == ["AAPL", "MSFT"]
    reader.send(type="subscribe", channels=["trades"], symbols=["AAPL"])
    reader.send(type="unsubscribe", channels=["price"], symbols=["AAPL"])
    reader.until("subscribed")
    assert reader.until("subscribed")["symbols"] == ["AAPL", "MSFT"]
    reader.send(type="unsubscribe", channels=["price", "trades", "risk"])
    last = reader.until("subscribed")
    assert (last["channels"], last["symbols"]) == ([], [])


def test_an_unknown_symbol_names_the_nearest_and_holds_nothing_up(reader):
    reader.send(type="subscribe", channels=["price"], symbols=["AAPLE", "AAPL"])
    assert reader.next()["type"] == "subscribed"
    found = {}
    while len(found) < 2:
        frame = reader.next()
        found[frame["symbol"]] = frame
    assert found["AAPLE"]["code"] == "SYMBOL_UNKNOWN"
    assert "AAPL" in found["AAPLE"]["hint"]
    price = found["AAPL"]
    assert (price["provenance"], price["source"]) == ("SIMULATED", "replay")
    assert float(price["bid"]) <= float(price["ask"])


def test_prices_and_trades_go_on_and_every_frame_has_its_number(live, reader):
    live.key().post("/api/v1/market/replay", json={"action": "step", "seconds": 120})
    reader.send(type="subscribe", channels=["price", "trades"], symbols=["AAPL"])
    reader.until("price", symbol="AAPL")
    live.key().post("/api/v1/market/replay", json={"action": "step", "seconds": 120})
    trades = reader.until("trades", symbol="AAPL")
    assert trades["items"]
    times = [one["ts"] for one in trades["items"]]
    assert times == sorted(times)
    assert trades["provenance"] == "SIMULATED"
    assert [one["seq"] for one in reader.seen] == list(range(1, len(reader.seen) + 1))


def test_bytes_are_not_spoken(reader):
    reader.line.send(b"\x00")
    assert reader.closed() == 1003


def test_a_halt_reaches_the_risk_channel_and_a_resume_too(live, owner_key, reader):
    reader.send(type="subscribe", channels=["risk"])
    assert reader.until("risk")["switch"] == "ACTIVE"
    key = {"idempotency-key": "halt-0123456789abc"}
    page = live.page()
    page.post("/api/v1/halt", json={"reason": "enough"}, headers=key)
    halted = reader.until("risk", switch="HALTED")
    assert (halted["switch_reason"], halted["state"]) == ("enough", "ok")
    key = {"idempotency-key": "resume-0123456789a"}
    page.post("/api/v1/resume", json={"reason": "calm again"}, headers=key)
    reader.until("risk", switch="ACTIVE")


def test_a_tenant_hears_nothing_of_another(live, reader):
    other = live.key(tenant="ten_other", name="other")
    with enter(live, other) as stranger:
        for one in (reader, stranger):
            one.send(type="subscribe", channels=["alerts"])
            one.until("alerts")
        tell(live, 1, tenant="ten_other", first=7)
        assert stranger.until("alert")["msg"].startswith("7 ")
        tell(live, 1, tenant=LOCAL_TENANT, first=8)
        assert reader.until("alert")["msg"].startswith("8 ")


@pytest.mark.fault("F109")
def test_a_flood_ends_the_flooding_client_and_no_other(live, owner_key, reader):
    with enter(live, owner_key) as loud:
        with pytest.raises(ConnectionClosed):
            for _ in range(10_000):
                loud.send(type="ping")
        assert loud.closed() == 1008
        assert sum(one["type"] == "pong" for one in loud.seen) <= 20
    reader.send(type="ping")
    assert reader.next()["type"] == "pong"


@pytest.mark.fault("F109")
def test_a_message_beyond_the_limit_ends_the_connection(live, reader, owner_key):
    with enter(live, owner_key) as big:
        big.line.send("x" * (live.product.settings.ws_max_payload_bytes + 1))
        assert big.closed() == 1009
    reader.send(type="ping")
    assert reader.next()["type"] == "pong"
