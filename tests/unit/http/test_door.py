"""Who gets in and from where: login, cookies, origins, hosts, headers, limits."""

import httpx
import pytest

from app.telemetry import configure_logs
from services.identity.user import LOCAL_TENANT
from tests.unit.http.live import KEY, live_server

SITE = {"sec-fetch-site": "same-origin"}


def code(answer):
    return answer.status_code, answer.json()["code"]


def test_the_printed_link_logs_in_once_and_sets_a_strict_cookie(live):
    client = live.client()
    path = live.up.login_link.removeprefix(live.up.address)
    first = client.get(path)
    assert (first.status_code, first.headers["location"]) == (303, "/")
    cookie = first.headers["set-cookie"]
    assert cookie.startswith("cornerman=")
    for part in ("HttpOnly", "SameSite=Strict", "Path=/"):
        assert part in cookie
    assert "Secure" not in cookie
    session = client.get("/api/v1/auth/session", headers=SITE).json()
    assert (session["mode"], session["surface"], session["csrf"]) == ("local", "web", "none")
    assert session["scopes"] == ["admin", "confirm", "propose", "read"]
    client.cookies.clear()
    assert code(client.get(path)) == (401, "LOGIN_LINK_INVALID")


@pytest.mark.parametrize("query", ["", "?t=", "?t=x", "?t=" + "A" * 43, "?t=%00"])
def test_a_made_up_link_opens_nothing(live, query):
    answer = live.client().get(f"/login{query}")
    assert answer.status_code in (401, 422)
    assert "set-cookie" not in answer.headers


@pytest.mark.fault("F122")
def test_a_logout_ends_the_session_at_once(live):
    page = live.page()
    assert page.get("/api/v1/auth/session").status_code == 200
    assert page.post("/api/v1/auth/logout").status_code == 200
    assert code(page.get("/api/v1/auth/session")) == (401, "UNAUTHENTICATED")


@pytest.mark.fault("F122")
def test_a_revoked_key_is_refused_by_the_very_next_request(live):
    owner, page = live.key("read"), live.page()
    assert owner.get("/api/v1/auth/session").status_code == 200
    listed = page.get("/api/v1/auth/keys").json()["items"]
    for one in listed:
        if one["scopes"] == ["read"]:
            page.delete(f"/api/v1/auth/keys/{one['id']}")
    assert code(owner.get("/api/v1/auth/session")) == (401, "UNAUTHENTICATED")


def test_a_key_is_shown_once_and_works_with_its_scopes(live):
    page = live.page()
    made = page.post("/api/v1/auth/keys", json={"name": "cron", "scopes": ["read"]}).json()
    assert made["key"].startswith("ck_")
    assert made["key"] not in page.get("/api/v1/auth/keys").text
    caller = live.client(authorization=f"Bearer {made['key']}")
    assert caller.get("/api/v1/halt").status_code == 200
    assert code(caller.post("/api/v1/halt", headers={"idempotency-key": KEY})) == (
        403,
        "SCOPE_MISSING",
    )
    assert code(live.client().get(f"/api/v1/halt?api_key={made['key']}")) == (
        401,
        "UNAUTHENTICATED",
    )


def test_a_bad_authorization_header_is_not_rescued_by_a_cookie(live):
    page = live.page()
    assert code(page.get("/api/v1/halt", headers={"authorization": "Bearer nope"})) == (
        401,
        "UNAUTHENTICATED",
    )


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:1"},
        {"origin": "http://localhost:3000", **SITE},
        {"origin": "", "sec-fetch-site": "cross-site"},
        {"origin": "", "sec-fetch-site": "same-site"},
        {"origin": "", "sec-fetch-site": ""},
    ],
)
@pytest.mark.fault("F066")
def test_a_foreign_page_changes_nothing_with_our_cookie(live, headers):
    page = live.page()
    sent = {**headers, "idempotency-key": KEY}
    request = page.build_request("POST", "/api/v1/halt", json={}, headers=sent)
    for name in [name for name, value in sent.items() if not value]:
        del request.headers[name]
    assert code(page.send(request)) == (403, "ORIGIN_REFUSED")


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_foreign_page_reads_nothing_with_our_cookie(live, site):
    answer = live.page().get("/api/v1/halt", headers={"sec-fetch-site": site})
    assert code(answer) == (403, "ORIGIN_REFUSED")


@pytest.mark.fault("F066")
def test_a_challenge_needs_a_fetch_of_our_own_page(live):
    page = live.page()
    for site in ("none", "cross-site"):
        assert code(
            page.get("/api/v1/proposals/p_1/challenge", headers={"sec-fetch-site": site})
        ) == (403, "ORIGIN_REFUSED")
    assert page.get("/api/v1/proposals/p_1/challenge").json()["code"] == "PROPOSAL_UNKNOWN"


