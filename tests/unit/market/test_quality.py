"""Data quality: each check by its table, and no advice on anything but a green snapshot."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import select, update
from sqlalchemy.exc import DatabaseError

from services.kit.errors import Refusal, refuse
from services.kit.policy import DEFAULT_POLICY
from services.market import quality, replay
from services.market.feed import Feed
from services.market.history.bundle import load_history
from services.market.quality import Severity, assess
from services.market.quote import Provenance, Quote
from services.market.replay import ReplayFeed
from services.market.session import market_state
from services.market.tables import dq_snapshots
from tests.conftest import build_runtime

APPLE = load_history()["AAPL"].instrument
AS_OF = datetime(2012, 1, 3, 15, 0, tzinfo=UTC)
SATURDAY = datetime(2012, 1, 7, 15, 0, tzinfo=UTC)
GOOD = Quote(
    symbol="AAPL",
    instrument_id="XNAS:AAPL",
    bid=Decimal("410.00"),
    ask=Decimal("410.05"),
    last=Decimal("410.05"),
    bid_size=Decimal(100),
    ask_size=Decimal(200),
    ts=AS_OF,
    provenance=Provenance.SIMULATED,
    source="replay",
    currency="USD",
)


def judged(quote, as_of=AS_OF):
    found = assess(quote, as_of, market_state("XNYS", as_of), DEFAULT_POLICY, instrument=APPLE)
    return [(one.code, one.severity.value) for one in found]


def changed(**values):
    return replace(
        GOOD,
        **{
            name: Decimal(value) if isinstance(value, str) and name != "currency" else value
            for name, value in values.items()
        },
    )


def aged(seconds):
    return replace(GOOD, ts=AS_OF - timedelta(seconds=seconds))


@pytest.mark.fault("F016")
@pytest.mark.fault("F022")
@pytest.mark.parametrize(
    ("quote", "found"),
    [
        (GOOD, []),
        (None, [("DQ_MISSING", "CRIT")]),
        (aged(15), []),
        (aged(16), [("DQ_STALE", "WARN")]),
        (aged(60), [("DQ_STALE", "WARN")]),
        (aged(61), [("DQ_STALE", "CRIT")]),
        (aged(-2), []),
        (aged(-3), [("DQ_FUTURE_TS", "CRIT")]),
        (changed(bid="410.06"), [("DQ_CROSSED", "CRIT")]),
        (changed(bid="410.05"), [("DQ_LOCKED", "WARN")]),
        (changed(ask="414.10"), []),
        (changed(ask="414.13"), [("DQ_WIDE", "WARN")]),
        (changed(ask="431.10"), [("DQ_WIDE", "CRIT")]),
        (changed(bid="2.00", ask="2.05", last="2.00"), []),
        (changed(bid="2.00", ask="2.06", last="2.00"), [("DQ_WIDE", "WARN")]),
        (changed(bid="0"), [("DQ_NONPOSITIVE", "CRIT")]),
        (changed(last="-1"), [("DQ_NONPOSITIVE", "CRIT")]),
        (changed(bid_size="0"), []),
        (changed(ask_size="-1"), [("DQ_NONPOSITIVE", "CRIT")]),
        (changed(bid="NaN"), [("DQ_NONFINITE", "CRIT")]),
        (changed(last="Infinity"), [("DQ_NONFINITE", "CRIT")]),
        (changed(last="1E+1000000"), [("DQ_FORMAT", "CRIT")]),
        (changed(last="410.000000001"), [("DQ_FORMAT", "CRIT")]),
        (changed(last=410.05), [("DQ_FORMAT", "CRIT")]),
        (changed(currency="GBP"), [("DQ_CCY_MISMATCH", "CRIT")]),
        (
            changed(bid="410.06", currency="GBP"),
            [("DQ_CCY_MISMATCH", "CRIT"), ("DQ_CROSSED", "CRIT")],
        ),
    ],
    ids=str,
)
def test_each_check_at_its_threshold(quote, found):
    assert judged(quote) == found


@pytest.mark.fault("F032")
@pytest.mark.parametrize(
    ("ts", "found"),
    [
        (datetime(2012, 1, 6, 21, 0, tzinfo=UTC), []),
        (datetime(2012, 1, 6, 14, 30, tzinfo=UTC), []),
        (datetime(2012, 1, 5, 21, 0, tzinfo=UTC), [("DQ_STALE", "CRIT")]),
        (SATURDAY, [("DQ_SESSION", "WARN")]),
    ],
)
def test_a_closed_market_is_compared_with_its_last_session(ts, found):
    assert judged(replace(GOOD, ts=ts), SATURDAY) == found


@given(
    st.builds(
        replace,
        st.just(GOOD),
        bid=st.decimals(allow_nan=True),
        ask=st.decimals(),
        last=st.decimals(),
        ts=st.datetimes(datetime(2011, 1, 1), datetime(2013, 1, 1), timezones=st.just(UTC)),
    )
)
@hypothesis_settings(max_examples=150, deadline=None)
def test_any_quote_is_judged_without_an_error(quote):
    for code, severity in judged(quote):
        assert code.startswith("DQ_")
        assert severity in ("WARN", "CRIT")


class BentFeed(ReplayFeed):
    """The replay feed with its quotes bent by the test."""

    def __init__(self, bend):
        self.bend = bend

    def quote(self, ctx, symbol):
        return self.bend(super().quote(ctx, symbol))


def bent_runtime(database, clock, settings, owner, bend):
    runtime = build_runtime(database, clock, settings)
    object.__setattr__(runtime, "ports", {**runtime.ports, Feed: BentFeed(bend)})
    runtime.write(owner, replay.resume_at_boot)
    return runtime


def rows(runtime, owner):
    return runtime.read(
        owner, lambda ctx: ctx.db.rows(select(dq_snapshots).order_by(dq_snapshots.c.id))
    )


def test_replayed_quotes_are_green_all_day_and_the_snapshot_is_stored(runtime, owner):
    runtime.write(owner, replay.resume_at_boot)
    for _ in range(8):
        taken = runtime.write(owner, lambda ctx: quality.require_green(ctx, ["msft", "AAPL"]))
        assert taken.green
        assert taken.findings == ()
        runtime.write(owner, lambda ctx: replay.step(ctx, 3_333))
    stored = rows(runtime, owner)
    assert len(stored) == 8
    assert json.loads(stored[0].symbols) == ["AAPL", "MSFT"]
    assert (stored[-1].green, stored[-1].id, stored[-1].as_of) == (1, taken.id, taken.as_of)


@pytest.mark.parametrize(
    ("bend", "code"),
    [
        (lambda quote: replace(quote, ts=quote.ts - timedelta(seconds=61)), "DQ_STALE"),
        (lambda quote: replace(quote, bid=quote.ask, ask=quote.bid), "DQ_CROSSED"),
        (lambda quote: replace(quote, ts=quote.ts + timedelta(seconds=5)), "DQ_FUTURE_TS"),
        (lambda quote: replace(quote, last=Decimal(0)), "DQ_NONPOSITIVE"),
    ],
)
def test_bad_data_block_and_leave_no_row(database, clock, settings, owner, bend, code):
    runtime = bent_runtime(database, clock, settings, owner, bend)
    with pytest.raises(Refusal) as told:
        runtime.write(owner, lambda ctx: quality.require_green(ctx, ["AAPL"]))
    assert told.value.code == "DQ_BLOCK"
    assert told.value.facts["checks"] == f"AAPL {code}"
    assert rows(runtime, owner) == []


def test_a_red_snapshot_is_stored_with_its_findings(database, clock, settings, owner):
    runtime = bent_runtime(
        database, clock, settings, owner, lambda quote: replace(quote, bid=quote.ask, ask=quote.bid)
    )
    taken = runtime.write(owner, lambda ctx: quality.snapshot(ctx, ["AAPL"]))
    assert not taken.green
    stored = rows(runtime, owner)[0]
    assert stored.green == 0
    assert json.loads(stored.findings_json)[0]["code"] == "DQ_CROSSED"


def test_a_warning_leaves_a_snapshot_green(database, clock, settings, owner):
    runtime = bent_runtime(
        database, clock, settings, owner, lambda quote: replace(quote, bid=quote.ask)
    )
    taken = runtime.write(owner, lambda ctx: quality.require_green(ctx, ["AAPL"]))
    assert taken.green
    assert [(one.code, one.severity) for one in taken.findings] == [("DQ_LOCKED", Severity.WARN)]


@pytest.mark.fault("F017")
def test_a_feed_without_an_answer_is_missing_data(database, clock, settings, owner):
    def silent(_quote):
        raise refuse("PROVIDER_UNAVAILABLE", provider="replay")

    runtime = bent_runtime(database, clock, settings, owner, silent)
    with pytest.raises(Refusal) as told:
        runtime.write(owner, lambda ctx: quality.require_green(ctx, ["AAPL"]))
    assert told.value.facts["checks"] == "AAPL DQ_MISSING"


@pytest.mark.parametrize(
    ("symbols", "code"),
    [
        ([], "PARAM_INVALID"),
        (["AAPL"] * 51, "PARAM_INVALID"),
        (["NONE"], "SYMBOL_UNKNOWN"),
        (["AAPL", "'; --"], "PARAM_INVALID"),
    ],
)
def test_a_question_that_makes_no_sense_is_refused(runtime, owner, symbols, code):
    with pytest.raises(Refusal) as told:
        runtime.write(owner, lambda ctx: quality.snapshot(ctx, symbols))
    assert told.value.code == code


def test_a_stored_snapshot_can_not_be_changed(runtime, owner):
    runtime.write(owner, lambda ctx: quality.snapshot(ctx, ["AAPL"]))
    with pytest.raises(DatabaseError):
        runtime.write(owner, lambda ctx: ctx.db.change(update(dq_snapshots).values(green=0)))
