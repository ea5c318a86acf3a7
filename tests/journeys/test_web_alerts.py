"""Alerts on the page: made from words, fired by the market, told in the feed, changed and deleted."""

import pytest
from playwright.sync_api import expect

from services.kit.outbox import put
from tests.journeys.page import WAIT_MS, begin, desk_on, faults, say
from tests.unit.http.live import as_principal

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]
expect.set_options(timeout=WAIT_MS)
HOURS_MAX = 7


@pytest.fixture
def desk(migrated_file, tmp_path):
    with desk_on(migrated_file, tmp_path, environment={"ALERT_POLL_SEC": "1"}) as one:
        yield one


@pytest.fixture
def page(desk):
    page = begin(desk.open())
    page.get_by_role("button", name="Pause").click()
    page.get_by_role("tab", name="Watch").click()
    yield page
    page.close()


def _words(page, text):
    page.get_by_label("Alert in your own words").fill(text)
    page.keyboard.press("Enter")


def _alert(page, text):
    """Make an alert from words, by keyboard, and return its row."""
    _words(page, text)
    expect(page.locator(".understood")).to_be_visible()
    expect(page.get_by_role("button", name="Save alert")).to_be_focused()
    page.keyboard.press("Enter")
    row = page.locator("cornerman-alerts li[data-alert]").first
    expect(row).to_be_visible()
    return row


def test_an_alert_from_words_is_confirmed_fires_and_its_next_step_only_fills_the_composer(
    desk, page
):
    _words(page, "AAPL > 411")
    expect(page.locator(".understood")).to_contain_text("AAPL trades at or above 411.00")
    expect(page.locator("cornerman-alerts li[data-alert]")).to_have_count(0)
    page.get_by_role("button", name="Save alert").click()
    row = page.locator("cornerman-alerts li[data-alert]")
    expect(row).to_contain_text("watching")
    expect(page.get_by_label("Alert in your own words")).to_be_focused()

    told = page.locator("cornerman-notifications li.unread", has_text="AAPL")
    for _ in range(HOURS_MAX):
        page.get_by_role("button", name="Step 1 hour").click()
        page.wait_for_timeout(1500)
        if told.count():
            break
    expect(told.first).to_contain_text("your level of 411.00")
    expect(page.locator("#room-Watch .count")).to_contain_text("1 unread")
    page.locator(".ended-alerts > summary").click()
    expect(row).to_contain_text("fired")
    row.locator(".history summary").click()
    expect(row.locator(".history li")).to_have_count(1)

    asked = desk.live.page().get("/api/v1/coach/conversations").json()["items"]
    told.first.locator("[data-act=next]").click()
    expect(page.locator("cornerman-coach textarea")).to_be_focused()
    assert page.locator("cornerman-coach textarea").input_value().startswith("plan AAPL")
    assert desk.live.page().get("/api/v1/coach/conversations").json()["items"] == asked
    assert page.locator("cornerman-card").count() == 0

    page.get_by_role("button", name="Mark all read").click()
    expect(page.locator("#room-Watch .count")).to_have_count(0)
    expect(page.locator("cornerman-notifications")).to_contain_text("all read")


def test_an_alert_set_in_the_chat_stands_in_the_list_at_once(page):
    expect(page.locator("cornerman-alerts")).to_contain_text("No alert is watching")
    asked = []
    page.on("request", lambda one: asked.append(one.url) if one.url.endswith("/alerts") else None)
    say(page, "alert me when IBM goes above 190")
    expect(page.locator("cornerman-alerts li[data-alert]")).to_contain_text("IBM")
    assert asked  # the tool's end asked for the list; nobody waited for the steady beat


def test_an_alert_is_paused_changed_and_deleted_by_keyboard(page):
    row = _alert(page, "IBM > 195")
    row.get_by_role("button", name="Pause alert").focus()
    page.keyboard.press("Enter")
    expect(row).to_contain_text("paused")
    row.get_by_role("button", name="Watch again").focus()
    page.keyboard.press("Enter")
    expect(row).to_contain_text("watching")
    row.get_by_role("button", name="Change the level").focus()
    page.keyboard.press("Enter")
    box = row.get_by_label("New level")
    expect(box).to_be_focused()
    box.fill("200")
    page.keyboard.press("Enter")
    expect(row).to_contain_text("200.00")
    row.get_by_role("button", name="Delete alert").focus()
    page.keyboard.press("Enter")
    expect(row.get_by_role("button", name="Delete alert", exact=True)).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("cornerman-alerts li[data-alert]")).to_have_count(0)
    expect(page.locator("cornerman-alerts .none")).to_contain_text("No alert is watching")


def test_words_that_are_not_understood_are_refused_and_kept_for_another_try(page):
    _words(page, "tell me when something nice happens")
    expect(page.locator("cornerman-alerts [role=alert]")).to_be_visible()
    expect(page.locator(".understood")).to_have_count(0)
    expect(page.get_by_label("Alert in your own words")).to_have_value(
        "tell me when something nice happens"
    )


def test_the_level_already_crossed_is_said_in_words(page):
    row = _alert(page, "AAPL > 400")
    expect(row).to_contain_text("beyond the level already")


def test_the_alerts_view_has_no_accessibility_fault(page):
    _alert(page, "MSFT < 20")
    _words(page, "IBM > 195")
    expect(page.locator(".understood")).to_be_visible()
    assert faults(page) == []
    assert page.evaluate("window.__violations") == []


def test_a_next_step_with_an_order_becomes_a_card_only_once_it_is_sent(desk, page):
    action = {
        "rule": "near_target",
        "text": "Trim 50% of AAPL: target 1 is near.",
        "tool": "propose_order",
        "arguments": {"symbol": "AAPL", "side": "buy", "quantity": "5"},
    }
    told = {"message": "AAPL is near its target.", "level": "info", "topic": "alert"}
    desk.live.product.runtime.write(
        as_principal(desk.live),
        lambda ctx: put(
            ctx,
            "alert",
            "AAPL",
            {**told, "code": "ALERT_FIRED", "subject": "AAPL", "next_action": action},
            dedupe="a step with an order",
        ),
    )
    step = page.locator("cornerman-notifications li", has_text="near its target")
    step.locator("[data-act=next]").click()
    composer = page.locator("cornerman-coach textarea")
    expect(composer).to_be_focused()
    assert composer.input_value() == "buy 5 AAPL"
    assert page.locator("[data-act=confirm]").count() == 0
    assert desk.live.page().get("/api/v1/proposals").json()["items"] == []
    page.keyboard.type(" stop 390")
    page.keyboard.press("Enter")
    expect(page.locator(".turn [data-act=confirm]")).to_be_enabled()
    [card] = desk.live.page().get("/api/v1/proposals").json()["items"]
    assert card["status"] == "pending"
