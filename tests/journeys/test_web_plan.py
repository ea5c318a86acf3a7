"""Plans on the page: the card, its drawing and anatomy, its own page, and numbers that open sources."""

import re

import pytest
from playwright.sync_api import expect

from tests.journeys.page import WAIT_MS, begin, desk_on, faults, say
from tests.unit.http.live import KEY
from tests.unit.trade.test_option_choice import contract, of_side, with_chain

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]
expect.set_options(timeout=WAIT_MS)
_ANSWER = """() => {
  const texts = [...document.querySelectorAll(".turn.answer")].at(-1).querySelectorAll(".text");
  const copy = [...texts].at(-1).cloneNode(true);
  const opened = [...copy.querySelectorAll("button.figure")].map((one) => one.textContent);
  copy.querySelectorAll("button.figure, code").forEach((one) => one.remove());
  return { opened, rest: copy.textContent.replace(/plan_[0-9a-f]+/g, "") };
}"""
LABELS = re.compile(r"(target \d\b|\d+[mdw]\b)")
"""Digits that name a thing: the first target, a bar of 15 minutes."""


@pytest.fixture(scope="module")
def desk(migrated_file, tmp_path_factory):
    with desk_on(migrated_file, tmp_path_factory.mktemp("plan")) as one:
        head = {"idempotency-key": f"{KEY}-web-plan"}
        step = {"action": "step", "seconds": 2100}
        person = one.live.page()
        assert person.post("/api/v1/market/replay", json=step, headers=head).is_success
        pause = {"action": "pause"}
        head = {"idempotency-key": f"{KEY}-web-pause"}
        assert person.post("/api/v1/market/replay", json=pause, headers=head).is_success
        yield one


@pytest.fixture
def page(desk):
    page = begin(desk.open())
    yield page
    assert page.evaluate("window.__violations") == []
    page.close()


def _made(desk, symbol="IBM") -> str:
    head = {"idempotency-key": f"{KEY}-made-{symbol}"}
    answer = desk.live.page().post("/api/v1/plans", json={"symbol": symbol}, headers=head)
    assert answer.status_code == 201, answer.text
    return answer.json()["plan_id"]


def test_a_plan_is_a_card_with_its_drawing_its_doubts_and_buttons_that_only_write(page):
    say(page, "plan MSFT")
    card = page.locator(".turn cornerman-plan article")
    expect(card.get_by_role("heading", level=3)).to_have_text("Long MSFT, crossing of averages")
    drawing = card.locator("svg.plan-svg")
    for said in ("entry 26.44", "stop 26.15", "T1 26.73", "Entry zone 26.44"):
        expect(drawing).to_have_attribute("aria-label", re.compile(re.escape(said)))
    expect(drawing.locator(".zone")).to_have_count(1)
    expect(card.locator(".band-acceptable")).to_have_text("acceptable")
    expect(card.locator(".sure")).to_contain_text("uncalibrated: a prior from no past setup")
    expect(card.locator(".sure")).to_contain_text("no edge is claimed")
    card.get_by_text("The score's anatomy").click()
    rows = card.locator(".anatomy tbody tr")
    expect(rows).to_have_count(7)
    expect(card.locator("tr[data-part=market]")).to_contain_text("missing")
    expect(card.locator("tr[data-part=mtf]")).to_contain_text("trend 1d")
    card.get_by_text("What would change my mind").click()
    for reason in ("Stop", "Time stop", "Gap", "Earnings"):
        expect(card.locator(".minds b", has_text=re.compile(f"^{reason}$"))).to_be_visible()
    turns = page.locator(".turn").count()
    card.get_by_role("button", name="Size it").click()
    expect(page.get_by_label("Message to the coach")).to_have_value("size it")
    assert page.locator(".turn").count() == turns
    expect(page.locator(".legend")).to_contain_text("target 3")


@pytest.mark.parametrize(
    "lines",
    [
        ("plan MSFT", "why this stop?"),
        ("plan MSFT", "what would change your mind?"),
        ("plan MSFT", "what if I risk half?"),
        ("any setups in my list?",),
        ("weekend plan",),
    ],
    ids=lambda lines: lines[-1],
)
def test_every_number_of_an_answer_opens_its_source(page, lines):
    for line in lines:
        say(page, line)
        page.wait_for_function(f"() => ({_ANSWER})().opened.length > 2")
        page.wait_for_function(
            f"() => !/[0-9]/.test(({_ANSWER})().rest.replace(/target \\d\\b|\\d+[mdw]\\b/g, ''))"
        )
        found = page.evaluate(_ANSWER)
        assert re.findall(r"\d", LABELS.sub("", found["rest"])) == []
    for number in (
        page.locator(".turn.answer .text").last.locator("button.figure").first,
        page.locator(".turn.answer .text").last.locator("button.figure").last,
    ):
        number.click()
        note = page.get_by_role("dialog", name="Where this number comes from")
        expect(note).to_be_visible()
        expect(note).to_contain_text("As of")
        expect(note).to_contain_text(re.compile(r"(plan|res)_[0-9a-f]{16}"))
        page.keyboard.press("Escape")
        expect(note).to_be_hidden()


def test_a_number_is_opened_and_closed_by_the_keyboard_and_keeps_its_place(page):
    say(page, "plan IBM")
    number = page.locator(".levels button.figure").first
    number.focus()
    page.keyboard.press("Enter")
    note = page.get_by_role("dialog", name="Where this number comes from")
    expect(note).to_be_focused()
    expect(note).to_contain_text("simulated_intraday, 5m bars")
    page.keyboard.press("Escape")
    expect(number).to_be_focused()


