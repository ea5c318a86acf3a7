"""A served installation behind https: sign-in by password, and the chat in a foreign page."""

import shutil

import pytest
from playwright.sync_api import expect

from tests.journeys.page import WAIT_MS, chromium, require_browser, say
from tests.journeys.secure import certificate, secured
from tests.unit.http.live import GENEROUS, SERVED, live_server

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]
expect.set_options(timeout=WAIT_MS)
OURS, THEIRS, OTHERS = "coach.example", "blog.example", "other.example"
PAGE = f"""<!doctype html><html lang="en"><title>A blog</title>
<script type="module" src="https://{OURS}/web/embed.js"></script>
<cornerman-chat api="https://{OURS}" style="height: 700px"></cornerman-chat></html>"""


@pytest.fixture(scope="module")
def web(migrated_file, tmp_path_factory):
    """A browser to which three sites are real https addresses: ours, a listed one, another."""
    require_browser()
    home = tmp_path_factory.mktemp("served")
    shutil.copyfile(migrated_file, home / "cornerman.db")
    context = certificate(home, OURS, THEIRS, OTHERS)
    url = f"sqlite:///{home / 'cornerman.db'}"
    with (
        live_server(home, url, environment={**GENEROUS, **SERVED}) as live,
        secured(context, (live.port, ""), (0, PAGE)) as (ours, page),
        chromium(
            "--ignore-certificate-errors",
            f"--host-resolver-rules=MAP {OURS}:443 127.0.0.1:{ours}, "
            f"MAP {THEIRS}:443 127.0.0.1:{page}, MAP {OTHERS}:443 127.0.0.1:{page}",
        ) as browser,
    ):
        yield browser


def _sign_in(place, password="a long password"):
    place.get_by_label("Name").fill("owner")
    place.get_by_label("Password").fill(password)
    place.get_by_role("button", name="Sign in").click()


def test_a_person_signs_in_by_password_and_a_wrong_one_opens_nothing(web):
    page = web.new_page(ignore_https_errors=True)
    page.goto(f"https://{OURS}/")
    _sign_in(page, "not the password")
    expect(page.locator(".signin .problem")).to_be_visible()
    expect(page.locator("cornerman-coach")).to_have_count(0)
    _sign_in(page)
    expect(page.locator("cornerman-coach textarea")).to_be_visible()
    (cookie,) = page.context.cookies()
    assert (cookie["name"], cookie["httpOnly"], cookie["secure"], cookie["sameSite"]) == (
        "__Host-cornerman", True, True, "Strict")  # fmt: skip
    say(page, "what's AAPL doing")
    expect(page.locator(".turn.answer .text").last).to_contain_text("AAPL")
    page.context.close()


def test_the_chat_in_a_foreign_page_talks_and_its_confirm_opens_our_own_page(web):
    page = web.new_page(ignore_https_errors=True)
    page.goto(f"https://{THEIRS}/post")
    frame = page.frame_locator("cornerman-chat iframe")
    _sign_in(frame)
    frame.locator("textarea").fill("buy 5 AAPL")
    frame.locator("textarea").press("Enter")
    way = frame.locator("cornerman-card a.button")
    expect(way).to_have_text("Confirm in Cornerman")
    expect(frame.locator("[data-act=confirm]")).to_have_count(0)
    (cookie,) = page.context.cookies()
    assert cookie["name"] == "__Host-cornerman-frame"
    assert cookie["partitionKey"] == f"https://{THEIRS}"
    refused = frame.locator("body").evaluate(
        "async () => (await fetch('/api/v1/proposals/' + document.querySelector("
        "'cornerman-card').proposal + '/challenge')).status"
    )
    assert refused == 403
    with page.context.expect_page() as opened:
        way.click()
    ours = opened.value
    _sign_in(ours)
    expect(ours.locator("[data-act=confirm]")).to_be_enabled()
    ours.locator("[data-act=confirm]").click()
    expect(frame.locator("cornerman-card .fill")).to_contain_text("Filled")
    page.context.close()


def test_a_page_that_is_not_on_the_list_gets_neither_script_nor_frame(web):
    page = web.new_page(ignore_https_errors=True)
    failed = []
    page.on("requestfailed", lambda request: failed.append(request.url))
    page.goto(f"https://{OTHERS}/post")
    assert page.locator("iframe").count() == 0
    assert f"https://{OURS}/web/embed.js" in failed
    page.set_content(f'<iframe src="https://{OURS}/embed"></iframe>')
    expect(page.frame_locator("iframe").locator("cornerman-app")).to_have_count(0)
    page.context.close()
