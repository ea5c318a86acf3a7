"""Silence on bad data: every data-quality code at every surface that advises or orders."""

import asyncio
import itertools
import shutil
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal as D  # noqa: N817 - tables of numbers read better short

import pytest
from sqlalchemy import delete, func, select

from app.terminal import Desk
from app.tool_verb import use_tool
from services.identity.user import LOCAL_TENANT, principal_of
from services.kit.clock import HandClock
from services.kit.context import Surface, system_principal
from services.kit.errors import refuse
from services.ledger import portfolio
from services.market.finding import Finding, Severity
from services.market.freeze import (
    active_freezes,
    clear_freeze,
    listing_scope,
    open_freeze,
    portfolio_scope,
)
from services.market.quality_tables import dq_marks
from services.market.replay import ReplayFeed
from services.orders.tables import order_intents, proposals
from services.trade.tables import trade_advice
from tests.conftest import NOW
from tests.fakes.coach_desk import CoachDesk
from tests.unit.http.live import live_server

API = "/api/v1"
_count = itertools.count(1)
PLAN = {"symbol": "AAPL", "side": "long", "entry": "410", "stop": "400"}
ORDER = {"symbol": "AAPL", "side": "buy", "quantity": "3", "type": "market", "tif": "day"}


@dataclass
class BentFeed(ReplayFeed):
    """The replay feed with its quotes bent by the test."""

    bend: object = None
    calls: list = field(default_factory=list)

    def quote(self, ctx, symbol):
        quote = super().quote(ctx, symbol)
        return quote if self.bend is None else self.bend(quote)


def silent(_quote):
    raise refuse("PROVIDER_UNAVAILABLE", provider="replay")


def times(factor):
    def bend(quote):
        moved = {name: getattr(quote, name) * D(factor) for name in ("bid", "ask", "last")}
        return replace(quote, **{name: value.quantize(D("0.01")) for name, value in moved.items()})

    return bend


BENDS = {
    "DQ_MISSING": silent,
    "DQ_STALE": lambda quote: replace(quote, ts=quote.ts - timedelta(seconds=90)),
    "DQ_FUTURE_TS": lambda quote: replace(quote, ts=quote.ts + timedelta(seconds=60)),
    "DQ_NONPOSITIVE": lambda quote: replace(quote, last=D(0)),
    "DQ_NONFINITE": lambda quote: replace(quote, bid=D("NaN")),
    "DQ_FORMAT": lambda quote: replace(quote, ask=quote.ask + D("0.000000001")),
    "DQ_CROSSED": lambda quote: replace(quote, bid=quote.ask + 1, ask=quote.bid),
    "DQ_WIDE": lambda quote: replace(quote, ask=quote.bid * D("1.08")),
    "DQ_JUMP": times("1.8"),
    "DQ_SCALE_SUSPECT": times("100"),
    "DQ_SPLIT_SUSPECT": times("0.1"),
    "DQ_CCY_MISMATCH": lambda quote: replace(quote, currency="GBP"),
    "DQ_SESSION": lambda quote: replace(quote, halted=True),
}
FROZEN = {
    "DQ_BAR_SANITY": "listing",
    "DQ_RECON": "listing",
    "DQ_COVERAGE": "portfolio",
    "DQ_FX_MISSING": "portfolio",
    "DQ_FX_STALE": "portfolio",
    "DQ_FX_INVERTED": "portfolio",
    "DQ_FX_JUMP": "portfolio",
}


@pytest.fixture(scope="module")
def feed():
    return BentFeed()


@pytest.fixture(scope="module")
def live(migrated_file, tmp_path_factory, feed):
    home = tmp_path_factory.mktemp("home")
    shutil.copyfile(migrated_file, home / "cornerman.db")
    with live_server(home, f"sqlite:///{home / 'cornerman.db'}", feed=feed) as server:
        yield server


@pytest.fixture(scope="module")
def page(live):
    return live.page()


def post(page, path, body):
    headers = {"idempotency-key": f"gate-{next(_count):016d}"}
    return page.post(f"{API}{path}", headers=headers, json=body)


def as_owner(live, act, surface=Surface.WEB):
    who = replace(
        principal_of(live.user(LOCAL_TENANT, "owner"), surface, "ses_test"),
        scopes=frozenset({"read", "propose", "confirm", "admin"}),
    )
    return live.product.runtime.write(who, act)


def rows(live):
    """How much advice, how many proposals and orders are stored."""
    return as_owner(
        live,
        lambda ctx: [
            ctx.db.scalar(select(func.count()).select_from(table))
            for table in (trade_advice, proposals, order_intents)
        ],
    )


