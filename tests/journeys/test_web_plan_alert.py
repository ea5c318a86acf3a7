"""A composed plan watched from the page: chosen in the list, told once its moment comes."""

import pytest
from playwright.sync_api import expect

from tests.journeys.page import WAIT_MS, begin, desk_on, faults
from tests.unit.http.live import KEY

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]
expect.set_options(timeout=WAIT_MS)
HOURS_MAX = 7


@pytest.fixture
def desk(migrated_file, tmp_path):
    with desk_on(migrated_file, tmp_path, environment={"ALERT_POLL_SEC": "1"}) as one:
        _replay(one, "step", seconds=2100)
        _replay(one, "pause")
        yield one


def _replay(desk, action, **more):
    head = {"idempotency-key": f"{KEY}-plan-alert-{action}-{len(desk.live.clients)}"}
    answer = desk.live.page().post(
        "/api/v1/market/replay", json={"action": action, **more}, headers=head
    )
    assert answer.is_success, answer.text


def test_a_plan_is_watched_from_the_list_and_its_moment_is_told(desk):
    head = {"idempotency-key": f"{KEY}-plan-alert"}
    made = desk.live.page().post("/api/v1/plans", json={"symbol": "IBM"}, headers=head).json()
    page = begin(desk.open())
    page.get_by_role("tab", name="Watch").click()
    page.locator(".plans-to-watch > summary").click()
    page.get_by_role("button", name=f"Watch the plan {made['plan_id']}").click()
    expect(page.locator(".plans-to-watch li")).to_contain_text("watching")
    row = page.locator("cornerman-alerts li[data-alert]")
    expect(row).to_contain_text(f"when plan {made['plan_id']} of IBM reaches its entry zone")
    expect(row.get_by_role("button", name="Change the level")).to_have_count(0)
    assert faults(page) == []

    told = page.locator("cornerman-notifications li", has_text=f"{made['side']} plan")
    for _ in range(HOURS_MAX):
        page.get_by_role("button", name="Step 1 hour").click()
        page.wait_for_timeout(1500)
        if told.count():
            break
    expect(told.first).to_contain_text("IBM ")
    if page.locator(".ended-alerts").count():
        page.locator(".ended-alerts > summary").click()
    row.locator(".history summary").first.click()
    expect(row.locator(".history li").first).to_contain_text("at ")
    assert page.evaluate("window.__violations") == []
    page.close()
