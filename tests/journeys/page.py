"""The real page in a real Chromium on a real server: what every web journey starts from."""

import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, sync_playwright

from services.kit.clock import SystemClock
from tests.conftest import absent
from tests.unit.http.live import GENEROUS, Live, live_server

WEB = Path(__file__).resolve().parents[2] / "app" / "web"
AXE = WEB / "node_modules" / "axe-core" / "axe.min.js"
WAIT_MS = 20_000
_drivers: list[Playwright] = []
_shared: list[Browser] = []
_sharing = ExitStack()
_FAULTS = """axe.run().then((found) => found.violations.map((one) =>
  `${one.id}: ${one.nodes.map((node) => node.target.join(" ")).slice(0, 3).join(", ")}`))"""
_VIOLATIONS = """window.__violations = [];
document.addEventListener("securitypolicyviolation",
  (event) => window.__violations.push(`${event.violatedDirective} ${event.sourceFile}`));"""


@dataclass
class Desk:
    """A server with a browser beside it, and the troubles that its pages reported."""

    live: Live
    browser: Browser
    context: BrowserContext
    troubles: list[str] = field(default_factory=list)

    def open(self, path: str = "/", *, context: BrowserContext | None = None) -> Page:
        """Open a page of the signed-in person and wait until the desk has its numbers."""
        page = (context or self.context).new_page()
        page.set_default_timeout(WAIT_MS)
        page.add_init_script(_VIOLATIONS)
        page.on("pageerror", lambda error: self.troubles.append(str(error)))
        page.goto(self.live.up.address + path)
        page.wait_for_selector("cornerman-coach textarea")
        return page

    def again(self) -> BrowserContext:
        """Return a second browser of the same person, with a session of its own."""
        context = self.browser.new_context(viewport={"width": 1280, "height": 800})
        cookie = self.live.page().headers["cookie"].split("=", 1)
        context.add_cookies(
            [
                {
                    "name": cookie[0],
                    "value": cookie[1],
                    "url": self.live.up.address,
                    "sameSite": "Strict",
                }
            ]
        )
        return context


def find_browser() -> str:
    """Return the path of Chromium, or an empty text without it or without the built page."""
    if not (WEB / "vendor" / "lit.js").is_file():
        return ""
    found = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    return found or ""


def require_browser() -> str:
    """Return the path of Chromium; skip, visibly, without it or without the built page."""
    found = find_browser()
    if not found:
        absent("chromium", "not run: no Chromium here, or the page is not built (make web)")
    return found


class AheadClock(SystemClock):
    """The machine's clock, set ahead by as many seconds as a test says."""

    ahead_s = 0

    def now(self) -> datetime:
        return super().now() + timedelta(seconds=self.ahead_s)


@contextmanager
def _driven() -> Iterator[Playwright]:
    """Yield the one driver of this process: a second one beside it is not allowed."""
    if _drivers:
        yield _drivers[-1]
        return
    with sync_playwright() as driver:
        _drivers.append(driver)
        try:
            yield driver
        finally:
            _drivers.remove(driver)


@contextmanager
def _launched(*flags: str) -> Iterator[Browser]:
    path = require_browser()
    with _driven() as driver:
        browser = driver.chromium.launch(executable_path=path, args=["--no-sandbox", *flags])
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def chromium(*flags: str) -> Iterator[Browser]:
    """Yield the browser of this process, or with flags one of its own; skip, visibly, without one.

    What is opened meanwhile is closed at the end. `leave_browser` ends the shared one.
    """
    if flags:
        with _launched(*flags) as browser:
            yield browser
        return
    if not _shared or not _shared[0].is_connected():
        _shared[:] = [_sharing.enter_context(_launched())]
    shared = _shared[0]
    before = shared.contexts
    try:
        yield shared
    finally:
        for context in shared.contexts:
            if context not in before:
                context.close()


def leave_browser() -> None:
    """End the shared browser and its driver, whose loop no other test may meet."""
    _shared.clear()
    _sharing.close()


@contextmanager
def desk_on(migrated_file: Path, home: Path, **given: Any) -> Iterator[Desk]:
    """Start a server in `home` and a browser that is signed in by the printed link.

    `environment` and parts such as `clock` come by keyword. At the end no page may have failed.
    """
    require_browser()
    shutil.copyfile(migrated_file, home / "cornerman.db")
    given["environment"] = {**GENEROUS, **given.get("environment", {})}
    with (
        live_server(home, f"sqlite:///{home / 'cornerman.db'}", **given) as live,
        chromium() as browser,
    ):
        context = browser.new_context(viewport={"width": 1280, "height": 800})
        desk = Desk(live, browser, context)
        first = context.new_page()
        first.goto(live.up.login_link)
        first.close()
        yield desk
        assert desk.troubles == []


def faults(page: Page) -> list[str]:
    """Return what axe finds on the page: each fault with the first places that have it."""
    if not AXE.is_file():
        pytest.skip("not run: axe-core is not installed (npm ci in app/web)")
    page.evaluate(AXE.read_text(encoding="utf-8"))
    return page.evaluate(_FAULTS)


def begin(page: Page) -> Page:
    """Leave the last conversation and start with an empty one."""
    page.wait_for_selector("cornerman-coach .turn, cornerman-coach .empty")
    new = page.get_by_role("button", name="New", exact=True)
    if new.is_enabled():
        new.click()
    page.wait_for_selector("cornerman-coach .empty")
    return page


def say(page: Page, text: str) -> None:
    """Send a message and wait until the run has ended."""
    answers = page.locator(".turn.answer .text").count()
    page.fill("cornerman-coach textarea", text)
    page.keyboard.press("Enter")
    page.wait_for_function(
        "count => document.querySelectorAll('.turn.answer .text').length > count", arg=answers
    )
    page.wait_for_selector("cornerman-coach button:has-text('Send')")
