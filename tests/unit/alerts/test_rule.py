"""When a price alert fires, at what price, and that batches and replays change nothing."""

from dataclasses import replace
from decimal import Decimal as D  # noqa: N817 - tables of numbers read better short
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.alerts.rule import AlertBar, AlertRule, run_alert, start_alert, step_alert
from services.kit.errors import Refusal

ABOVE = AlertRule(kind="price_above", level=D(200), ref_price=D(198))
BELOW = AlertRule(kind="price_below", level=D(50), ref_price=D(51))
RISING = [
    (60, "198", "199", "197.5", "198.8"),
    (120, "198.8", "200.4", "198.6", "199.6"),
    (180, "199.6", "200.9", "199.5", "200.7"),
]
ROUND_TRIP = [
    (60, "199", "200.2", "198.9", "200.1"),
    (120, "200.1", "200.3", "199.7", "200.2"),
    (180, "200.2", "200.4", "199.4", "199.6"),
    (240, "199.6", "200.6", "199.6", "200.5"),
]


def bars(rows):
    return [AlertBar(t, *map(D, prices)) for t, *prices in rows]


def told(run):
    return [(event.t, str(event.price), event.gap) for event in run.events]


@pytest.mark.parametrize(
    ("change", "rows", "events", "state"),
    [
        ({}, RISING, [(120, "200.0000", False)], "done"),
        ({"basis": "close"}, RISING, [(180, "200.7000", False)], "done"),
        ({"threshold_pct": D("0.4")}, RISING, [(180, "200.8000", False)], "done"),
        ({"threshold_pct": D("-0.5")}, RISING, [(60, "199.0000", False)], "done"),
        ({"expires_at": 90}, RISING, [], "expired"),
        ({"expires_at": 120}, RISING, [(120, "200.0000", False)], "done"),
        (
            {},
            [(60, "198", "199", "198", "199"), (120, "203", "204", "202", "202.5")],
            [(120, "203.0000", True)],
            "done",
        ),
        (
            {"ref_price": D(201), "mode": "level"},
            [(60, "201", "202", "200.5", "201.5")],
            [(60, "201.5000", False)],
            "done",
        ),
        ({"ref_price": D(201), "mode": "level"}, RISING[:1], [], "armed"),
        (
            {"ref_price": D(201)},
            [(60, "201", "202", "200.5", "201"), (120, "201", "201", "199", "199.5")],
            [],
            "armed",
        ),
        (
            {"ref_price": D(201)},
            [
                (60, "201", "202", "200.5", "201"),
                (120, "201", "201", "199", "199.5"),
                (180, "199.5", "200.3", "199.4", "200.1"),
            ],
            [(180, "200.0000", False)],
            "done",
        ),
        (
            {"repeat": True, "hysteresis": D("0.5")},
            ROUND_TRIP,
            [(60, "200.0000", False), (240, "200.0000", False)],
            "fired_wait",
        ),
        ({"repeat": True, "hysteresis": D("0.7")}, ROUND_TRIP, [(60, "200.0000", False)], None),
        (
            {"repeat": True, "basis": "close", "hysteresis": D("0.4")},
            ROUND_TRIP,
            [(60, "200.1000", False), (240, "200.5000", False)],
            "fired_wait",
        ),
    ],
)
def test_an_alert_above_fires(change, rows, events, state):
    run = run_alert(replace(ABOVE, **change), bars(rows))
    assert told(run) == events
    assert state is None or run.after.state == state


def test_an_alert_below_mirrors():
    rows = [(60, "51", "51.2", "50.4", "50.6"), (120, "50.6", "50.7", "49.9", "50.2")]
    assert told(run_alert(BELOW, bars(rows))) == [(120, "50.0000", False)]
    early = replace(BELOW, threshold_pct=D(-1))
    assert told(run_alert(early, bars(rows))) == [(60, "50.5000", False)]
    gap = [(60, "49", "49.5", "48", "49.2")]
    assert told(run_alert(BELOW, bars(gap))) == [(60, "49.0000", True)]


def test_re_arming_and_firing_take_two_bars():
    wide = bars([(60, "199", "201", "199", "201"), (120, "201", "202", "190", "201")])
    run = run_alert(replace(ABOVE, repeat=True), wide)
    assert (told(run), run.after.state) == ([(60, "200.0000", False)], "armed")


