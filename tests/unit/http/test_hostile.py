"""The hostile corpus on every route: always a 4xx problem with a code, never a 5xx."""

import json
import time

import pytest

from app.http.access import TABLE
from tests.unit.http.live import KEY
from tests.unit.http.test_body import HOSTILE
from tests.unit.http.test_table import name_of, path_of

STRINGS = [
    "\u0000",
    "a\u0000b",
    "\u001b[31mred",
    "A" * 10_000,
    "１２",
    "٣",
    "1e1000000",
    "NaN",
    "Infinity",
    "-1",
    "0x10",
    "1,000",
    "1_000",
    "1.",
    ".5",
    "+1",
    " 1",
    "1\n",
    "",
    "AAPL;DROP TABLE orders",
    "' OR 1=1 --",
    "../../etc/passwd",
    "AAPL%0d%0aX",
    "АAPL",
    "http://169.254.169.254/",
    "=cmd()",
    "\u202eevil",
    "\ufeff",
    "\ud7ff\ue000",
]
VALUES = [
    "a\u0000b",
    "A" * 9_000,
    "１２",
    "1e1000000",
    "NaN",
    "-1",
    "1,000",
    "",
    "\u202e",
    "' OR 1=1",
    0,
    -1,
    2**53 - 1,
    True,
    None,
    [],
    {},
    [[]],
    {"a": {}},
]
FOREIGN = ("tenant_id", "is_admin", "status")
CHANGING = [row for row in TABLE if row.mutates]
READING = [
    row
    for row in TABLE
    if not row.mutates and row.path.startswith("/api/") and row.group != "stream"
]


@pytest.fixture
def ask(owner_key):
    count = iter(range(10**9))

    def send(row, body, **headers):
        return owner_key.request(
            row.method,
            path_of(row),
            content=body,
            headers={
                "content-type": "application/json",
                "idempotency-key": f"{KEY}{next(count):012d}",
                "origin": str(owner_key.base_url),
                **headers,
            },
        )

    return send


@pytest.fixture(scope="module")
def openapi(live):
    return live.client().get("/openapi.json").json()


def fields_of(openapi, row):
    """The members of the route's body, and members that no caller may set."""
    operation = openapi["paths"].get(row.path, {}).get(row.method.lower(), {})
    schema = (
        operation.get("requestBody", {})
        .get("content", {})
        .get("application/json", {})
        .get("schema", {})
    )
    options = [schema, *schema.get("anyOf", ())]
    names = [one["$ref"].rsplit("/", 1)[-1] for one in options if "$ref" in one]
    return [
        *(
            field
            for name in names
            for field in openapi["components"]["schemas"][name]["properties"]
        ),
        *FOREIGN,
    ]


def queries_of(openapi, row):
    operation = openapi["paths"][row.path]["get"]
    return [one["name"] for one in operation.get("parameters", ()) if one["in"] == "query"]


def require_problem(answer, what):
    assert 400 <= answer.status_code < 500, (what, answer.status_code, answer.text[:300])
    assert answer.headers["content-type"] == "application/problem+json", what
    assert answer.json()["code"], what
    return answer.json()


def require_no_server_fault(answer, what):
    assert answer.status_code < 500 or answer.json().get("code") in (
        "DATABASE_BUSY",
        "DATA_STALE",
        "QUOTE_STALE",
    ), (what, answer.status_code, answer.text[:300])


@pytest.mark.fault("F091")
@pytest.mark.fault("F092")
@pytest.mark.fault("F093")
@pytest.mark.fault("F094")
@pytest.mark.parametrize("row", CHANGING, ids=name_of)
def test_every_changing_route_refuses_every_hostile_body(ask, row):
    for what, body in HOSTILE.items():
        problem = require_problem(ask(row, body), what)
        assert "ud800" not in json.dumps(problem)


@pytest.mark.fault("F095")
@pytest.mark.fault("F096")
@pytest.mark.fault("F098")
@pytest.mark.fault("F105")
@pytest.mark.parametrize("row", CHANGING, ids=name_of)
def test_no_value_in_any_field_brings_a_changing_route_down(ask, openapi, row):
    for field in fields_of(openapi, row):
        for value in VALUES:
            body = json.dumps({field: value}).encode()
            require_no_server_fault(ask(row, body), (field, value))


