"""The page by keyboard and ear: focus order, Escape, what is spoken, stillness when asked for."""

import pytest
from playwright.sync_api import expect

from tests.journeys.page import WAIT_MS, begin, desk_on, say

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]
expect.set_options(timeout=WAIT_MS)


@pytest.fixture(scope="module")
def desk(migrated_file, tmp_path_factory):
    with desk_on(migrated_file, tmp_path_factory.mktemp("keyboard")) as one:
        yield one


@pytest.fixture
def page(desk):
    page = begin(desk.open())
    yield page
    page.close()


def _at(page):
    return page.evaluate(
        "() => { const at = document.activeElement;"
        " return at.dataset.act || at.name || at.textContent.trim() || at.tagName; }"
    )


def test_a_card_is_edited_and_confirmed_without_a_mouse(page):
    say(page, "buy 5 AAPL")
    card = page.locator(".turn cornerman-card").last
    expect(card.locator("[data-act=confirm]")).to_be_enabled()
    card.locator("[data-act=confirm]").focus()
    walked = [_at(page)]
    for _ in range(2):
        page.keyboard.press("Tab")
        walked.append(_at(page))
    assert walked == ["confirm", "decline", "edit"]
    page.keyboard.press("Enter")
    expect(card.locator(".edit input")).to_be_focused()
    page.keyboard.press("Escape")
    expect(card.locator("[data-act=edit]")).to_be_focused()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Shift+Tab")
    expect(card.locator("[data-act=confirm]")).to_be_focused()
    page.keyboard.press("Enter")
    expect(card.locator(".fill")).to_contain_text("Filled")
    expect(card.locator("article")).to_be_focused()


def test_answers_cards_and_outcomes_are_spoken(page):
    expect(page.locator(".spoken[aria-live=polite]")).to_have_count(1)
    say(page, "buy 6 AAPL")
    expect(page.locator(".spoken")).to_contain_text("The card is waiting for you")
    region = page.locator(".turn [aria-live=assertive]")
    expect(region.get_by_role("article", name="Order card: Buy 6 AAPL at market")).to_be_visible()
    expect(region.get_by_role("timer", name="Time left to confirm")).to_be_visible()
    region.locator("[data-act=decline]").click()
    expect(region.get_by_role("status")).to_contain_text("Nothing was sent")


def test_the_first_tab_stop_leads_past_the_header_to_the_conversation(page):
    page.reload()
    page.wait_for_selector("cornerman-coach textarea")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the conversation")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()


def test_escape_closes_the_halt_dialog_and_gives_the_focus_back(page):
    page.get_by_role("button", name="Halt", exact=True).focus()
    page.keyboard.press("Enter")
    expect(page.locator("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("dialog:visible")).to_have_count(0)
    expect(page.get_by_role("button", name="Halt", exact=True)).to_be_focused()


def test_nothing_moves_for_a_person_who_asked_for_stillness(page):
    moving = "() => getComputedStyle(document.querySelector('.pulse')).animationName"
    page.emulate_media(reduced_motion="no-preference")
    assert page.evaluate(moving) == "pulse"
    page.emulate_media(reduced_motion="reduce")
    assert page.evaluate(moving) == "none"
