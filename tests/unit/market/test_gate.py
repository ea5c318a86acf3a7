"""The gate: bad observations become findings, alerts and freezes, and never a price."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal as D  # noqa: N817 - tables of numbers read better short

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import select

from services.kit.errors import Refusal
from services.kit.outbox import outbox_rows
from services.market.bar import Bar
from services.market.feed import Feed, Split
from services.market.finding import Severity
from services.market.freeze import active_freezes, clear_freeze, list_freezes, listing_scope
from services.market.gate import admit, admit_all
from services.market.ingest import ingest_last_good
from services.market.observation import Observation, judge
from services.market.quality import look, require_green
from services.market.quality_store import INTRADAY, find_marks
from services.market.quality_tables import dq_findings
from services.market.quality_watch import watch_frozen
from services.market.quality_window import Window
from services.market.store import last_price
from tests.conftest import build_runtime
from tests.fakes.hand_feed import OPEN_TIME, HandFeed, listed

AAPL = "XNAS:AAPL"
APPLE = listed("AAPL")


@pytest.fixture
def feed():
    return HandFeed()


@pytest.fixture
def runtime(database, clock, settings, feed):
    made = build_runtime(database, clock, settings)
    object.__setattr__(made, "ports", {**made.ports, Feed: feed})
    return made


@pytest.fixture
def tell(runtime, owner, feed, clock):
    """Let the feed's time pass and admit one price of that moment; return its codes."""

    def act(price, *, seconds=5, **more):
        feed.advance(seconds=seconds)
        clock.advance(seconds=seconds)
        seen = seen_at(feed.time, price, **more)
        done = runtime.write(owner, lambda ctx: admit(ctx, seen))
        return done.accepted, [one.code for one in done.findings]

    return act


def seen_at(ts, price, **more):
    facts = {
        "instrument": APPLE,
        "price": D(price) if isinstance(price, str) else price,
        "ts": ts,
        "currency": "USD",
        "kind": "intraday",
        "source": "hand",
        "provenance": "SIMULATED",
    }
    return Observation(**{**facts, **more})


def standing(runtime, owner):
    return runtime.read(owner, lambda ctx: active_freezes(ctx))


def found(runtime, owner):
    return runtime.read(
        owner, lambda ctx: ctx.db.rows(select(dq_findings).order_by(dq_findings.c.id))
    )


def alerts(runtime, owner):
    rows = runtime.read(
        owner, lambda ctx: ctx.db.rows(select(outbox_rows).where(outbox_rows.c.kind == "alert"))
    )
    return [json.loads(row.payload) for row in rows]


@pytest.mark.fault("F018")
def test_a_fat_tick_is_set_aside_alerted_and_forgotten_after_three_clean_prices(
    tell, runtime, owner
):
    assert tell("190") == (True, [])
    assert tell("342") == (False, ["DQ_JUMP"])
    (frozen,) = standing(runtime, owner)
    assert (frozen.scope, frozen.code, frozen.auto_clear) == (f"listing:{AAPL}", "DQ_JUMP", True)
    assert frozen.findings[0]["id"] == found(runtime, owner)[0].id
    told = alerts(runtime, owner)
    assert {one["level"] for one in told} == {"critical"}
    assert all(one["code"] == "DQ_JUMP" and one["topic"] == "data" for one in told)
    for left, price in ((2, "190.10"), (1, "190.20")):
        assert tell(price) == (True, [])
        assert (
            standing(runtime, owner)[0].clean_needed - standing(runtime, owner)[0].clean_seen
            == left
        )
    tell("190.30")
    assert standing(runtime, owner) == []
    assert alerts(runtime, owner)[-1]["level"] == "info"


def test_a_new_price_level_counts_once_two_further_prices_agree(tell, runtime, owner):
    tell("190")
    assert tell("230") == (False, ["DQ_JUMP"])
    assert tell("231") == (False, ["DQ_JUMP"])
    assert tell("230.5") == (True, [])
    assert standing(runtime, owner) == []
    assert list_reasons(runtime, owner) == ["further observations agree with the new price"]


def list_reasons(runtime, owner):
    return [one.clear_reason for one in runtime.read(owner, list_freezes)]


def test_a_second_source_confirms_a_jump_at_once_and_a_contrary_one_is_told(tell):
    tell("190")
    assert tell("230", second=D("230.1")) == (True, [])
    assert tell("230", second=D(190)) == (False, ["DQ_RECON"])
    assert tell("230", second=D(227)) == (True, ["DQ_RECON"])