@pytest.mark.fault("F127")
@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8080",
        "127.0.0.1.evil.example",
        "169.254.169.254",
        "",
        "localhost.evil",
    ],
)
def test_another_host_name_is_refused(live, host):
    client = httpx.Client(base_url=live.up.address, headers={"host": host})
    with client:
        answer = client.get("/api/v1/diag/health")
    assert answer.status_code in (400, 421)


def test_localhost_and_the_loopback_address_are_our_names(live):
    for name in ("127.0.0.1", "localhost"):
        client = live.client(host=f"{name}:{live.port}")
        assert client.get("/api/v1/diag/health").json()["status"] == "ok"


def test_every_answer_carries_the_security_headers(live, owner_key):
    for answer in (
        live.client().get("/"),
        owner_key.get("/api/v1/halt"),
        live.client().get("/api/v1/none"),
        live.client().get("/api/v1/halt"),
    ):
        policy = answer.headers["content-security-policy"]
        assert policy == (
            "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
            "img-src 'self' data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
            "require-trusted-types-for 'script'; trusted-types lit-html"
        )
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cross-origin-opener-policy"] == "same-origin"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        assert "access-control-allow-origin" not in answer.headers
        assert "server" not in answer.headers
        assert answer.headers["x-request-id"]


def test_the_embeddable_page_may_be_framed_by_the_allow_listed_origin_only(served):
    client = served.client()
    assert (
        "frame-ancestors https://blog.example;"
        in client.get("/embed").headers["content-security-policy"]
    )
    desk = client.get("/")
    assert "frame-ancestors 'none';" in desk.headers["content-security-policy"]
    assert desk.headers["strict-transport-security"]


def test_an_allow_listed_origin_may_call_with_a_key_and_no_other(served):
    caller = served.key("read")
    allowed = {"origin": "https://blog.example"}
    assert (
        caller.get("/api/v1/halt", headers=allowed).headers["access-control-allow-origin"]
        == "https://blog.example"
    )
    preflight = served.client().options("/api/v1/halt", headers=allowed)
    assert preflight.status_code == 204
    assert "access-control-allow-credentials" not in preflight.headers
    other = served.client().options("/api/v1/halt", headers={"origin": "https://evil.example"})
    assert other.status_code == 405
    assert "access-control-allow-origin" not in other.headers


@pytest.mark.fault("F127")
def test_a_served_login_sets_a_host_cookie_with_a_new_id_every_time(served):
    client = served.client(origin=served.origin)
    body = {"name": "owner", "password": "a long password"}
    cookies = [
        client.post("/api/v1/auth/login", json=body, headers={"cookie": ""}).headers["set-cookie"]
        for _ in range(2)
    ]
    for cookie in cookies:
        assert cookie.startswith("__Host-cornerman=")
        for part in ("HttpOnly", "Secure", "SameSite=Strict", "Path=/"):
            assert part in cookie
    assert cookies[0].split(";")[0] != cookies[1].split(";")[0]


def test_a_framed_login_gets_a_partitioned_cookie(served):
    answer = served.client(origin=served.origin).post(
        "/api/v1/auth/login", json={"name": "owner", "password": "a long password", "frame": True}
    )
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-cornerman-frame=")
    assert "Partitioned" in cookie
    assert "Secure" in cookie


@pytest.mark.fault("F123")
def test_a_wrong_password_and_an_unknown_name_look_alike(served):
    client = served.client(origin=served.origin)
    answers = [
        client.post("/api/v1/auth/login", json={"name": name, "password": "wrong"}).json()
        for name in ("owner", "nobody")
    ]
    for answer in answers:
        answer.pop("request_id")
    assert answers[0] == answers[1]
    assert answers[0]["code"] == "LOGIN_FAILED"


def test_local_mode_has_no_password_login(live):
    answer = live.client(origin=live.origin).post(
        "/api/v1/auth/login", json={"name": "owner", "password": "x"}
    )
    assert code(answer) == (409, "FEATURE_OFF")


@pytest.mark.fault("F108")
def test_too_many_logins_are_limited_and_the_kill_switch_never_is(migrated_file, tmp_path):
    import shutil

    shutil.copyfile(migrated_file, tmp_path / "c.db")
    with live_server(
        tmp_path,
        f"sqlite:///{tmp_path / 'c.db'}",
        environment={"LIMIT_LOGIN": "3/minute", "LIMIT_MUTATE": "2/minute"},
    ) as small:
        client = small.client()
        answers = [client.get("/login?t=" + "B" * 43) for _ in range(4)]
        assert code(answers[2]) == (401, "LOGIN_LINK_INVALID")
        assert code(answers[3]) == (429, "RATE_LIMITED")
        assert 1 <= int(answers[3].headers["retry-after"]) <= 60
        owner = small.key()
        assert [
            owner.put("/api/v1/settings", json={"values": {"theme": "dark"}}).status_code
            for _ in range(3)
        ] == [200, 200, 429]
        assert [
            owner.post(
                "/api/v1/halt", json={}, headers={"idempotency-key": f"{KEY}{number}"}
            ).status_code
            for number in range(20)
        ] == [200] * 20


