"""A position acted on from the page by keyboard, and the timeline of an order, in a real browser."""

import pytest
from playwright.sync_api import expect

from tests.journeys.page import WAIT_MS, begin, desk_on, faults, say

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]
expect.set_options(timeout=WAIT_MS)


@pytest.fixture
def desk(migrated_file, tmp_path):
    with desk_on(migrated_file, tmp_path) as one:
        yield one


@pytest.fixture
def page(desk):
    """A page whose person holds 20 AAPL."""
    page = begin(desk.open())
    say(page, "buy 20 AAPL")
    page.locator(".turn cornerman-card [data-act=confirm]").click()
    expect(page.locator("cornerman-positions tbody tr")).to_contain_text("AAPL")
    return page


def _docked(page):
    return page.locator(".dock cornerman-card .card.open")


def test_trim_by_keyboard_prepares_a_card_with_its_checklist_and_sends_nothing(page):
    button = page.get_by_role("button", name="Trim AAPL")
    button.focus()
    page.keyboard.press("Enter")
    form = page.get_by_role("group", name="Trim AAPL")
    expect(form.locator("select")).to_be_focused()
    expect(form).to_contain_text("Nothing is sent before you confirm it")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    told = form.locator(".acted")
    expect(told).to_be_focused()
    expect(told).to_contain_text("A card waits: sell 10 AAPL at market")
    checks = form.get_by_role("list", name="Checklist").locator("li")
    expect(checks).to_have_count(5)
    for name in ("plan", "size", "risk", "orders", "data"):
        expect(checks.filter(has_text=name).first).to_be_visible()
    expect(_docked(page).locator("h3")).to_contain_text("Sell 10 AAPL at market")
    expect(page.locator("cornerman-orders tbody tr")).to_have_count(1)
    assert faults(page) == []
    page.keyboard.press("Escape")
    expect(button).to_be_focused()
    _docked(page).locator("[data-act=decline]").click()
    expect(_docked(page)).to_have_count(0)


def test_a_stop_that_is_moved_away_is_refused_on_the_page_with_what_to_do(page):
    last = page.locator("cornerman-positions tbody tr td.number").nth(2).inner_text()
    near = int(float(last.replace(",", ""))) - 3
    page.get_by_role("button", name="Move stop AAPL").click()
    form = page.get_by_role("group", name="Move stop AAPL")
    expect(form.get_by_label("New stop")).to_be_focused()
    form.get_by_label("New stop").fill(str(near))
    form.get_by_role("button", name="Prepare card").click()
    expect(form.locator(".acted")).to_contain_text(f"kept at {near}.00")
    expect(form.locator(".acted")).to_contain_text("Kept is not placed")
    expect(_docked(page).locator("h3")).to_contain_text(f"Sell 20 AAPL stop {near}.00")
    row = page.locator("cornerman-positions tbody tr")
    expect(row).to_contain_text("kept")
    form.get_by_role("button", name="Done").click()
    page.get_by_role("button", name="Move stop AAPL").click()
    form.get_by_label("New stop").fill(str(near - 1))
    form.get_by_role("button", name="Prepare card").click()
    expect(form.get_by_role("alert")).to_contain_text("stop may only move toward profit")
    expect(form.get_by_role("alert")).to_contain_text("Keep the stop, or move it toward profit")
    form.get_by_role("button", name="Back").click()
    _docked(page).locator("[data-act=confirm]").click()
    expect(page.locator("cornerman-orders tbody tr").first).to_contain_text(
        "working: accepted, waiting for a fill"
    )
    expect(row).to_contain_text("works")
    page.set_viewport_size({"width": 360, "height": 740})
    page.get_by_role("tab", name="Desk").click()
    page.get_by_role("button", name="Close AAPL").click()
    expect(page.get_by_role("group", name="Close AAPL")).to_contain_text("All 20 units")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_the_timeline_of_an_order_tells_every_step_out_of_the_audit_trail(page):
    button = page.get_by_role("button", name="Timeline of buy 20 AAPL")
    expect(button).to_have_attribute("aria-expanded", "false")
    button.focus()
    page.keyboard.press("Enter")
    expect(button).to_have_attribute("aria-expanded", "true")
    panel = page.get_by_role("region", name="Timeline of buy 20 AAPL")
    expect(panel).to_contain_text("Now filled")
    steps = panel.get_by_role("list", name="Steps of the order, oldest first").locator("li")
    for said in ("Proposed as a card", "Confirmed by a person", "Sent to the broker", "Filled"):
        expect(steps.filter(has_text=said).first).to_contain_text("audit #")
    texts = steps.all_inner_texts()
    told = [one.splitlines()[0] for one in texts]
    assert told.index("Proposed as a card") == 0
    expect(panel.get_by_role("list", name="Fills").locator("li").first).to_contain_text("buy 20 at")
    assert faults(page) == []
    panel.get_by_role("button", name="Close timeline").focus()
    page.keyboard.press("Escape")
    expect(button).to_be_focused()
    expect(panel).to_have_count(0)
    assert page.evaluate("window.__violations") == []
    said = page.evaluate(
        "import('/web/order_words.js').then((words) => words.stateWords('UNKNOWN'))"
    )
    assert said == {
        "head": "in doubt",
        "means": "looking at the broker, nothing will be sent twice",
        "doubt": True,
    }
