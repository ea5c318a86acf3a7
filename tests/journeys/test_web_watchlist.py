"""The watchlist on the page: symbols come and go, prices move, and each says how old it is."""

import re

import pytest
from playwright.sync_api import expect

from tests.journeys.page import WAIT_MS, begin, desk_on, faults

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]
expect.set_options(timeout=WAIT_MS)


@pytest.fixture(scope="module")
def desk(migrated_file, tmp_path_factory):
    with desk_on(migrated_file, tmp_path_factory.mktemp("watchlist")) as one:
        yield one


@pytest.fixture
def page(desk):
    person = desk.live.page()
    for one in person.get("/api/v1/watchlists").json()["items"]:
        assert person.delete(f"/api/v1/watchlists/{one['id']}").is_success
    page = begin(desk.open())
    page.get_by_role("tab", name="Watch").click()
    yield page
    page.close()


def _watch(page, symbol):
    page.get_by_label("Symbol to watch").fill(symbol)
    page.keyboard.press("Enter")
    return page.locator(f"tr[data-symbol={symbol.upper()}]")


def test_an_empty_watchlist_says_the_one_thing_to_do(page):
    expect(page.locator("cornerman-watchlist .none")).to_contain_text("Add a symbol")
    expect(page.locator("cornerman-watchlist table")).to_have_count(0)


def test_a_watched_symbol_shows_a_price_that_moves_with_its_age_and_its_label(page):
    row = _watch(page, "ibm")
    expect(row.locator(".last")).to_have_text(re.compile(r"^\d+\.\d\d$"))
    expect(row.locator("cornerman-age")).to_have_text(re.compile(r"fresh, \d+ s"))
    expect(row.locator("cornerman-source button")).to_have_text("SIMULATED")
    before = row.locator(".last").inner_text()
    page.get_by_role("button", name="Step 1 hour").click()
    expect(row.locator(".last")).not_to_have_text(before)
    expect(page.locator("cornerman-watchlist [role=status]")).to_have_text("IBM added")


def test_a_symbol_that_nobody_knows_is_refused_with_near_names_and_the_list_stays(page):
    expect(_watch(page, "IBM")).to_be_visible()
    _watch(page, "IBMM")
    problem = page.locator("cornerman-watchlist [role=alert]")
    expect(problem).to_contain_text("IBM")
    expect(page.locator("tr[data-symbol=IBMM]")).to_have_count(0)
    expect(page.locator("tr[data-symbol=IBM]")).to_have_count(1)


def test_the_list_is_changed_by_keyboard_alone_and_the_focus_stays_in_it(page):
    expect(_watch(page, "IBM")).to_be_visible()
    expect(page.get_by_label("Symbol to watch")).to_be_focused()
    page.keyboard.type("msft")
    page.keyboard.press("Enter")
    expect(page.locator("tr[data-symbol=MSFT]")).to_be_visible()
    page.get_by_role("button", name="Remove MSFT from the watchlist").focus()
    page.keyboard.press("Enter")
    expect(page.locator("tr[data-symbol=MSFT]")).to_have_count(0)
    expect(page.get_by_role("button", name="Remove IBM from the watchlist")).to_be_focused()
    page.get_by_role("button", name="Show IBM on the chart").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("tab", name="Trade")).to_be_focused()
    expect(page.get_by_label("Symbol", exact=True)).to_have_value("IBM")


def test_the_desk_views_are_one_tab_stop_that_arrows_move_through(page):
    page.get_by_role("tab", name="Watch").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab", name="Data")).to_be_focused()
    expect(page.locator("cornerman-health")).to_be_visible()
    expect(page.locator("cornerman-watchlist")).to_be_hidden()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab", name="Trade")).to_be_focused()
    expect(page.locator("cornerman-chart")).to_be_visible()


