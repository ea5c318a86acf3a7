"""A working order changed from the page: the form, the card of old and new, and the order after."""

import pytest
from playwright.sync_api import expect

from tests.journeys.page import WAIT_MS, desk_on, say

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]
expect.set_options(timeout=WAIT_MS)


@pytest.fixture
def desk(migrated_file, tmp_path):
    with desk_on(migrated_file, tmp_path) as one:
        yield one


def test_a_working_order_gets_a_new_price_by_its_card(desk):
    page = desk.open()
    say(page, "buy 5 AAPL limit 380")
    page.locator("[data-act=confirm]").first.click()
    row = page.locator("cornerman-orders tbody tr")
    expect(row).to_contain_text("working")
    row.get_by_role("button", name="Change order").click()
    form = page.locator("cornerman-order-change")
    expect(form.locator("input[name=price]")).to_be_focused()
    expect(form.locator("input[name=price]")).to_have_value("380")
    form.locator("input[name=price]").fill("385.50")
    form.locator("select[name=tif]").select_option("gtc")
    form.get_by_role("button", name="Prepare card").click()
    expect(form.locator(".acted")).to_contain_text("from limit 380.00, day to limit 385.50, gtc")
    card = page.locator("cornerman-card").filter(has_text="Change of an order").first
    expect(card.locator("h3")).to_contain_text("Change: Buy 5 AAPL limit 380.00")
    expect(card).to_contain_text("380.00 → 385.50")
    expect(card.locator("[data-act=edit]")).to_have_count(0)
    card.get_by_role("button", name="Confirm change").click()
    expect(row).to_contain_text("385.50")
    expect(row).to_contain_text("working")
    row.get_by_role("button", name="Timeline").click()
    expect(page.locator("cornerman-timeline")).to_contain_text("Changed at the broker")
    expect(page.locator("cornerman-timeline")).to_contain_text("became limit 385.50, gtc")
    assert page.evaluate("window.__violations") == []
    assert desk.troubles == []


def test_an_ended_order_offers_no_change_and_escape_closes_the_form(desk):
    page = desk.open()
    say(page, "buy 5 AAPL limit 380")
    page.locator("[data-act=confirm]").first.click()
    row = page.locator("cornerman-orders tbody tr")
    row.get_by_role("button", name="Change order").click()
    page.locator("cornerman-order-change input[name=price]").press("Escape")
    expect(page.locator("cornerman-order-change")).to_have_count(0)
    expect(row.get_by_role("button", name="Change order")).to_be_focused()
    row.get_by_role("button", name="Cancel order").click()
    expect(row).to_contain_text("cancelled")
    expect(row.get_by_role("button", name="Change order")).to_have_count(0)
    assert desk.troubles == []
