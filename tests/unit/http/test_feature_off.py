"""What a server says about features that are off: the reason is always readable."""

import shutil

import pytest

from services.kit.context import SCOPES
from tests.unit.http.live import GENEROUS, live_server


@pytest.fixture(scope="module")
def bare(migrated_file, tmp_path_factory):
    home = tmp_path_factory.mktemp("bare")
    shutil.copyfile(migrated_file, home / "cornerman.db")
    strict = {"FEATURE_REPLAY_ENABLED": "false", "OPENAI_API_KEY": "a-key-without-a-model"}
    url = f"sqlite:///{home / 'cornerman.db'}"
    with live_server(home, url, environment={**GENEROUS, **strict}) as server:
        yield server.key(*SCOPES)


def test_the_configuration_says_why_market_data_are_off(bare):
    answer = bare.get("/api/v1/diag/config")
    assert answer.status_code == 200, answer.text
    feed = answer.json()["feed"]
    assert (feed["on"], feed["provenance"], feed["as_of"]) == (False, None, None)
    assert "replay is off" in feed["why"]
    assert "FEATURE_REPLAY_ENABLED=true" in feed["todo"]


def test_a_key_without_a_model_name_is_pointed_out(bare):
    model = bare.get("/api/v1/diag/config").json()["model"]
    assert (model["name"], "OPENAI_MODEL is not" in model["why"]) == ("rules", True)


def test_what_needs_market_data_is_refused_with_the_reason(bare):
    answer = bare.get("/api/v1/symbols/AAPL/price")
    assert (answer.status_code, answer.json()["code"]) == (409, "FEATURE_OFF")
