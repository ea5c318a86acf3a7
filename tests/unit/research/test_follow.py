"""The coach's own score: every suggestion is followed, ends once, and is held to what was said."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal as D  # noqa: N817 - tables of numbers read better short

import pytest
from sqlalchemy import select

from services import audit
from services.kit.canonical import canonical
from services.kit.clock import instant_text
from services.kit.context import SCOPES, Principal, Surface, system_principal
from services.kit.db import Database
from services.kit.errors import Refusal
from services.kit.outbox import due as waiting
from services.market.bar import Bar
from services.market.feed import BarSeries, Feed, Split
from services.market.quality import require_green
from services.research.drift import WINDOW, watch_drift
from services.research.follow import follow_due, follow_parts
from services.research.refit import live_labels, refit
from services.research.score import read_score
from services.research.suggestion_tables import suggestions
from services.strategy.curve import PlattFit
from services.strategy.documents import (
    CALIBRATOR,
    RECORD,
    approve_document,
    find_calibrator,
    find_record,
    list_documents,
    shipped_documents,
    store_document,
)
from services.strategy.record import Calibrator, RecordKey
from services.trade import advice
from services.trade.plan_tables import plans
from tests.conftest import build_runtime
from tests.fakes.hand_feed import OPEN_TIME, HandFeed

WHO = system_principal("t_owner")
OWNER = Principal(
    tenant_id="t_owner", user_id="u_owner", surface=Surface.WEB, session_id="s", scopes=SCOPES
)
KEY = "ema_pullback/1/long/swing"
QUARTER = timedelta(minutes=15)


class BarFeed(HandFeed):
    """A hand-moved feed whose bars are those that a test laid down."""

    def __init__(self):
        super().__init__()
        self.laid = []

    def lay(self, *rows):
        """Lay 15-minute bars after those that are there, and move the time to their end."""
        at = self.laid[-1].t_close if self.laid else OPEN_TIME
        for o, h, low, c in rows:
            prices = {"o": D(str(o)), "h": D(str(h)), "l": D(str(low)), "c": D(str(c))}
            self.laid.append(Bar(t_open=at, t_close=at + QUARTER, v=D(1), **prices))
            at += QUARTER
        self.advance(seconds=int((at - self.time).total_seconds()))

    def bars(self, _ctx, symbol, timeframe, count, *, include_partial=False):
        known = [bar for bar in self.laid if bar.t_close <= self.time]
        made = tuple(known[-count:])
        return BarSeries(symbol, timeframe, made, self.provenance, "hand", self.time, "")


@pytest.fixture
def feed():
    return BarFeed()


@pytest.fixture
def do(database_url, clock, settings, feed):
    database = Database(database_url)
    runtime = build_runtime(database, clock, settings)
    runtime = replace(runtime, ports={**runtime.ports, Feed: feed})
    yield lambda act, who=WHO: runtime.write(who, act)
    runtime.close()


def plan_document(ref="plan_1", **given):
    ends = OPEN_TIME + timedelta(days=14)
    fields = {
        "plan_id": ref,
        "symbol": "XNAS:AAPL",
        "side": "long",
        "style": "swing",
        "timeframe": "1d",
        "as_of": OPEN_TIME,
        "expires_at": ends,
        "setup": {"id": "ema_pullback", "version": "1", "key": f"sha256:{ref}"},
        "entry": {"kind": "limit", "lo": "189", "hi": "190", "worst": "190"},
        "stop": {"price": "186"},
        "targets": [{"n": 1, "price": "194"}, {"n": 2, "price": "198"}],
        "invalidation": [{"rule": "close_below", "tf": "1d", "price": "185"}],
        "time_stop": {"kind": "date", "value": OPEN_TIME + timedelta(hours=2)},
        "confluence": {"score": "0.61"},
        "confidence": {"value": "0.42", "tier": "prior"},
    }
    return {**fields, **given}


def save_plan(ctx, document):
    quality = require_green(ctx, ["AAPL"])
    same = dict.fromkeys(("idea_hash", "plan_hash", "inputs_hash"), document["plan_id"])
    row = {
        "id": document["plan_id"],
        "kind": "plan",
        "symbol": "AAPL",
        "side": document["side"],
        "style": document["style"],
        "setup_id": document["setup"]["id"],
        "timeframe": document["timeframe"],
        "policy_hash": ctx.policy.hash,
        "document": canonical(document).decode(),
        "inputs": "{}",
        "dq_snapshot_id": quality.id,
        "trace": "",
        "as_of": OPEN_TIME,
        "expires_at": OPEN_TIME + timedelta(days=1),
        "at": ctx.now,
    }
    ctx.db.insert(plans, {**row, **same})


def own_plan(ctx, kind="plan", **given):
    quote = {"ts": instant_text(OPEN_TIME)}
    fields = {
        "symbol": "AAPL",
        "side": "long",
        "entry": "190",
        "stop": "186",
        "entry_kind": "limit",
        "targets": ["194"],
        "errors": [],
        "quote": quote,
    }
    quality = require_green(ctx, ["AAPL"])
    return advice.save(ctx, kind, symbol="AAPL", document={**fields, **given}, quality=quality)


def rows_of(do):
    query = select(suggestions).order_by(suggestions.c.ref)
    return do(lambda ctx: {row.ref: row for row in ctx.db.rows(query)})


ENTERED = (190, 191, "189.5", "190.5")


def test_a_plan_is_followed_to_its_target_and_its_free_run_to_the_time_stop(do, feed):
    do(lambda ctx: save_plan(ctx, plan_document()))
    assert do(follow_due) == {"looked_at": 1, "taken_up": 1}
    feed.lay(ENTERED)
    assert do(follow_due)["open"] == 1
    feed.lay((191, "194.5", 191, 194))
    do(follow_due)
    row = rows_of(do)["plan_1"]
    assert (row.state, row.r, row.entry_price, row.followed) == ("target", 1, 190, 1)
    feed.lay(*[(194, 196, 193, 195)] * 6)
    do(follow_due)
    row = rows_of(do)["plan_1"]
    assert (row.state, row.mfe_free_r, row.free_r, row.followed) == (
        "target",
        D("1.5"),
        D("1.25"),
        0,
    )
    assert (row.stated, row.score, row.record_key) == (D("0.42"), D("0.61"), KEY)
    assert do(follow_due) == {}
    kinds = [one.facts["state"] for one in do(_events)]
    assert kinds == ["open", "target"]


def _events(ctx):
    query = select(audit.audit_events).order_by(audit.audit_events.c.seq)
    rows = [row for row in ctx.db.rows(query) if row.kind == "suggestion.followed"]

    class One:
        def __init__(self, row):
            self.facts = json.loads(row.payload)["facts"]

    return [One(row) for row in rows]


@pytest.mark.parametrize(
    ("rows", "state", "r"),
    [
        ([ENTERED, (189, 189, 185, 186)], "stop", D(-1)),
        ([ENTERED, *[(190, 191, 189, 191)] * 7], "time", D("0.25")),
        ([(192, 193, 191, 192)] * 8, "unfilled", None),
        ([(184, 184, 180, 181)], "through_stop", None),
    ],
)
def test_every_other_end(do, feed, rows, state, r):
    do(lambda ctx: save_plan(ctx, plan_document()))
    feed.lay(*rows)
    do(follow_due)
    row = rows_of(do)["plan_1"]
    assert (row.state, row.r) == (state, r)


def test_every_suggestion_has_an_outcome_or_a_reason(do, feed):
    def store(ctx):
        save_plan(ctx, plan_document())
        own_plan(ctx)
        own_plan(ctx, targets=[])
        own_plan(ctx, errors=["STOP_WRONG_SIDE"])
        own_plan(ctx, "size", quantity="10")

    do(store)
    feed.lay(ENTERED, (189, 189, 185, 186))
    do(follow_due)
    board = do(read_score)
    assert (board.total, board.without) == (5, 0)
    assert board.states == {"not_followed": 3, "stop": 2}
    assert set(board.reasons) == {
        "a size names no target; the plan it belongs to is followed",
        "the check found STOP_WRONG_SIDE",
        "the plan names no target",
    }
    assert [one.key for one in board.by_setup] == [KEY, "own levels"]


def test_the_same_round_twice_changes_nothing(do, feed):
    do(lambda ctx: save_plan(ctx, plan_document()))
    feed.lay(ENTERED)
    do(follow_due)
    before = rows_of(do)
    assert do(follow_due) == {"looked_at": 1}
    assert rows_of(do) == before


def test_bars_after_the_market_s_now_are_not_read(do, feed):
    do(lambda ctx: save_plan(ctx, plan_document()))
    feed.lay(ENTERED, (191, "194.5", 191, 194))
    feed.time -= QUARTER
    do(follow_due)
    assert rows_of(do)["plan_1"].state == "open"


def test_a_split_since_then_is_taken_into_account(do, feed):
    do(lambda ctx: save_plan(ctx, plan_document()))
    feed.lay(*[tuple(D(str(x)) / 2 for x in row) for row in (ENTERED, (191, 195, 191, 194))])
    at = OPEN_TIME + timedelta(minutes=1)
    feed.split_list.append(Split(at.date(), at, 1, 2))
    do(follow_due)
    assert rows_of(do)["plan_1"].state == "target"


def test_what_can_not_be_followed_any_more_says_so(do, feed):
    do(lambda ctx: save_plan(ctx, plan_document()))
    do(follow_due)
    feed.time = OPEN_TIME - timedelta(days=3)
    assert do(follow_due)["given_up"] == 1
    row = rows_of(do)["plan_1"]
    assert (row.state, row.followed) == ("not_followed", 0)
    assert row.reason == "the replayed market began again before its end"


def test_first_bars_that_are_lost_are_no_outcome(do, feed):
    do(lambda ctx: save_plan(ctx, plan_document()))
    do(follow_due)
    feed.advance(days=3)
    assert do(follow_due)["given_up"] == 1
    assert rows_of(do)["plan_1"].reason == "its first bars are no longer available"


def test_the_job_takes_up_first_and_then_goes_symbol_by_symbol(do):
    assert do(follow_parts) == []
    do(lambda ctx: save_plan(ctx, plan_document()))
    assert do(follow_parts) == [("+new",)]
    do(follow_due)
    assert do(follow_parts) == [("+new",), ("XNAS:AAPL",)]


def test_one_setup_planned_twice_counts_once(do, feed):
    key = {"id": "ema_pullback", "version": "1", "key": "sha256:same"}

    def store(ctx):
        save_plan(ctx, plan_document("plan_1", setup=key))
        save_plan(ctx, plan_document("plan_2", setup=key, confidence={"value": "0.9"}))

    do(store)
    feed.lay(ENTERED, (189, 189, 185, 186))
    do(follow_due)
    board = do(read_score)
    assert board.states == {"stop": 2}
    (only,) = board.by_setup
    assert (only.taken, only.ended, only.hits, only.stated) == (1, 1, 0, D("0.4200"))
    assert (board.stated_n, board.brier, only.enough) == (1, D("0.1764"), False)
    assert (board.real, only.real, board.recent[0]["provenance"]) == (False, False, "SIMULATED")


def test_real_outcomes_are_told_apart_from_replayed_ones(do):
    do(lambda ctx: outcome(ctx, 1, won=True, stated=D("0.5")))
    do(lambda ctx: outcome(ctx, 2, won=False, stated=D("0.9"), provenance="REPLAY"))
    board = do(read_score)
    assert [(one.real, one.hits, one.ended) for one in board.by_setup] == [
        (False, 0, 1),
        (True, 1, 1),
    ]
    assert (board.real, board.stated_n, board.brier) == (True, 1, D("0.2500"))


def outcome(ctx, at, *, won, stated, digest="", provenance="LIVE"):
    made = OPEN_TIME + timedelta(days=at)
    ctx.db.insert(
        suggestions,
        {
            "ref": f"plan_{at:04d}",
            "kind": "plan",
            "symbol": "XNAS:AAPL",
            "record_key": KEY,
            "setup_key": f"sha256:{at}",
            "stated": stated,
            "tier": "platt",
            "calibrator_hash": digest,
            "score": D("0.5"),
            "side": "long",
            "entry_kind": "market",
            "timeframe": "15m",
            "made_at": made,
            "entry_until": made,
            "ends_at": made,
            "state": "target" if won else "stop",
            "reason": "",
            "ended_at": made + timedelta(days=2),
            "r": D(1) if won else D(-1),
            "mfe_free_r": D("1.4") if won else D("0.3"),
            "free_r": D("0.9") if won else D(-1),
            "ambiguous": 0,
            "followed": 0,
            "provenance": provenance,
            "updated_at": ctx.now,
        },
    )


def curve():
    key = RecordKey("ema_pullback", 1, "long", "swing")
    return Calibrator(
        key=key, tier="platt", n=240, wins=139, curve=PlattFit(4.0, -2.0), bins=(), accepted=True
    )


def test_a_calibrator_that_fails_live_loses_its_voice(do):
    made = curve()
    do(lambda ctx: store_document(ctx, CALIBRATOR, KEY, made.body()))
    do(lambda ctx: approve_document(ctx, made.hash), OWNER)
    find = lambda ctx: find_calibrator(ctx, "ema_pullback", "long", "swing")  # noqa: E731
    assert do(find).hash == made.hash

    def live(ctx, count):
        for at in range(count):
            outcome(ctx, at, won=at % 4 == 0, stated=D("0.8"), digest=made.hash)

    do(lambda ctx: live(ctx, WINDOW - 1))
    assert do(watch_drift) == {}
    do(lambda ctx: outcome(ctx, 500, won=False, stated=D("0.8"), digest=made.hash))
    assert do(watch_drift) == {"drifted": 1}
    assert do(watch_drift) == {}
    assert do(find) is None
    told = [json.loads(row.payload) if isinstance(row.payload, str) else row.payload
            for row in do(lambda ctx: waiting(ctx, 50)) if row.kind == "alert"]  # fmt: skip
    assert [one["code"] for one in told] == ["CALIBRATION_REJECTED"]


def test_a_calibrator_that_holds_keeps_it(do):
    made = curve()
    do(lambda ctx: store_document(ctx, CALIBRATOR, KEY, made.body()))
    do(lambda ctx: [outcome(ctx, at, won=at % 4 == 0, stated=D("0.25" if at % 4 else "0.9"),
                            digest=made.hash) for at in range(WINDOW)])  # fmt: skip
    assert do(watch_drift) == {}


def test_outcomes_feed_the_next_calibration_once_a_person_approves(do):
    find = lambda ctx: find_record(ctx, "ema_pullback", "long", "swing")  # noqa: E731
    shipped = do(find)
    assert shipped.n == shipped_documents()[RECORD, KEY]["n"]
    do(lambda ctx: [outcome(ctx, at, won=at % 2 == 0, stated=D("0.5")) for at in range(10)])
    do(lambda ctx: outcome(ctx, 99, won=True, stated=D("0.5"), provenance="REPLAY"))
    assert len(do(live_labels)) == 10
    (made,) = do(refit)
    assert (made.kind, made.key, made.approved_at) == (RECORD, KEY, None)
    assert do(find) == shipped
    do(lambda ctx: approve_document(ctx, made.hash), OWNER)
    after = do(find)
    assert (after.n, after.wins, after.hash) == (shipped.n + 10, shipped.wins + 5, made.hash)
    assert after.pool == (shipped.pool[0] + 5, shipped.pool[1] + 10)
    assert do(refit)[0].hash == made.hash


def test_only_a_person_approves_and_only_what_stands(do):
    made = do(lambda ctx: store_document(ctx, RECORD, KEY, {"n": 1}))
    with pytest.raises(Refusal) as caught:
        do(lambda ctx: approve_document(ctx, made.hash))
    assert caught.value.code == "SCOPE_MISSING"
    with pytest.raises(Refusal) as caught:
        do(lambda ctx: approve_document(ctx, made.hash), OWNER.as_agent())
    assert caught.value.code == "SCOPE_MISSING"
    with pytest.raises(Refusal) as caught:
        do(lambda ctx: approve_document(ctx, "sha256:0"), OWNER)
    assert caught.value.code == "DOCUMENT_UNKNOWN"
    approved = do(lambda ctx: approve_document(ctx, made.hash), OWNER)
    assert (approved.approved_by, do(lambda ctx: list_documents(ctx, RECORD))) == (
        "u_owner",
        [approved],
    )
    facts = [row for row in do(_all_events) if row.kind == "document.approved"]
    assert [(row.subject, row.actor_kind) for row in facts] == [(made.hash, "person")]


def _all_events(ctx):
    return ctx.db.rows(select(audit.audit_events).order_by(audit.audit_events.c.seq))


def test_the_clock_of_the_tests_is_a_session():
    assert datetime(2027, 1, 12, 15, 0, tzinfo=UTC) == OPEN_TIME
