"""Dry runs by folds and in time: a plan of the past knows what had ended before it, no more."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal as D  # noqa: N817 - tables of numbers read better short
from itertools import pairwise

import pytest

from services.kit.errors import Refusal
from services.kit.policy import DEFAULT_POLICY
from services.research import raw_bars
from services.research.config import BacktestConfig, FoldTerms, RuleTerms
from services.research.dry_run import dry_run, rule_sets, steps_of
from services.research.engine import Extras, run
from services.research.fold_time import time_folds
from services.research.known_then import KnownThen, Spoken, known_then, shipped_then
from services.research.label import label_history
from services.research.raw_bars import RawHistory, build_tracks
from services.research.report_page import page_of
from services.research.report_words import fold_lines, summary_of, words_of
from services.research.stated import calibration_of
from services.research.strategy_policy import named_config, parse_config, with_folds
from services.strategy.documents import approve_document, revoke_document, store_document
from services.strategy.record import RecordKey, SetupRecord

TERMS = FoldTerms(train_months=24, test_months=6, step_months=6, embargo_days=40)
SETUPS = replace(named_config("setups", ("GOOG", "IBM"), "1d"), folds=TERMS)
RULE = BacktestConfig(
    name="grid", kind="rule", symbols=("GOOG",), rule=RuleTerms(side="both", time_stop_bars=40),
    folds=FoldTerms(embargo_days=90), grid={"fast": (5, 10), "stop_atr": (2, D("2.5"))},
)  # fmt: skip
KEY = RecordKey("ma_cross", 1, "long", "swing")


@pytest.fixture(scope="module")
def days():
    return {one.symbol: one.bars["1d"] for one in raw_bars.bundled() if one.symbol != "FB"}


@pytest.fixture(scope="module")
def told():
    return []


@pytest.fixture(scope="module")
def walked(days, told):
    return dry_run(SETUPS, days, extras=Extras(progress=lambda *step: told.append(step)))


def record(n=60, wins=40):
    return SetupRecord(
        key=KEY, n=n, wins=wins, mfe_free_r=(D(0),) * (n - wins) + (D(3),) * wins,
        give_back=D("0.2"), labels_hash="sha256:" + "1" * 64, pool=(wins, n),
    )  # fmt: skip


def test_each_test_window_stands_on_setups_that_had_ended_before_it(walked):
    found = walked.walk_forward
    assert len(found.folds) == 21
    assert sum(one.test_n for one in found.folds) == found.n > 100
    for one in found.folds:
        assert one.fitted > 0
        assert one.documents
        assert (one.fold.test[0] - one.fold.train[1]).days == 40
    later = [set(one.documents) for one in found.folds]
    assert all(a != b for a, b in pairwise(later))
    assert set().union(*later) == set(walked.documents)
    assert found.calibration.n > 100
    assert found.r.expectancy_r == found.expectancy_r


def test_history_after_a_window_changes_nothing_of_it(days, walked):
    cut = date(2008, 1, 2)
    known = {name: [bar for bar in rows if bar.t_open.date() < cut] for name, rows in days.items()}
    short = dry_run(SETUPS, known).walk_forward
    whole = {one.fold.test: one for one in walked.walk_forward.folds}
    ended = [one for one in short.folds if one.fold.test[1] < cut - timedelta(days=60)]
    assert len(ended) == 11
    for one in ended:
        assert one == whole[one.fold.test]


def test_progress_counts_every_step_to_the_end(walked, told):
    assert steps_of(walked.config) == 4
    assert [(done, total) for done, total, _ in told] == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert steps_of(replace(SETUPS, folds=None)) == 2


def test_the_words_and_the_page_lead_with_what_was_not_seen(walked):
    summary = summary_of(walked)
    said = words_of("setups", summary)
    assert said.startswith(f"setups: {walked.walk_forward.n} trades in 21 test windows")
    assert "Out of sample:" in said
    assert len(fold_lines(walked)) == 21
    page = page_of(json.loads(walked.bytes))
    assert said in page
    assert page.index("Out of sample") < page.index("The whole run")
    for one in walked.walk_forward.folds:
        assert one.fold.test[0].isoformat() in page
    assert page.count("past setups</td>") == 21
    assert "<script" not in page


def test_the_same_run_by_folds_gives_the_same_bytes(days, walked):
    assert dry_run(SETUPS, days).bytes == walked.bytes


def test_a_grid_is_chosen_on_train_and_told_on_test(days):
    steps = []
    report = dry_run(RULE, days, extras=Extras(progress=lambda *step: steps.append(step)))
    found = report.walk_forward
    assert (report.trials, found.trials, len(rule_sets(RULE))) == (4, 4, 4)
    assert [done for done, _, _ in steps] == [1, 2, 3, 4]
    names = {one.chosen for one in found.folds} - {None}
    assert names <= set(rule_sets(RULE))
    assert len(names) > 1
    assert report.config_hash == RULE.hash
    assert report.trades == run(replace(RULE, folds=None, grid=None), days).trades


def test_a_rule_without_a_grid_is_tested_in_every_window(days):
    report = dry_run(replace(RULE, grid=None), days)
    assert {one.chosen for one in report.walk_forward.folds} == {"ema_cross"}
    assert report.walk_forward.n > 10


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        ({"folds": FoldTerms(embargo_days=3)}, "EMBARGO_TOO_SHORT", "longest trade"),
        ({"folds": FoldTerms(train_months=200, embargo_days=90)}, "PARAM_INVALID", "do not fit"),
        ({"grid": {"speed": (1,)}}, "PARAM_INVALID", "must be one of"),
        ({"grid": {"fast": (D("1.5"),)}}, "PARAM_INVALID", "must be whole"),
        ({"grid": {"fast": (40, 50)}}, "PARAM_INVALID", "1 to 200"),
        ({"grid": {"fast": tuple(range(1, 21)), "atr": tuple(range(1, 21))}}, "PARAM_INVALID", ""),
    ],
)
def test_folds_that_can_not_stand_are_refused(days, change, code, words):
    with pytest.raises(Refusal) as caught:
        dry_run(replace(RULE, **change), days)
    assert caught.value.code == code
    assert words in caught.value.message


@pytest.mark.parametrize(
    "body",
    [
        {"kind": "setup", "grid": {"fast": [5]}, "folds": {}},
        {"kind": "rule", "grid": {"fast": [5]}},
        {"kind": "rule", "folds": {"train_months": 0}},
        {"kind": "rule", "folds": {"test_months": 6}},
        {"kind": "rule", "folds": {"embargo_days": -1}},
    ],
)
def test_terms_of_folds_are_checked_as_they_are_read(body):
    with pytest.raises(Refusal, match="PARAM_INVALID"):
        parse_config({"name": "x", "symbols": ["GOOG"], **body})


def test_a_config_without_folds_has_the_hash_it_had():
    plain = named_config("setups", ("GOOG",), "1d")
    assert with_folds(plain, {"train_months": None}).hash == plain.hash
    assert with_folds(plain, {"test_months": 6}).folds.step_months == 6
    assert with_folds(plain, {"embargo_days": 5}).hash != plain.hash


def test_test_windows_follow_each_other_without_a_gap_or_an_overlap():
    for embargo in (0, 29, 45):
        terms = FoldTerms(train_months=12, test_months=3, embargo_days=embargo)
        folds = time_folds(date(2003, 1, 31), date(2010, 1, 1), terms)
        assert all(a.test[1] == b.test[0] for a, b in pairwise(folds))
        assert folds[0].train[0] == date(2003, 1, 31)


def test_a_dry_run_states_what_the_record_of_then_stated_and_else_nothing(days):
    since, until = datetime(2006, 1, 1, tzinfo=UTC), datetime(2009, 1, 1, tzinfo=UTC)
    known = KnownThen((Spoken(since=since, until=until, what=record()),))
    config = named_config("ma_cross", ("GOOG", "IBM"), "1d")
    report = run(config, days, extras=Extras(known=known))
    assert report.documents == (record().hash,)
    inside = [one for one in report.trades if since <= one.trigger_ts < until]
    spoken = [one for one in inside if one.side == "long"]
    assert len(spoken) > 5
    assert {one.confidence_tier for one in spoken} == {"prior"}
    assert all(D("0.3") < one.confidence < D("0.8") for one in spoken)
    silent = [one for one in report.trades if one not in spoken]
    assert {(one.confidence, one.confidence_tier) for one in silent} == {(None, "uncalibrated")}
    proof = calibration_of(report.trades)
    assert (proof.n, proof.uncalibrated) == (len(spoken), len(silent))
    assert report.calibration == proof
    plain = run(config, days)
    assert plain.calibration.n == 0
    assert "uncalibrated" in words_of("ma_cross", summary_of(plain))


def test_the_worked_calibration(days):
    base = run(named_config("ma_cross", ("GOOG",), "1d"), days).trades[0]
    rows = [
        replace(base, confidence=D(chance), confidence_tier="prior", legs_filled=hit)
        for chance, hit in (("0.2", 0), ("0.4", 1))
    ]
    found = calibration_of(rows)
    assert (found.mean_stated, found.hit_rate, found.metrics["brier"]) == (
        D("0.3"), D("0.5"), D("0.2"),
    )  # fmt: skip


def test_a_document_that_ships_speaks_of_no_bar_that_it_was_made_from(days):
    labels = [
        one
        for symbol, rows in days.items()
        for one in label_history(
            build_tracks(RawHistory(symbol=symbol, source="bundled", bars={"1d": list(rows)})),
            policy=DEFAULT_POLICY,
        ).labels
        if one.key == KEY
    ]
    shipped = shipped_then()
    assert shipped.record(KEY, labels[0].ended_at) is None
    for year in (2004, 2008, 2012):
        begins = datetime(year, 1, 1, tzinfo=UTC)
        before = shipped.record(KEY, begins - timedelta(seconds=1))
        found = shipped.record(KEY, begins)
        ended = sum(one.ended_at < begins for one in labels)
        assert before.n < found.n
        assert 0 < ended <= found.n < ended + 10
        assert shipped.record(KEY, begins + timedelta(days=364)) == found


def test_a_stored_document_speaks_from_its_approval_to_its_revocation(runtime, owner, clock):
    made = runtime.write(
        owner, lambda ctx: store_document(ctx, "setup_record/v1", KEY.text, record().body())
    )
    clock.advance(days=1)
    runtime.write(owner, lambda ctx: approve_document(ctx, made.hash))
    approved = clock.now()
    clock.advance(days=10)
    runtime.write(owner, lambda ctx: revoke_document(ctx, made.hash, "worse than the base rate"))
    found = runtime.read(owner, known_then)
    shipped = shipped_then().record(KEY, approved)
    assert found.record(KEY, approved - timedelta(seconds=1)) == shipped != record()
    assert found.record(KEY, approved) == record()
    assert found.record(KEY, approved + timedelta(days=10)) == shipped