@pytest.mark.parametrize("row", CHANGING, ids=name_of)
def test_a_body_that_is_no_object_is_refused_or_needless(ask, row):
    for body in (b"[]", b"1", b'"text"', b"null", b"true", b"{}"):
        require_no_server_fault(ask(row, body), body)


@pytest.mark.fault("F099")
@pytest.mark.parametrize("row", READING, ids=name_of)
def test_no_query_value_brings_a_reading_route_down(owner_key, openapi, row):
    for name in queries_of(openapi, row):
        for value in STRINGS:
            answer = owner_key.get(path_of(row), params={name: value})
            require_no_server_fault(answer, (name, value))


@pytest.mark.fault("F098")
@pytest.mark.parametrize(
    "symbol",
    [
        "AAPL;DROP",
        "..%2f..%2fetc",
        "AAPL%0d%0aX",
        "A" * 2000,
        "%D0%90APL",
        "AAPL%00",
        "%ed%a0%80",
        "1AAPL",
        "%ff",
    ],
)
@pytest.mark.parametrize("leaf", ["price", "history"])
def test_a_hostile_symbol_never_reaches_a_route(owner_key, symbol, leaf):
    require_problem(owner_key.get(f"/api/v1/symbols/{symbol}/{leaf}"), symbol)


@pytest.mark.parametrize("identifier", ["a%00b", "%0a", "a" * 200, "%ed%a0%80", "a%20b", "'--"])
def test_a_hostile_identifier_never_reaches_a_route(owner_key, identifier):
    for row in TABLE:
        if "{id}" in row.path and not row.mutates and row.group != "stream":
            path = row.path.replace("{id}", identifier)
            require_problem(owner_key.get(path, headers={"sec-fetch-site": "same-origin"}), path)


@pytest.mark.fault("F097")
def test_an_oversize_body_is_refused_by_its_length_and_by_its_bytes(owner_key, live):
    limit = live.product.settings.request_body_limit

    def chunks():
        for _ in range(limit // 4096 + 2):
            yield b" " * 4096

    for content in (b" " * (limit + 1), chunks()):
        answer = owner_key.post(
            "/api/v1/journal", content=content, headers={"content-type": "application/json"}
        )
        assert (answer.status_code, answer.json()["code"]) == (413, "BODY_TOO_LARGE")


@pytest.mark.fault("F097")
def test_an_encoded_body_is_refused_unread(owner_key):
    answer = owner_key.post(
        "/api/v1/journal",
        content=b"\x1f\x8b",
        headers={"content-type": "application/json", "content-encoding": "gzip"},
    )
    assert (answer.status_code, answer.json()["code"]) == (415, "CONTENT_TYPE")


@pytest.mark.fault("F107")
@pytest.mark.parametrize(
    "kind",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "",
        "multipart/form-data; boundary=x",
        "application/jsonp",
        "application/json; charset=utf-16",
    ],
)
def test_only_json_changes_anything(owner_key, kind):
    answer = owner_key.post(
        "/api/v1/journal", content=b'{"text": "x"}', headers={"content-type": kind}
    )
    assert (answer.status_code, answer.json()["code"]) == (415, "CONTENT_TYPE")


def test_a_hostile_number_is_refused_within_milliseconds(ask):
    row = next(row for row in CHANGING if row.path.endswith("/sizing/suggest"))
    body = {"symbol": "AAPL", "side": "long", "entry": "1e1000000", "stop": "1"}
    began = time.perf_counter()
    assert require_problem(ask(row, json.dumps(body).encode()), "1e1000000")["field"] == "entry"
    assert time.perf_counter() - began < 0.5


@pytest.mark.fault("F101")
def test_log_lines_stay_one_json_object_each_whatever_was_sent(owner_key, live):
    owner_key.get("/api/v1/journal", params={"query": "a\r\nb\x1b[31m"})
    owner_key.get("/api/v1/%0d%0aforged")
    for line in live.lines().splitlines():
        assert isinstance(json.loads(line), dict)
    assert "\x1b" not in live.lines()


def test_a_problem_never_repeats_the_input(owner_key):
    secret = "sk-" + "a1" * 20
    answer = owner_key.post("/api/v1/journal", json={"text": {"inner": secret}})
    assert answer.status_code == 422
    assert secret not in answer.text