@pytest.mark.fault("F019")
@pytest.mark.parametrize("price", ["19000", "1.9", "190000", "0.19"])
def test_a_hundredfold_price_freezes_until_a_person_clears_it(tell, runtime, owner, price):
    tell("190")
    assert tell(price) == (False, ["DQ_SCALE_SUSPECT"])
    for _ in range(5):
        tell("190.1")
    (frozen,) = standing(runtime, owner)
    assert (frozen.code, frozen.auto_clear, frozen.clean_seen) == ("DQ_SCALE_SUSPECT", False, 0)
    with pytest.raises(Refusal, match="DQ_BLOCK"):
        runtime.write(owner, lambda ctx: require_green(ctx, ["AAPL"]))
    runtime.write(owner, lambda ctx: clear_freeze(ctx, frozen.id, "the provider mended it"))
    assert runtime.write(owner, lambda ctx: require_green(ctx, ["AAPL"])).green


@pytest.mark.fault("F019")
@pytest.mark.parametrize(
    ("unit", "given_unit", "codes"),
    [("GBX", "GBP", ["DQ_CCY_MISMATCH", "DQ_SCALE_SUSPECT"]), ("USD", "EUR", ["DQ_CCY_MISMATCH"])],
)
def test_a_price_in_the_wrong_unit_freezes_until_a_person_clears_it(
    tell, runtime, owner, unit, given_unit, codes
):
    instrument = replace(APPLE, quote_unit=unit)
    assert tell("190", instrument=instrument, currency=given_unit) == (False, codes)
    assert [(one.code, one.auto_clear) for one in standing(runtime, owner)] == [
        (code, False) for code in codes
    ]


def next_open(feed):
    return datetime(2027, 1, 13, 14, 30, tzinfo=UTC) - feed.time


@pytest.mark.fault("F026")
def test_a_split_nobody_announced_freezes_until_it_is_on_record(tell, runtime, owner, feed, clock):
    tell("190")
    ahead = next_open(feed).total_seconds()
    assert tell("19.02", seconds=ahead + 1) == (False, ["DQ_SPLIT_SUSPECT"])
    assert tell("19.05") == (False, ["DQ_SPLIT_SUSPECT"])
    assert tell("19.06") == (False, ["DQ_SPLIT_SUSPECT"])
    opened = datetime(2027, 1, 13, 14, 30, tzinfo=UTC)
    feed.split_list.append(Split(opened.date(), opened, 1, 10))
    assert tell("19.04") == (True, [])
    assert standing(runtime, owner) == []
    assert list_reasons(runtime, owner) == ["the corporate action is on record"]


@pytest.mark.fault("F026")
def test_a_person_may_deny_a_split_and_the_new_price_is_trusted_from_then(
    tell, runtime, owner, feed
):
    tell("190")
    tell("95", seconds=next_open(feed).total_seconds() + 1)
    (frozen,) = standing(runtime, owner)
    runtime.write(owner, lambda ctx: clear_freeze(ctx, frozen.id, "it fell by half"))
    assert tell("95.10") == (True, [])
    assert standing(runtime, owner) == []


def test_a_recorded_split_at_the_open_is_no_finding_at_all(tell, feed):
    tell("190")
    opened = datetime(2027, 1, 13, 14, 30, tzinfo=UTC)
    feed.split_list.append(Split(opened.date(), opened, 1, 2))
    assert tell("95", seconds=next_open(feed).total_seconds() + 1) == (True, [])


@pytest.mark.fault("F023")
@pytest.mark.parametrize(
    ("price", "code"),
    [
        (D(0), "DQ_NONPOSITIVE"),
        (D(-1), "DQ_NONPOSITIVE"),
        (D("NaN"), "DQ_NONFINITE"),
        (D("Infinity"), "DQ_NONFINITE"),
        ("190.123456789", "DQ_FORMAT"),
        ("123456789012", "DQ_FORMAT"),
        (None, "DQ_FORMAT"),
        (190.0, "DQ_FORMAT"),
    ],
)
def test_what_is_no_number_is_rejected_and_counted(tell, runtime, owner, price, code):
    assert tell(price) == (False, [code])
    assert [row.code for row in found(runtime, owner)] == [code]


