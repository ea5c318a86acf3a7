"""The web page from the first message to the fill, and what it does when a card does not hold."""

import pytest
from playwright.sync_api import expect

from tests.journeys.page import WAIT_MS, desk_on, say

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]
expect.set_options(timeout=WAIT_MS)


@pytest.fixture
def desk(migrated_file, tmp_path):
    with desk_on(migrated_file, tmp_path) as one:
        yield one


def test_a_plan_becomes_a_card_and_a_confirmed_card_becomes_a_position_without_reload(desk):
    page = desk.open()
    say(page, "plan AAPL long, stop 3% below, risk 1%")
    expect(page.locator(".tool").first).to_contain_text("plan check")
    expect(page.locator(".tool cornerman-source button").first).to_have_text("SIMULATED")
    expect(page.locator(".legend")).to_contain_text("target 1")

    say(page, "buy it")
    card = page.locator(".turn cornerman-card")
    expect(card.locator("h3")).to_contain_text("AAPL at market")
    for label in ("Price band", "Risk to the stop", "Account", "Quote"):
        expect(card.locator("dt", has_text=label)).to_be_visible()
    expect(card.locator(".badge.mode-paper")).to_have_text("PAPER")
    expect(page.locator("[data-act=confirm]")).to_have_count(1)
    assert page.locator("cornerman-positions tbody tr").count() == 0

    card.locator("[data-act=confirm]").click()
    expect(card.locator(".fill")).to_contain_text("Filled")
    expect(card.locator(".steps li[aria-current]")).to_have_text("filled")
    expect(page.locator("cornerman-positions tbody tr")).to_contain_text("AAPL")
    expect(page.locator("cornerman-orders tbody tr")).to_contain_text("filled")
    expect(page.locator("cornerman-activity")).to_contain_text("Bought")
    expect(page.locator(".legend")).to_contain_text("held")
    expect(page.locator(".docked")).to_have_count(0)

    say(page, "what do I hold and why?")
    expect(page.locator(".turn.answer").last).to_contain_text("from your journal")
    assert page.evaluate("window.__violations") == []

    page.reload()
    expect(page.locator(".turn cornerman-card .fill")).to_contain_text("Filled")
    page.set_viewport_size({"width": 360, "height": 740})
    page.get_by_role("tab", name="Desk").click()
    expect(page.locator("cornerman-orders tbody tr")).to_contain_text("filled")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert desk.troubles == []


def test_two_browsers_that_confirm_one_card_leave_one_order(desk):
    first = desk.open()
    say(first, "buy 5 AAPL")
    second = desk.open(context=desk.again())
    ways = [page.locator("[data-act=confirm]").first for page in (first, second)]
    for way in ways:
        expect(way).to_be_enabled()
    for way in ways:
        way.dispatch_event("click")
    for page in (first, second):
        expect(page.locator("cornerman-orders tbody tr")).to_have_count(1)
        expect(page.locator("cornerman-orders tbody tr")).to_contain_text("filled")
        expect(page.locator("[data-act=confirm]")).to_have_count(0)


@pytest.mark.prove
def test_a_declined_card_says_so_and_offers_nothing_to_press(desk):
    page = desk.open()
    say(page, "buy 5 AAPL")
    page.locator(".turn [data-act=decline]").click()
    expect(page.locator(".turn cornerman-card .ended")).to_contain_text("Nothing was sent")
    expect(page.locator("[data-act=confirm]")).to_have_count(0)
    expect(page.locator("cornerman-orders tbody tr")).to_have_count(0)


@pytest.mark.prove
def test_an_edited_order_is_a_new_card_and_the_old_one_is_dead(desk):
    page = desk.open()
    say(page, "buy 5 AAPL")
    page.locator(".turn [data-act=edit]").click()
    page.fill(".turn .edit input", "3")
    page.keyboard.press("Enter")
    expect(page.locator(".turn cornerman-card .card.dead")).to_contain_text("newer version")
    expect(page.locator(".turn cornerman-card .card.open h3")).to_contain_text("Buy 3 AAPL")
    expect(page.locator("[data-act=confirm]")).to_have_count(1)


def test_a_halt_shows_on_every_screen_at_once_and_a_resume_needs_a_reason(desk):
    page, other = desk.open(), desk.open(context=desk.again())
    expect(other.locator(".line.good")).to_be_visible()
    page.get_by_role("button", name="Halt", exact=True).click()
    page.fill("dialog input[name=reason]", "the feed looks odd")
    page.get_by_role("button", name="Halt now").click()
    for one in (page, other):
        expect(one.locator(".banner")).to_contain_text("the feed looks odd")
    page.get_by_role("button", name="Resume trading").click()
    page.get_by_role("button", name="Resume", exact=True).click()
    assert page.evaluate("document.querySelector('dialog input').validity.valueMissing")
    page.fill("dialog input[name=reason]", "checked")
    page.get_by_role("button", name="Resume", exact=True).click()
    expect(other.locator(".banner")).to_have_count(0)
