"""The health of the data on the page: the session, a freeze with its reason, its release, diagnosis."""

import re

import pytest
from playwright.sync_api import expect

from services.market.feed import Feed
from services.market.finding import Finding, Severity
from services.market.freeze import listing_scope, open_freeze
from tests.journeys.page import WAIT_MS, begin, desk_on, faults
from tests.unit.http.live import as_principal

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]
expect.set_options(timeout=WAIT_MS)
DETAIL = "2355.40 is 100 times the last good 23.55"


@pytest.fixture(scope="module")
def desk(migrated_file, tmp_path_factory):
    with desk_on(migrated_file, tmp_path_factory.mktemp("health")) as one:
        yield one


@pytest.fixture
def page(desk):
    page = begin(desk.open())
    yield page
    page.close()
    person = desk.live.page()
    for one in person.get("/api/v1/freezes?active=true").json()["items"]:
        way, key = f"/api/v1/freezes/{one['id']}/clear", {"idempotency-key": one["id"]}
        assert person.post(way, json={"reason": "end of the test"}, headers=key).is_success


def _frozen(desk, symbol):
    """Freeze a listing as the gate does when a price jumps by a factor of 100."""
    finding = Finding(symbol, "DQ_SCALE_SUSPECT", Severity.CRIT, DETAIL)

    def act(ctx):
        return open_freeze(ctx, listing_scope(ctx.port(Feed).instrument(ctx, symbol).id), finding)

    return desk.live.product.runtime.write(as_principal(desk.live), act)


def test_the_session_is_said_with_its_next_change_in_market_and_own_time(page):
    line = page.get_by_role("region", name="Session")
    expect(line).to_contain_text(re.compile(r"closes 16:00:00 ET\s+\(.*\d\d:\d\d on your clock\)"))
    expect(line).to_contain_text("not today's market")


def test_a_freeze_is_told_everywhere_and_cleared_only_with_a_reason(desk, page):
    page.get_by_role("tab", name="Data").click()
    expect(page.locator("cornerman-health .clear-line")).to_have_text("nothing is frozen")
    _frozen(desk, "AAPL")
    expect(page.locator("cornerman-quote .frozen-mark")).to_have_text("frozen")
    warning = page.locator("cornerman-banner [role=status]")
    expect(warning).to_contain_text("AAPL is frozen")
    expect(warning).to_contain_text(DETAIL)
    expect(warning).to_contain_text("until a person")
    expect(page.locator("#room-Data .count")).to_have_text("1 frozen")
    row = page.locator("cornerman-health li[data-freeze]")
    expect(row).to_contain_text("DQ_SCALE_SUSPECT")
    expect(page.locator("tr[data-health=AAPL]")).to_contain_text("bad, frozen")

    page.get_by_role("tab", name="Trade").click()
    warning.get_by_role("button", name="Show data health").click()
    expect(page.get_by_role("tab", name="Data")).to_be_focused()
    row.get_by_role("button", name="Clear freeze: AAPL").focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Clear freeze")
    expect(dialog.get_by_label("Reason")).to_be_focused()
    page.keyboard.press("Enter")
    assert page.evaluate(
        "document.querySelector('cornerman-health dialog input').validity.valueMissing"
    )
    page.keyboard.press("Escape")
    expect(row.get_by_role("button", name="Clear freeze: AAPL")).to_be_focused()

    page.keyboard.press("Enter")
    dialog.get_by_label("Reason").fill("checked against the exchange")
    page.keyboard.press("Enter")
    expect(page.locator("cornerman-health .clear-line")).to_have_text("nothing is frozen")
    expect(dialog).to_have_count(0)
    expect(warning).to_be_empty()
    cleared = desk.live.page().get("/api/v1/freezes").json()["items"][0]
    assert cleared["clear_reason"] == "checked against the exchange"


def test_the_health_of_each_symbol_is_a_word_an_age_and_the_last_good_value(page):
    page.get_by_role("tab", name="Data").click()
    row = page.locator("tr[data-health]").first
    expect(row.locator(".level")).to_have_text(re.compile("good|watch|bad"))
    expect(row).to_contain_text(re.compile(r"\d+ s"))


def test_diagnosis_says_what_is_off_and_what_to_do(page):
    page.get_by_role("tab", name="Data").click()
    lines = page.locator("cornerman-diagnostics")
    expect(lines.locator("dl.lines div", has_text="Server")).to_contain_text(
        re.compile(r"answers in \d+ ms")
    )
    expect(lines.locator("[data-provider]").first).to_be_visible()
    expect(lines.locator("[data-provider=massive]")).to_contain_text("MASSIVE_API_KEY")
    lines.locator(".off summary").click()
    expect(lines.locator(".off dl")).to_contain_text("language model")


def test_a_price_that_stops_is_said_to_be_old(desk):
    page = desk.context.new_page()
    page.clock.install()
    page.route_web_socket("**/ws", lambda line: line.close())
    page.goto(desk.live.up.address)
    age = page.locator("cornerman-quote cornerman-age")
    expect(age).to_contain_text("fresh")
    page.context.set_offline(True)
    for word in ("ageing", "old"):
        page.clock.fast_forward(40_000)
        expect(age).to_contain_text(word)
    page.context.set_offline(False)
    page.close()


def test_the_data_view_has_no_accessibility_fault_with_a_freeze_on_it(desk, page):
    _frozen(desk, "MSFT")
    page.get_by_role("tab", name="Data").click()
    expect(page.locator("cornerman-health li[data-freeze]")).to_be_visible()
    page.locator(".off summary").click()
    assert faults(page) == []
    page.set_viewport_size({"width": 360, "height": 740})
    page.get_by_role("tab", name="Desk").click()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert faults(page) == []
    assert page.evaluate("window.__violations") == []