def test_late_and_repeated_prices_are_dropped_and_counted(tell, runtime, owner, feed):
    tell("190")
    again = seen_at(feed.time, "190")
    late = seen_at(feed.time - timedelta(seconds=1), "190")
    done = runtime.write(owner, lambda ctx: admit_all(ctx, (again, late)))
    assert [(one.accepted, one.findings[0].code) for one in done] == [
        (False, "DQ_DUPLICATE"),
        (False, "DQ_OUT_OF_ORDER"),
    ]
    assert found(runtime, owner) == []
    mark = runtime.read(owner, lambda ctx: find_marks(ctx, (AAPL,)))[AAPL, INTRADAY]
    assert (mark.window.dropped, mark.window.seen) == (1, 3)


def test_a_correction_of_the_same_moment_is_judged_anew(tell, runtime, owner, feed):
    tell("190")
    fixed = runtime.write(owner, lambda ctx: admit(ctx, seen_at(feed.time, "190.02")))
    assert fixed.accepted


def test_a_feed_that_is_often_out_of_order_is_warned_about_once(tell, runtime, owner, feed):
    for step in range(12):
        tell(str(190 + step % 2), seconds=2)
    late = seen_at(feed.time - timedelta(seconds=1), "190")
    done = runtime.write(owner, lambda ctx: admit(ctx, late))
    assert [(one.code, one.severity.value) for one in done.findings] == [
        ("DQ_OUT_OF_ORDER", "INFO"),
        ("DQ_OUT_OF_ORDER", "WARN"),
    ]
    assert [row.severity for row in found(runtime, owner)] == ["WARN"]


def minute(opens, price="190", **change):
    prices = {"o": D(price), "h": D(price), "l": D(price), "c": D(price), "v": D(10)} | change
    return Bar(t_open=opens, t_close=opens + timedelta(minutes=1), **prices)


def test_bars_of_the_past_are_admitted_in_their_order_and_bad_ones_left_out(runtime, owner, feed):
    starts = [OPEN_TIME - timedelta(minutes=10 - n) for n in range(5)]
    prices = ["190", "190.5", "19050", "190.6", "190.4"]
    seen = [
        seen_at(at + timedelta(minutes=1), price, bar=minute(at, price))
        for at, price in zip(starts, prices, strict=True)
    ]
    broken = minute(starts[3], "190.6", h=D(180))
    seen[3] = replace(seen[3], bar=broken)
    done = runtime.write(owner, lambda ctx: admit_all(ctx, seen))
    assert [one.accepted for one in done] == [True, True, False, False, True]
    assert [one.findings[0].code for one in done if one.findings] == [
        "DQ_SCALE_SUSPECT",
        "DQ_BAR_SANITY",
    ]


def test_a_bad_bar_of_last_month_is_a_finding_and_freezes_nothing(runtime, owner):
    at = OPEN_TIME - timedelta(days=30)
    seen = seen_at(at, "190", bar=minute(at - timedelta(minutes=1), l=D(200)))
    done = runtime.write(owner, lambda ctx: admit(ctx, seen))
    assert not done.accepted
    assert standing(runtime, owner) == []
    assert [row.code for row in found(runtime, owner)] == ["DQ_BAR_SANITY"]


@pytest.mark.fault("F016")
def test_a_stale_quote_freezes_and_the_watch_ends_it_when_quotes_flow_again(
    runtime, owner, feed, clock
):
    feed.set("AAPL", "190.00", "190.10", ts=feed.time - timedelta(seconds=61))
    with pytest.raises(Refusal) as told:
        runtime.write(owner, lambda ctx: require_green(ctx, ["AAPL"]))
    assert told.value.facts["finding"] == "DQ_STALE"
    assert "clean observations" in told.value.hint
    assert [one.code for one in standing(runtime, owner)] == ["DQ_STALE"]
    for ended in (0, 0, 1):
        feed.advance(seconds=5)
        clock.advance(seconds=5)
        assert runtime.write(owner, watch_frozen) == ended
        at = feed.time
        taken = runtime.read(owner, lambda ctx: last_price(ctx, "XNAS:AAPL", at))  # noqa: B023
        assert (taken.price, taken.ts) == (D("190.05"), at)
        again = runtime.write(owner, lambda ctx: ingest_last_good(ctx, ["AAPL"]))
        assert (again["known"], [key for key in again if key.startswith("rejected")]) == (1, [])
    assert runtime.write(owner, lambda ctx: require_green(ctx, ["AAPL"])).green


