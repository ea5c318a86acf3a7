"""Owns the proof of the order client: one request, bounded, and an honest account of its end."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager, suppress

import pytest
from structlog.testing import capture_logs

from services.kit.clock import SystemClock
from services.kit.errors import InvariantBroken
from services.orders.order_client import Failure, OrderClient, Reply, WireLimits

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"
EMPTY = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
FORM = b"class=equity&tag=cm-1"


def read_whole(connection) -> bytes:
    found = b""
    while not found.endswith(FORM):
        piece = connection.recv(65_536)
        if not piece:
            break
        found += piece
    return found


@contextmanager
def listener(answer):
    """A socket that reads each request whole and hands its connection to `answer`."""
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection, suppress(OSError):
                    heard.append(read_whole(connection))
                    answer(connection)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}", heard
        server.shutdown(socket.SHUT_RDWR)
    thread.join(15)


def client(url, **limits):
    return OrderClient(
        url, {"authorization": "Bearer secret-token"}, SystemClock(), limits=WireLimits(**limits)
    )


def post(url, **limits):
    made = client(url, **limits)
    try:
        return made.send("POST", "/v1/accounts/VA1/orders", template="/orders", form=FORM)
    finally:
        made.close()


def test_a_request_carries_the_form_as_it_is_and_asks_for_json():
    with listener(lambda wire: wire.sendall(EMPTY)) as (url, heard):
        reply = post(url)
    assert isinstance(reply, Reply)
    assert (reply.status, reply.body) == (200, b"{}")
    head, _, body = heard[0].partition(b"\r\n\r\n")
    assert body == FORM
    lines = head.decode().lower().split("\r\n")
    assert lines[0] == "post /v1/accounts/va1/orders http/1.1"
    assert "accept: application/json" in lines
    assert "content-type: application/x-www-form-urlencoded" in lines
    assert "accept-encoding: identity" in lines


@pytest.mark.fault("F043")
def test_a_refused_connection_proves_that_nothing_was_sent():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    failure = post(f"http://127.0.0.1:{port}")
    assert failure == Failure(kind="ConnectError", begun=False)
    assert failure.is_unsent


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 200 OK\r\nContent-Le", HEAD + b"{"])
@pytest.mark.fault("F044")
def test_a_connection_that_ends_early_proves_nothing(said):
    with listener(lambda wire: wire.sendall(said)) as (url, heard):
        failure = post(url)
    assert isinstance(failure, Failure)
    assert (failure.begun, failure.is_unsent) == (True, False)
    assert len(heard) == 1


def test_nonsense_in_place_of_http_proves_nothing_and_is_asked_once():
    with listener(lambda wire: wire.sendall(b"SSH-2.0-OpenSSH\r\n\r\n")) as (url, heard):
        failure = post(url)
    assert failure == Failure(kind="RemoteProtocolError", begun=True)
    assert len(heard) == 1


@pytest.mark.parametrize("status", [b"301 Moved", b"307 Again", b"503 Later"])
@pytest.mark.fault("F045")
def test_neither_a_redirect_nor_a_busy_server_is_asked_again(status):
    answer = (
        b"HTTP/1.1 "
        + status
        + b"\r\nLocation: /there\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n"
    )
    with listener(lambda wire: wire.sendall(answer)) as (url, heard):
        reply = post(url)
    assert isinstance(reply, Reply)
    assert reply.status == int(status[:3])
    assert len(heard) == 1


def test_an_endless_body_is_cut():
    def flood(wire):
        wire.sendall(HEAD)
        for _ in range(200):
            wire.sendall(b" " * 1000)

    with listener(flood) as (url, _):
        failure = post(url, body_bytes_max=10_000)
    assert failure == Failure(kind="BodyTooLong", begun=True)


def test_a_body_that_drips_is_cut_at_the_deadline():
    stop = threading.Event()

    def drip(wire):
        wire.sendall(HEAD)
        while not stop.wait(0.05):
            wire.sendall(b" ")

    with listener(drip) as (url, _):
        failure = post(url, total_s=0.3)
        stop.set()
    assert failure == Failure(kind="BodyTooSlow", begun=True)


def test_a_broker_is_asked_over_https_or_on_this_machine():
    for url in ("http://api.tradier.com", "ftp://127.0.0.1x", "https://"):
        with pytest.raises(InvariantBroken):
            client(url)
    client("https://api.tradier.com").close()


def test_only_a_path_is_asked():
    for path in ("//evil.example/x", "orders", "https://evil.example/"):
        with pytest.raises(InvariantBroken):
            client("http://127.0.0.1:9").send("GET", path, template="/x")


def test_the_log_names_template_and_time_and_no_account_token_or_order():
    with listener(lambda wire: wire.sendall(EMPTY)) as (url, _), capture_logs() as logs:
        post(url)
    (line,) = [one for one in logs if one["event"] == "broker.asked"]
    assert (line["method"], line["path"], line["outcome"]) == ("POST", "/orders", 200)
    assert not any(word in str(logs) for word in ("secret-token", "VA1", "cm-1"))


def test_a_document_travels_as_json_byte_for_byte():
    document = b'{"qty":"10","client_order_id":"cm-1"}'
    with socket.create_server(("127.0.0.1", 0)) as server:
        heard: list[bytes] = []

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                while not heard or not heard[-1].endswith(document):
                    heard.append((heard[-1] if heard else b"") + connection.recv(65_536))
                connection.sendall(EMPTY)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        made = client(f"http://127.0.0.1:{server.getsockname()[1]}")
        reply = made.send("PATCH", "/v2/orders/1", template="/v2/orders/{id}", document=document)
        made.close()
        thread.join(15)
    assert isinstance(reply, Reply)
    head, _, body = heard[-1].partition(b"\r\n\r\n")
    assert body == document
    assert head.startswith(b"PATCH /v2/orders/1")
    assert b"content-type: application/json" in head.lower()


def test_one_request_has_one_body():
    with pytest.raises(InvariantBroken):
        client("http://127.0.0.1:9").send("POST", "/x", template="/x", form=b"a", document=b"b")
