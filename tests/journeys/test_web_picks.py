"""Ranked ideas on the page: the scan with every reject, the stored plans, the week to come."""

import re
from contextlib import contextmanager

import pytest
from playwright.sync_api import expect

from tests.journeys.page import WAIT_MS, begin, desk_on, faults, say
from tests.unit.http.live import KEY

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]
expect.set_options(timeout=WAIT_MS)


@contextmanager
def _paused(migrated_file, home):
    """A desk whose market stands still when two setups are there."""
    with desk_on(migrated_file, home) as one:
        person = one.live.page()
        for name, body in (
            ("step", {"action": "step", "seconds": 2100}),
            ("pause", {"action": "pause"}),
        ):
            head = {"idempotency-key": f"{KEY}-picks-{name}"}
            assert person.post("/api/v1/market/replay", json=body, headers=head).is_success
        yield one


@pytest.fixture(scope="module")
def desk(migrated_file, tmp_path_factory):
    """The desk of the tests that only look."""
    with _paused(migrated_file, tmp_path_factory.mktemp("picks")) as one:
        yield one


@pytest.fixture
def untouched(migrated_file, tmp_path):
    """A desk that no job has worked on yet: after a while the weekend plan makes itself."""
    with _paused(migrated_file, tmp_path) as one:
        yield one


@pytest.fixture(scope="module")
def asked(migrated_file, tmp_path_factory):
    """The desk on which plans are asked for, once in each colour scheme."""
    with _paused(migrated_file, tmp_path_factory.mktemp("asked")) as one:
        yield one


def _ideas(page):
    page.get_by_role("tab", name="Ideas").click()
    expect(page.locator("tr[data-pick]")).to_have_count(2)
    return page


def test_the_scan_ranks_plans_and_names_the_first_failed_rule_of_every_other_symbol(desk):
    page = _ideas(begin(desk.open()))
    picks = page.locator("cornerman-picks")
    expect(picks).to_contain_text("2 of 4 symbols make a plan by the rules")
    expect(picks.locator("tr[data-pick=MSFT]")).to_contain_text("uncalibrated")
    expect(picks.locator("tr[data-reject=AAPL]")).to_contain_text("RR_BELOW_MIN")
    expect(picks.locator("tr[data-reject=GOOG]")).to_contain_text("ENTRY_MISSED")
    picks.locator("tr[data-pick=MSFT] button.figure").first.click()
    note = page.get_by_role("dialog", name="Where this number comes from")
    expect(note).to_contain_text("replay")
    expect(note.locator(".badge")).to_have_text("SIMULATED")
    page.keyboard.press("Escape")
    picks.get_by_role("button", name="Plan IBM").click()
    expect(page.get_by_label("Message to the coach")).to_have_value("plan IBM long intraday")
    expect(page.locator(".turn")).to_have_count(0)
    assert page.evaluate("window.__violations") == []


def test_without_plans_and_weekend_each_panel_says_the_one_thing_to_do(untouched):
    page = _ideas(begin(untouched.open()))
    expect(page.locator("cornerman-plans .none")).to_have_text("No plan yet.")
    expect(page.locator("cornerman-scoreboard .none")).to_contain_text("Ask the coach for a plan")
    week = page.locator("cornerman-weekend")
    expect(week.locator(".none")).to_contain_text("No plan was made from the last close")
    week.get_by_role("button", name="Ask for it").click()
    expect(page.get_by_label("Message to the coach")).to_have_value("weekend plan")


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_the_ideas_view_has_no_accessibility_fault_and_fits_a_phone(asked, scheme):
    page = begin(asked.open())
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    say(page, "weekend plan")
    say(page, "plan MSFT")
    _ideas(page)
    week = page.locator("cornerman-weekend")
    expect(week).to_contain_text("After 2011-12-30")
    expect(week.locator("dl")).to_contain_text("2012-01-03")
    expect(week.locator("tr[data-reject=MSFT]")).to_have_count(2)
    expect(week.locator("tr[data-watch]")).to_have_count(4)
    expect(week.locator("tr[data-watch=IBM]")).to_contain_text(re.compile(r"18\d\.\d\d"))
    expect(week.locator("[data-act], form")).to_have_count(0)
    expect(page.locator("cornerman-plans svg.plan-svg").first).to_be_visible()
    expect(page.locator("cornerman-scoreboard section")).to_be_visible()
    assert faults(page) == []
    page.set_viewport_size({"width": 360, "height": 740})
    page.get_by_role("tab", name="Desk").click()
    expect(page.locator("cornerman-picks")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert page.evaluate("document.documentElement.scrollHeight") <= 740
    assert page.evaluate("document.querySelector('#view-Desk').scrollWidth") <= 360
    assert page.evaluate("window.__violations") == []


def test_a_weekend_swing_without_an_edge_is_said_to_have_none(desk):
    """The stored document leaves out what is not known; an old price is told, a fresh one not."""
    sure = {"value": "0.1504", "tier": "prior", "n": 5, "wins": 0, "p0": "0.5", "edge": "-0.3553",
            "p_breakeven_tp1": "0.5057", "flags": ["UNCALIBRATED"]}  # fmt: skip
    swing = {
        "symbol": "IBM", "plan_id": "plan_0123456789abcdef", "setup": "range_breakout",
        "timeframe": "1d", "side": "long", "entry": {"worst": "195.96"}, "stop": "191.67",
        "targets": ["200.25"], "rr": {"blended": "1.7379"}, "flags": [], "confidence": sure,
    }  # fmt: skip

    def planned(route):
        whole = route.fetch().json()
        aged = {**swing, "symbol": "GOOG", "snapshot_age_sessions": 2}
        plan = {**whole["plan"], "swings": [swing, aged]}
        route.fulfill(json={**whole, "plan": plan})

    page = begin(desk.open())
    say(page, "weekend plan")
    page.route("**/api/v1/plans/weekend", planned)
    _ideas(page)
    week = page.locator("cornerman-weekend")
    expect(week.locator("tr[data-swing=IBM]")).to_contain_text("15.04%uncalibrated")
    expect(week.locator("tr[data-swing=IBM]")).not_to_contain_text("sessions old")
    expect(week.locator("tr[data-swing=GOOG]")).to_contain_text("price 2 sessions old")
    expect(week).to_contain_text("None of them has a measured edge")
    page.close()


def test_the_views_are_walked_by_arrows_with_the_ideas_beside_the_trade(desk):
    page = begin(desk.open())
    page.get_by_role("tab", name="Trade").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab", name="Ideas")).to_be_focused()
    expect(page.locator("cornerman-picks")).to_be_visible()
    expect(page.locator("cornerman-chart")).to_be_hidden()


def test_a_scan_that_fails_says_so_and_tries_again(desk):
    page = begin(desk.open())
    page.route("**/api/v1/picks", lambda route: route.abort())
    page.get_by_role("tab", name="Ideas").click()
    trouble = page.locator("cornerman-picks [role=alert]")
    expect(trouble).to_contain_text(re.compile("does not answer"))
    page.unroute("**/api/v1/picks")
    trouble.get_by_role("button", name="Try again").click()
    expect(page.locator("tr[data-pick]")).to_have_count(2)
