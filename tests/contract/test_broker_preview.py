"""Owns what a person sees of the broker's own reckoning before they confirm."""

from __future__ import annotations

import asyncio
import shutil
import threading
import time
from dataclasses import replace
from decimal import Decimal

import pytest
from structlog.testing import capture_logs

from app import previews
from services.kit.clock import SystemClock
from services.kit.errors import Refusal
from services.market.quote import Provenance
from services.orders.card import card
from services.orders.order import OrderClass, OrderType, Status
from services.orders.preview import ask_preview, find_preview
from services.orders.preview_tables import order_previews
from services.orders.proposal import get_proposal
from tests.contract.houses import PaperHouse, TradierHouse, order_for, port_of
from tests.contract.test_broker_connect import ProviderFeed
from tests.fakes.order_desk import OWNER
from tests.fakes.tradier_broker import ACCOUNT, TOKEN, TradierBrokerage
from tests.unit.http.live import live_server

D = Decimal
POOR = "You do not have enough buying power for this trade."


@pytest.fixture
def house(database, settings):
    made = TradierHouse(database, settings)
    yield made
    made.close()


@pytest.fixture
def fake(house):
    return house.fake


def ask(house, proposal_id, who=OWNER):
    return ask_preview(house.desk.runtime, who, proposal_id)


def shown(house, proposal_id):
    return house.desk.read(lambda ctx: card(ctx, get_proposal(ctx, proposal_id)))


def labels(drawn):
    return {line.label: line for line in drawn.lines}


# The card.


def test_the_card_names_what_the_broker_reckons(house, fake):
    one = house.desk.propose(type="limit", limit_price="190.10")
    assert ask(house, one.id)
    line = labels(shown(house, one.id))["Preview of Tradier"]
    assert (line.value, line.note.partition("; ")[2]) == (
        "1,904.49 USD",
        "with commission 3.49 and fees 0.00",
    )
    assert (len(fake.previews), fake.posts) == (1, [])
    assert shown(house, one.id).lines[-1].label == "Expires"


def test_the_token_issued_afterwards_binds_the_card_with_the_preview(house):
    one = house.desk.propose()
    before = shown(house, one.id).hash
    ask(house, one.id)
    issued = house.desk.issue(one.id)
    assert issued.card.hash == shown(house, one.id).hash != before
    assert house.desk.audited("token_issued")[0]["facts"]["card_hash"] == issued.card.hash


def test_a_no_in_the_preview_is_a_warning_in_the_brokers_words_and_no_block(house, fake):
    fake.preview_errors = POOR
    one = house.desk.propose()
    assert ask(house, one.id)
    drawn = shown(house, one.id)
    assert drawn.warnings[0] == f"Tradier says: {POOR}"
    assert "Preview of Tradier" not in labels(drawn)
    assert house.desk.confirm(one.id)["order_id"]


def test_an_order_that_could_not_leave_is_named_before_it_is_confirmed(house, fake):
    one = house.desk.propose()
    order = replace(one.order, quantity=D("1.5"))
    with pytest.raises(Refusal, match="quantity"):
        house.broker.preview(port_of(house), order)
    assert fake.previews == []


@pytest.mark.parametrize(
    ("changes", "why"),
    [({"mode": "live"}, "a live order"), ({"account_id": "acc_1"}, "the order is for acc_1")],
)
def test_what_may_not_leave_for_this_account_is_not_asked_about(house, fake, changes, why):
    with pytest.raises(Refusal, match=why):
        house.broker.preview(port_of(house), order_for(house, **changes))
    assert fake.previews == []


def test_of_a_group_its_entry_is_reckoned(house, fake):
    group = {"order_class": OrderClass.OTOCO, "take_profit": D(210), "stop_loss": D(185)}
    order = order_for(house, type=OrderType.MARKET, **group)
    said = house.broker.preview(port_of(house), order)
    assert said.order_cost == D("1920.10")
    assert (fake.previews[0]["class"], fake.previews[0]["price"]) == ("equity", "192.01")


# When it is asked.


def test_a_fresh_preview_is_not_asked_again(house, fake):
    one = house.desk.propose()
    assert ask(house, one.id)
    assert not ask(house, one.id)
    house.desk.runtime.clock.advance(seconds=61)
    ask(house, one.id)
    assert len(fake.previews) == house.desk.count(order_previews)