@pytest.mark.parametrize(
    ("cooldown_s", "fired", "suppressed"), [(0, 3, 0), (120, 3, 0), (121, 2, 1), (300, 2, 3)]
)
def test_the_cooldown_counts_from_close_to_close_and_ends_at_its_second(
    cooldown_s, fired, suppressed
):
    beyond, back = ("199", "201", "199.5", "201"), ("201", "201", "199", "199.5")
    rows = [(60, *beyond), (120, *back), (180, *beyond), (240, *back), (300, *beyond)]
    rows += [(360, *beyond)] if cooldown_s == 300 else []
    run = run_alert(replace(ABOVE, repeat=True, cooldown_s=cooldown_s), bars(rows))
    assert (len(run.events), run.after.suppressed) == (fired, suppressed)


def test_an_alert_created_beyond_its_level_says_so():
    assert start_alert(replace(ABOVE, ref_price=D(200))).flags == ("ALREADY_BEYOND",)
    assert start_alert(replace(ABOVE, ref_price=D(200), mode="level")).flags == ()


def test_done_outlives_expiry():
    rule = replace(ABOVE, expires_at=130)
    assert run_alert(rule, bars(RISING)).after.state == "done"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"level": D(0)}, "ALERT_LEVEL_INVALID"),
        ({"level": D(-5)}, "ALERT_LEVEL_INVALID"),
        ({"threshold_pct": D("20.01")}, "ALERT_THRESHOLD_RANGE"),
        ({"threshold_pct": D("-20.01")}, "ALERT_THRESHOLD_RANGE"),
        ({"hysteresis": D("-0.1")}, "PARAM_INVALID"),
        ({"cooldown_s": -1}, "PARAM_INVALID"),
        ({"ref_price": D(0)}, "PARAM_INVALID"),
    ],
)
def test_an_alert_that_makes_no_sense_is_refused(change, code):
    with pytest.raises(Refusal) as caught:
        replace(ABOVE, **change)
    assert caught.value.code == code


@pytest.mark.parametrize("edge", [D(20), D(-20)])
def test_the_threshold_may_be_at_its_ends(edge):
    assert replace(ABOVE, threshold_pct=edge).threshold_pct == edge


PRICE = st.decimals("196", "204", places=1)
ROW = st.lists(PRICE, min_size=4, max_size=4)
RULES = st.builds(
    AlertRule,
    kind=st.sampled_from(["price_above", "price_below"]),
    level=st.just(D(200)),
    ref_price=PRICE,
    mode=st.sampled_from(["cross", "level"]),
    basis=st.sampled_from(["touch", "close"]),
    threshold_pct=st.sampled_from([D(0), D("0.5"), D("-0.5")]),
    repeat=st.booleans(),
    hysteresis=st.sampled_from([D(0), D("0.5")]),
    cooldown_s=st.sampled_from([0, 120, 300]),
    expires_at=st.none() | st.integers(0, 1500),
)


def made(rows):
    return [AlertBar(60 * at, p[0], max(p), min(p), p[1]) for at, p in enumerate(rows, start=1)]


@given(RULES, st.lists(ROW, max_size=24), st.lists(st.integers(0, 24), max_size=4))
def test_batches_prefixes_and_repeated_bars_make_the_same_events(rule, rows, cuts):
    whole = made(rows)
    expected = run_alert(rule, whole)
    edges = [0, *sorted(min(cut, len(whole)) for cut in cuts), len(whole)]
    state, events = start_alert(rule), []
    for low, high in pairwise(edges):
        again = max(0, low - 2)
        run = run_alert(rule, whole[again:high], state=state)
        state, events = run.after, [*events, *run.events]
        assert tuple(events) == expected.events[: len(events)]
    assert (tuple(events), state) == (expected.events, expected.after)
    assert run_alert(rule, whole) == expected


@given(RULES, st.lists(ROW, max_size=24))
def test_no_event_lies_outside_its_bar_or_inside_a_cooldown(rule, rows):
    state = start_alert(rule)
    times = []
    for bar in made(rows):
        state, event = step_alert(rule, state, bar=bar)
        if event is None:
            continue
        times.append(event.t)
        assert bar.l <= event.price <= bar.h
        assert rule.expires_at is None or event.t <= rule.expires_at
    gaps = [later - before for before, later in pairwise(times)]
    assert all(gap >= max(rule.cooldown_s, 120) for gap in gaps)
    assert rule.repeat or len(times) <= 1
