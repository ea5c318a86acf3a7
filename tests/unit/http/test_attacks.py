"""The attack list: each known way in is tried against the real server and stays shut."""

from __future__ import annotations

import json
import socket
import threading

import httpx
import pytest

from services.identity.session import find_session
from services.identity.ticket import find_ticket, use_ticket
from services.identity.user import NOBODY
from services.kit.context import SCOPES, Surface
from services.kit.errors import Refusal
from tests.unit.http.live import KEY, as_principal

SITE = {"sec-fetch-site": "same-origin"}
_count = iter(range(10_000))


def code(answer):
    return answer.status_code, answer.json()["code"]


def fresh():
    return {"idempotency-key": f"{KEY}{next(_count)}"}


def proposed(page):
    answer = page.post(
        "/api/v1/portfolio/trade",
        headers=fresh(),
        json={"symbol": "AAPL", "side": "buy", "quantity": f"{next(_count) + 1}"},
    )
    assert answer.status_code == 202, answer.text
    return answer.json()["result"]["proposal_id"]


def raw(live, data: bytes) -> bytes:
    """What the server answers to these bytes before it closes or falls silent."""
    with socket.create_connection(("127.0.0.1", live.port), timeout=15) as line:
        line.sendall(data)
        said = b""
        try:
            while chunk := line.recv(65_536):
                said += chunk
        except TimeoutError:
            pass
    return said


def request(live, *lines: str, body: bytes = b"", method="POST", path="/api/v1/journal") -> bytes:
    head = [f"{method} {path} HTTP/1.1", f"Host: 127.0.0.1:{live.port}", "Connection: close"]
    return "\r\n".join([*head, *lines]).encode("latin-1") + b"\r\n\r\n" + body


def status_of(said: bytes) -> int:
    return int(said.split(b" ", 2)[1])


def problem_of(said: bytes) -> str:
    head, _, body = said.partition(b"\r\n\r\n")
    assert b"application/problem+json" in head.lower(), said[:300]
    return json.loads(body)["code"]


@pytest.fixture
def bearer(owner_key):
    return f"Authorization: {owner_key.headers['authorization']}"


SMUGGLED = {
    "two lengths that differ": (["Content-Length: 2", "Content-Length: 9"], b"{}GET /x"),
    "two lengths in one": (["Content-Length: 2, 9"], b"{}"),
    "a length and chunks": (["Content-Length: 2", "Transfer-Encoding: chunked"], b"0\r\n\r\n"),
    "a negative length": (["Content-Length: -1"], b""),
    "a length in hex": (["Content-Length: 0x2"], b"{}"),
    "a length with a plus": (["Content-Length: +2"], b"{}"),
    "an unknown transfer encoding": (["Transfer-Encoding: gzip, chunked"], b"0\r\n\r\n"),
    "chunks of nonsense": (["Transfer-Encoding: chunked"], b"ZZ\r\n{}\r\n0\r\n\r\n"),
    "a header without a name": ([": x"], b""),
    "a space before the colon": (["Content-Length : 2"], b"{}"),
    "a folded header": (["X-A: b", " c: d", "Content-Length: -2"], b""),
    "a control byte in a header": (["X-A: a\x00b"], b""),
}


@pytest.mark.fault("F107")
@pytest.mark.parametrize(("lines", "body"), SMUGGLED.values(), ids=SMUGGLED)
def test_a_request_that_two_readers_would_read_differently_is_refused(live, bearer, lines, body):
    said = raw(live, request(live, bearer, "Content-Type: application/json", *lines, body=body))
    assert 400 <= status_of(said) < 500, said[:300]
    assert problem_of(said) in ("BODY_INVALID", "BODY_TOO_LARGE")
    assert said.count(b"HTTP/1.1 ") == 1, "nothing was smuggled behind it"


def test_headers_beyond_any_measure_are_refused(live):
    said = raw(live, request(live, f"X-Big: {'a' * 70_000}", method="GET", path="/healthz"))
    assert (status_of(said), problem_of(said)) == (422, "PARAM_INVALID")
    assert live.client().get("/healthz").status_code == 200


def test_a_version_that_we_do_not_speak_is_refused(live):
    said = raw(live, request(live, method="GET", path="/healthz").replace(b"1.1", b"9.9", 1))
    assert (status_of(said), problem_of(said)) == (422, "PARAM_INVALID")


@pytest.mark.parametrize("line", ["\x16\x03\x01\x02\x00", "nonsense"])
def test_what_is_no_http_gets_a_problem_and_the_line_ends(live, line):
    said = raw(live, line.encode("latin-1") + b"\r\n\r\n")
    assert (status_of(said), problem_of(said)) == (400, "BODY_INVALID")


def test_a_body_that_promises_more_than_it_sends_is_given_up(live, bearer):
    data = request(live, bearer, "Content-Type: application/json", "Content-Length: 50", body=b"{")
    with socket.create_connection(("127.0.0.1", live.port), timeout=15) as line:
        line.sendall(data)
    assert live.client().get("/healthz").status_code == 200


