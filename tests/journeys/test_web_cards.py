"""The confirm card on the page: typed, expired, replaced, and the two ways to cancel an order."""

import pytest
from playwright.sync_api import expect

from tests.journeys.page import WAIT_MS, AheadClock, begin, desk_on, say

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]
expect.set_options(timeout=WAIT_MS)
LATER_S = 601


@pytest.fixture(scope="module")
def clock():
    return AheadClock()


@pytest.fixture(scope="module")
def desk(migrated_file, tmp_path_factory, clock):
    with desk_on(migrated_file, tmp_path_factory.mktemp("cards"), clock=clock) as one:
        yield one


@pytest.fixture
def page(desk):
    person = desk.live.page()
    for one in person.get("/api/v1/proposals?status=pending").json()["items"]:
        way = f"/api/v1/proposals/{one['id']}/decline"
        assert person.post(way, json={}, headers={"idempotency-key": one["id"]}).is_success
    page = begin(desk.open())
    yield page
    page.close()


def _ask(page, text):
    """Say something that makes a card, and return the card once it is open."""
    say(page, text)
    card = page.locator(".turn cornerman-card").last
    expect(card.locator(".card.open [data-act=confirm]")).to_be_visible()
    return card


def _working(page, text):
    """Confirm an order that does not fill yet, and return its row."""
    card = _ask(page, text)
    title = card.locator("h3").inner_text()
    card.locator("[data-act=confirm]").click()
    words = title.split()
    row = page.locator("cornerman-orders tbody tr", has_text=f"{words[1]} {words[2]}").first
    expect(row).to_contain_text("working")
    return row


def test_a_second_order_like_it_within_a_minute_must_be_typed(page):
    _ask(page, "buy 4 IBM").locator("[data-act=confirm]").click()
    expect(page.locator(".turn cornerman-card .fill")).to_contain_text("Filled")
    card = _ask(page, "buy 4 IBM")
    way, box = card.locator("[data-act=confirm]"), card.locator(".typed input")
    expect(card.locator(".warnings")).to_contain_text("same order was confirmed")
    expect(card.get_by_label("Type symbol and quantity to confirm")).to_be_visible()
    expect(way).to_be_disabled()
    box.fill("IBM 40")
    way.click()
    expect(card.locator(".problem, .said")).to_be_visible()
    expect(card.locator(".steps")).to_have_count(0)
    box.fill("IBM 4")
    way.click()
    expect(card.locator(".fill")).to_contain_text("Filled")


def test_a_card_whose_time_is_over_closes_itself_and_offers_nothing(page, clock):
    card = _ask(page, "buy 8 IBM")
    clock.ahead_s += LATER_S
    expect(card.locator(".ended")).to_contain_text("Expired before it was confirmed")
    expect(page.locator("[data-act=confirm]")).to_have_count(0)
    expect(page.locator("cornerman-orders tbody tr", has_text="8 IBM")).to_have_count(0)


@pytest.mark.prove
def test_the_page_closes_a_card_by_its_own_countdown_too(desk):
    page = desk.context.new_page()
    page.clock.install()
    page.goto(desk.live.up.address)
    begin(page)
    card = _ask(page, "buy 9 IBM")
    expect(card.locator(".timer")).to_contain_text("expires in")
    page.clock.fast_forward((LATER_S - 20) * 1000)
    expect(card.locator(".timer.soon")).to_be_visible()
    page.clock.fast_forward(30_000)
    expect(card.locator(".ended")).to_contain_text("Expired before it was confirmed")
    page.close()


def test_an_edit_in_another_tab_kills_the_card_here_and_shows_the_new_one(desk, page):
    _ask(page, "buy 11 IBM")
    other = desk.open()
    expect(other.locator(".turn [data-act=confirm]")).to_be_enabled()
    other.locator(".turn [data-act=edit]").click()
    other.fill(".turn .edit input", "12")
    other.keyboard.press("Enter")
    expect(other.locator(".turn .card.open h3")).to_contain_text("Buy 12 IBM")
    expect(page.locator(".turn .card.dead")).to_contain_text("Replaced by a newer version")
    expect(page.locator(".card.open h3")).to_contain_text("Buy 12 IBM")
    expect(page.locator("[data-act=confirm]")).to_have_count(1)
    for one in (page, other):
        expect(one.locator(".line")).to_have_class("line good")
    other.close()


def test_a_working_order_is_cancelled_by_the_person_at_once(page):
    row = _working(page, "buy 13 IBM limit 150")
    row.get_by_role("button", name="Cancel order").click()
    expect(row).to_contain_text("cancelled")
    expect(row.get_by_role("button", name="Cancel order")).to_have_count(0)
    expect(page.locator("cornerman-activity")).to_contain_text("Order cancelled")


def test_a_cancel_by_the_coach_is_a_card_and_needs_a_confirm(page):
    row = _working(page, "buy 14 IBM limit 150")
    card = _ask(page, "cancel my IBM order")
    expect(card.locator(".eyebrow")).to_have_text("Cancel request")
    expect(card.locator("[data-act=edit]")).to_have_count(0)
    expect(row).to_contain_text("working")
    card.get_by_role("button", name="Confirm cancel").click()
    expect(row).to_contain_text("cancelled")
    expect(card.locator(".ended")).to_contain_text("Order is cancelled")


def test_a_card_of_another_conversation_stands_on_the_desk_with_the_one_confirm(desk, page):
    _ask(page, "buy 15 IBM")
    expect(page.locator(".docked")).to_have_count(0)
    begin(page)
    expect(page.locator(".docked h3")).to_contain_text("Buy 15 IBM")
    expect(page.locator("[data-act=confirm]")).to_have_count(1)
    page.locator(".docked [data-act=decline]").click()
    expect(page.locator(".docked")).to_have_count(0)


def test_a_card_scrolled_out_of_sight_is_one_press_away(page):
    _ask(page, "buy 16 IBM")
    for text in ("what's AAPL doing", "what's MSFT doing", "what do I hold and why?"):
        say(page, text)
    page.set_viewport_size({"width": 1280, "height": 520})
    page.locator(".log").evaluate("log => { log.scrollTop = log.scrollHeight; }")
    page.get_by_role("button", name="Show the card").click()
    expect(page.locator(".turn [data-act=confirm]")).to_be_in_viewport()
    expect(page.get_by_role("button", name="Show the card")).to_have_count(0)
    page.locator(".turn [data-act=decline]").click()


def test_the_account_is_its_name_and_a_short_tail_with_the_whole_in_the_title(page):
    card = _ask(page, "buy 17 IBM")
    line = card.locator("dl div", has=page.locator("dt", has_text="Account")).locator("dd")
    whole = line.get_attribute("title")
    assert line.inner_text().startswith("Paper …")
    assert whole.rstrip(")").endswith(line.inner_text()[-4:])
    card.locator("[data-act=decline]").click()
