"""Owns the words and tables of the published reliability page."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

from services.kit.money import rounded
from services.research.fit import Fitted, Stated, proof_of
from services.research.label import Label, labels_hash
from services.research.reliability import ENOUGH, Bin, Proof
from services.strategy.confidence import wilson
from services.strategy.detect import DETECTORS
from services.strategy.record import Calibrator

if TYPE_CHECKING:
    from services.research.publish import Source

RECORD_MIN = 30
SIGMAS = Decimal("1.96")
HALF = Decimal("0.5")
THIRDS = (Decimal(1) / 3, Decimal(2) / 3)
_Rows = Iterable[Sequence[object]]

INTRO = """# Calibration: what a stated confidence was worth

This page is made by `make calibrate` from raw bars; the same bars give the same bytes. Confidence
is the chance that a setup reaches target 1 at 1 R before its stop and before its time stop. Every
figure below is out of sample: in each window of three months the product states what it would
have stated then, from setups that had ended a month before, and only afterwards the outcomes are
read. Detectors, entries, stops and time stops are those of a live plan; a bar that holds stop and
target counts as stopped; costs are left out. Prices are adjusted for splits, not for dividends.
The symbols were chosen by somebody who knew how they fared (`SURVIVORSHIP`), and setups overlap
in time, so the intervals are narrower than they should be.
"""


def render_page(sources: Sequence[Source], trials: Mapping[str, Fitted]) -> str:
    """Return the page: the whole, the bins, each setup, each regime, the curves, the data.

    The first of `trials` is what the product states; the others were tried beside it.
    """
    fitted = next(iter(trials.values()))
    labels = [label for one in sources for label in one.labelled.labels]
    labels.sort(key=lambda one: (one.trigger_ts, one.key.text, one.symbol))
    parts = [INTRO, *_whole(trials)]
    proof = proof_of(fitted.stated)
    if proof is not None:
        parts += [
            "## Reliability, ten bins of equal width\n",
            _bins(proof.bins, lambda row: f"{_share(row.place)} to {_share(row.place + 1)}"),
            "## Reliability, bins of equal count\n",
            _bins(proof.equal_count, lambda row: str(row.place + 1)),
        ]
    parts += [*_setups(labels, fitted), *_regimes(fitted), *_curves(fitted)]
    return "\n".join([*parts, *_sources(sources, labels)])


def _whole(trials: Mapping[str, Fitted]) -> Iterator[str]:
    yield "## The whole\n"
    proofs = {name: proof_of(fitted.stated) for name, fitted in trials.items()}
    first = next(iter(proofs.values()))
    if first is None:
        yield "There are too few setups for a single window.\n"
        return
    better = "better" if first.brier < first.reference else "not better"
    yield (
        f"{first.n} setups, {first.hits} of which reached target 1. The Brier score is {better} "
        "than that of always stating the base rate of these very outcomes, which nobody knew "
        "beforehand.\n"
    )
    heads = ("Fitted on", "n", "Hits", "Brier", "Base rate's", "Skill", "ECE", "ECE equal count",
             "Log loss", "Base rate's")  # fmt: skip
    yield _table(heads, [_proof_row(name, one) for name, one in proofs.items() if one])
    yield (
        f"Trials: {len(trials)}, the rows above; the first is what the product states (ADR 16). No "
        "threshold of a detector and no weight of the score was fitted.\n"
    )


def _proof_row(name: str, proof: Proof) -> Sequence[object]:
    skill = "none" if proof.skill is None else _four(proof.skill)
    figures = (proof.brier, proof.reference)
    rest = (proof.ece, proof.ece_equal_count, proof.log_loss, proof.log_loss_reference)
    return (name, proof.n, proof.hits, *map(_four, figures), skill, *map(_four, rest))


def _bins(bins: Iterable[Bin], name: Callable[[Bin], str]) -> str:
    rows = [
        (
            name(row),
            row.n,
            _four(row.mean_p),
            row.hits,
            _four(row.hit_rate),
            f"{_four(row.ci95[0])} to {_four(row.ci95[1])}",
            "too few" if row.n < ENOUGH else "",
        )
        for row in bins
    ]
    return _table(("Stated", "n", "Mean stated", "Hits", "Hit rate", "Wilson 95 %", ""), rows)


def _setups(labels: Sequence[Label], fitted: Fitted) -> Iterator[str]:
    yield "## By setup\n"
    yield (
        "Mean R is that of leaving at 1 R, the stop or the time stop, before costs. An edge is "
        f"shown when it lies above 0 by {SIGMAS} standard errors; nothing is claimed below "
        f"{RECORD_MIN} setups.\n"
    )
    rows = []
    for record in fitted.records:
        mine = [one for one in labels if one.key == record.key]
        stated = [one for one in fitted.stated if one.label.key == record.key]
        low, high = wilson(record.wins, record.n)
        mean = sum((one.r for one in mine), Decimal(0)) / len(mine)
        rows.append(
            (
                f"`{record.key.setup_id}`",
                record.key.side,
                record.key.horizon,
                record.n,
                record.wins,
                _four(Decimal(record.wins) / record.n),
                f"{_four(low)} to {_four(high)}",
                _mean(stated),
                rounded(mean, 3),
                _verdict(mine, mean),
            )
        )
    heads = ("Setup", "Side", "Held", "n", "Reached 1 R", "Rate", "Wilson 95 %", "Mean stated",
             "Mean R", "Verdict")  # fmt: skip
    yield _table(heads, rows)
    seen = {record.key.setup_id for record in fitted.records}
    absent = [f"`{one.id}`" for one in DETECTORS if one.id not in seen]
    if absent:
        yield (
            f"Without a single finished setup here: {', '.join(absent)}. They need weeks of "
            "intraday bars; their confidence rests on the driftless chance alone.\n"
        )


def _verdict(labels: Sequence[Label], mean: Decimal) -> str:
    if len(labels) < RECORD_MIN:
        return "not enough data"
    squares = sum(((one.r - mean) ** 2 for one in labels), Decimal(0))
    error = (squares / (len(labels) - 1) / len(labels)).sqrt()
    if mean - SIGMAS * error > 0:
        return "edge before costs"
    return "loses" if mean + SIGMAS * error < 0 else "no edge"


def _regimes(fitted: Fitted) -> Iterator[str]:
    yield "## By regime\n"
    yield (
        "Volatility is the percentile of the day's realised volatility in its year; trend the mean "
        "of the day's three votes as seen from the setup's side.\n"
    )
    named: list[tuple[str, Callable[[Label], bool]]] = [
        ("volatility low", lambda one: _within(one.volatility, None, THIRDS[0])),
        ("volatility middle", lambda one: _within(one.volatility, THIRDS[0], THIRDS[1])),
        ("volatility high", lambda one: _within(one.volatility, THIRDS[1], None)),
        ("volatility unknown", lambda one: one.volatility is None),
        ("trend with the side", lambda one: _within(one.trend, THIRDS[0], None)),
        ("trend flat", lambda one: _within(one.trend, -THIRDS[0], THIRDS[0])),
        ("trend against the side", lambda one: _within(one.trend, None, -THIRDS[0])),
        ("trend unknown", lambda one: one.trend is None),
    ]
    rows = []
    for name, holds in named:
        mine = [one for one in fitted.stated if holds(one.label)]
        proof = proof_of(mine)
        if proof is not None:
            rows.append(_regime_row(name, proof, mine))
    heads = ("Regime", "n", "Mean stated", "Hit rate", "Wilson 95 %", "Brier", "Base rate's", "ECE")
    yield _table(heads, rows)


def _within(value: Decimal | None, low: Decimal | None, high: Decimal | None) -> bool:
    """Return whether `low <= value < high`; a missing bound is open."""
    if value is None:
        return False
    return (low is None or value >= low) and (high is None or value < high)


def _regime_row(name: str, proof: Proof, stated: Sequence[Stated]) -> Sequence[object]:
    low, high = wilson(proof.hits, proof.n)
    return (
        name,
        proof.n,
        _mean(stated),
        _four(Decimal(proof.hits) / proof.n),
        f"{_four(low)} to {_four(high)}",
        *map(_four, (proof.brier, proof.reference, proof.ece)),
    )


def _curves(fitted: Fitted) -> Iterator[str]:
    yield "## Curves from score to chance\n"
    yield (
        "A curve is fitted from 100 scored setups of one kind on (Platt), from 1000 isotonic. It "
        "may speak only after it has passed the gate out of sample; a rejected one is listed, and "
        "the confidence falls back to the record (`CALIBRATION_REJECTED`).\n"
    )
    if not fitted.calibrators:
        yield "No kind has 100 scored setups, so there is no curve.\n"
        return
    rows = [_curve_row(one, fitted) for one in fitted.calibrators]
    heads = ("Setup", "Tier", "Fitted on", "Judged on", "Brier", "Base rate's", "ECE", "Result",
             "Hash")  # fmt: skip
    yield _table(heads, rows)


def _curve_row(made: Calibrator, fitted: Fitted) -> Sequence[object]:
    judged = fitted.candidates.get((made.key.text, made.tier), ())
    figures = [made.metrics.get(name) for name in ("brier", "reference", "ece")]
    return (
        f"`{made.key.text}`",
        made.tier,
        made.n,
        len(judged),
        *("none" if one is None else _four(one) for one in figures),
        "accepted" if made.accepted else "rejected: the score tells nothing here",
        f"`{made.hash[7:19]}`",
    )


def _sources(sources: Sequence[Source], labels: Sequence[Label]) -> Iterator[str]:
    yield "## The data\n"
    rows = []
    for one in sources:
        days = one.history.bars["1d"]
        left = ", ".join(f"{name} {count}" for name, count in one.labelled.left_out.items())
        hashes = " ".join(f"{tf} `{text[7:19]}`" for tf, text in one.history.hashes().items())
        span = f"{days[0].t_open.date()} to {days[-1].t_open.date()}"
        rows.append(
            (one.history.symbol, span, hashes, one.history.dropped, len(one.labelled.labels), left)
        )
    heads = ("Symbol", "Days", "Hashes of the bars", "Rows dropped", "Labels", "Became no trade")
    yield _table(heads, rows)
    unsure = sum(one.ambiguous for one in labels)
    name = sources[0].history.source if sources else "none"
    yield (
        f"Source: {name}. Hours run by the clock here, so the first of a session is half an hour. "
        f"{unsure} labels had stop and target in one bar. Labels: `{labels_hash(labels)[7:23]}`.\n"
    )


def _mean(stated: Sequence[Stated]) -> str:
    if not stated:
        return "none"
    return _four(sum((one.chance for one in stated), Decimal(0)) / len(stated))


def _four(value: Decimal) -> str:
    return f"{rounded(value, 4):f}"


def _share(tenths: int) -> str:
    return f"{Decimal(tenths) / 10:.1f}"


def _table(heads: Sequence[str], rows: _Rows) -> str:
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    lines += ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"