@pytest.mark.parametrize(
    "kind", ["application/x-www-form-urlencoded", "multipart/form-data; boundary=b", "text/plain"]
)
def test_a_form_of_a_foreign_page_changes_nothing(live, kind):
    """A form sends our cookie only without SameSite; origin and type each refuse it alone."""
    page = live.page()
    headers = {"content-type": kind, **fresh()}
    foreign = page.post(
        "/api/v1/halt", content=b"reason=x", headers={**headers, "origin": "https://evil.example"}
    )
    assert code(foreign) == (403, "ORIGIN_REFUSED")
    assert code(page.post("/api/v1/halt", content=b"reason=x", headers=headers)) == (
        415,
        "CONTENT_TYPE",
    )
    assert page.get("/api/v1/halt").json()["state"] == "ACTIVE"


def test_an_allow_listed_origin_never_acts_with_our_cookie(served):
    page = served.page()
    answer = page.post(
        "/api/v1/halt", json={}, headers={"origin": "https://blog.example", **fresh()}
    )
    assert code(answer) == (403, "ORIGIN_REFUSED")
    assert "access-control-allow-credentials" not in answer.headers


def test_no_answer_allows_another_origin_by_itself(live, owner_key):
    for path in ("/", "/api/v1/halt", "/openapi.json", "/healthz"):
        answer = owner_key.get(path, headers={"origin": "https://evil.example"})
        assert [name for name in answer.headers if name.startswith("access-control")] == [], path


@pytest.mark.fault("F127")
def test_a_session_id_chosen_by_an_attacker_is_never_adopted(served):
    planted = "A" * 43
    client = served.client(origin=served.origin, cookie=f"__Host-cornerman={planted}")
    body = {"name": "owner", "password": "a long password"}
    answer = client.post("/api/v1/auth/login", json=body)
    assert answer.status_code == 200
    assert planted not in answer.headers["set-cookie"]
    assert code(client.get("/api/v1/auth/session", headers=SITE)) == (401, "UNAUTHENTICATED")


@pytest.mark.fault("F122")
def test_ending_a_session_from_another_device_counts_at_once(live):
    lost, mine = live.page(), live.page()
    assert lost.get("/api/v1/auth/session").status_code == 200
    for one in mine.get("/api/v1/auth/sessions").json()["items"]:
        if not one["current"]:
            assert mine.delete(f"/api/v1/auth/sessions/{one['id']}").status_code == 200
    assert code(lost.get("/api/v1/auth/session")) == (401, "UNAUTHENTICATED")
    assert mine.get("/api/v1/auth/session").status_code == 200


@pytest.mark.fault("F122")
def test_a_key_is_rotated_with_an_overlap_and_the_old_one_dies_when_revoked(live):
    page = live.page()
    body = {"name": "cron", "scopes": ["read"]}
    old, new = (page.post("/api/v1/auth/keys", json=body).json() for _ in range(2))
    callers = [live.client(authorization=f"Bearer {one['key']}") for one in (old, new)]
    assert [one.get("/api/v1/halt").status_code for one in callers] == [200, 200]
    assert page.delete(f"/api/v1/auth/keys/{old['id']}").status_code == 200
    assert [one.get("/api/v1/halt").status_code for one in callers] == [401, 200]


def test_a_logged_out_cookie_is_worth_nothing_even_to_the_database(live):
    page = live.page()
    secret = page.headers["cookie"].split("=", 1)[1]
    assert page.post("/api/v1/auth/logout").status_code == 200
    with live.product.runtime.database.read(None) as db:
        assert find_session(live.product.runtime.context(db, NOBODY), secret) is None


@pytest.mark.fault("F064")
def test_five_wrong_tokens_lock_the_card_and_then_even_the_right_one_is_dead(live):
    page = live.page()
    proposal = proposed(page)
    card = page.get(f"/api/v1/proposals/{proposal}/challenge").json()
    path = f"/api/v1/proposals/{proposal}/confirm"
    body = {"version": card["version"], "order_hash": card["order_hash"]}
    for left in (4, 3, 2, 1, 0):
        guess = page.post(path, json={**body, "token": "ct_" + "A" * 43}, headers=fresh())
        assert code(guess) == (403, "TOKEN_WRONG")
        assert guess.json()["facts"]["left"] in (left, str(left))
    right = page.post(path, json={**body, "token": card["token"]}, headers=fresh())
    assert code(right) == (409, "PROPOSAL_NOT_PENDING")
    shown = page.get(f"/api/v1/proposals/{proposal}").json()
    assert (shown["status"], shown["order_id"]) == ("invalidated", None)


@pytest.mark.fault("F064")
def test_a_token_of_one_card_confirms_no_other(live):
    page = live.page()
    first, second = proposed(page), proposed(page)
    token = page.get(f"/api/v1/proposals/{first}/challenge").json()["token"]
    card = page.get(f"/api/v1/proposals/{second}/challenge").json()
    answer = page.post(
        f"/api/v1/proposals/{second}/confirm",
        headers=fresh(),
        json={"token": token, "version": card["version"], "order_hash": card["order_hash"]},
    )
    assert code(answer) == (403, "TOKEN_WRONG")


