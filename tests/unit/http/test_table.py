"""The access table is the whole truth: every route has its row, and every row bites."""

import pytest
from fastapi.routing import APIRoute
from openapi_spec_validator import validate

from app.http.access import PARAMS, TABLE, find_access
from app.http.factory import build_api
from app.http.limits import GROUPS
from services.kit.context import SCOPES
from tests.unit.http.live import KEY

SAMPLES = {"id": "x_1", "name": "quote", "symbol": "AAPL", "file": "style.css"}


def path_of(row):
    path = row.path
    for name, sample in SAMPLES.items():
        path = path.replace("{" + name + "}", sample)
    return path


def name_of(row):
    return f"{row.method} {row.path}"


def rows(**wanted):
    chosen = [
        row for row in TABLE if all(getattr(row, key) == value for key, value in wanted.items())
    ]
    return pytest.mark.parametrize("row", chosen, ids=map(name_of, chosen))


def mounted(routes):
    """Every (method, path) below `routes`, through included routers."""
    found = set()
    for route in routes:
        if isinstance(route, APIRoute):
            found |= {(method, route.path) for method in route.methods}
        elif hasattr(route, "original_router"):
            found |= mounted(route.original_router.routes)
        else:
            found.add(("GET", "/web/{file}" if route.path == "/web" else route.path))
    return found


def test_every_mounted_route_has_a_row_and_every_row_a_route(live):
    assert mounted(build_api(live.product).routes) == {(row.method, row.path) for row in TABLE}


def test_every_row_names_a_known_scope_group_and_flag():
    for row in TABLE:
        assert row.scope in {*SCOPES, "any", "public"}, name_of(row)
        assert row.group in GROUPS, name_of(row)
        assert row.flags <= {"money", "top", "own", "anyhost", "local"}, name_of(row)


def test_what_moves_or_holds_money_is_marked_as_money():
    money = {row.path for row in TABLE if "money" in row.flags}
    for word in ("confirm", "decline", "edit", "cancel", "init", "trade"):
        paths = {row.path for row in TABLE if row.path.endswith(f"/{word}") and row.mutates}
        assert paths - {"/api/v1/coach/runs/{id}/cancel"} <= money, word
    assert {"/api/v1/halt", "/api/v1/resume", "/api/v1/portfolios"} <= money


def test_a_framed_page_reaches_no_route_that_confirms_or_administers():
    for row in TABLE:
        if row.scope in ("confirm", "admin") and row.path != "/api/v1/audit/verify":
            assert "top" in row.flags, name_of(row)


def test_a_path_finds_its_row_and_a_malformed_parameter_is_named():
    assert find_access("GET", "/api/v1/proposals/prop_1").access.path == "/api/v1/proposals/{id}"
    assert find_access("GET", "/api/v1/proposals/a b").bad_param == "id"
    assert find_access("GET", "/api/v1/symbols/AAPL;DROP/price").bad_param == "symbol"
    assert find_access("GET", "/api/v1/nothing") is None
    assert find_access("TRACE", "/api/v1/halt") is None
    assert all(pattern.fullmatch(SAMPLES[name]) for name, pattern in PARAMS.items())


@pytest.mark.parametrize(
    "row", [row for row in TABLE if row.scope != "public" and "local" not in row.flags], ids=name_of
)
def test_without_a_credential_nothing_opens(live, row):
    answer = live.client().request(
        row.method, path_of(row), headers={"idempotency-key": KEY, "origin": live.origin}
    )
    assert (answer.status_code, answer.json()["code"]) == (401, "UNAUTHENTICATED")


@pytest.mark.parametrize(
    "row", [row for row in TABLE if row.scope in SCOPES and "local" not in row.flags], ids=name_of
)
def test_a_key_without_the_scope_is_refused(live, row, others):
    answer = others[row.scope].request(row.method, path_of(row), headers={"idempotency-key": KEY})
    assert (answer.status_code, answer.json()["code"]) == (403, "SCOPE_MISSING")


@pytest.fixture(scope="module")
def others(live):
    return {scope: live.key(*(SCOPES - {scope})) for scope in SCOPES}


@pytest.mark.fault("F103")
@pytest.mark.parametrize("row", [row for row in TABLE if "money" in row.flags], ids=name_of)
def test_a_money_route_needs_an_idempotency_key(owner_key, row):
    answer = owner_key.request(row.method, path_of(row), json={})
    assert (answer.status_code, answer.json()["code"]) == (428, "IDEMPOTENCY_KEY_MISSING")


@pytest.mark.parametrize(
    "row", [row for row in TABLE if row.mutates and row.scope != "public"], ids=name_of
)
def test_every_changing_route_judges_the_idempotency_key(owner_key, row):
    answer = owner_key.request(
        row.method, path_of(row), json={}, headers={"idempotency-key": "too short"}
    )
    assert (answer.status_code, answer.json()["code"]) == (422, "IDEMPOTENCY_KEY_INVALID")


@pytest.mark.parametrize("row", [row for row in TABLE if "top" in row.flags], ids=name_of)
def test_a_framed_session_is_refused_where_only_our_own_page_may_act(served, framed, row):
    answer = framed.request(row.method, path_of(row), headers={"idempotency-key": KEY})
    assert (answer.status_code, answer.json()["code"]) == (403, "CONFIRM_FRAMED")


@pytest.fixture(scope="module")
def framed(served):
    from services.kit.context import Surface

    return served.page(Surface.FRAME)


def test_the_openapi_document_is_valid_and_names_security_and_keys(live):
    document = live.client().get("/openapi.json").json()
    validate(document)
    for row in TABLE:
        operation = document["paths"].get(row.path, {}).get(row.method.lower())
        if operation is None:
            assert not row.path.startswith("/api/"), name_of(row)
            continue
        assert bool(operation["security"]) is (row.scope != "public"), name_of(row)
        names = {one["name"]: one for one in operation.get("parameters", ())}
        assert ("Idempotency-Key" in names) is row.mutates, name_of(row)


@pytest.mark.fault("F107")
def test_an_unknown_method_or_path_is_a_problem(live):
    client = live.client()
    for method, path, status in (
        ("DELETE", "/api/v1/halt", 405),
        ("OPTIONS", "/api/v1/halt", 405),
        ("GET", "/api/v1/none", 404),
        ("PUT", "/", 405),
    ):
        answer = client.request(method, path)
        assert answer.status_code == status
        assert answer.headers["content-type"] == "application/problem+json"
    assert client.request("DELETE", "/api/v1/halt").headers["allow"] == "GET, POST"
