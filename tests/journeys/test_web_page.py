"""The web page itself: accessible, narrow, keyboard-only, resuming, quiet under the strict policy."""

import pytest
from playwright.sync_api import expect

from tests.journeys.page import WAIT_MS, desk_on, faults, say

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]
expect.set_options(timeout=WAIT_MS)


@pytest.fixture(scope="module")
def desk(migrated_file, tmp_path_factory):
    with desk_on(migrated_file, tmp_path_factory.mktemp("page")) as one:
        yield one


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_the_desk_with_an_open_card_has_no_accessibility_fault(desk, scheme):
    page = desk.open()
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    say(page, "buy 5 AAPL" if scheme == "dark" else "buy 6 AAPL")
    expect(page.locator(".turn [data-act=confirm]").last).to_be_enabled()
    assert faults(page) == []
    page.close()


def test_a_phone_shows_one_view_at_a_time_and_never_scrolls_sideways(desk):
    page = desk.open()
    page.set_viewport_size({"width": 360, "height": 740})
    expect(page.locator("cornerman-desk")).to_be_hidden()
    page.get_by_role("tab", name="Coach").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab", name="Desk")).to_be_focused()
    expect(page.locator("cornerman-desk")).to_be_visible()
    expect(page.locator("cornerman-coach")).to_be_hidden()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert faults(page) == []
    page.close()


def test_the_chart_draws_candles_under_the_strict_policy_with_trusted_types(desk):
    page = desk.open()
    expect(page.locator(".plot")).to_have_attribute("aria-label", _said("AAPL"))
    for frame in ("5m", "1m"):
        page.get_by_role("radio", name=frame).click()
        expect(page.locator(".plot")).to_have_attribute("aria-label", _said(frame))
    drawn = page.evaluate("""() => [...document.querySelectorAll(".plot canvas")].some((one) => {
      const seen = one.getContext("2d").getImageData(0, 0, one.width, one.height).data;
      const colours = new Set();
      for (let at = 0; at < seen.length; at += 4) if (seen[at + 3]) colours.add(seen[at]);
      return colours.size > 3; })""")
    assert drawn
    assert page.evaluate("window.__violations") == []
    page.close()


def _said(part: str):
    import re

    return re.compile(rf"bars of {part}|^{part}, \d+ bars")


def test_every_group_of_values_names_its_provenance_and_opens_its_source(desk):
    page = desk.open()
    label = page.locator("cornerman-quote cornerman-source button")
    expect(label).to_have_text("SIMULATED")
    label.focus()
    page.keyboard.press("Enter")
    source = page.locator("cornerman-quote .source")
    expect(source).to_contain_text("Provider")
    expect(source).to_contain_text("2012")
    page.keyboard.press("Escape")
    expect(source).to_have_count(0)
    expect(page.locator("cornerman-market cornerman-source button")).to_be_visible()
    labels = page.locator("cornerman-chart cornerman-source button")
    expect(labels).to_have_text(["REPLAY", "SIMULATED"])
    expect(page.locator("cornerman-chart .labels")).to_contain_text("forming")
    page.get_by_role("radio", name="5m").click()
    expect(labels).to_have_text(["SIMULATED"])
    page.close()


def test_the_replay_clock_pauses_and_steps_from_the_page(desk):
    page = desk.open()
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("button", name="Run")).to_be_visible()
    before = page.locator(".market .time b").inner_text()
    page.get_by_role("button", name="Step 1 min").click()
    expect(page.locator(".market .time b")).not_to_have_text(before)
    page.get_by_role("button", name="Run").click()
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    page.close()


def test_a_reload_shows_the_same_conversation_and_the_open_card(desk):
    page = desk.open()
    say(page, "buy 7 AAPL")
    title = page.locator(".turn cornerman-card h3").last.inner_text()
    page.reload()
    expect(page.locator(".turn.user").last).to_have_text("You said:buy 7 AAPL")
    expect(page.locator(".turn cornerman-card h3", has_text=title)).to_be_visible()
    expect(page.locator(".turn [data-act=confirm]").last).to_be_enabled()
    page.close()


@pytest.mark.fault("F014")
def test_markup_in_a_message_is_shown_as_text(desk):
    page = desk.open()
    hostile = '<img src=x onerror="window.hit=1"> [x](javascript:window.hit=1) <script>1</script>'
    say(page, hostile)
    expect(page.locator(".turn.user p").last).to_have_text(hostile)
    assert page.evaluate("window.hit") is None
    assert page.locator(".turn img, .turn script, .turn a").count() == 0
    page.close()


def test_a_visitor_without_a_session_is_told_the_one_way_in(desk):
    context = desk.browser.new_context()
    page = context.new_page()
    page.goto(desk.live.up.address)
    expect(page.locator("main")).to_contain_text("Open the login link")
    context.close()


def test_a_long_refusal_leaves_the_name_of_the_tool_whole_and_opens_on_demand(desk):
    page = desk.open()
    say(page, "plan MSFT")
    tool = page.locator(".tool.failed").last
    high = "(one) => one.getBoundingClientRect().height"
    expect(tool).to_contain_text("no setup on MSFT")
    one_line = tool.locator("summary").evaluate(high)
    assert tool.locator(".name").evaluate(high) <= one_line < 40
    tool.locator("summary").click()
    assert tool.locator("details").evaluate(high) > 2 * one_line
    page.close()
