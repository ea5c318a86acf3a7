"""The risk on the page: calm while all is well, a banner once a limit is reached, a stop ends it."""

import pytest
from playwright.sync_api import expect

from tests.journeys.page import WAIT_MS, begin, desk_on, faults, say

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]
expect.set_options(timeout=WAIT_MS)


@pytest.fixture
def desk(migrated_file, tmp_path):
    with desk_on(migrated_file, tmp_path) as one:
        yield one


def _confirmed(page, words):
    say(page, words)
    page.locator("[data-act=confirm]").first.click()
    expect(page.locator(".turn cornerman-card .fill").last).to_contain_text("Filled")


def test_a_position_without_a_stop_is_told_in_calm_words_and_orders_say_why(desk):
    page = begin(desk.open())
    risk = page.locator("cornerman-risk")
    expect(risk.locator("[data-risk=ok]")).to_contain_text("Inside its limits")
    expect(page.locator("[data-risk-banner]")).to_have_count(0)
    risk.locator("summary").click()
    expect(risk.locator(".limits li")).to_have_count(9)
    assert faults(page) == []

    risk.get_by_role("button", name="Tell me when this changes").click()
    expect(risk).to_contain_text("You hear of every change of the risk state")

    _confirmed(page, "buy 20 AAPL")
    expect(risk.locator("[data-risk=breach]")).to_contain_text("Limit reached")
    expect(risk).to_contain_text("No stop is known for AAPL")
    banner = page.locator("[data-risk-banner]")
    expect(banner).to_contain_text("Risk: limit reached. Open risk")
    expect(page.locator("cornerman-activity")).to_contain_text("Risk has reached a limit")
    assert faults(page) == []

    page.get_by_role("tab", name="Watch").click()
    notices = page.locator("cornerman-notifications")
    expect(notices).to_contain_text("Open risk has reached its limit")
    expect(notices).to_contain_text("Your risk went from ok to breach")
    row = page.locator("cornerman-alerts li[data-alert]")
    expect(row).to_contain_text("Alert each time when the risk state changes")
    expect(row.get_by_role("button", name="Change the level")).to_have_count(0)
    row.locator(".history summary").click()
    expect(row.locator(".history li")).to_contain_text("breach")

    banner.get_by_role("button", name="Show risk").click()
    expect(risk).to_be_visible()
    say(page, "buy 1 MSFT")
    expect(page.locator(".turn.answer").last).to_contain_text("a limit of the account is reached")
    assert page.evaluate("window.__violations") == []
    assert desk.troubles == []
