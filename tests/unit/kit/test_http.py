"""Outgoing HTTP against a real loopback server: retries, bounds, and what is never followed."""

import json
import logging
import socket

import pytest
import structlog

from services.kit.clock import HandClock, SystemClock
from services.kit.errors import InvariantBroken, Refusal
from services.kit.http import HttpClient, HttpLimits, Origin
from tests.fakes.massive_server import KEY, Fault, MassiveServer

PATH = "/v3/reference/tickers/AAPL"


@pytest.fixture
def server():
    with MassiveServer() as running:
        running.list_ticker("AAPL")
        yield running


class Client:
    """A client with a hand-driven sleep, and what it slept."""

    def __init__(self, server, clock=None, **limits):
        self.clock = clock or HandClock(SystemClock().now())
        self.slept = []
        origin = Origin(
            provider="Massive", base_url=server.base_url, headers={"authorization": f"Bearer {KEY}"}
        )
        self.http = HttpClient(origin, self.clock, limits=HttpLimits(**limits), sleep=self._sleep)

    def _sleep(self, seconds):
        self.slept.append(seconds)
        if isinstance(self.clock, HandClock):
            self.clock.advance(seconds=seconds)


@pytest.fixture
def client(server):
    made = Client(server)
    yield made
    made.http.close()


def test_an_answer_has_status_type_and_body(client):
    answer = client.http.get(PATH)
    assert (answer.status, answer.content_type) == (200, "application/json")
    assert json.loads(answer.body)["results"]["ticker"] == "AAPL"


@pytest.mark.parametrize("fault", [Fault.HTML_504, Fault.RESET])
def test_a_passing_fault_is_asked_again(server, client, fault):
    server.fault("/", fault, times=2)
    assert client.http.get(PATH).status == 200
    assert len(server.requests) == 3
    assert client.slept == [0.2, 0.4]


def test_attempts_are_bounded_and_the_last_answer_is_returned(server, client):
    server.fault("/", Fault.HTML_504)
    assert client.http.get(PATH).status == 504
    assert len(server.requests) == 3


@pytest.mark.parametrize("fault", [Fault.LIMITED_429, Fault.DENIED_403, Fault.REDIRECT])
def test_a_definite_answer_is_not_asked_again(server, client, fault):
    server.fault("/", fault)
    assert client.http.get(PATH).status in (429, 403, 302)
    assert len(server.requests) == 1


@pytest.mark.fault("F028")
def test_the_wait_that_a_server_names_is_read(server, client):
    server.fault("/", Fault.LIMITED_429)
    assert client.http.get(PATH).retry_after_s == 12.0


def test_a_server_that_is_gone_is_unavailable(server):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        server_at = f"http://127.0.0.1:{taken.getsockname()[1]}"
        http = HttpClient(
            Origin(provider="Massive", base_url=server_at),
            HandClock(SystemClock().now()),
            sleep=lambda _: None,
        )
        with pytest.raises(Refusal) as caught:
            http.get(PATH)
        http.close()
    assert caught.value.code == "PROVIDER_UNAVAILABLE"


def test_silence_ends_at_the_read_limit(server):
    client = Client(server, SystemClock(), read_s=0.1, total_s=0.25)
    server.fault("/", Fault.SILENCE)
    with pytest.raises(Refusal) as caught:
        client.http.get(PATH)
    client.http.close()
    assert caught.value.code == "PROVIDER_UNAVAILABLE"
    assert caught.value.facts["reason"] == "ReadTimeout"


@pytest.mark.fault("F029")
def test_a_body_above_the_limit_is_dropped(server, client):
    server.fault("/", Fault.OVERSIZE)
    with pytest.raises(Refusal) as caught:
        client.http.get(PATH)
    assert caught.value.code == "PROVIDER_BODY_INVALID"
    assert len(server.requests) == 1


def test_only_paths_of_the_origin_can_be_asked(client):
    for path in ("https://elsewhere.example/", "//elsewhere.example/x", "x"):
        with pytest.raises(InvariantBroken):
            client.http.get(path)


def test_a_provider_is_never_asked_in_the_clear():
    with pytest.raises(InvariantBroken):
        HttpClient(Origin(provider="X", base_url="http://api.example"), SystemClock())


def test_the_log_holds_host_and_template_and_no_query_and_no_key(server, client, caplog):
    caplog.set_level(logging.DEBUG)
    with structlog.testing.capture_logs() as lines:
        client.http.get(PATH, {"secret": "query"}, template="/v3/reference/tickers/{ticker}")
    assert [line["event"] for line in lines] == ["provider_asked"]
    assert lines[0]["path"] == "/v3/reference/tickers/{ticker}"
    assert lines[0]["outcome"] == "200"
    said = f"{lines} {caplog.text}"
    assert KEY not in said
    assert "query" not in said


def test_the_key_is_not_in_the_representation_of_the_origin():
    assert KEY not in repr(Origin(provider="X", base_url="https://x", headers={"a": KEY}))
