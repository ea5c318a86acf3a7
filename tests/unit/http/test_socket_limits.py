"""Idle, beating, revoked, crowded and slow connections of /ws, and the end of the server."""

import contextlib
import json
import shutil
import socket
import threading
import time

import pytest
from websockets.exceptions import InvalidStatus

from agent.log import begin_epoch, desk_stream
from app.http import hub
from services.identity.session import revoke_session
from services.identity.user import LOCAL_TENANT
from services.kit.context import system_principal
from services.kit.environment import SettingsInvalid, load_settings
from tests.unit.http.live import GENEROUS, SERVED, as_principal, live_server
from tests.unit.http.ws import PROTOCOL, Reader, enter, session_ticket, tell, ticket

QUICK = {
    **GENEROUS,
    "WS_HEARTBEAT_INTERVAL_MS": "100",
    "WS_IDLE_CLOSE_MS": "500",
    "WS_CLIENTS_MAX": "4",
    "WS_LEGACY_API_KEY": "true",
    "LIMIT_WS": "1000/second",
}


@contextlib.contextmanager
def serving(migrated_file, home, **environment):
    shutil.copyfile(migrated_file, home / "cornerman.db")
    url = f"sqlite:///{home / 'cornerman.db'}"
    with live_server(home, url, environment={**QUICK, **environment}) as server:
        yield server


@pytest.fixture(scope="module")
def quick(migrated_file, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hub, "RECHECK_S", 0.15)
        with serving(migrated_file, tmp_path_factory.mktemp("quick")) as server:
            yield server


@pytest.fixture
def calm(migrated_file, tmp_path):
    patient = {"WS_HEARTBEAT_INTERVAL_MS": "15000", "WS_IDLE_CLOSE_MS": "60000"}
    with serving(migrated_file, tmp_path, **patient) as server:
        yield server


@pytest.fixture
def key(quick):
    return quick.key()


def test_the_risk_is_told_with_every_heartbeat(quick, key):
    with enter(quick, key) as reader:
        reader.send(type="subscribe", channels=["risk"])
        reader.until("subscribed")
        for _ in range(3):
            assert reader.until("risk")["switch"] == "ACTIVE"
            reader.until("heartbeat")


@pytest.mark.fault("F112")
def test_who_says_nothing_and_follows_nothing_is_closed_and_a_reader_is_not(quick, key):
    with enter(quick, key) as idle, enter(quick, key) as reader:
        reader.send(type="subscribe", channels=["risk"])
        assert idle.closed() == 4408
        time.sleep(0.2)
        reader.send(type="ping")
        assert reader.until("pong")


@pytest.mark.fault("F112")
def test_a_user_has_a_share_of_connections_and_another_user_his_own(quick, key):
    with contextlib.ExitStack() as stack:
        mine = [stack.enter_context(enter(quick, key)) for _ in range(4)]
        for one in mine:
            one.send(type="subscribe", channels=["risk"])
        fifth = stack.enter_context(Reader(quick))
        fifth.send(type="auth", ticket=ticket(key))
        assert fifth.closed() == 4429
        with pytest.raises(InvalidStatus) as error:
            Reader(quick, protocols=(PROTOCOL, f"ticket.{ticket(key)}"))
        assert error.value.response.status_code == 429
        assert json.loads(bytes(error.value.response.body))["code"] == "STREAM_LIMIT"
        other = quick.key(tenant="ten_other", name="other")
        stack.enter_context(enter(quick, other))
        mine[0].line.close()
        freed_by = time.monotonic() + 15
        while True:
            again = stack.enter_context(Reader(quick))
            again.send(type="auth", ticket=ticket(key))
            with contextlib.suppress(Exception):
                if again.next()["type"] == "welcome":
                    break
            assert time.monotonic() < freed_by


def test_a_revoked_session_loses_its_connection(quick):
    given, session_id = session_ticket(quick)
    with Reader(quick) as reader:
        reader.send(type="auth", ticket=given)
        reader.until("welcome")
        reader.send(type="subscribe", channels=["risk"])
        reader.until("heartbeat")
        quick.product.runtime.write(
            as_principal(quick), lambda ctx: revoke_session(ctx, session_id)
        )
        assert reader.closed() == 4401


def test_a_revoked_key_loses_its_connection(quick):
    mine, page = quick.key("read"), quick.page()
    with enter(quick, mine) as reader:
        reader.send(type="subscribe", channels=["risk"])
        for one in page.get("/api/v1/auth/keys").json()["items"]:
            if one["scopes"] == ["read"]:
                page.delete(f"/api/v1/auth/keys/{one['id']}")
        assert reader.closed() == 4401


