"""A bracket on the page: one card with entry, stop and target, then the exits as an order."""

import re

import pytest
from playwright.sync_api import expect

from tests.journeys.page import WAIT_MS, desk_on, say

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]
expect.set_options(timeout=WAIT_MS)


@pytest.fixture
def desk(migrated_file, tmp_path):
    with desk_on(migrated_file, tmp_path) as one:
        yield one


def test_a_bracket_is_confirmed_as_one_card_and_its_exits_appear_as_confirmed(desk):
    page = desk.open()
    say(page, "bracket 5 AAPL stop 380 target 450")
    card = page.locator("cornerman-card").first
    expect(card).to_contain_text("Then sell")
    expect(card).to_contain_text("what was bought, limit 450.00 or at market once 380.00 trades")
    expect(card).to_contain_text("it is placed with this order")
    expect(card).to_contain_text("Gain at the target")
    page.locator("[data-act=confirm]").first.click()
    rows = page.locator("cornerman-orders tbody tr")
    expect(rows).to_have_count(2)
    entry = rows.filter(has_text="then stop 380.00 or target 450.00")
    expect(entry).to_contain_text("filled")
    exits = rows.filter(has_text="exits of an entry")
    expect(exits).to_contain_text("limit 450.00 or stop 380.00")
    expect(exits).to_contain_text("working")
    expect(card).to_contain_text(re.compile("filled", re.IGNORECASE))
    exits.get_by_role("button", name="Timeline").click()
    timeline = page.locator("cornerman-timeline")
    expect(timeline).to_contain_text("Exits of a filled entry, as confirmed with it")
    exits.get_by_role("button", name="Cancel order").click()
    expect(exits).to_contain_text("cancelled")
    expect(page.locator("body")).to_contain_text("5 units stand without their exits")
    assert page.evaluate("window.__violations") == []
    assert desk.troubles == []


def test_exits_can_be_given_to_a_position_that_is_held(desk):
    page = desk.open()
    say(page, "buy 5 AAPL")
    page.locator("[data-act=confirm]").first.click()
    expect(page.locator("cornerman-orders tbody tr")).to_contain_text("filled")
    say(page, "protect my AAPL stop 380 target 450")
    card = page.locator("cornerman-card").filter(has_text="Or sell").first
    expect(card).to_contain_text("at market once 380.00 trades")
    card.get_by_role("button", name=re.compile("Confirm")).click()
    exits = page.locator("cornerman-orders tbody tr").filter(has_text="limit 450.00 or stop 380.00")
    expect(exits).to_contain_text("working")
    assert desk.troubles == []