def test_a_framed_session_sees_no_token_and_confirms_nothing_with_a_stolen_one(served):
    page, frame = served.page(), served.page(Surface.FRAME)
    proposal = proposed(page)
    card = page.get(f"/api/v1/proposals/{proposal}/challenge").json()
    assert code(frame.get(f"/api/v1/proposals/{proposal}/challenge")) == (403, "CONFIRM_FRAMED")
    stolen = {name: card[name] for name in ("token", "version", "order_hash")}
    path = f"/api/v1/proposals/{proposal}/confirm"
    assert code(frame.post(path, json=stolen, headers=fresh())) == (403, "CONFIRM_FRAMED")
    assert "ct_" not in frame.get(f"/api/v1/proposals/{proposal}").text
    assert frame.get(f"/api/v1/proposals/{proposal}").json()["status"] == "pending"


@pytest.mark.fault("F125")
@pytest.mark.parametrize("scope", sorted(SCOPES))
def test_a_key_does_what_its_one_scope_says_and_no_more(live, scope):
    caller = live.key(scope)
    tried = {
        "read": caller.get("/api/v1/proposals"),
        "propose": caller.post("/api/v1/journal", json={"text": "x"}),
        "confirm": caller.get("/api/v1/proposals/p_none/challenge", headers=SITE),
        "admin": caller.get("/api/v1/auth/keys"),
    }
    for needed, answer in tried.items():
        refused = answer.status_code == 403 and answer.json()["code"] == "SCOPE_MISSING"
        assert refused is (needed != scope), (needed, answer.text)


@pytest.mark.fault("F125")
@pytest.mark.parametrize(
    "text", ["", "Bearer", "Bearer ck__", "Bearer ck_" + "0" * 26 + "_" + "A" * 43,
             "Basic b3duZXI6eA==", "bearer null", "Bearer undefined"],
)  # fmt: skip
def test_an_empty_or_made_up_key_is_nobody(live, text):
    answer = live.client(**({"authorization": text} if text else {})).get("/api/v1/halt")
    assert code(answer) == (401, "UNAUTHENTICATED")


@pytest.mark.fault("F113")
def test_a_websocket_ticket_is_worth_one_use_within_thirty_seconds(live):
    page = live.page()
    made = page.post("/api/v1/auth/ws-token", json={}).json()
    assert made["expires_in_s"] == 30
    runtime, who = live.product.runtime, as_principal(live)
    runtime.write(who, lambda ctx: use_ticket(ctx, "ws", made["ticket"]))
    with pytest.raises(Refusal, match="LOGIN_LINK_INVALID"):
        runtime.write(who, lambda ctx: use_ticket(ctx, "ws", made["ticket"]))
    other = page.post("/api/v1/auth/ws-token", json={}).json()["ticket"]
    assert code(live.client().get(f"/login?t={other}")) == (401, "LOGIN_LINK_INVALID")
    with runtime.database.read(None) as db:
        assert find_ticket(runtime.context(db, NOBODY), "login", other) is None


def test_one_link_opened_by_ten_at_once_lets_one_in(live):
    from app.http.server import login_link

    product = live.product
    user = live.user("ten_local", "owner")
    path = login_link(product, user, live.up.address).removeprefix(live.up.address)
    statuses = []

    def visit():
        headers = {"host": f"127.0.0.1:{live.port}"}
        statuses.append(httpx.get(f"{live.up.address}{path}", headers=headers).status_code)

    threads = [threading.Thread(target=visit) for _ in range(10)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(10)
    assert sorted(statuses) == [303] + [401] * 9


def test_metrics_name_templates_and_no_person_symbol_or_id(live):
    page = live.page()
    proposal = proposed(page)
    page.get(f"/api/v1/proposals/{proposal}")
    page.get("/api/v1/symbols/AAPL/price")
    told = live.client().get("/metrics").text
    assert 'route="/api/v1/proposals/{id}"' in told
    for secret in (proposal, "AAPL", "usr_", "ten_", "ck_", "ses_"):
        assert secret not in told, secret
    for row in live.product.metrics.rows:
        assert row.name in told or row.labels, row.name


def test_metrics_of_a_served_installation_are_for_a_reading_key_only(served):
    assert code(served.client().get("/metrics")) == (401, "UNAUTHENTICATED")
    assert code(served.key("propose").get("/metrics")) == (403, "SCOPE_MISSING")
    assert served.key("read").get("/metrics").status_code == 200


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/api/v1/auth/keys", {"name": "nightly", "scopes": ["read"]}, "key"),
        ("/api/v1/auth/ws-token", {}, "ticket"),
    ],
)
def test_a_secret_is_shown_once_and_never_stored_beside_its_idempotency_key(
    live, path, body, field
):
    page, headers = live.page(), fresh()
    first = page.post(path, headers=headers, json=body).json()
    again = page.post(path, headers=headers, json=body)
    assert len(first[field]) > 20
    assert again.headers["idempotency-replayed"] == "true"
    assert again.json() == {**first, field: None}
    with live.product.runtime.database.read(None) as db:
        stored = [row[0] for row in db.connection.exec_driver_sql("SELECT body FROM idempotency")]
    assert stored
    assert not any(first[field] in text for text in stored)