def test_the_prices_are_pushed_and_asked_for_when_the_line_is_cut(desk):
    page = desk.context.new_page()
    lines = []
    page.route_web_socket("**/ws", lambda line: lines.append((line, line.connect_to_server())))
    page.goto(desk.live.up.address)
    page.get_by_role("tab", name="Data").click()
    live = page.locator("cornerman-diagnostics dl div", has_text="Live prices")
    expect(live).to_contain_text(re.compile(r"pushed, \d+ ms"))
    lines[-1][0].close(code=4000, reason="cut by the test")
    expect(live).to_contain_text("asked for every few seconds")
    page.get_by_role("button", name="Step 1 min").click()
    page.get_by_role("tab", name="Trade").click()
    expect(page.locator("cornerman-quote cornerman-age")).to_contain_text("fresh")
    page.get_by_role("tab", name="Data").click()
    expect(live).to_contain_text(re.compile(r"pushed.*reconnected 1 time"))
    page.close()


def test_a_pushed_price_needs_no_asking(page):
    row = _watch(page, "MSFT")
    expect(row.locator(".last")).to_have_text(re.compile(r"^\d+\.\d\d$"))
    page.route("**/api/v1/symbols/*/price", lambda route: route.abort())
    before = row.locator(".last").inner_text()
    page.get_by_role("button", name="Step 1 hour").click()
    expect(row.locator(".last")).not_to_have_text(before)
    expect(row.locator("cornerman-age")).to_contain_text("fresh")


def test_a_panel_that_fails_says_why_and_one_press_tries_again(desk):
    page = desk.context.new_page()
    broken = {"status": 503, "content_type": "application/json"}
    body = '{"code": "DB_BUSY", "message": "the database is busy", "hint": "Wait a moment."}'
    page.route("**/api/v1/watchlists", lambda route: route.fulfill(**broken, body=body))
    off = '{"code": "FEATURE_OFF", "message": "alerts are off", "hint": "Set ALERTS."}'
    page.route("**/api/v1/alerts", lambda route: route.fulfill(**broken, body=off))
    page.goto(desk.live.up.address)
    page.get_by_role("tab", name="Watch").click()
    panel = page.locator("cornerman-watchlist")
    expect(panel.get_by_role("alert")).to_contain_text("The database is busy. Wait a moment.")
    expect(page.locator("cornerman-alerts")).to_contain_text("What to do: Set ALERTS.")
    expect(page.locator("cornerman-alerts").get_by_role("button")).to_have_count(0)
    page.unroute("**/api/v1/watchlists")
    panel.get_by_role("button", name="Try again").click()
    expect(panel.get_by_label("Symbol to watch")).to_be_visible()
    page.close()


@pytest.mark.parametrize("width", [360, 1280])
def test_the_watch_view_has_no_accessibility_fault_and_fits(page, width):
    expect(_watch(page, "IBM").locator(".last")).to_be_visible()
    page.set_viewport_size({"width": width, "height": 740})
    if width < 900:
        page.get_by_role("tab", name="Desk").click()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate("document.querySelector('#view-Desk').scrollWidth") <= width
    assert faults(page) == []
    assert page.evaluate("window.__violations") == []


def test_a_list_is_renamed_a_second_one_is_begun_and_each_keeps_its_symbols(page):
    expect(_watch(page, "IBM")).to_be_visible()
    panel = page.locator("cornerman-watchlist")
    menu, name = panel.locator("summary"), panel.get_by_label("Name of a list")
    menu.click()
    name.fill("Old friends")
    panel.get_by_role("button", name="Rename").click()
    expect(panel.locator("[role=status]")).to_have_text("List renamed to Old friends")
    expect(menu).to_be_focused()
    expect(page.locator("tr[data-symbol=IBM]")).to_be_visible()
    page.keyboard.press("Enter")
    name.fill("New ones")
    panel.get_by_role("button", name="New list").click()
    expect(panel.get_by_label("Which watchlist")).to_contain_text("New ones")
    expect(panel.locator(".none")).to_contain_text("Add a symbol")
    expect(_watch(page, "MSFT")).to_be_visible()
    panel.get_by_label("Which watchlist").select_option("Old friends")
    expect(page.locator("tr[data-symbol=IBM]")).to_be_visible()
    expect(page.locator("tr[data-symbol=MSFT]")).to_have_count(0)
    menu.click()
    name.fill("new ones")
    panel.get_by_role("button", name="Rename").click()
    expect(panel.locator("[role=alert]")).to_be_visible()
    panel.get_by_role("button", name="Delete Old friends").click()
    expect(page.locator("tr[data-symbol=MSFT]")).to_be_visible()
    expect(panel.get_by_label("Which watchlist")).to_have_count(0)
