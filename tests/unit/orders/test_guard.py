"""Owns the proof of the guards: each on both sides of its boundary, over one frozen context."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal as D  # noqa: N817

import pytest

from services.kit.policy import OrderPolicy, RiskPolicy
from services.orders.guard import GUARDS, evaluate, first_block, needs_typing
from services.orders.guard_account import day_trade_check
from services.orders.guard_context import GuardContext, Stage
from services.orders.guard_market import drift_bps
from services.orders.order import OrderType, Side, Tif
from tests.conftest import NOW
from tests.unit.orders.test_order import ORDER

MARKET = replace(ORDER, type=OrderType.MARKET, limit_price=None, worst_price=D("192.01"))
SELL = replace(MARKET, side=Side.SELL)
LIVE = replace(MARKET, mode="live", provenance="LIVE")
BASE = GuardContext(
    stage=Stage.CONFIRM,
    order=MARKET,
    now=NOW,
    expires_at=NOW + timedelta(seconds=60),
    switch_state="ACTIVE",
    switch_reason="",
    frozen_reason="",
    unready_reason="",
    account_mode="paper",
    allow_short=False,
    live_process=False,
    sandbox=False,
    day_trade_rule="none",
    quote_provenance="SIMULATED",
    bid=D("190.00"),
    ask=D("190.10"),
    quote_age_s=D(1),
    dq_findings=(),
    market_state="open",
    next_open="",
    calendar="XNYS",
    tick=D("0.01"),
    lot_step=D(1),
    min_quantity=D(1),
    held=D(0),
    available_quantity=D(0),
    cash_available=D(100_000),
    unsettled_cash=D(0),
    commission=D("1.00"),
    equity=D(100_000),
    open_equity=D(100_000),
    gross_value=D(0),
    day_pnl=D(0),
    day_loss_latched=False,
    day_trades=0,
    in_doubt=0,
    alike_recently=0,
    reference_mid=D("190.05"),
    policy=OrderPolicy(),
    risk=RiskPolicy(),
)
HOLDING = {"held": D(10), "available_quantity": D(10), "order": SELL}
LIVE_OK = {"order": LIVE, "account_mode": "live", "live_process": True, "quote_provenance": "LIVE"}


def limit(price: str, **changes):
    return replace(ORDER, limit_price=D(price), worst_price=D(price), **changes)


BLOCKED = [
    ("kill_switch", {"switch_state": "HALTED", "switch_reason": "x"}, "KILL_SWITCH"),
    ("kill_switch", {"switch_state": "REDUCE_ONLY"}, "REDUCE_ONLY"),
    ("frozen", {"frozen_reason": "split"}, "FROZEN"),
    ("execution_ready", {"unready_reason": "starting"}, "GUARD_REFUSED"),
    ("live_allowed", {"account_mode": "live"}, "MODE_MISMATCH"),
    ("live_allowed", {**LIVE_OK, "live_process": False}, "MODE_MISMATCH"),
    ("provenance_tradable", {**LIVE_OK, "quote_provenance": "REPLAY"}, "GUARD_REFUSED"),
    ("provenance_tradable", {**LIVE_OK, "quote_provenance": "DELAYED"}, "GUARD_REFUSED"),
    ("provenance_tradable", {"quote_provenance": "REPLAY"}, "GUARD_REFUSED"),
    ("session_open", {"market_state": "closed"}, "MARKET_CLOSED"),
    ("session_open", {"market_state": "pre"}, "MARKET_CLOSED"),
    ("session_open", {"market_state": "halted", "order": limit("188.00", tif=Tif.GTC)}, "HALTED"),
    ("quote_fresh", {"dq_findings": ("DQ_STALE",)}, "DQ_BLOCK"),
    ("quote_fresh", {"quote_age_s": D("15.001")}, "QUOTE_STALE"),
    ("quote_fresh", {**LIVE_OK, "quote_age_s": D("5.001")}, "QUOTE_STALE"),
    ("quote_fresh", {"bid": D(189), "ask": D("191.10")}, "GUARD_REFUSED"),
    ("price_collar", {"reference_mid": D("189.40")}, "PRICE_DRIFT"),
    ("price_collar", {"order": limit("191.96")}, "GUARD_REFUSED"),
    ("price_collar", {**HOLDING, "order": limit("188.14", side=Side.SELL)}, "GUARD_REFUSED"),
    ("order_bounds", {"order": replace(MARKET, quantity=D(0))}, "QTY_INVALID"),
    ("order_bounds", {"order": replace(MARKET, quantity=D(-5))}, "QTY_INVALID"),
    ("order_bounds", {"order": replace(MARKET, quantity=D("1.5"))}, "QTY_INVALID"),
    ("order_bounds", {"order": replace(MARKET, quantity=D(1_000_001))}, "QTY_INVALID"),
    ("order_bounds", {"order": limit("190.005")}, "PRICE_OFF_TICK"),
    ("order_notional", {**LIVE_OK, "order": replace(LIVE, quantity=D(53))}, "GUARD_REFUSED"),
    ("position_limit", {**LIVE_OK, "held": D(125)}, "GUARD_REFUSED"),
    ("day_loss", {"day_pnl": D(-3000)}, "RISK_BREACH"),
    ("day_loss", {"day_loss_latched": True}, "RISK_BREACH"),
    ("buying_power", {"cash_available": D("1921.09")}, "INSUFFICIENT_CASH"),
    ("buying_power", {**HOLDING, "available_quantity": D(9)}, "INSUFFICIENT_POSITION"),
    (
        "day_trade_check",
        {"day_trade_rule": "pdt_legacy", "equity": D(24_999), "day_trades": 3},
        "PDT_LIMIT",
    ),
    ("day_trade_check", {"day_trade_rule": "cash", "unsettled_cash": D(99_000)}, "UNSETTLED_FUNDS"),
    (
        "day_trade_check",
        {"day_trade_rule": "intraday_margin", "gross_value": D(399_000)},
        "INTRADAY_MARGIN_DEFICIT",
    ),
    ("in_doubt", {"in_doubt": 1}, "ORDER_IN_DOUBT"),
    ("proposal_ttl", {"expires_at": NOW}, "GUARD_REFUSED"),
]
PASSED = [
    {},
    {"switch_state": "REDUCE_ONLY", **HOLDING},
    LIVE_OK,
    HOLDING,
    {"quote_provenance": "REPLAY", "order": replace(MARKET, provenance="REPLAY")},
    {
        **LIVE_OK,
        "quote_provenance": "DELAYED",
        "sandbox": True,
        "order": replace(LIVE, provenance="DELAYED"),
    },
    {"market_state": "closed", "order": limit("190.10", tif=Tif.GTC)},
    {"quote_age_s": D(15)},
    {"reference_mid": D("189.482")},
    {"order": limit("191.95")},
    {"order": limit("100.00")},
    {"order": replace(MARKET, quantity=D(500))},
    {**LIVE_OK, "order": replace(LIVE, quantity=D(52))},
    {"day_pnl": D("-2999.99")},
    {"day_loss_latched": True, **HOLDING},
    {"cash_available": D("1921.10")},
    {**HOLDING, "available_quantity": D(9), "allow_short": True},
    {"day_trade_rule": "pdt_legacy", "equity": D(25_000), "day_trades": 9},
    {
        "day_trade_rule": "pdt_legacy",
        "equity": D(1_000),
        "cash_available": D(2_000),
        "day_trades": 2,
    },
    {"day_trade_rule": "intraday_margin", "gross_value": D(398_000)},
    {"expires_at": NOW + timedelta(microseconds=1)},
]


@pytest.mark.parametrize(("guard", "changes", "code"), BLOCKED)
@pytest.mark.fault("F054")
@pytest.mark.fault("F030")
@pytest.mark.fault("F057")
@pytest.mark.fault("F059")
def test_a_guard_blocks_beyond_its_boundary(guard, changes, code):
    blocked = first_block(evaluate(replace(BASE, **changes)))
    assert (blocked.guard, blocked.code) == (guard, code)
    refusal = blocked.refusal()
    assert (refusal.code, refusal.facts["guard"]) == (code, guard)
    assert "{" not in refusal.message + refusal.hint


@pytest.mark.parametrize("changes", PASSED)
def test_up_to_the_boundary_every_guard_lets_pass(changes):
    assert first_block(evaluate(replace(BASE, **changes))) is None


def test_a_duplicate_asks_for_typing_and_blocks_nothing():
    results = evaluate(replace(BASE, alike_recently=1))
    assert needs_typing(results)
    assert first_block(results) is None


def test_the_claim_trusts_its_own_reservation():
    claim = replace(BASE, stage=Stage.CLAIM, cash_available=D(0), alike_recently=1)
    assert first_block(evaluate(claim)) is None
    assert not needs_typing(evaluate(claim))


def test_a_live_order_meets_every_guard():
    assert len(evaluate(BASE)) == len(GUARDS) == 18


def test_drift_is_measured_in_basis_points():
    assert drift_bps(D("190.57"), D("190.00")) == D("30.00")


def test_the_numbers_of_the_day_trade_rule_are_those_of_the_policy():
    seen = replace(BASE, day_trade_rule="pdt_legacy", equity=D(24_999), day_trades=3)
    assert day_trade_check(seen).code == "PDT_LIMIT"
    for changed in ({"pattern_day_trades": 4}, {"pattern_min_equity": D(20_000)}):
        eased = replace(seen, policy=replace(seen.policy, **changed))
        assert day_trade_check(eased).severity == "ok"
