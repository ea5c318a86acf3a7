"""The real page in a real Chromium on a real server: what every web journey starts from."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.unit.http.live import GENEROUS, Live, live_server

WEB = Path(__file__).resolve().parents[2] / "app" / "web"
AXE = WEB / "node_modules" / "axe-core" / "axe.min.js"
WAIT_MS = 10_000
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
        pytest.skip("not run: no Chromium here, or the page is not built (make web)")
    return found


@contextmanager
def desk_on(migrated_file: Path, home: Path) -> Iterator[Desk]:
    """Start a server in `home` and a browser that is signed in by the printed link."""
    path = require_browser()
    shutil.copyfile(migrated_file, home / "cornerman.db")
    with (
        live_server(home, f"sqlite:///{home / 'cornerman.db'}", environment=GENEROUS) as live,
        sync_playwright() as driver,
    ):
        browser = driver.chromium.launch(executable_path=path, args=["--no-sandbox"])
        try:
            context = browser.new_context(viewport={"width": 1280, "height": 800})
            desk = Desk(live, browser, context)
            first = context.new_page()
            first.goto(live.up.login_link)
            first.close()
            yield desk
            assert desk.troubles == []
        finally:
            browser.close()


def say(page: Page, text: str) -> None:
    """Send a message and wait until the run has ended."""
    answers = page.locator(".turn.answer .text").count()
    page.fill("cornerman-coach textarea", text)
    page.keyboard.press("Enter")
    page.wait_for_function(
        "count => document.querySelectorAll('.turn.answer .text').length > count", arg=answers
    )
    page.wait_for_selector("cornerman-coach button:has-text('Send')")
