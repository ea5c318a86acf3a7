"""Owns the pictures of `docs/img`: a real page on a fresh home, after the first conversation."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.journeys.page import WAIT_MS, find_browser, say
from tests.journeys.serving import BUY, PLAN, ROOT, WHY, serving, still_home

IMAGES = ROOT / "docs" / "img"
WIDE, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}
SIZE_MAX = 300_000
STEPS = 7
expect.set_options(timeout=WAIT_MS)


def main() -> int:
    """Write the pictures; answer 1 and say why when one of them can not be taken."""
    path = find_browser()
    if not path:
        print("no pictures: no Chromium on this machine, or the page is not built (make web)")
        return 1
    IMAGES.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as home,
        serving(still_home(Path(home) / "desk")) as server,
        sync_playwright() as driver,
    ):
        browser = driver.chromium.launch(executable_path=path, args=["--no-sandbox"])
        try:
            _take(browser, server.link, server.address)
        finally:
            browser.close()
    large = [one.name for one in IMAGES.glob("*.png") if one.stat().st_size > SIZE_MAX]
    print(f"{IMAGES.relative_to(ROOT)}: written" + (f"; too large: {large}" if large else ""))
    return 1 if large else 0


def _take(browser: Browser, link: str, address: str) -> None:
    """Play the first conversation: a plan, a confirmed card, and a second card left open."""
    page = browser.new_context(viewport=WIDE, reduced_motion="reduce").new_page()
    page.set_default_timeout(WAIT_MS)
    page.goto(link)
    page.wait_for_selector("cornerman-coach textarea")
    say(page, PLAN)
    say(page, BUY)
    page.locator("[data-act=confirm]").click()
    expect(page.locator(".turn .fill")).to_contain_text("Filled")
    expect(page.locator("cornerman-positions tbody tr")).to_contain_text("AAPL")
    _picture(page, "desk-dark.png", scheme="dark")
    say(page, WHY)
    say(page, "buy 20 MSFT stop 26.10")
    expect(page.locator("[data-act=confirm]")).to_be_enabled()
    _picture(page, "desk-light.png", scheme="light")
    _follow(page)
    _picture(page, "watch-dark.png", scheme="dark")
    page.get_by_role("tab", name="Data").click()
    expect(page.locator("cornerman-diagnostics [data-provider]").first).to_be_visible()
    _picture(page, "data-light.png", scheme="light")
    page.get_by_role("tab", name="Trade").click()
    page.set_viewport_size(PHONE)
    page.goto(address)
    expect(page.locator(".turn [data-act=confirm]")).to_be_enabled()
    _picture(page, "phone.png", scheme="dark")
    page.set_viewport_size(WIDE)
    _ideas(page, address)


def _follow(page: Page) -> None:
    """Fill the view of watched symbols: three prices and an alert from words."""
    page.get_by_role("tab", name="Watch").click()
    for symbol in ("AAPL", "MSFT", "IBM"):
        page.get_by_label("Symbol to watch").fill(symbol)
        page.keyboard.press("Enter")
        expect(page.locator(f"tr[data-symbol={symbol}] .last")).to_contain_text(".")
    page.get_by_label("Alert in your own words").fill("AAPL > 500")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Save alert").click()
    expect(page.locator("cornerman-alerts li[data-alert]")).to_contain_text("watching")


def _ideas(page: Page, address: str) -> None:
    """Plan a setup half an hour into the session; show its card, its own page, and the record."""
    for _ in range(STEPS):
        page.get_by_role("button", name="Step 5 min").click()
    expect(page.locator("cornerman-market .time")).to_contain_text("10:06:00")
    say(page, "plan MSFT")
    card = page.locator(".turn cornerman-plan article").last
    expect(card.locator("svg.plan-svg")).to_be_visible()
    page.get_by_role("tab", name="Ideas").click()
    expect(page.locator("tr[data-pick]").first).to_be_visible()
    card.evaluate(
        "(one) => { const log = one.closest('.log');"
        " log.scrollTop += one.getBoundingClientRect().top - log.getBoundingClientRect().top - 12; }"
    )
    _picture(page, "plan-dark.png", scheme="dark")
    page.goto(address + str(card.get_by_role("link", name="Open the idea").get_attribute("href")))
    expect(page.locator("svg.plan-svg")).to_be_visible()
    _picture(page, "idea-light.png", scheme="light")
    page.goto(f"{address}/scoreboard")
    expect(page.locator("cornerman-scoreboard section")).to_be_visible()
    _picture(page, "record-dark.png", scheme="dark")


def _picture(page: Page, name: str, *, scheme: str) -> None:
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
    shown = page.locator("cornerman-quote .last b")
    if shown.is_visible():
        expect(shown).not_to_have_text("–")
    page.mouse.move(0, 0)
    page.evaluate("document.activeElement?.blur()")
    page.evaluate("() => new Promise((done) => setTimeout(done, 400))")
    page.screenshot(path=IMAGES / name, animations="disabled", caret="hide")


if __name__ == "__main__":
    sys.exit(main())
