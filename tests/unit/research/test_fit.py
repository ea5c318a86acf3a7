"""Fitting: only the past is read, the gate is kept, and the same labels give the same bytes."""

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal as D  # noqa: N817 - tables of numbers read better short

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kit.canonical import canonical
from services.kit.errors import Refusal
from services.kit.money import rounded
from services.research.calibrate import fit_isotonic
from services.research.fit import build_record, fit, proof_of
from services.research.label import Label
from services.research.publish import build_defaults
from services.research.reliability import log_loss, passes_gate, prove
from services.research.score_stats import brier
from services.strategy.confidence import pooled_confidence, prior_confidence
from services.strategy.curve import PlattFit
from services.strategy.documents import calibrator_from, record_from
from services.strategy.record import RecordKey

KEY = RecordKey("ema_pullback", 1, "long", "swing")
T0 = datetime(2001, 1, 10, 21, 0, tzinfo=UTC)
PAIRS = st.lists(
    st.tuples(st.integers(0, 20).map(lambda n: D(n) / 20), st.integers(0, 1)),
    min_size=1,
    max_size=60,
)


def label(day, *, won, score=None, key=KEY, mfe="1.2", held=7):
    at = T0 + timedelta(days=day)
    return Label(
        key=key,
        symbol="AAPL",
        trigger_ts=at,
        ended_at=at + timedelta(days=held),
        score=score,
        won=won,
        r=D(1) if won else D(-1),
        mfe_free_r=D(mfe),
        free_r=D("0.6") if won else D(-1),
        ambiguous=False,
        volatility=None,
        trend=None,
    )


def scored(count, seed=7, slope=1.0):
    """Labels whose chance is their score (or, with slope 0, a coin)."""
    source = random.Random(seed)
    made = []
    for at in range(count):
        score = D(source.randint(10, 90)) / 100
        chance = 0.5 + slope * (float(score) - 0.5)
        made.append(label(3 * at, won=source.random() < chance, score=score))
    return made


def test_a_telling_score_is_accepted_and_speaks_out_of_sample():
    found = fit(scored(900))
    (made,) = found.calibrators
    assert (made.tier, made.accepted) == ("platt", True)
    assert made.curve.slope == pytest.approx(4, abs=1)
    tiers = [one.tier for one in found.stated]
    assert tiers[0] == "prior"
    assert tiers[-1] == "platt"
    assert proof_of(found.stated).skill > 0


def test_a_score_that_tells_nothing_is_rejected_and_silent():
    found = fit(scored(900, slope=0.0))
    assert not found.calibrators[0].accepted
    assert {one.tier for one in found.stated[-100:]} == {"prior"}


def test_a_thousand_scored_setups_allow_isotonic():
    found = fit(scored(1500))
    assert found.calibrators[0].tier == "isotonic"
    assert found.calibrators[0].accepted
    chances = found.calibrators[0].curve.chances
    assert list(chances) == sorted(chances)


def test_planted_future_outcomes_change_nothing_that_was_stated_before():
    labels = scored(600)
    cut = labels[400].trigger_ts
    spoiled = [
        replace(one, won=not one.won, mfe_free_r=D(9)) if one.trigger_ts >= cut else one
        for one in labels
    ]
    before, after = fit(labels).stated, fit(spoiled).stated
    early = [(one.label.trigger_ts, one.chance) for one in before if one.label.trigger_ts < cut]
    assert len(early) > 200
    assert early == [
        (one.label.trigger_ts, one.chance) for one in after if one.label.trigger_ts < cut
    ]


def test_an_outcome_younger_than_the_embargo_is_not_learned_from():
    old = [label(day, won=False) for day in range(0, 360, 3)]
    late = [label(day, won=True) for day in (365, 370, 375)]
    asked = label(425, won=False)
    spoken = fit([*old, *late, asked]).stated[-1]
    without = fit([*old, asked]).stated[-1]
    assert spoken.label == without.label == asked
    assert fit([*old, label(330, won=True), asked]).stated[-1].chance > without.chance


