"""Alerts on the account's risk: every change once, by the engine's own path and by the poller."""

from datetime import timedelta
from decimal import Decimal as D  # noqa: N817 - tables of numbers read better short
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.alerts import book, store
from services.alerts.alert import Alert, AlertKind
from services.alerts.book import AlertChange
from services.alerts.risk_watch import ANY, fold_changes, tell_risk
from services.kit.errors import Refusal
from services.ledger import portfolio
from services.trade.risk import SEVERITY
from services.trade.risk_store import RiskChange, StoredRisk, append_change, save_risk
from tests.unit.alerts.conftest import MINUTE, OPEN, bar


@pytest.fixture
def account(desk):
    """The default account of a desk with a price."""
    desk.feed.put(bar(0, 198, 198.1, 197.9, 198))
    return desk.do(lambda ctx: portfolio.get_portfolio(ctx, None)).id


def changed(number, before, after, account="pf", at=None):
    moment = OPEN + (number * MINUTE if at is None else at)
    return RiskChange(portfolio_id=account, number=number, before=before, after=after,
                      reason="open risk: 6,000.00 USD of 5,000.00 USD", limits=("open_risk",),
                      as_of=moment, at=moment)  # fmt: skip


def store_change(desk, account, number, before, after):
    """Write a change as the engine does: the change, and where the account stands after it."""
    one = changed(number, before, after, account)

    def act(ctx):
        append_change(ctx, one)
        save_risk(ctx, StoredRisk(portfolio_id=account, state=after, reason=one.reason,
                                  since=one.at, session="2027-01-12", body={}, told={},
                                  as_of=one.as_of, at=one.at, changes=number),
                  known=number > 1)  # fmt: skip

    desk.do(act)


def whats(desk, alert_id):
    found = desk.do(lambda ctx: store.list_triggers(ctx, alert_id))
    return [one.what for one in found[::-1]]


def test_a_change_is_told_once_by_engine_and_poller(desk, account):
    made = desk.watch_risk("warn")
    assert made.text.startswith("Alert each time when risk is at warn or worse, until 2027-04-")
    store_change(desk, account, 1, "ok", "breach")
    assert desk.do(tell_risk) == 1
    assert desk.poll() == 0
    (told,) = desk.outbox()
    assert told["message"].startswith("Your risk went from ok to breach. Risk has reached a limit")
    assert told["next_action"]["text"].startswith("No new risk: ")
    assert (told["what"], told["subject"]) == ("breach", "alerts")


def test_the_poller_tells_what_the_engine_could_not(desk, account):
    made = desk.watch_risk("breach").alert
    for number, (before, after) in enumerate(
        [("ok", "warn"), ("warn", "breach"), ("breach", "ok"), ("ok", "frozen")], 1
    ):
        store_change(desk, account, number, before, after)
    desk.feed.at(5)
    assert desk.poll() == 2
    assert desk.do(tell_risk) == 0
    assert whats(desk, made.id) == ["breach", "frozen"]


@pytest.mark.parametrize(
    ("state", "repeat", "expected"),
    [
        ("warn", True, ["warn", "breach"]),
        ("warn", False, ["warn"]),
        ("breach", True, ["breach", "breach"]),
        ("change", True, ["warn", "breach", "warn", "ok", "breach"]),
        ("change", False, ["warn"]),
        ("frozen", True, []),
    ],
)
def test_an_alert_hears_what_it_asked_for(desk, account, state, repeat, expected):
    made = desk.watch_risk(state, repeat=repeat).alert
    path = ["ok", "warn", "breach", "warn", "ok", "breach"]
    for number, (before, after) in enumerate(pairwise(path), 1):
        store_change(desk, account, number, before, after)
        desk.do(tell_risk)
    assert whats(desk, made.id) == expected
    assert desk.alert(made.id).state in ("done" if not repeat else ("armed", "fired_wait"))


def test_what_stands_already_waits_for_a_change_unless_told_at_once(desk, account):
    store_change(desk, account, 1, "ok", "breach")
    waits = desk.watch_risk("warn")
    assert (waits.alert.state, waits.flags) == ("waiting_reset", ("ALREADY_BEYOND",))
    at_once = desk.watch_risk("breach", mode="level").alert
    assert desk.poll() == 1
    assert (whats(desk, waits.alert.id), whats(desk, at_once.id)) == ([], ["breach"])


def test_an_alert_on_the_risk_ends_with_its_time(desk, account):
    made = desk.watch_risk("warn", expires_at=OPEN + 3 * MINUTE).alert
    desk.feed.at(4)
    store_change(desk, account, 4, "ok", "breach")
    assert desk.poll() == 0
    assert desk.alert(made.id).state == "expired"


def test_an_alert_on_the_risk_rests_and_refuses_what_it_has_not(desk, account):
    made = desk.watch_risk("warn").alert

    def change(**terms):
        return desk.do(lambda ctx: book.update_alert(ctx, made.id, AlertChange(**terms))).alert

    assert change(paused=True).state == "paused"
    store_change(desk, account, 1, "ok", "breach")
    assert desk.poll() == 0
    assert change(paused=False, repeat=False).repeat is False
    assert desk.poll() == 0, "what happened while it rested is not told"
    store_change(desk, account, 2, "breach", "ok")
    store_change(desk, account, 3, "ok", "warn")
    assert desk.poll() == 1
    with pytest.raises(Refusal, match="PARAM_INVALID"):
        change(level=D(3))
    with pytest.raises(Refusal, match="PARAM_INVALID"):
        desk.watch_risk("calm")
    desk.do(lambda ctx: book.delete_alert(ctx, made.id))
    assert desk.do(store.list_alerts) == []


@given(
    path=st.lists(st.sampled_from(SEVERITY), min_size=1, max_size=12),
    cut=st.integers(0, 12),
    state=st.sampled_from(["warn", "breach", "frozen", "change"]),
    repeat=st.booleans(),
)
def test_changes_in_any_batches_make_the_same_events(path, cut, state, repeat):
    alert = build(state, repeat)
    steps = [
        changed(number, before, after)
        for number, (before, after) in enumerate(zip(["ok", *path], path, strict=False), 1)
        if before != after
    ]
    whole, told = fold_changes(alert, steps)
    half, first = fold_changes(alert, steps[:cut])
    again, second = fold_changes(half, steps)
    assert (again, (*first, *second)) == (whole, told)


def build(state, repeat):
    level = D(1) if state == ANY else D(SEVERITY.index(state) + 1)
    return Alert(id="al", user_id="u", symbol="", listing="portfolio:pf", calendar="XNYS",
                 kind=AlertKind.RISK, side="above", level=level, ref_price=D(1), created_at=OPEN,
                 watched_from=OPEN, updated_at=OPEN, last_close=D(1), basis="close",
                 repeat=repeat, hysteresis=D(1), subject="pf", terms=state,
                 memory={"seen": "0"}, expires_at=OPEN + timedelta(days=1))  # fmt: skip
