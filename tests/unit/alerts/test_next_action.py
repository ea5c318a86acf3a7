"""The next best action: the table row by row, the first that fits, and that nothing acts alone."""

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal as D  # noqa: N817 - tables of numbers read better short

import pytest

from services.alerts.next_action import HeldFacts, PlanFacts, Situation, next_action
from tools.registry import get_tool, parse_arguments

HELD = HeldFacts(quantity=D(40), stop=D(95), one_r=D(5), targets=(D(105), D(110)),
                 fractions=(D("0.5"), D("0.5")))  # fmt: skip
PLAN = PlanFacts(ref="res_1", side="long", entry_lo=D(99), entry_hi=D(101), stop=D(95),
                 expired=False)  # fmt: skip
CALM = Situation(symbol="AAPL", level=D(100), price=D(100), one_r_money="1%")


@pytest.mark.parametrize(
    ("change", "rule", "text", "tool"),
    [
        ({"blocked": "daily loss"}, "blocked", "No new risk: daily loss.", None),
        ({"blocked": "x", "held": HELD}, "blocked", "No new risk: x.", None),
        ({"held": HELD, "level": D("106.25")}, "near_target",
         "Trim 50% of AAPL: target 1 is near.", "propose_order"),
        ({"held": HELD, "level": D("108.75")}, "near_target",
         "Trim 50% of AAPL: target 2 is near.", "propose_order"),
        ({"held": HELD, "level": D(96), "price": D("96.25")}, "near_stop",
         "AAPL is near its stop: keep it, or exit now.", "propose_order"),
        ({"held": replace(HELD, trail_to=D(101))}, "runner",
         "Trail the runner of AAPL to 101.00.", "propose_order"),
        ({"plan": PLAN}, "take_plan", "Take the AAPL plan (1% risk = 1R)?", "size"),
        ({"plan": replace(PLAN, expired=True)}, "build_plan", "Build a plan for AAPL.", "plan_check"),
        ({}, "build_plan", "Build a plan for AAPL.", "plan_check"),
        ({"plan": PLAN, "price": D(102), "market_open": False,
          "next_open": datetime(2027, 1, 13, 14, 30, tzinfo=UTC)}, "closed",
         "Queue AAPL for review at the open, 2027-01-13 09:30 EST.", "alert_set"),
    ],
)  # fmt: skip
def test_the_first_rule_that_fits_counts(change, rule, text, tool):
    found = next_action(replace(CALM, **change))
    assert (found.rule, found.text, found.tool) == (rule, text, tool)


def test_nothing_fits_a_position_far_from_its_levels():
    assert next_action(replace(CALM, held=HELD)) is None
    assert next_action(replace(CALM, plan=PLAN, price=D(102))) is None


@pytest.mark.parametrize(("sessions", "told"), [(2, True), (3, False), (None, False)])
def test_earnings_within_two_sessions_add_a_line(sessions, told):
    now = replace(CALM, earnings_on=date(2027, 1, 14), earnings_sessions=sessions)
    assert next_action(now).text.endswith(" Earnings 2027-01-14.") is told


@pytest.mark.parametrize(
    "change",
    [
        {"held": HELD, "level": D(105)},
        {"held": HELD, "price": D(95)},
        {"held": replace(HELD, quantity=D(-40)), "price": D(95)},
        {"held": replace(HELD, trail_to=D(101))},
        {"plan": PLAN},
        {"plan": PLAN, "price": D(102), "market_open": False, "next_open": datetime.now(UTC)},
    ],
)
def test_a_prefilled_call_is_one_that_the_tool_takes_and_never_an_execution(change):
    found = next_action(replace(CALM, **change))
    tool = get_tool(found.tool)
    assert parse_arguments(tool, found.arguments)
    assert tool.effect.value in ("propose", "compute", "note")


def test_a_short_is_bought_back():
    found = next_action(replace(CALM, held=replace(HELD, quantity=D(-40)), price=D(95)))
    assert (found.arguments["side"], found.arguments["quantity"]) == ("buy", "40")
