"""The page on live providers: a wrong key is said at once, and a change of provider is labelled."""

from datetime import UTC, datetime

import pytest
from playwright.sync_api import expect

from tests.fakes import massive_server as massive
from tests.fakes import tradier_server as tradier
from tests.journeys.page import WAIT_MS, desk_on
from tests.unit.market.test_massive import snapshot
from tests.unit.market.test_tradier_feed import quote_row

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]
expect.set_options(timeout=WAIT_MS)
PROBED_MS = 3000


@pytest.fixture
def first():
    with massive.MassiveServer() as running:
        running.list_ticker("AAPL")
        running.snapshots["AAPL"] = snapshot(at=datetime.now(UTC))
        yield running


@pytest.fixture
def second():
    with tradier.TradierServer() as running:
        running.list_security("AAPL")
        running.quotes["AAPL"] = quote_row(at=datetime.now(UTC))
        running.quota_ends = None
        yield running


def test_a_wrong_key_is_said_with_what_to_do_and_the_chat_still_works(
    migrated_file, tmp_path, first
):
    wrong = {"MASSIVE_API_KEY": "wrong", "MASSIVE_BASE_URL": first.base_url}
    with desk_on(migrated_file, tmp_path, environment=wrong) as desk:
        page = desk.context.new_page()
        page.goto(desk.live.up.address)
        warning = page.locator("cornerman-banner [role=status]")
        expect(warning).to_contain_text("refused the key", timeout=PROBED_MS)
        expect(warning).to_contain_text("MASSIVE_API_KEY")
        expect(page.locator("cornerman-coach textarea")).to_be_enabled()
        page.get_by_role("tab", name="Data").click()
        expect(page.locator("[data-provider=massive] .level")).to_have_text("off")
        page.close()


def test_a_change_of_provider_is_warned_of_and_every_price_names_the_new_one(
    migrated_file, tmp_path, first, second
):
    keyed = {
        "MASSIVE_API_KEY": massive.KEY,
        "MASSIVE_BASE_URL": first.base_url,
        "TRADIER_ACCESS_TOKEN": tradier.TOKEN,
        "TRADIER_BASE_URL": second.base_url,
        "FEATURE_FAILOVER_ENABLED": "true",
    }
    with desk_on(migrated_file, tmp_path, environment=keyed) as desk:
        first.fault("/v2/snapshot", massive.Fault.DEEP)
        page = desk.context.new_page()
        page.goto(desk.live.up.address)
        label = page.locator("cornerman-quote cornerman-source button")
        expect(label).to_have_text("DELAYED")
        label.click()
        expect(page.locator("cornerman-quote .source")).to_contain_text("tradier")
        page.reload()
        expect(page.locator("cornerman-banner [role=status]")).to_contain_text(
            "values come from tradier"
        )
        page.close()
