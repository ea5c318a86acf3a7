"""The doors of the coach's own score: routes, tool and words; approval is a person's act."""

import shutil

import pytest

from services.kit.context import SCOPES
from services.kit.db import Database
from services.research.score import Scoreboard, SetupScore
from tests.unit.http.live import GENEROUS, live_server
from tests.unit.research.test_follow import KEY, outcome
from tools.wording.score import score_words

API = "/api/v1"


@pytest.fixture(scope="module")
def server(migrated_file, tmp_path_factory):
    home = tmp_path_factory.mktemp("score")
    shutil.copyfile(migrated_file, home / "cornerman.db")
    url = f"sqlite:///{home / 'cornerman.db'}"
    with live_server(home, url, environment=GENEROUS) as running:
        plant(url)
        yield running


def plant(url):
    """Write what twenty suggestions came to, as the follower would have."""
    from datetime import UTC, datetime
    from decimal import Decimal
    from types import SimpleNamespace

    from services.identity.user import LOCAL_TENANT

    database = Database(url)
    with database.write(LOCAL_TENANT) as db:
        ctx = SimpleNamespace(db=db, now=datetime(2027, 1, 12, 15, 0, tzinfo=UTC))
        for at in range(20):
            outcome(ctx, at, won=at % 4 == 0, stated=Decimal("0.3"))
    database.close()


@pytest.fixture(scope="module")
def owner(server):
    return server.key(*SCOPES)


def get(caller, path):
    answer = caller.get(API + path)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_the_scoreboard_tells_stated_against_realised(owner):
    found = get(owner, "/score")
    assert (found["total"], found["ended"], found["without"]) == (20, 20, 0)
    assert found["states"] == {"stop": 15, "target": 5}
    (kind,) = found["by_setup"]
    assert (kind["key"], kind["hits"], kind["hit_rate"], kind["stated"]) == (KEY, 5, "0.25", "0.3")
    assert (found["brier"], found["reference"], found["ece"]) == ("0.19", "0.1875", "0.05")
    assert found["bins"][0]["n"] == 20
    assert len(found["recent"]) == 20
    assert found["recent"][0]["provenance"] == "LIVE"


def test_the_tool_says_the_same_in_words(owner):
    answer = owner.post(API + "/tools/score", json={})
    assert answer.status_code == 200, answer.text
    result = answer.json()["result"]
    assert result["by_setup"][0]["hit_rate"] == "0.25"
    assert "5 of 20 reached target 1 (25.0 %), stated 30.0 %; too few to judge" in result["summary"]
    assert "not better than the base rate's 0.1875" in result["summary"]


def test_documents_are_fitted_seen_and_approved_by_a_person(owner):
    before = get(owner, "/documents")
    assert before["items"] == []
    shipped = {one["key"]: one for one in before["shipped"]}
    assert shipped[KEY]["n"] > shipped[KEY]["wins"] > 0
    made = owner.post(API + "/documents")
    assert made.status_code == 200, made.text
    (line,) = made.json()["items"]
    assert (line["kind"], line["key"], line["approved_at"]) == ("setup_record/v1", KEY, None)
    shown = get(owner, f"/documents/{line['hash']}")
    assert shown["body"]["n"] == line["n"] > 20
    done = owner.post(f"{API}/documents/{line['hash']}/approve")
    assert done.status_code == 200, done.text
    assert done.json()["approved_by"]
    assert get(owner, "/documents?kind=calib/v1")["items"] == []
    assert get(owner, "/documents")["items"][0]["approved_at"]


def test_approval_needs_the_scope_and_a_document(server, owner):
    reader = server.key("read")
    assert reader.post(f"{API}/documents/sha256:0/approve").status_code == 403
    missing = owner.post(f"{API}/documents/sha256:0/approve")
    assert (missing.status_code, missing.json()["code"]) == (404, "DOCUMENT_UNKNOWN")


def board(**given):
    fields = {
        "total": 0,
        "states": {},
        "reasons": {},
        "by_setup": (),
        "real": False,
        "stated_n": 0,
        "brier": None,
        "reference": None,
        "ece": None,
        "bins": (),
        "recent": (),
    }
    return Scoreboard(**{**fields, **given})


def test_an_empty_score_says_what_will_be_counted():
    assert score_words(board()).startswith("There is no suggestion yet.")


def test_words_tell_replayed_outcomes_and_stated_nothing():
    kind = SetupScore(
        key="own levels",
        real=False,
        taken=2,
        ended=1,
        hits=0,
        hit_rate=None,
        ci95=None,
        stated=None,
        mean_r=None,
        enough=False,
    )
    said = score_words(board(total=2, states={"stop": 1, "open": 1}, by_setup=(kind,)))
    assert said.splitlines() == [
        "2 suggestions: 1 ended, 1 still followed, 0 without levels to follow.",
        "- own levels: 0 of 1 reached target 1 on replayed prices; too few to judge.",
        "No ended suggestion had a confidence stated.",
    ]
