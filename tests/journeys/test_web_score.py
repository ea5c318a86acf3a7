"""The coach's own record on the page: stated against realised, the diagram and its table, no boast."""

import re
from datetime import UTC, datetime
from decimal import Decimal
from types import SimpleNamespace

import pytest
from playwright.sync_api import expect

from services.identity.user import LOCAL_TENANT
from services.kit.db import Database
from tests.journeys.page import WAIT_MS, desk_on, faults
from tests.unit.research.test_follow import KEY, outcome

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]
expect.set_options(timeout=WAIT_MS)


@pytest.fixture
def desk(migrated_file, tmp_path):
    with desk_on(migrated_file, tmp_path) as one:
        yield one


def _plant(home, count, *, first=0):
    """Write what suggestions came to, as the follower would have: one in four reached target 1."""
    database = Database(f"sqlite:///{home / 'cornerman.db'}")
    with database.write(LOCAL_TENANT) as db:
        ctx = SimpleNamespace(db=db, now=datetime(2027, 1, 12, 15, 0, tzinfo=UTC))
        for at in range(first, first + count):
            stated = Decimal("0.3") if at % 2 else Decimal("0.6")
            outcome(ctx, at, won=at % 4 == 0, stated=stated)
    database.close()


def _board(desk):
    page = desk.open()
    page.goto(f"{desk.live.up.address}/scoreboard")
    return page


def test_a_record_without_suggestions_says_how_one_begins(desk):
    page = _board(desk)
    expect(page.locator("cornerman-scoreboard .none")).to_contain_text("No suggestion yet")
    expect(page.locator("svg.diagram")).to_have_count(0)


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_few_outcomes_are_shown_with_their_n_and_nothing_is_claimed(desk, tmp_path, scheme):
    _plant(tmp_path, 20)
    page = _board(desk)
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    row = page.locator(f"tr[data-setup='{KEY}']")
    expect(row).to_contain_text("too few to judge, 20 of 30")
    expect(row).to_contain_text("25%")
    expect(row).to_contain_text("45%")
    expect(page.locator("cornerman-scoreboard")).to_contain_text("Fewer than 30")
    drawn = page.locator("svg.diagram")
    expect(drawn).to_have_attribute("aria-label", re.compile("stated 30%, came 0%, n 10"))
    expect(drawn.locator("circle")).to_have_count(2)
    table = page.get_by_role("region", name="Reliability table")
    expect(table.locator("tbody tr").last).to_contain_text("60%")
    expect(table.locator("tbody tr").last).to_contain_text("50%")
    page.get_by_text("What you did not take").click()
    left = page.locator("tr[data-fate=ignored]")
    expect(left).to_contain_text("never asked for")
    expect(left.locator("td").first).to_have_text("20")
    expect(page.get_by_role("region", name="Advice by what became of it")).to_contain_text("AAPL")
    assert faults(page) == []
    page.set_viewport_size({"width": 360, "height": 740})
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert page.evaluate("window.__violations") == []


def test_enough_outcomes_that_lost_are_called_no_edge_and_open_their_source(desk, tmp_path):
    _plant(tmp_path, 20)
    page = _board(desk)
    expect(page.locator(f"tr[data-setup='{KEY}']")).to_contain_text("too few")
    _plant(tmp_path, 20, first=20)
    page.get_by_role("button", name="Refresh").click()
    row = page.locator(f"tr[data-setup='{KEY}']")
    expect(row.get_by_role("rowheader")).to_contain_text("no edge, real prices")
    expect(row).to_contain_text("−0.50")
    expect(page.locator("cornerman-scoreboard")).not_to_contain_text("Fewer than 30")
    row.locator("button.figure").first.click()
    note = page.get_by_role("dialog", name="Where this number comes from")
    expect(note).to_contain_text("suggestions")
    page.keyboard.press("Escape")
    expect(page.locator("article, form, [data-act]")).to_have_count(0)


def test_a_plan_links_to_the_record_and_the_record_back_to_the_desk(desk):
    page = _board(desk)
    expect(page.locator("[aria-current=page]")).to_have_text("Scoreboard")
    page.get_by_role("link", name="Desk").click()
    page.wait_for_selector("cornerman-coach textarea")
