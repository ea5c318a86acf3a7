"""Plans of a symbol on the replay feed: made on green data, stored, audited, sized, or refused."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise

import pytest

from services import audit
from services.kit.errors import Refusal
from services.kit.policy import DEFAULT_POLICY
from services.market import replay
from services.market.bar import Bar, bar_hash
from services.market.feed import Feed
from services.market.replay import ReplayFeed
from services.strategy.curve import PlattFit
from services.strategy.documents import approve_document, store_document
from services.strategy.load import TrackCache, load
from services.strategy.record import Calibrator, RecordKey
from services.trade import advice
from services.trade.plan_service import PlanWish, make_plan
from services.trade.plan_store import find_plan, list_plans, stored_bars, stored_inputs
from services.trade.plan_template import plan_words
from services.trade.sized_trade import SizeAsk
from services.trade.user_size import size_trade
from services.trade.wording import pct_words
from tools.wording.plans import plan_row

IBM = PlanWish(symbol="IBM")


@pytest.fixture
def desk(runtime, owner, clock):
    """A runtime whose replay stands 35 minutes after the open, where IBM has broken out."""
    runtime.ports[TrackCache] = TrackCache()
    runtime.write(owner, replay.resume_at_boot)
    clock.advance(minutes=35)

    def act(do):
        return runtime.write(owner, do)

    return act


def plan(desk, wish=IBM):
    return desk(lambda ctx: make_plan(ctx, wish))


def test_a_plan_is_stored_once_with_its_inputs_and_audited(desk):
    made = plan(desk)
    again = plan(desk)
    assert again.id == made.id
    assert again.document == made.document
    told = desk(lambda ctx: [one.kind for one in audit.trail(ctx, made.id)])
    assert told == ["plan.made"]
    inputs = desk(lambda ctx: stored_inputs(ctx, made.id))
    assert set(inputs["bars"]) == {"5m", "15m", "60m", "1d", "1w"}
    rows = desk(lambda ctx: stored_bars(ctx, inputs["bars"]["1d"]))
    assert len(rows) > 700
    assert [one.id for one in desk(lambda ctx: list_plans(ctx, symbol="IBM"))] == [made.id]


def test_every_value_of_a_plan_is_labelled_and_its_bars_are_cited_by_hash(desk):
    made = plan(desk)
    assert made.provenance == "SIMULATED"
    own = made.document["citations"][0]
    assert own["timeframe"] == made.document["timeframe"]
    series = desk(lambda ctx: load(ctx, "IBM").sources[own["timeframe"]].track.bars)
    assert own["bar_hash"] == bar_hash("XNYS:IBM", own["timeframe"], series)


def test_tracks_that_grow_bar_by_bar_equal_those_that_are_loaded_at_once(desk, clock):
    for _ in range(4):
        desk(lambda ctx: load(ctx, "IBM"))
        clock.advance(minutes=17)
    kept = desk(lambda ctx: load(ctx, "IBM"))

    def fresh(ctx):
        alone = {key: port for key, port in ctx.ports.items() if key is not TrackCache}
        return load(replace(ctx, ports=alone), "IBM")

    anew = desk(fresh)
    for name, one in kept.sources.items():
        other = anew.sources[name]
        assert one.bar_hash == other.bar_hash
        assert one.track.emas == other.track.emas
        assert one.track.vwap == other.track.vwap


def test_without_a_setup_every_rule_says_what_it_lacks(desk):
    with pytest.raises(Refusal) as caught:
        plan(desk, PlanWish(symbol="MSFT", side="short", style="swing"))
    refusal = caught.value
    assert refusal.code == "NO_SETUP"
    assert refusal.facts["nearest"]
    named = {one.split(" ")[0] for one in refusal.facts["detectors"]}
    assert named == {"ema_pullback", "range_breakout", "ma_cross", "weekly_breakout"}
    assert "plan_check" in refusal.hint


def test_a_plan_is_sized_with_its_confidence_and_every_cap_is_named(desk):
    made = plan(desk)
    sized = desk(lambda ctx: size_trade(ctx, SizeAsk(plan_id=made.id)))
    assert sized.levels.stop == Decimal(made.document["stop"]["price"])
    assert sized.size.size_multiplier == Decimal("0.5")
    assert "UNCALIBRATED" in sized.size.flags
    named = {*sized.size.caps, *sized.size.caps_skipped}
    assert named >= {
        "risk", "day_risk", "portfolio_risk", "concentration", "buying_power", "liquidity",
    }  # fmt: skip
    kept = desk(lambda ctx: advice.find(ctx, sized.ref))
    assert kept.document["plan_id"] == made.id
    half = desk(lambda ctx: size_trade(ctx, SizeAsk(plan_id=made.id, risk_pct="half")))
    assert half.size.risk_pct * 2 == sized.size.risk_pct


def test_a_size_forced_without_an_edge_is_its_own_event_and_a_quarter_of_the_risk(desk):
    loser = Calibrator(
        key=RecordKey("orb", DEFAULT_POLICY.setups.version, "long", "intraday"),
        tier="platt",
        n=400,
        wins=60,
        curve=PlattFit(0.1, -1.8),
        bins=((1, 400, 60),),
        accepted=True,
    )

    def approve(ctx):
        kept = store_document(ctx, "calib/v1", loser.key.text, loser.body())
        approve_document(ctx, kept.hash)

    desk(approve)
    made = plan(desk)
    assert made.document["confidence"]["tier"] == "platt"
    assert "UNCALIBRATED" not in made.document["flags"]
    with pytest.raises(Refusal) as caught:
        desk(lambda ctx: size_trade(ctx, SizeAsk(plan_id=made.id)))
    assert caught.value.code == "NEGATIVE_EDGE"
    forced = desk(lambda ctx: size_trade(ctx, SizeAsk(plan_id=made.id, confidence="ignore")))
    assert forced.size.size_multiplier == Decimal("0.25")
    events = desk(lambda ctx: audit.trail(ctx, forced.ref))
    assert [one.kind for one in events] == ["advice.size", "size.forced"]


def test_a_confidence_that_no_curve_speaks_for_is_called_uncalibrated_wherever_it_is_shown(desk):
    made = plan(desk)
    sure = made.document["confidence"]
    assert sure["tier"] == "prior"
    assert "UNCALIBRATED" in sure["flags"]
    assert "UNCALIBRATED" in made.document["flags"]
    assert "uncalibrated" in plan_words(made.document)
    assert pct_words(Decimal(sure["value"])) in plan_words(made.document)
    assert plan_row(made.document)["confidence_tier"] == "uncalibrated prior"
    sized = desk(lambda ctx: size_trade(ctx, SizeAsk(plan_id=made.id)))
    assert "uncalibrated confidence" in sized.sentence()


def test_a_plan_that_has_lapsed_is_not_sized(desk, clock):
    made = plan(desk)
    clock.advance(days=1)
    with pytest.raises(Refusal) as caught:
        desk(lambda ctx: size_trade(ctx, SizeAsk(plan_id=made.id)))
    assert caught.value.code in ("PLAN_EXPIRED", "DQ_BLOCK")


@pytest.mark.parametrize(
    ("ask", "code"),
    [
        (SizeAsk(), "PARAM_INVALID"),
        (SizeAsk(symbol="IBM", side="long"), "PARAM_INVALID"),
        (SizeAsk(plan_id="plan_0000000000000000"), "PLAN_UNKNOWN"),
    ],
)
def test_a_size_needs_a_plan_or_whole_levels(desk, ask, code):
    with pytest.raises(Refusal) as caught:
        desk(lambda ctx: size_trade(ctx, ask))
    assert caught.value.code == code


def test_a_plan_is_advice_that_an_order_may_rest_on(desk):
    made = plan(desk)
    found = desk(lambda ctx: advice.find(ctx, made.id))
    assert found is not None
    assert found.opens == {"long": "buy", "short": "sell"}[made.document["side"]]
    assert found.number("stop") == Decimal(made.document["stop"]["price"])
    assert desk(lambda ctx: find_plan(ctx, "plan_ffffffffffffffff")) is None


class SpoiltFeed(ReplayFeed):
    """The replay with its bars changed by a test."""

    def __init__(self, change) -> None:
        super().__init__()
        self._change = change

    def bars(self, ctx, symbol, timeframe, count, *, include_partial=False):
        found = super().bars(ctx, symbol, timeframe, count, include_partial=include_partial)
        return replace(found, bars=tuple(self._change(found.bars)))


def flat(bars: tuple[Bar, ...]):
    price = bars[-1].c
    return [replace(bar, o=price, h=price, l=price, c=price) for bar in bars]


def silent(bars):
    return [replace(bar, v=Decimal(0)) for bar in bars]


def torn(bars):
    return [*bars[:-1], replace(bars[-1], c=Decimal("NaN"))]


def upside_down(bars):
    return [*bars[:-1], replace(bars[-1], h=bars[-1].l - 1)]


@pytest.mark.parametrize(
    ("change", "code"),
    [(lambda bars: bars[-20:], "INSUFFICIENT_BARS"), (flat, "ATR_ZERO")],
    ids=["too few bars", "flat"],
)
def test_bad_bars_give_their_code_and_never_a_weaker_plan(desk, runtime, change, code):
    runtime.ports[Feed] = SpoiltFeed(change)
    with pytest.raises(Refusal) as caught:
        plan(desk)
    assert caught.value.code == code


def hundredfold(bar):
    return replace(bar, o=bar.o * 100, h=bar.h * 100, l=bar.l * 100, c=bar.c * 100)


@pytest.mark.parametrize(
    ("change", "finding"),
    [
        (torn, "DQ_NONFINITE"),
        (upside_down, "DQ_BAR_SANITY"),
        (lambda bars: [*bars[:-1], hundredfold(bars[-1])], "DQ_SCALE_SUSPECT"),
        (lambda bars: [*bars[:-3], *map(hundredfold, bars[-3:])], "DQ_SCALE_SUSPECT"),
    ],
    ids=["torn", "upside down", "x100", "three x100"],
)
def test_a_newest_bar_that_can_not_be_true_is_refused_with_its_finding(
    desk, runtime, change, finding
):
    runtime.ports[Feed] = SpoiltFeed(change)
    with pytest.raises(Refusal) as caught:
        desk(lambda ctx: load(ctx, "IBM"))
    assert (caught.value.code, caught.value.facts["finding"]) == ("DQ_BLOCK", finding)
    assert caught.value.facts["last_good"]
    assert caught.value.facts["unfreezes"]


def test_an_older_bar_that_can_not_be_true_is_in_no_track(desk, runtime):
    whole = desk(lambda ctx: load(ctx, "IBM")).sources["5m"].track.bars
    runtime.ports.pop(TrackCache, None)
    runtime.ports[Feed] = SpoiltFeed(lambda bars: [*bars[:-2], hundredfold(bars[-2]), bars[-1]])
    found = desk(lambda ctx: load(ctx, "IBM")).sources["5m"].track.bars
    assert found == [*whole[:-2], whole[-1]]


def test_an_unknown_timeframe_is_refused(desk):
    with pytest.raises(Refusal) as caught:
        desk(lambda ctx: ctx.port(Feed).bars(ctx, "IBM", "7m", 10))
    assert caught.value.code == "TIMEFRAME_UNSUPPORTED"


def test_bars_without_volume_have_no_setup_that_needs_it(desk, runtime):
    runtime.ports[Feed] = SpoiltFeed(silent)
    try:
        made = plan(desk)
    except Refusal as refusal:
        assert refusal.code in ("NO_SETUP", "ENTRY_MISSED", "RR_BELOW_MIN")  # noqa: PT017
    else:
        missing = made.document["confluence"]["missing"]
        assert {"rvol", "vwap"} <= set(missing)


def test_gaps_between_bars_are_left_as_gaps(desk, runtime):
    """A minute without trades has no bar: what is there is used, nothing is filled in."""
    runtime.ports[Feed] = SpoiltFeed(
        lambda bars: [bar for at, bar in enumerate(bars) if at % 7 or at == len(bars) - 1]
    )
    loaded = desk(lambda ctx: load(ctx, "IBM"))
    opens = [bar.t_open for bar in loaded.context.tracks["5m"].bars]
    assert any(b - a == timedelta(minutes=10) for a, b in pairwise(opens))


@pytest.mark.parametrize("symbol", ["NOPE", "XXXX"])
def test_an_unknown_symbol_is_refused_by_name(desk, symbol):
    with pytest.raises(Refusal) as caught:
        plan(desk, PlanWish(symbol=symbol))
    assert caught.value.code == "SYMBOL_UNKNOWN"
    assert caught.value.facts["nearest"]
