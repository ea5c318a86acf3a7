"""The database itself: no advice and no order without a green snapshot of exactly its symbol."""

import json

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DatabaseError

from services.kit.context import SCOPES, Principal, Surface
from services.kit.db import Database
from services.kit.ids import CountedIds
from services.kit.work import Runtime
from services.market.feed import Feed
from services.market.finding import Finding, Severity
from services.market.freeze import active_freezes, note_clean, open_freeze
from services.market.quality import snapshot
from services.market.quality_store import INTRADAY, Mark, find_marks, keep_findings, save_mark
from services.market.quality_tables import dq_findings
from services.market.quality_window import Window
from services.orders import propose
from services.orders.tables import proposals
from services.trade import advice
from services.trade.tables import trade_advice
from tests.fakes.hand_feed import HandFeed
from tests.fakes.order_desk import OWNER, draft

OTHER = Principal(
    tenant_id="t_other", user_id="u_other", surface=Surface.WEB, session_id="s", scopes=SCOPES
)


@pytest.fixture
def feed():
    return HandFeed()


@pytest.fixture
def runtime(database_url, clock, settings, feed):
    database = Database(database_url)
    yield Runtime(database, clock, CountedIds(), settings, ports={Feed: feed})
    database.close()


def advise(ctx, taken, symbol="AAPL"):
    return advice.save(ctx, "plan", symbol=symbol, document={"symbol": symbol}, quality=taken)


def test_advice_stands_on_a_green_snapshot_of_its_symbol(runtime):
    ref = runtime.write(OWNER, lambda ctx: advise(ctx, snapshot(ctx, ["AAPL", "MSFT"])))
    assert runtime.read(OWNER, lambda ctx: advice.find(ctx, ref)).symbol == "AAPL"


def test_advice_on_a_red_snapshot_is_refused_by_the_database(runtime, feed):
    feed.set("AAPL", "190.10", "190.00")
    with pytest.raises(DatabaseError, match="no green data-quality snapshot"):
        runtime.write(OWNER, lambda ctx: advise(ctx, snapshot(ctx, ["AAPL"])))
    assert runtime.read(OWNER, lambda ctx: ctx.db.rows(select(trade_advice))) == []


def test_advice_on_the_snapshot_of_another_symbol_is_refused_by_the_database(runtime):
    with pytest.raises(DatabaseError, match="no green data-quality snapshot"):
        runtime.write(OWNER, lambda ctx: advise(ctx, snapshot(ctx, ["MSFT"])))


def test_advice_on_the_snapshot_of_another_tenant_is_refused_by_the_database(runtime):
    taken = runtime.write(OTHER, lambda ctx: snapshot(ctx, ["AAPL"]))
    with pytest.raises(DatabaseError, match="no green data-quality snapshot"):
        runtime.write(OWNER, lambda ctx: advise(ctx, taken))


@pytest.mark.parametrize("symbols", [["MSFT"], None])
def test_a_proposal_needs_a_green_snapshot_of_its_own_symbol(runtime, symbols):
    made = runtime.write(OWNER, lambda ctx: propose.propose(ctx, draft()))
    row = runtime.read(
        OWNER, lambda ctx: ctx.db.row(select(proposals).where(proposals.c.id == made.id))
    )

    def copy(ctx):
        other = snapshot(ctx, symbols).id if symbols else None
        values = {column.name: getattr(row, column.name) for column in proposals.c}
        body = json.loads(row.order_json)
        changed = {"id": "prop_copy", "client_order_id": "cm-copy", "intent_hash": "i"}
        assert body["symbol"] == "AAPL"
        ctx.db.insert(proposals, {**values, **changed, "dq_snapshot_id": other})

    with pytest.raises(DatabaseError, match="no green data-quality snapshot"):
        runtime.write(OWNER, copy)


def test_findings_can_not_be_changed_and_are_kept_once_a_minute(runtime):
    one = Finding("AAPL", "DQ_CROSSED", Severity.CRIT, "bid above ask")

    def keep(ctx):
        return dict(keep_findings(ctx, "listing:XNAS:AAPL", "AAPL", [one]))

    assert runtime.write(OWNER, keep) == runtime.write(OWNER, keep)
    assert len(runtime.read(OWNER, lambda ctx: ctx.db.rows(select(dq_findings)))) == 1
    with pytest.raises(DatabaseError):
        runtime.write(
            OWNER, lambda ctx: ctx.db.connection.execute(text("UPDATE dq_findings SET code='X'"))
        )


def test_freezes_and_marks_belong_to_one_tenant(runtime):
    one = Finding("AAPL", "DQ_CROSSED", Severity.CRIT, "bid above ask")

    def freeze(ctx):
        open_freeze(ctx, "listing:XNAS:AAPL", one)
        open_freeze(ctx, "listing:XNAS:AAPL", one)
        save_mark(ctx, Mark("XNAS:AAPL", INTRADAY, "2027-01-12", Window(sigma=0.0123456789)))

    runtime.write(OWNER, freeze)
    assert len(runtime.read(OWNER, active_freezes)) == 1
    assert runtime.read(OTHER, active_freezes) == []
    assert runtime.read(OTHER, lambda ctx: find_marks(ctx, ["XNAS:AAPL"])) == {}
    mark = runtime.read(OWNER, lambda ctx: find_marks(ctx, ["XNAS:AAPL"]))["XNAS:AAPL", INTRADAY]
    assert mark.window.sigma == pytest.approx(0.012346)


def test_a_freeze_of_a_feed_fault_ends_after_three_clean_looks(runtime, clock):
    one = Finding("AAPL", "DQ_CROSSED", Severity.CRIT, "bid above ask")
    scope = "listing:XNAS:AAPL"
    runtime.write(OWNER, lambda ctx: open_freeze(ctx, scope, one))
    ended = []
    for _ in range(3):
        clock.advance(seconds=1)
        ended.append(runtime.write(OWNER, lambda ctx: note_clean(ctx, scope)))
    assert ended == [0, 0, 1]