def test_the_old_key_in_the_address_opens_it_in_local_mode_when_allowed(quick):
    mine = quick.key("read")
    text = mine.headers["authorization"].removeprefix("Bearer ")
    with Reader(quick, path=f"/ws?api_key={text}", protocols=()) as reader:
        assert reader.next()["type"] == "welcome"
    with Reader(quick, path="/ws?api_key=ck_wrong", protocols=()) as reader:
        assert reader.closed() == 4401
    writes = quick.key("propose").headers["authorization"].removeprefix("Bearer ")
    with Reader(quick, path=f"/ws?api_key={writes}", protocols=()) as reader:
        assert reader.closed() == 4401
    assert text not in quick.lines()


def test_served_mode_refuses_to_start_with_keys_in_addresses(tmp_path):
    given = {**SERVED, "CORNERMAN_HOME": str(tmp_path), "WS_LEGACY_API_KEY": "true"}
    with pytest.raises(SettingsInvalid, match="WS_LEGACY_API_KEY"):
        load_settings(given)


def cursors(reader):
    return [
        int(one["meta"]["cursor"].split(".")[1]) for one in reader.seen if one["type"] == "alert"
    ]


def test_between_snapshot_and_deltas_nothing_is_lost_and_nothing_comes_twice(calm):
    key = calm.key()
    ended = threading.Event()

    def talk():
        for at in range(60):
            tell(calm, 5, first=at * 5)
        ended.set()

    with contextlib.ExitStack() as stack:
        readers = []
        thread = threading.Thread(target=talk)
        thread.start()
        for _ in range(4):
            one = stack.enter_context(enter(calm, key))
            one.send(type="subscribe", channels=["orders", "alerts"])
            one.until("alerts")
            readers.append(one)
        thread.join()
        tell(calm, 1, first=999)
        for one in readers:
            one.until("alert", msg="999 ".ljust(20, "x"))
            got = cursors(one)
            assert got == list(range(got[0], got[-1] + 1)), "a gap or a repeat"
            assert [it["seq"] for it in one.seen] == list(range(1, len(one.seen) + 1))
            kinds = [it["type"] for it in one.seen]
            assert kinds.index("alerts") < kinds.index("alert")


def test_missed_events_are_told_and_the_snapshot_follows(quick, key):
    with enter(quick, key) as reader:
        reader.send(type="subscribe", channels=["alerts", "orders"])
        reader.until("orders")
        tell(quick, 1)
        reader.until("alert")
        quick.product.runtime.write(
            system_principal(LOCAL_TENANT), lambda ctx: begin_epoch(ctx, desk_stream(LOCAL_TENANT))
        )
        tell(quick, 1)
        assert reader.until("resync")["channels"] == ["alerts", "orders"]
        assert reader.until("orders")["whole"]


@pytest.mark.fault("F110")
def test_a_reader_that_does_not_read_is_ended_and_harms_nobody(calm):
    key = calm.key()
    narrow = socket.create_connection(("127.0.0.1", calm.port), 10)
    narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 131_072)
    with enter(calm, key) as reader, enter(calm, key, sock=narrow, max_queue=1) as stalled:
        for one in (reader, stalled):
            one.send(type="subscribe", channels=["alerts"])
            one.until("alerts")
        for part in range(10):
            tell(calm, 200, size=4000, first=part * 200)
            for at in range(200):
                assert reader.until("alert")["msg"].startswith(f"{part * 200 + at} ")
        assert stalled.closed() == 1013
        numbers = [int(one["msg"].split()[0]) for one in stalled.seen if one["type"] == "alert"]
        assert numbers == list(range(len(numbers))), "what it got has no gap"
        assert 0 < len(numbers) < 2000


def test_the_end_of_the_server_tells_every_reader(migrated_file, tmp_path):
    with serving(migrated_file, tmp_path) as server:
        reader = enter(server, server.key())
        reader.send(type="subscribe", channels=["risk"])
        reader.until("risk")
        stalled = socket.create_connection(("127.0.0.1", server.port), 10)
        stalled.sendall(b"GET /ws HTTP/1.1\r\n")
        began = time.monotonic()
    assert time.monotonic() - began < 8
    assert reader.closed() == 1001
    stalled.close()
