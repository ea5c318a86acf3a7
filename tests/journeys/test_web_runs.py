"""A run on the page: cancelled, without a model, without a server, and through a kill -9."""

import pytest
from playwright.sync_api import expect

from tests.fakes.model_server import Answer, Pause, end_frames, running_server, text_frames
from tests.journeys.page import WAIT_MS, begin, chromium, desk_on, say
from tests.journeys.serving import rows, serving, still_home, violations

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]
expect.set_options(timeout=WAIT_MS)
SENTENCE = "A plan names its stop before its entry. "
CLOSED_PORT = "http://127.0.0.1:9/v1"


def _slow(_request):
    frames = []
    for piece in text_frames(SENTENCE * 40):
        frames += [piece, Pause(0.02)]
    return Answer([*frames, *end_frames()])


@pytest.fixture(scope="module")
def desk(migrated_file, tmp_path_factory):
    with desk_on(migrated_file, tmp_path_factory.mktemp("runs")) as one:
        yield one


@pytest.fixture
def page(desk):
    page = desk.open()
    yield page
    page.close()


def _ask(page, text):
    page.fill("cornerman-coach textarea", text)
    page.keyboard.press("Enter")


def test_a_run_is_stopped_from_the_page_and_says_so(migrated_file, tmp_path):
    with running_server(_slow) as model:
        given = {"OPENAI_BASE_URL": model.base_url, "OPENAI_MODEL": "scripted"}
        with desk_on(migrated_file, tmp_path, environment=given) as desk:
            page = desk.open()
            _ask(page, "teach me")
            expect(page.locator(".turn.answer .text")).to_contain_text(SENTENCE.strip())
            page.get_by_role("button", name="Cancel", exact=True).click()
            expect(page.locator(".notice")).to_have_text("Stopped, as you asked.")
            expect(page.get_by_role("button", name="Send")).to_be_visible()
            _ask(page, "teach me again")
            expect(page.get_by_role("button", name="Cancel", exact=True)).to_be_visible()
            page.locator("textarea").press("Escape")
            expect(page.locator(".notice")).to_have_count(2)


def test_a_dead_model_endpoint_is_answered_by_rules_and_named(migrated_file, tmp_path):
    given = {"OPENAI_BASE_URL": CLOSED_PORT, "OPENAI_MODEL": "absent"}
    with desk_on(migrated_file, tmp_path, environment=given) as desk:
        page = desk.open()
        say(page, "what's AAPL doing")
        answer = page.locator(".turn.answer").last
        expect(answer).to_contain_text("The language model is not used")
        expect(answer).to_contain_text("409")
        expect(page.locator(".tool.done cornerman-source").first).to_be_visible()


def test_a_lost_connection_is_said_the_text_is_kept_and_all_comes_back(desk, page):
    begin(page)
    desk.context.set_offline(True)
    expect(page.locator(".line.bad")).to_contain_text("Values below are old")
    expect(page.locator("#main.stale")).to_be_visible()
    _ask(page, "what's MSFT doing")
    expect(page.locator(".problem.inline")).to_contain_text("the server does not answer")
    expect(page.locator("cornerman-coach textarea")).to_have_value("what's MSFT doing")
    desk.context.set_offline(False)
    page.get_by_role("region", name="Coach").get_by_role("button", name="Try again").click()
    expect(page.locator(".turn.answer .text")).to_contain_text("MSFT")
    expect(page.locator(".problem.inline")).to_have_count(0)
    expect(page.locator(".line.good")).to_be_visible()


def test_a_quote_that_fails_says_why_and_offers_to_try_again(desk):
    page = desk.context.new_page()
    page.route("**/symbols/*/price", lambda route: route.fulfill(status=500, body="not json"))
    page.goto(desk.live.up.address)
    problem = page.locator("cornerman-quote .problem")
    expect(problem).to_contain_text("the server failed (500)")
    page.unroute_all()
    problem.get_by_role("button", name="Try again").click()
    expect(page.locator("cornerman-quote .last b")).not_to_have_text("–")
    page.close()


@pytest.mark.crash
@pytest.mark.fault("F111")
def test_a_page_resumes_a_killed_answer_at_the_exact_event(tmp_path):
    home = still_home(tmp_path / "killed")
    with running_server(_slow) as model, chromium() as browser:
        given = {"OPENAI_BASE_URL": model.base_url, "OPENAI_MODEL": "scripted"}
        asked = []
        page = browser.new_page()
        page.on("request", lambda one: asked.append(one) if "/events" in one.url else None)
        with serving(home, **given) as server:
            page.goto(server.link)
            page.wait_for_selector("cornerman-coach textarea")
            _ask(page, "teach me")
            expect(page.locator(".turn.answer .text")).to_contain_text(SENTENCE.strip())
            server.kill()
            expect(page.locator(".line.bad, .line.warn")).to_be_visible()
            port = server.address.rsplit(":", 1)[1]
        first = len(asked)
        with serving(home, PORT=port, **given):
            expect(page.locator(".line.good")).to_be_visible()
            expect(page.get_by_role("button", name="Send")).to_be_visible()
            resumed = asked[first:][-1].all_headers()["last-event-id"]
            kept = page.locator(".turn.answer .text").all_inner_texts()
            page.reload()
            page.wait_for_selector(".turn.answer")
            assert page.locator(".turn.answer .text").all_inner_texts() == kept
    talk = asked[0].url.split("/conversations/")[1].split("/")[0]
    places = rows(home, f"SELECT epoch, seq FROM coach_events WHERE stream='{talk}'")
    assert tuple(map(int, resumed.split("."))) in places
    assert violations(home) == []


@pytest.mark.crash
def test_a_kill_right_after_the_confirm_shows_the_fill_once(tmp_path):
    home = still_home(tmp_path / "confirmed")
    with chromium() as browser:
        page = browser.new_page()
        with serving(home, CORNERMAN_FAILPOINT="confirm.after_commit:exit") as server:
            page.goto(server.link)
            page.wait_for_selector("cornerman-coach textarea")
            say(page, "buy 5 AAPL")
            page.locator("[data-act=confirm]").click()
            assert server.wait() == 137
            expect(page.locator(".turn .said")).to_contain_text("it can only happen once")
            port = server.address.rsplit(":", 1)[1]
        with serving(home, PORT=port):
            expect(page.locator(".turn .fill")).to_contain_text("Filled: 5 of 5")
            expect(page.locator("cornerman-orders tbody tr")).to_have_count(1)
            expect(page.locator("cornerman-orders tbody tr")).to_contain_text("filled")
            expect(page.locator("[data-act=confirm]")).to_have_count(0)
    assert rows(home, "SELECT count(*) FROM order_intents") == [(1,)]
    assert violations(home) == []
