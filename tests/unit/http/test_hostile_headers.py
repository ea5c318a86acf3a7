"""Hostile headers, addresses and encodings on every route: refused with a code, or harmless."""

from __future__ import annotations

import http.client
import itertools
import json

import pytest

from app.http.access import TABLE
from tests.unit.http.live import KEY
from tests.unit.http.test_table import SAMPLES, name_of, path_of

LONG = b"A" * 9_000
TEXTS = [b"", b"'", b"\xff\xfe", b"%00", b"../..", LONG, b"\xd9\xa3"]
HEADERS = {
    b"idempotency-key": [*TEXTS, b"short", b"a b" * 8, b"k" * 65],
    b"last-event-id": [*TEXTS, b"1", b"1.1.1", b"-1.-1", b"9" * 40 + b".1", b"1.9999999999999999"],
    b"cookie": [*TEXTS, b"cornerman", b"cornerman=", b"cornerman=" + LONG, b"=;=;", b'cornerman="'],
    b"authorization": [*TEXTS, b"Bearer", b"Bearer \xff", b"Basic Og==", b"Bearer ck_x_y"],
    b"content-type": [*TEXTS, b"application/json; charset=utf-7", b"application/json;;", b"text/x"],
    b"content-encoding": [b"gzip", b"br", b"identity, gzip", b"\xff"],
    b"origin": [*TEXTS, b"null", b"http://[::1", b"file://", b"javascript:0"],
    b"sec-fetch-site": [*TEXTS, b"Same-Origin", b"none"],
    b"x-request-id": [*TEXTS, b"a" * 65],
    b"x-forwarded-for": [*TEXTS, b"1.2.3.4, " * 500],
    b"host": [*TEXTS, b"[::1", b"127.0.0.1:99999", b"user@127.0.0.1", b"evil.example"],
    b"accept": [*TEXTS, b"text/html"],
}
ODD = ["%00", "%ff", "%2e%2e%2f", "a" * 600, "%F0%9F%98%80", "a;b", "%20", "..", "{id}", "%c0%ae"]
BUSY = ("DATABASE_BUSY", "DATA_STALE", "QUOTE_STALE")


class Caller:
    """A plain connection that sends any bytes, and reads no stream to its end."""

    def __init__(self, live, owner_key) -> None:
        self._port = live.port
        self._base = {
            b"host": f"127.0.0.1:{live.port}".encode(),
            b"authorization": owner_key.headers["authorization"].encode(),
            b"idempotency-key": KEY.encode(),
        }
        self._line = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        self._count = itertools.count()

    def send(self, method, path, *, body=b"", **changes):
        headers = {
            **self._base,
            b"idempotency-key": f"{KEY}{next(self._count):08}".encode(),
            **({b"content-type": b"application/json"} if body else {}),
            **changes.pop("headers", {}),
        }
        self._line.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for name, value in headers.items():
            self._line.putheader(name, value)
        if method not in ("GET", "HEAD"):
            self._line.putheader(b"content-length", str(len(body)).encode())
        self._line.endheaders(body)
        answer = self._line.getresponse()
        streams = answer.getheader("content-type", "").startswith("text/event-stream")
        said = b"" if streams else answer.read()
        if streams or answer.will_close:
            self.close()
        return answer.status, answer.getheader("content-type", ""), said

    def close(self) -> None:
        self._line.close()
        self._line = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)


@pytest.fixture(scope="module")
def caller(live, owner_key):
    made = Caller(live, owner_key)
    yield made
    made.close()


def require_calm(answer, what):
    status, kind, said = answer
    if status >= 500:
        assert json.loads(said)["code"] in BUSY, (what, status, said[:300])
    elif status >= 400 and said:
        assert kind == "application/problem+json", (what, status, said[:300])
        assert json.loads(said)["code"], what


@pytest.mark.fault("F107")
@pytest.mark.parametrize("row", TABLE, ids=name_of)
def test_no_header_value_brings_any_route_down(caller, row):
    body = b"{}" if row.mutates else b""
    for name, values in HEADERS.items():
        for value in values:
            answer = caller.send(row.method, path_of(row), body=body, headers={name: value})
            require_calm(answer, (name, value[:40]))


@pytest.mark.parametrize("row", [row for row in TABLE if "{" in row.path], ids=name_of)
def test_no_path_value_brings_any_route_down(caller, row):
    for value in ODD:
        path = row.path
        for name in SAMPLES:
            path = path.replace("{" + name + "}", value)
        body = b"{}" if row.mutates else b""
        answer = caller.send(row.method, path, body=body)
        require_calm(answer, path)
        if not row.path.startswith("/web/"):
            assert answer[0] >= 400, path


@pytest.mark.fault("F097")
@pytest.mark.parametrize("row", [row for row in TABLE if row.mutates], ids=name_of)
def test_no_route_unpacks_an_encoded_body(caller, row, live):
    own = {b"origin": live.origin.encode()}
    for encoding in (b"gzip", b"deflate", b"br", b"identity, gzip"):
        status, _, said = caller.send(
            row.method,
            path_of(row),
            body=b"\x1f\x8b",
            headers={b"content-encoding": encoding, **own},
        )
        if json.loads(said)["code"] != "SCOPE_MISSING":
            assert (status, json.loads(said)["code"]) == (415, "CONTENT_TYPE"), said


@pytest.mark.parametrize("row", [row for row in TABLE if not row.mutates], ids=name_of)
@pytest.mark.parametrize("method", ["HEAD", "TRACE", "CONNECT", "PROPFIND", "OPTIONS"])
def test_other_methods_are_refused_or_harmless(caller, row, method):
    answer = caller.send(method, path_of(row))
    require_calm(answer, (method, row.path))
    assert answer[0] in (200, 204, 303, 304, *range(400, 500)), answer
    caller.close()