@pytest.mark.fault("F031")
def test_a_halted_symbol_has_a_closed_market_and_no_stale_outage(runtime, owner, feed):
    old = feed.time - timedelta(minutes=20)
    feed.set("AAPL", "190.00", "190.10", ts=old, halted=True)
    (seen,) = runtime.read(owner, lambda ctx: look(ctx, ["AAPL"]))
    assert [(one.code, one.severity) for one in seen.findings] == [("DQ_SESSION", Severity.CRIT)]
    assert seen.last_good.price == D("190.05")
    with pytest.raises(Refusal) as told:
        runtime.write(owner, lambda ctx: require_green(ctx, ["AAPL"]))
    assert "halted" in told.value.hint
    assert standing(runtime, owner) == []


def test_the_refusal_names_the_finding_the_last_good_value_and_what_ends_it(
    tell, runtime, owner, feed
):
    tell("190.05")
    feed.set("AAPL", "19000", "19010", ts=feed.time)
    with pytest.raises(Refusal) as told:
        runtime.write(owner, lambda ctx: require_green(ctx, ["AAPL"]))
    facts = told.value.facts
    assert (facts["finding"], facts["last_good"]) == ("DQ_SCALE_SUSPECT", "190.05")
    assert (facts["last_good_age"], facts["last_good_provenance"]) == ("0 s", "SIMULATED")
    assert "person" in facts["unfreezes"]
    assert "The last good value is 190.05 (SIMULATED), 0 s old." in told.value.hint
    (frozen,) = standing(runtime, owner)
    with pytest.raises(Refusal) as again:
        runtime.write(owner, lambda ctx: require_green(ctx, ["AAPL"]))
    assert frozen.id in again.value.hint


def test_a_finding_is_kept_once_a_minute_and_told_once(runtime, owner, feed, clock):
    feed.set("AAPL", "190.10", "190.00")
    for _ in range(4):
        feed.advance(seconds=5)
        clock.advance(seconds=5)
        with pytest.raises(Refusal):
            runtime.write(owner, lambda ctx: require_green(ctx, ["AAPL"]))
    assert [row.code for row in found(runtime, owner)] == ["DQ_CROSSED"]
    assert len(standing(runtime, owner)) == 1
    assert len(alerts(runtime, owner)) == 2


def test_clean_looks_within_one_instant_count_once(tell, runtime, owner, feed):
    tell("190")
    tell("342")
    for price in ("190.1", "190.2", "190.3"):
        feed.advance(seconds=1)
        seen = seen_at(feed.time, price)
        runtime.write(owner, lambda ctx, one=seen: admit(ctx, one))
    assert standing(runtime, owner)[0].clean_seen == 1


def test_the_scope_of_a_listing_binds_only_that_listing(tell, runtime, owner):
    tell("190")
    tell("19000")
    assert runtime.write(owner, lambda ctx: require_green(ctx, ["MSFT"])).green
    assert runtime.read(owner, lambda ctx: active_freezes(ctx, (listing_scope("XNAS:MSFT"),))) == []


ANY_NUMBER = st.one_of(
    st.decimals(allow_nan=True, allow_infinity=True), st.none(), st.floats(), st.text(max_size=4)
)
MOMENTS = st.datetimes(datetime(2026, 1, 1), datetime(2028, 1, 1), timezones=st.just(UTC))


@pytest.mark.fault("F023")
@given(
    price=ANY_NUMBER,
    second=ANY_NUMBER,
    volume=ANY_NUMBER,
    ts=MOMENTS,
    currency=st.sampled_from(["USD", "GBX", "GBP", "", "usd"]),
    last=st.decimals(D("0.0001"), D(1_000_000_000), places=4),
    last_ts=MOMENTS,
    sigma=st.one_of(st.none(), st.floats(0, 3)),
)
@hypothesis_settings(max_examples=300, deadline=None)
def test_no_observation_makes_the_judge_raise(
    price, second, volume, ts, currency, last, last_ts, sigma
):
    window = Window(last=last, last_ts=last_ts, sigma=sigma)
    seen = seen_at(ts, "1", second=second, volume=volume, currency=currency)
    seen = replace(seen, price=price)
    for fault in judge(seen, window, as_of=OPEN_TIME):
        assert fault.code.startswith("DQ_")
