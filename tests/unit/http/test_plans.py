"""A checked plan is read back by its ref, figure by figure; only its owner sees it."""

import shutil
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import jsonschema

from services.market.chain import Chain, ChainFeed
from services.market.feed import Capability, Feed
from services.market.quote import Provenance
from tests.unit.http.live import KEY, live_server
from tests.unit.trade.test_option_choice import contract

PLAN = {"symbol": "AAPL", "side": "long", "stop": "3%"}


def _composed(page):
    """Return the answer of a plan of IBM, 35 minutes into the replay's first session."""
    head = {"idempotency-key": f"{KEY}-plan-step"}
    step = {"action": "step", "seconds": 2100}
    assert page.post("/api/v1/market/replay", json=step, headers=head).status_code == 200
    return page.post("/api/v1/plans", json={"symbol": "IBM"}, headers=head)


def test_a_plan_is_made_read_back_listed_and_fits_its_published_schema(live):
    page = live.page()
    answer = _composed(page)
    assert answer.status_code == 201, answer.text
    made = answer.json()
    assert made["schema"] == "plan/v1"
    read = page.get(f"/api/v1/plans/{made['plan_id']}").json()
    assert read == made
    rows = page.get("/api/v1/plans", params={"symbol": "ibm"}).json()["items"]
    assert [row["id"] for row in rows] == [made["plan_id"]]
    assert made["confidence"]["tier"] == "prior"
    assert rows[0]["confidence_tier"] == "uncalibrated"
    schema = page.get("/api/v1/plans/schema").json()
    added = ("ref", "provenance", "source", "contracts")
    jsonschema.validate({key: made[key] for key in made if key not in added}, schema)


class ShortChain:
    """One liquid call of nine days at the money of whatever the feed quotes."""

    def expirations(self, ctx, symbol):
        return (ctx.port(Feed).as_of(ctx).date() + timedelta(days=9),)

    def chain(self, ctx, symbol, expiry):
        feed = ctx.port(Feed)
        spot, now = feed.quote(ctx, symbol).last, feed.as_of(ctx)
        made = contract(spot, now.date(), (expiry - now.date()).days, "call", quote_ts=now)
        mid = Decimal("1.20")
        one = replace(made, bid=mid - Decimal("0.02"), ask=mid + Decimal("0.02"), last=mid)
        return Chain(
            underlying=symbol, spot=spot, as_of=now, provenance=Provenance.SIMULATED,
            source="hand", contracts=(one,),
        )  # fmt: skip

    def capability(self):
        return Capability("option chains", on=True, why="by hand")


def test_a_plan_says_how_many_contracts_the_account_that_asks_may_buy(migrated_file, tmp_path):
    shutil.copyfile(migrated_file, tmp_path / "cornerman.db")
    with live_server(tmp_path, f"sqlite:///{tmp_path / 'cornerman.db'}") as own:
        own.product.runtime.ports[ChainFeed] = ShortChain()
        page = own.page()
        answer = _composed(page)
        assert answer.status_code == 201, answer.text
        made = answer.json()
        (option,), (sized,) = made["option_alternatives"], made["contracts"]
        assert sized["contract"] == option["contract"]
        count = Decimal(sized["contracts"])
        assert count >= 1
        assert Decimal(sized["one_r"]) == count * Decimal(option["metrics"]["risk_per_contract"])
        assert Decimal(sized["premium"]) == count * 100 * Decimal(option["metrics"]["limit_price"])
        assert Decimal(sized["premium"]) <= Decimal("0.02") * 100_000
        read = page.get(f"/api/v1/plans/{made['plan_id']}").json()
        assert {**read, "contracts": [{**one} for one in made["contracts"]]} == made
        assert [one["contract"] for one in read["contracts"]] == [option["contract"]]


def test_without_a_setup_the_answer_is_a_conflict_that_names_what_is_lacking(live):
    page = live.page()
    body = {"symbol": "MSFT", "side": "short", "style": "swing"}
    head = {"idempotency-key": f"{KEY}-no-setup"}
    answer = page.post("/api/v1/plans", json=body, headers=head)
    assert (answer.status_code, answer.json()["code"]) == (409, "NO_SETUP")
    assert answer.json()["facts"]["nearest"]


def test_an_unknown_plan_is_not_found(live):
    answer = live.page().get("/api/v1/plans/plan_0000000000000000")
    assert (answer.status_code, answer.json()["code"]) == (404, "PLAN_UNKNOWN")


def _checked(key):
    answer = key.post("/api/v1/tools/plan_check", json={"args": PLAN})
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_checked_plan_is_read_back_exactly_with_the_quote_it_stands_on(owner_key):
    made = _checked(owner_key)
    read = owner_key.get(f"/api/v1/plans/{made['ref']}").json()
    told = made["result"]
    assert {name: read[name] for name in ("symbol", "side", "entry", "stop")} == {
        name: told[name] for name in ("symbol", "side", "entry", "stop")
    }
    assert read["targets"] == [one["price"] for one in told["targets"]]
    (cited,) = made["source"]
    assert (read["provenance"], read["source"], read["as_of"]) == (
        cited["provenance"],
        cited["provider"],
        cited["as_of"],
    )


def test_what_is_no_plan_is_not_found(owner_key):
    sized = owner_key.post(
        "/api/v1/tools/size", json={"args": {"symbol": "AAPL", "side": "long", "stop": "3%"}}
    ).json()
    for ref in (sized["ref"], "res_0000000000000000"):
        answer = owner_key.get(f"/api/v1/plans/{ref}")
        assert (answer.status_code, answer.json()["code"]) == (404, "AUDIT_REF_UNKNOWN")


def test_another_tenant_does_not_find_the_plan(live, owner_key):
    ref = _checked(owner_key)["ref"]
    stranger = live.key("read", tenant="t_other", name="stranger")
    assert stranger.get(f"/api/v1/plans/{ref}").status_code == 404


def test_the_forming_bar_and_the_closed_ones_each_have_their_label(owner_key):
    day = owner_key.get("/api/v1/symbols/AAPL/history", params={"include_partial": True}).json()
    assert [bar["complete"] for bar in day["bars"][-2:]] == [True, False]
    assert (day["closed_provenance"], day["provenance"]) == ("REPLAY", "SIMULATED")
    minutes = owner_key.get("/api/v1/symbols/AAPL/history", params={"timeframe": "1m"}).json()
    assert (minutes["closed_provenance"], minutes["provenance"]) == ("SIMULATED", "SIMULATED")


def test_only_the_script_that_frames_the_chat_is_open_to_other_origins(live):
    client = live.client()
    for name, wanted in (("embed.js", "cross-origin"), ("app.js", "same-origin")):
        answer = client.get(f"/web/{name}")
        assert answer.headers["cross-origin-resource-policy"] == wanted
