"""When prices stream: the setting, the key, the cluster, and what is said where they do not."""

import sys

import pytest

from app.streaming import stream_capability
from app.wiring import build
from services.kit.environment import SettingsInvalid, load_settings
from services.market.live import LiveBook
from services.market.quote import Provenance

MASSIVE = {"MASSIVE_API_KEY": "k"}
ON = {"FEATURE_ENABLE_MASSIVE_STREAM": "true"}
DELAYED = {"MASSIVE_WS_BASE": "wss://delayed.massive.com"}
TRADIER = {"TRADIER_ACCESS_TOKEN": "t", "FEATURE_FAILOVER_ENABLED": "true"}


@pytest.fixture
def product(tmp_path):
    made = []

    def open_product(given):
        settings = load_settings({"CORNERMAN_HOME": str(tmp_path), **given})
        made.append(build(settings))
        return made[-1]

    yield open_product
    for one in made:
        one.close()


@pytest.mark.parametrize(
    ("given", "streams"),
    [
        ({}, False),
        (ON, False),
        (MASSIVE, False),
        (MASSIVE | ON, True),
        (MASSIVE | ON | TRADIER, True),
        (MASSIVE | ON | {"FEATURE_MOCK_MODE": "true"}, False),
        ({"POLYGON_API_KEY": "k", "FEATURE_POLYGON_ENABLED": "true"} | ON, False),
        ({"TRADIER_ACCESS_TOKEN": "t"} | ON, False),
    ],
)
def test_prices_stream_with_a_massive_key_and_the_setting_only(product, given, streams):
    made = product(given)
    assert (made.stream is not None) is streams
    assert (LiveBook in made.runtime.ports) is streams
    found = stream_capability(made.settings, made.stream)
    assert found.on is False
    assert found.why
    assert streams or "MASSIVE_API_KEY" in found.todo or "FEATURE_ENABLE" in found.todo


def test_the_delayed_cluster_is_labelled_delayed(product):
    made = product(MASSIVE | ON | DELAYED)
    book = made.runtime.ports[LiveBook]
    assert (book.provenance, book.delay.total_seconds()) == (Provenance.DELAYED, 900)
    assert product(MASSIVE | ON).runtime.ports[LiveBook].provenance is Provenance.LIVE


@pytest.mark.parametrize("url", ["http://socket.massive.com", "ws://socket.massive.com", "wss://"])
def test_an_address_that_is_no_secure_socket_is_refused_at_boot(url):
    with pytest.raises(SettingsInvalid, match="MASSIVE_WS_BASE"):
        load_settings(MASSIVE | {"MASSIVE_WS_BASE": url})


def test_a_product_that_does_not_stream_imports_nothing_of_the_wire():
    import subprocess

    code = (
        "import sys, app.wiring, app.stream_duty, services.market.massive\n"
        "print(*[one for one in ('msgspec', 'websockets') if one in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