def test_a_label_that_outlives_the_embargo_is_a_defect():
    with pytest.raises(Refusal) as caught:
        fit([label(0, won=True, held=80), *(label(day, won=True) for day in range(500))])
    assert caught.value.code == "EMBARGO_TOO_SHORT"


def test_the_same_labels_in_any_order_give_the_same_bytes():
    labels = scored(300)
    shuffled = labels[:]
    random.Random(3).shuffle(shuffled)
    last = max(one.ended_at for one in labels).date()
    assert build_defaults(labels, last) == build_defaults(shuffled, last)


def test_documents_come_back_as_they_were():
    found = fit(scored(300))
    for record in found.records:
        assert record_from(_plain(record.body())) == record
    for made in [*found.calibrators, *fit(scored(1100)).calibrators]:
        again = calibrator_from(_plain(made.body()))
        assert again.hash == made.hash
        assert again.curve.at(D("0.6")) == made.curve.at(D("0.6"))


def _plain(body):
    import json

    return json.loads(canonical(body))


def test_the_record_counts_wins_and_what_winners_gave_back():
    labels = [label(0, won=True, mfe="1.5"), label(9, won=True, mfe="2"), label(20, won=False)]
    record = build_record(KEY, labels, pool=(5, 20))
    assert (record.n, record.wins, record.pool) == (3, 2, (5, 20))
    assert record.mfe_free_r == (D("1.2"), D("1.5"), D(2))
    assert record.give_back == D("0.65")


def test_few_trades_lean_on_their_like():
    found = pooled_confidence(2, 10, rr_tp1=D(1), pool=(100, 500))
    assert rounded(found.value, 4) == D("0.2227")
    alone = pooled_confidence(22, 40, rr_tp1=D("1.5"), pool=(0, 0))
    assert alone == prior_confidence(22, 40, rr_tp1=D("1.5"))


def test_log_loss_of_a_coin():
    assert log_loss([D("0.5")] * 3, [0, 1, 1]) == D("0.693147")
    assert prove([D("0.2"), D("0.8")], [0, 1]).log_loss == D("0.223144")


@pytest.mark.parametrize(
    ("chances", "outcomes", "passes"),
    [
        ([D("0.2"), D("0.8")] * 100, [0, 1] * 80 + [1, 0] * 20, True),
        ([D("0.2"), D("0.8")] * 40, [0, 1] * 32 + [1, 0] * 8, False),
        ([D("0.2"), D("0.8")] * 100, [0, 1] * 100, False),
        ([D("0.5")] * 200, [0, 1] * 100, False),
    ],
)
def test_the_gate_asks_for_size_truth_and_skill(chances, outcomes, passes):
    assert passes_gate(prove(chances, outcomes)) is passes


def test_bins_of_equal_count_keep_equal_chances_together():
    proof = prove([D("0.1")] * 15 + [D("0.3")] * 5, [0] * 19 + [1])
    assert [(row.n, row.hits) for row in proof.equal_count] == [(15, 0), (5, 1)]


@given(PAIRS)
def test_isotonic_on_its_training_set_is_never_worse_than_the_score(pairs):
    scores, outcomes = zip(*pairs, strict=True)
    fitted = fit_isotonic(scores, outcomes)
    chances = [fitted.at(score) for score in scores]
    assert all(0 <= one <= 1 for one in chances)
    assert list(fitted.chances) == sorted(fitted.chances)
    assert brier(chances, outcomes).brier <= brier(scores, outcomes).brier + D("1e-24")
    assert 0 <= prove(scores, outcomes).ece <= 1


def test_platt_is_read_back_at_twelve_decimals():
    assert PlattFit(3.8196, -1.8014).at(D("0.6")).quantize(D("0.0001")) == D("0.6202")