def test_only_the_plan_that_it_means_offers_to_size_it(page):
    say(page, "plan IBM")
    say(page, "plan MSFT")
    first, second = (page.locator(".turn cornerman-plan").nth(at) for at in (0, 1))
    expect(second.get_by_role("button", name="Size it")).to_be_visible()
    expect(first.get_by_role("button", name="Size it")).to_have_count(0)
    first.get_by_role("button", name="Plan it anew").click()
    expect(page.get_by_label("Message to the coach")).to_have_value("plan IBM long intraday")
    page.reload()
    expect(page.locator(".turn cornerman-plan svg.plan-svg")).to_have_count(2)


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_the_page_of_an_idea_draws_the_plan_and_has_no_way_to_order(desk, scheme):
    page = desk.open()
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    page.set_viewport_size({"width": 360, "height": 740})
    page.goto(f"{desk.live.up.address}/ideas/{_made(desk)}")
    expect(page.locator("svg.plan-svg")).to_have_attribute("aria-label", re.compile("stop 187.21"))
    expect(page.locator("svg.plan-svg text.named").first).to_be_attached()
    expect(page.locator("details.part[open]")).to_have_count(5)
    expect(page.locator("article")).to_contain_text("Nothing is ordered by a plan")
    expect(page.locator("article .actions, [data-act], form")).to_have_count(0)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert page.evaluate("window.__violations") == []
    assert faults(page) == []
    page.close()


def test_option_alternatives_show_their_numbers_their_exits_and_what_refused_the_others(desk):
    inputs = of_side("long")
    spot, on = inputs.quote.last, inputs.as_of.date()
    body = with_chain(inputs, contract(spot, on, 45, "call"), contract(spot, on, 500, "call"))
    names = [one["contract"] for one in body["option_alternatives"]]
    mine = [
        {"contract": names[0], "contracts": "3", "binding": "risk", "premium": "735",
         "one_r": "371.4", "why": ""},
        {"contract": names[1], "contracts": "0", "binding": "leaps_total", "premium": "0",
         "one_r": "0", "why": "risk budget buys 0.4000 units, minimum 1"},
    ]  # fmt: skip
    label = {"ref": body["plan_id"], "provenance": "SIMULATED", "source": "replay"}
    label["contracts"] = mine
    page = desk.open()
    page.route("**/api/v1/plans/plan_*", lambda route: route.fulfill(json={**body, **label}))
    page.goto(f"{desk.live.up.address}/ideas/{body['plan_id']}")
    offered = page.locator("section.option")
    expect(offered).to_have_count(2)
    expect(offered.first).to_contain_text("Long call")
    expect(offered.first).to_contain_text("limit price")
    expect(offered.last.locator("li").first).to_contain_text("When dte at most")
    expect(offered.first.locator(".allowed")).to_contain_text("For your account: 3 contracts")
    expect(offered.first.locator(".allowed")).to_contain_text("at risk 371.40, limited by risk")
    expect(offered.last.locator(".allowed")).to_contain_text("0 contracts, Risk budget buys 0.4")
    told = page.locator("details.part", has_text="Option alternatives")
    expect(told).to_contain_text("Long call: dte too long 1; LEAPS call: dte too short 1")
    expect(page.locator("cornerman-plan-chart .problem")).to_contain_text("No chart:")
    page.close()


def test_bars_that_can_not_be_true_are_named_below_the_drawing(desk):
    said = "1 bar that can not be true is left out: 2012-01-03T14:40:00.000Z (DQ_OUTLIER)."

    def spoilt(route):
        answer = route.fetch()
        left = [{"t": "2012-01-03T14:40:00.000Z", "code": "DQ_OUTLIER"}]
        route.fulfill(json={**answer.json(), "left_out": left, "note": said})

    page = desk.open()
    page.route("**/api/v1/symbols/*/history*", spoilt)
    page.goto(f"{desk.live.up.address}/ideas/{_made(desk)}")
    expect(page.locator("svg.plan-svg")).to_be_visible()
    expect(page.locator("cornerman-plan-chart .left-out")).to_have_text(said)
    page.unroute_all(behavior="wait")
    page.reload()
    expect(page.locator("svg.plan-svg")).to_be_visible()
    expect(page.locator("cornerman-plan-chart .left-out")).to_have_count(0)
    page.close()


def test_an_unknown_idea_says_so_and_a_stranger_is_asked_to_sign_in(desk):
    page = desk.open()
    page.goto(f"{desk.live.up.address}/ideas/plan_0000000000000000")
    expect(page.locator("article")).to_contain_text("plan")
    expect(page.locator("article .off-state")).to_be_visible()
    page.close()
    stranger = desk.browser.new_context().new_page()
    stranger.goto(f"{desk.live.up.address}/ideas/{_made(desk)}")
    expect(stranger.locator(".signin")).to_be_visible()
    expect(stranger.locator("article")).to_have_count(0)
    stranger.context.close()


def test_a_lost_server_leaves_a_card_that_asks_again(desk, page):
    say(page, "plan IBM")
    page.route("**/api/v1/plans/plan_*", lambda route: route.abort())
    page.reload()
    card = page.locator(".turn cornerman-plan")
    expect(card.get_by_role("alert")).to_contain_text("does not answer")
    page.unroute("**/api/v1/plans/plan_*")
    card.get_by_role("button", name="Try again").click()
    expect(card.locator("svg.plan-svg")).to_be_visible()
    assert desk.troubles == []