def test_a_later_answer_counts_and_the_earlier_stays_on_record(house, fake):
    fake.preview_errors = POOR
    one = house.desk.propose()
    ask(house, one.id)
    fake.preview_errors = ""
    house.desk.runtime.clock.advance(seconds=60)
    assert ask(house, one.id)
    assert house.desk.read(lambda ctx: find_preview(ctx, one.id)).refused == ""
    assert len(house.desk.audited("order.previewed")) == 2


@pytest.mark.parametrize("end", ["decline", "expire", "stranger", "cancel"])
def test_nothing_is_asked_about_what_can_not_be_confirmed_by_this_person(house, fake, end):
    one = house.desk.propose()
    who, subject = OWNER, one.id
    if end == "decline":
        from services.orders.proposal import decline

        house.desk.write(lambda ctx: decline(ctx, one.id, ""))
    elif end == "expire":
        house.desk.runtime.clock.advance(hours=1)
    elif end == "stranger":
        who = replace(OWNER, user_id="u_other")
    else:
        subject = "prop_none"
    assert not ask(house, subject, who)
    assert fake.previews == []


def test_paper_is_not_asked(database, settings):
    made = PaperHouse(database, settings)
    one = made.desk.propose()
    assert not ask_preview(made.desk.runtime, OWNER, one.id)
    assert shown(made, one.id).hash == made.desk.issue(one.id).card.hash


# A broker that does not answer.


@pytest.mark.parametrize("plan", ["down", "page", "fault"])
def test_without_an_answer_the_card_opens_without_a_preview(house, fake, plan):
    one = house.desk.propose()
    fake.down = plan == "down"
    if plan != "down":
        fake.preview_plan = {"page": "page_502", "fault": "fault_200"}[plan]
    with capture_logs() as logs:
        assert not ask(house, one.id)
    assert "preview.unanswered" in [line["event"] for line in logs]
    fake.down = False
    assert house.desk.issue(one.id).card.warnings == shown(house, one.id).warnings
    assert house.desk.status(one.id) == Status.PENDING


def test_a_slow_broker_holds_no_card_up(house, fake, monkeypatch):
    one, held = house.desk.propose(), threading.Event()
    monkeypatch.setattr(previews, "WAIT_S", 0.05)
    fake.preview_gate = held

    async def opened() -> bool:
        await previews.await_preview(house.desk.runtime, OWNER, one.id)
        early = house.desk.read(lambda ctx: find_preview(ctx, one.id)) is None
        held.set()
        return early

    assert asyncio.run(opened())
    house.desk.runtime.threads.shutdown(wait=True)
    assert house.desk.read(lambda ctx: find_preview(ctx, one.id)) is not None


# Through the door.


@pytest.fixture
def door(migrated_file, tmp_path):
    shutil.copyfile(migrated_file, tmp_path / "cornerman.db")
    with TradierBrokerage(SystemClock()) as broker:
        broker.owns("50000.00")
        broker.speaks_for(ACCOUNT)
        given = {
            "TRADIER_ACCESS_TOKEN": TOKEN,
            "TRADIER_ACCOUNT_ID": ACCOUNT,
            "TRADIER_BASE_URL": broker.base_url,
            "TRADING_BROKER": "tradier",
        }
        url, feed = f"sqlite:///{tmp_path / 'cornerman.db'}", ProviderFeed(Provenance.DELAYED)
        with live_server(tmp_path, url, environment=given, feed=feed) as server:
            yield server, broker


def test_the_page_gets_the_preview_with_the_challenge_and_keeps_it_on_the_card(door):
    server, broker = door
    page, end = server.page(), time.monotonic() + 30
    order = {"symbol": "AAPL", "side": "buy", "quantity": "10", "tif": "day"}
    asked = {"args": order | {"type": "limit", "limit_price": "190.10"}}
    for number in range(40):
        key = {"idempotency-key": f"preview-propose-{number:04}"}
        made = page.post("/api/v1/tools/propose_order", json=asked, headers=key)
        if made.status_code < 300:
            break
        assert time.monotonic() < end, made.text
        time.sleep(0.3)
    found = page.get("/api/v1/proposals").json()["items"]
    name = found[0]["id"]
    assert broker.previews == []
    card = page.get(f"/api/v1/proposals/{name}/challenge").json()["card"]
    (line,) = [one for one in card["lines"] if one["label"] == "Preview of Tradier"]
    assert line["value"] == "1,904.49 USD"
    assert page.get(f"/api/v1/proposals/{name}").json()["card"] == card
    assert len(broker.previews) == 1
