"""Alerts in words: what they mean, what is refused, and that canonical words read back the same."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal as D  # noqa: N817 - tables of numbers read better short

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.alerts.alert import Alert, AlertKind
from services.alerts.plan_event import MOMENTS, PlanTerms, terms_text
from services.alerts.subject import RISK_STATES
from services.alerts.wording import canonical_words, late_words
from services.alerts.words import read_rule
from services.kit.errors import Refusal

NOW = datetime(2027, 1, 12, 15, tzinfo=UTC)
ABOVE, BELOW, VWAP, RVOL, PLAN, RISK = AlertKind
PLAN_ID = "plan_0123456789abcdef"
PLAIN = {"threshold_pct": D(0), "timeframe": "minute", "repeat": False, "expires_at": None}


@pytest.mark.parametrize(
    ("text", "kind", "level", "more"),
    [
        ("AAPL > 200", ABOVE, "200", {}),
        ("aapl<=190.5", BELOW, "190.5", {}),
        ("$AAPL above $1,200.50", ABOVE, "1200.50", {}),
        ("Please alert me when AAPL goes above 200.", ABOVE, "200", {}),
        ("notify when MSFT falls 2% below VWAP", VWAP, "-2", {"symbol": "MSFT"}),
        ("tell me if MSFT rises 1.5% above its vwap", VWAP, "1.5", {"symbol": "MSFT"}),
        ("AAPL crosses below VWAP", VWAP, None, {"side": "below"}),
        ("AAPL crosses VWAP", VWAP, None, {"side": None}),
        ("AAPL volume is 2x normal", RVOL, "2", {}),
        ("AAPL has relative volume above 2.5", RVOL, "2.5", {}),
        ("AAPL hits 200", None, "200", {"side": None}),
        ("AAPL drops 5%", BELOW, None, {"distance_pct": D(-5)}),
        ("AAPL gains 3% today", None, None, None),
        ("AAPL closes below 190", BELOW, "190", {"basis": "close"}),
        ("AAPL closes above 200 on a daily close", ABOVE, "200", {"timeframe": "day"}),
        ("AAPL above 200 every time", ABOVE, "200", {"repeat": True}),
        ("AAPL above 200 by 0.4%", ABOVE, "200", {"threshold_pct": D("0.4")}),
        ("AAPL above 200 or within 0.5%", ABOVE, "200", {"threshold_pct": D("-0.5")}),
        ("AAPL > 200 for 3 days", ABOVE, "200", {"expires_at": NOW + timedelta(days=3)}),
        ("AAPL > 200 until 2027-02-01", ABOVE, "200",
         {"expires_at": datetime(2027, 2, 1, 23, 59, tzinfo=UTC)}),
    ],
)  # fmt: skip
def test_words_mean_an_alert(text, kind, level, more):
    if more is None:
        with pytest.raises(Refusal, match="can not read `today`"):
            read_rule(text, as_of=NOW)
        return
    ask = read_rule(text, as_of=NOW)
    assert (ask.kind, ask.level) == (kind, None if level is None else D(level))
    expected = {"symbol": "AAPL", **{name: PLAIN[name] for name in PLAIN}, **more}
    assert {name: getattr(ask, name) for name in expected} == expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no symbol"),
        ("hello", "no symbol"),
        ("alert when above 200", "no symbol"),
        ("AAPL > 200 and RSI > 70", "RSI > 70"),
        ("AAPL > 200 then buy 10 shares", "then buy 10"),
        ("AAPL > 200 or MSFT < 300", "MSFT < 300"),
        ("AAPL above 200%", "no symbol"),
        ("AAPL > 200 until 2027-02-31", "no such date"),
        ("AAPL > 200" + " please" * 60, "too long"),
    ],
)
def test_words_that_say_more_or_less_are_refused(text, reason):
    with pytest.raises(Refusal, match="ALERT_RULE_UNREAD") as refused:
        read_rule(text, as_of=NOW)
    assert reason in str(refused.value.facts["reason"])


def level_of(text):
    return D(text).quantize(D("0.01"))


@given(
    kind=st.sampled_from([ABOVE, BELOW]),
    cents=st.integers(1, 10**7),
    threshold=st.integers(-20, 20),
    timeframe=st.sampled_from(["minute", "day"]),
    basis=st.sampled_from(["touch", "close"]),
    repeat=st.booleans(),
)
def test_canonical_words_read_back_as_the_same_rule(
    kind, cents, threshold, timeframe, basis, repeat
):
    made = replace(
        EXAMPLE, kind=kind, level=D(cents) / 100, threshold_pct=D(threshold), timeframe=timeframe,
        basis=basis, repeat=repeat, side="above" if kind is ABOVE else "below",
    )  # fmt: skip
    back = read_rule(canonical_words(made), as_of=NOW)
    assert (back.symbol, back.kind, back.level) == ("AAPL", kind, made.level)
    assert (back.threshold_pct, back.timeframe, back.repeat) == (D(threshold), timeframe, repeat)
    assert (back.basis or "touch", back.expires_at) == (basis, made.expires_at)


@given(tenths=st.integers(-500, 500).filter(bool), repeat=st.booleans())
def test_canonical_words_of_a_vwap_alert_read_back(tenths, repeat):
    level = D(tenths) / 10
    made = replace(EXAMPLE, kind=VWAP, level=level, side="above" if level > 0 else "below",
                   basis="close", repeat=repeat, ref_price=D(100))  # fmt: skip
    back = read_rule(canonical_words(made), as_of=NOW)
    assert (back.kind, back.level, back.repeat) == (VWAP, level, repeat)


EXAMPLE = Alert(
    id="al_1", user_id="u", symbol="AAPL", listing="XNAS:AAPL", calendar="XNYS", kind=ABOVE,
    side="above", level=D(200), ref_price=D(198), created_at=NOW, watched_from=NOW, updated_at=NOW,
    last_close=D(198), expires_at=datetime(2027, 1, 15, 21, 0, tzinfo=UTC),
)  # fmt: skip


def test_the_canonical_words_of_an_alert_are_those_of_the_documents():
    assert canonical_words(EXAMPLE) == (
        "Alert once when AAPL trades at or above 200.00 (minute bars), until 2027-01-15 16:00 EST."
    )


@pytest.mark.parametrize(
    ("said", "until"),
    [
        ("until 2027-01-15 16:00 EST", datetime(2027, 1, 15, 21, 0, tzinfo=UTC)),
        ("until 2027-07-15 16:00 EDT", datetime(2027, 7, 15, 20, 0, tzinfo=UTC)),
        ("until 2027-07-15 16:30 BST", datetime(2027, 7, 15, 15, 30, tzinfo=UTC)),
        ("until 2027-07-15 17:30 CEST", datetime(2027, 7, 15, 15, 30, tzinfo=UTC)),
        ("until 2027-01-15 21:00 UTC", datetime(2027, 1, 15, 21, 0, tzinfo=UTC)),
        ("until 2027-01-15 21:00", datetime(2027, 1, 15, 21, 0, tzinfo=UTC)),
    ],
)
def test_a_time_is_read_in_the_zone_it_names_and_else_in_utc(said, until):
    assert read_rule(f"AAPL above 200 {said}", as_of=NOW).expires_at == until


@pytest.mark.parametrize(
    "calendar", ["XNYS", "XLON", "XETR", "XPAR", "XAMS", "XSWX", "XTSE", "XASX"]
)
@pytest.mark.parametrize("month", [1, 7])
def test_the_time_of_every_exchange_reads_back(calendar, month):
    until = datetime(2027, month, 15, 15, 7, tzinfo=UTC)
    made = replace(EXAMPLE, calendar=calendar, expires_at=until)
    assert read_rule(canonical_words(made), as_of=NOW).expires_at == until


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (120, "2 min"),
        (3427, "57 min"),
        (3660, "1 h 1 min"),
        (86_400, "1 d 0 h"),
        (183_600, "2 d 3 h"),
    ],
)
def test_a_delay_is_said_in_its_two_largest_units(seconds, words):
    assert late_words(seconds) == words


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (f"tell me when {PLAN_ID} reaches its stop", (("stop",), True)),
        (f"notify me once when plan {PLAN_ID} hits its entry zone", (("entry",), False)),
        (f"alert when my plan {PLAN_ID} of AAPL reaches entry, target or stop",
         (("entry", "target", "stop"), True)),
        (f"when {PLAN_ID} reaches the time stop", (("time_stop",), True)),
        (f"when {PLAN_ID} is invalidated", (("invalidation",), True)),
        (f"alert me on plan {PLAN_ID}", ((), True)),
        (f"tell me when {PLAN_ID} reaches anything", ((), True)),
    ],
)  # fmt: skip
def test_words_watch_the_moments_of_a_plan(text, wanted):
    ask = read_rule(text, as_of=NOW)
    assert (ask.kind, ask.plan_id) == (PLAN, PLAN_ID)
    assert (ask.moments, ask.repeat) == wanted


@pytest.mark.parametrize(
    ("text", "state"),
    [
        ("tell me when my risk is at warn or worse", "warn"),
        ("alert me when risk reaches a breach", "breach"),
        ("warn me when the account's risk is frozen", "frozen"),
        ("notify me each time the risk state changes", "change"),
        ("tell me when a risk limit is reached", "breach"),
        ("when risk gets to breach for 5 days", "breach"),
    ],
)
def test_words_watch_the_state_of_the_risk(text, state):
    ask = read_rule(text, as_of=NOW)
    assert (ask.kind, ask.risk_state, ask.repeat) == (RISK, state, True)


@pytest.mark.parametrize(
    "text",
    [
        f"when {PLAN_ID} reaches its stop by 2%",
        "when risk is frozen on a daily close",
        "when risk is frozen then sell everything",
        "when my risk is fine",
    ],
)
def test_words_about_a_plan_or_the_risk_that_mean_more_are_refused(text):
    with pytest.raises(Refusal, match="ALERT_RULE_UNREAD"):
        read_rule(text, as_of=NOW)


TERMS = PlanTerms(
    plan_id=PLAN_ID, side="long", setup="orb", lo=D(100), hi=D("100.2"), stop=D(98),
    targets=(D(103),), rules=(), opens_until=NOW, time_stop=NOW,
)  # fmt: skip


@given(moments=st.lists(st.sampled_from(MOMENTS), min_size=1, unique=True), repeat=st.booleans())
def test_canonical_words_of_an_alert_on_a_plan_read_back(moments, repeat):
    kept = tuple(one for one in MOMENTS if one in moments)
    made = replace(
        EXAMPLE, kind=PLAN, subject=PLAN_ID, terms=terms_text(replace(TERMS, moments=kept)),
        repeat=repeat,
    )  # fmt: skip
    back = read_rule(canonical_words(made), as_of=NOW)
    assert (back.kind, back.plan_id, set(back.moments)) == (PLAN, PLAN_ID, set(kept))
    assert (back.repeat, back.expires_at) == (repeat, made.expires_at)


@pytest.mark.parametrize("state", RISK_STATES)
@pytest.mark.parametrize("repeat", [True, False])
def test_canonical_words_of_an_alert_on_the_risk_read_back(state, repeat):
    made = replace(EXAMPLE, kind=RISK, symbol="", subject="pf_1", terms=state, repeat=repeat)
    back = read_rule(canonical_words(made), as_of=NOW)
    assert (back.kind, back.risk_state, back.repeat) == (RISK, state, repeat)
    assert back.expires_at == made.expires_at