@pytest.fixture
def card(live, page, feed):
    """A card made while the data were clean, and what its person would send."""
    feed.bend = None
    _melt(live)
    made = post(page, "/portfolio/trade", {**ORDER, "quantity": str(next(_count))})
    assert made.status_code == 202, made.text
    proposal = made.json()["result"]["proposal_id"]
    shown = page.get(f"{API}/proposals/{proposal}/challenge").json()
    yield proposal, {name: shown[name] for name in ("token", "version", "order_hash")}
    feed.bend = None
    _melt(live)


def _melt(live):
    def act(ctx):
        for one in active_freezes(ctx):
            clear_freeze(ctx, one.id, "the test is over")
        ctx.db.change(delete(dq_marks))

    as_owner(live, act)


def over_http(page, card):
    proposal, terms = card
    yield "confirm", post(page, f"/proposals/{proposal}/confirm", terms)
    for name, body in (
        ("tools/plan_check", {"args": PLAN}),
        ("tools/size", {"args": PLAN}),
        ("tools/propose_order", {"args": ORDER}),
        ("plan/validate", PLAN),
        ("sizing/suggest", PLAN),
        ("portfolio/trade", {**ORDER, "quantity": "7"}),
    ):
        yield name, post(page, f"/{name}", body)


def at_the_terminal(live):
    who = principal_of(live.user(LOCAL_TENANT, "owner"), Surface.CLI, "terminal")
    desk = Desk(live.product, who)
    for name, arguments in (
        ("plan_check", '{"symbol":"AAPL","side":"long","stop":"3%"}'),
        ("size", '{"symbol":"AAPL","side":"long","stop":"3%"}'),
        (
            "propose_order",
            '{"symbol":"AAPL","side":"buy","quantity":"4","type":"market","tif":"day"}',
        ),
    ):
        yield name, use_tool(desk, name, arguments)


def in_the_chat(live):
    who = principal_of(live.user(LOCAL_TENANT, "owner"), Surface.WEB, "ses_chat")
    desk = CoachDesk(live.product.runtime, who, HandClock(NOW))
    for words in ("plan AAPL long, stop 3% below", "size AAPL long stop 3%", "buy 6 AAPL"):
        yield words, asyncio.run(desk.say(words))


def everywhere(live, page, card, code):
    before = rows(live)
    for name, answer in over_http(page, card):
        body = answer.json()
        error = body.get("error", body)
        assert error["code"] == "DQ_BLOCK", (name, answer.text)
        assert code in answer.text, (name, answer.text)
    for name, done in at_the_terminal(live):
        assert not done.ok, name
        assert done.error["code"] == "DQ_BLOCK", (name, done.error)
        assert code in done.error["message"] + done.error["hint"]
        assert done.error["facts"]["unfreezes"]
    for words, turn in in_the_chat(live):
        assert code in turn.text, (words, turn.text)
        assert turn.marks == (), (words, turn.text)
        assert "last good value" in turn.text or "no earlier good value" in turn.text, turn.text
    assert rows(live) == before


@pytest.mark.fault("F016")
@pytest.mark.fault("F017")
@pytest.mark.fault("F018")
@pytest.mark.fault("F019")
@pytest.mark.fault("F022")
@pytest.mark.fault("F023")
@pytest.mark.fault("F026")
@pytest.mark.fault("F031")
@pytest.mark.parametrize("code", sorted(BENDS))
def test_a_bad_quote_silences_every_surface(live, page, card, feed, code):
    feed.bend = BENDS[code]
    everywhere(live, page, card, code)


@pytest.mark.fault("F020")
@pytest.mark.fault("F021")
@pytest.mark.parametrize("code", sorted(FROZEN))
def test_a_freeze_silences_every_surface(live, page, card, code):
    def act(ctx):
        scope = listing_scope("XNAS:AAPL")
        if FROZEN[code] == "portfolio":
            scope = portfolio_scope(portfolio.get_portfolio(ctx, None).id)
        open_freeze(ctx, scope, Finding("AAPL", code, Severity.CRIT, "planted by the test"))

    live.product.runtime.write(system_principal(LOCAL_TENANT), act)
    everywhere(live, page, card, code)


def test_what_is_clean_is_advised(live, page, card):
    assert post(page, "/plan/validate", PLAN).status_code == 200
    assert post(page, "/sizing/suggest", PLAN).status_code == 200