def test_a_request_id_of_the_caller_is_kept_and_logged(live, owner_key):
    answer = owner_key.get("/api/v1/halt", headers={"x-request-id": "trace-0123456789"})
    assert answer.headers["x-request-id"] == "trace-0123456789"
    line = live.find_line(request_id="trace-0123456789")
    assert (line["event"], line["route"], line["status"]) == ("http.request", "/api/v1/halt", 200)


@pytest.mark.fault("F126")
def test_no_credential_is_ever_logged(live):
    page, owner = live.page(), live.key()
    page.get("/api/v1/halt")
    owner.get("/api/v1/halt")
    live.client().get("/login?t=" + "C" * 43)
    secret = page.headers["cookie"].split("=")[1]
    assert secret not in live.lines()
    assert owner.headers["authorization"].split()[1] not in live.lines()
    assert "C" * 43 not in live.lines()


def test_a_repeat_with_the_same_key_gets_the_same_answer_and_acts_once(live, owner_key):
    headers = {"idempotency-key": "repeat-" + "0" * 20}
    first = owner_key.put("/api/v1/settings", json={"values": {"symbol": "IBM"}}, headers=headers)
    owner_key.put("/api/v1/settings", json={"values": {"symbol": "MSFT"}})
    again = owner_key.put("/api/v1/settings", json={"values": {"symbol": "IBM"}}, headers=headers)
    assert again.json() == first.json()
    assert again.headers["idempotency-replayed"] == "true"
    assert owner_key.get("/api/v1/settings/symbol").json()["value"] == "MSFT"
    other = owner_key.put("/api/v1/settings", json={"values": {"symbol": "GOOG"}}, headers=headers)
    assert code(other) == (422, "IDEMPOTENCY_KEY_REUSED")


@pytest.mark.fault("F102")
def test_the_idempotency_key_of_another_user_stands_for_itself(live):
    body, headers = {"name": "k", "scopes": ["read"]}, {"idempotency-key": "shared-" + "1" * 20}
    mine = live.key().post("/api/v1/auth/keys", json=body, headers=headers)
    theirs = live.key(tenant="ten_other", name="eve").post(
        "/api/v1/auth/keys", json=body, headers=headers
    )
    assert mine.json()["id"] != theirs.json()["id"]


def test_probes_metrics_and_documents_answer(live):
    client = live.client()
    assert client.get("/healthz").json()["status"] == "ok"
    assert client.get("/readyz").json() == {"status": "ready"}
    assert (
        'cornerman_http_requests_total{method="GET",route="/healthz"' in client.get("/metrics").text
    )
    assert "/api/v1/halt" in client.get("/docs").text
    assert client.get("/healthz", headers={"host": "10.1.2.3"}).status_code == 200


def test_metrics_of_a_served_installation_need_a_key(served):
    assert served.client().get("/metrics").status_code == 401
    assert served.key("read").get("/metrics").status_code == 200


def test_settings_show_secrets_as_set_and_refuse_what_the_environment_owns(live, owner_key):
    items = {one["name"]: one for one in owner_key.get("/api/v1/settings").json()["items"]}
    assert items["theme"]["editable"] is True
    assert items["port"]["editable"] is False
    assert items["openai_api_key"]["value"] in ("", "set")
    for name, wanted in (("port", "SETTING_LOCKED"), ("nothing", "SETTING_UNKNOWN")):
        answer = owner_key.put("/api/v1/settings", json={"values": {name: "1"}})
        assert answer.json()["code"] == wanted
    answer = owner_key.put("/api/v1/settings", json={"values": {"theme": "pink"}})
    assert (answer.status_code, answer.json()["field"]) == (422, "theme")
    trail = owner_key.get("/api/v1/audit/events", params={"ref": "symbol"}).json()["items"]
    assert all(event["kind"] == "setting.changed" for event in trail)


def test_a_key_of_another_tenant_sees_its_own_rows_only(live, owner_key):
    owner_key.put("/api/v1/settings", json={"values": {"theme": "dark"}})
    other = live.key(tenant="ten_bola", name="mallory")
    assert other.get("/api/v1/settings/theme").json()["value"] == "auto"
    assert other.get("/api/v1/auth/session").json()["tenant"] == "ten_bola" != LOCAL_TENANT


def test_a_defect_answers_with_the_request_id_only_and_is_logged_with_its_traceback(
    live, owner_key, monkeypatch
):
    from services import preference

    def broken(_ctx):
        raise ZeroDivisionError("secret detail")

    monkeypatch.setattr(preference, "list_settings", broken)
    configure_logs(live.product.settings, live.log)  # another module's server may own the logs
    answer = owner_key.get("/api/v1/settings", headers={"x-request-id": "defect-0123456789"})
    assert code(answer) == (500, "INTERNAL_ERROR")
    assert answer.json()["request_id"] == "defect-0123456789"
    assert "secret detail" not in answer.text
    failed = live.find_line(event="http.failed", request_id="defect-0123456789")
    assert "ZeroDivisionError" in failed["exception"]
