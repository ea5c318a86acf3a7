"""Owns making the published reliability table and the shipped documents from raw bars."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from services.kit.canonical import canonical
from services.kit.errors import refuse
from services.kit.money import use_context
from services.kit.policy import DEFAULT_POLICY, Policy
from services.research.calibration_page import render_page
from services.research.fit import fit
from services.research.label import Label, Labelled, label_history
from services.research.raw_bars import RawHistory, build_tracks, bundled, folder
from services.strategy.documents import CALIBRATOR, DEFAULTS, RECORD
from services.strategy.record import Calibrator, SetupRecord
from services.strategy.track import Track

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "reference" / "calibration.md"
OUTSIDE = ROOT.parent / "shared" / "marketdata" / "lean"
"""Where a checkout may find longer history that is not shipped."""


@dataclass(frozen=True, slots=True)
class Source:
    """What one symbol's history gave: its bars' hashes, and its labels."""

    history: RawHistory
    labelled: Labelled


def collect(
    histories: Iterable[RawHistory],
    *,
    policy: Policy = DEFAULT_POLICY,
    tell: Callable[[str], None] = lambda _: None,
) -> list[Source]:
    """Return the labels of every history; the policy's index is the market where it is there."""
    known = [build_tracks(one) for one in histories]
    index = next((one for one in known if one.symbol == policy.confluence.benchmark), None)
    market: Track | None = index.tracks["1d"] if index else None
    found = []
    for one in known:
        labelled = label_history(one, policy=policy, market=market)
        tell(f"{one.symbol}: {len(labelled.labels)} setups")
        found.append(Source(one, labelled))
    return found


def labels_of(sources: Iterable[Source]) -> list[Label]:
    """Return every label by trigger, setup and symbol."""
    found = [label for one in sources for label in one.labelled.labels]
    return sorted(found, key=lambda one: (one.trigger_ts, one.key.text, one.symbol))


def build_defaults(labels: Sequence[Label], last: date) -> bytes:
    """Return the bytes of the documents that ship: one version per year end, and that of `last`.

    Each is made of the labels that had ended by its day, so that a replay and a backtest can stand
    on what was known then. `last` is the last day of the history.
    """
    rows: list[dict[str, object]] = []
    for until in _versions(labels, last):
        fitted = fit([one for one in labels if one.ended_at.date() <= until])
        made: list[tuple[str, SetupRecord | Calibrator]] = [
            *((RECORD, one) for one in fitted.records),
            *((CALIBRATOR, one) for one in fitted.calibrators),
        ]
        rows += [
            {"kind": kind, "key": one.key.text, "until": until.isoformat(), "body": one.body()}
            for kind, one in made
        ]
    rows.sort(key=lambda row: (str(row["kind"]), str(row["key"]), str(row["until"])))
    return canonical({"documents": rows}) + b"\n"


def _versions(labels: Sequence[Label], last: date) -> list[date]:
    years = sorted({one.ended_at.year for one in labels})
    return [*(end for year in years if (end := date(year, 12, 31)) < last), last]


def last_day(sources: Iterable[Source]) -> date:
    """Return the last day of any history."""
    return max(one.history.bars["1d"][-1].t_close.date() for one in sources)


def make(path: Path | None, tell: Callable[[str], None] = lambda _: None) -> tuple[bytes, str]:
    """Return the shipped documents and the published page.

    The documents come from the bundled history alone; the page from the folder `path`, and from
    the bundled history without one. Raises `PARAM_INVALID` for a folder without daily files.
    """
    own = collect(bundled(), tell=tell)
    defaults = build_defaults(labels_of(own), last_day(own))
    if path is None:
        return defaults, _page(own)
    if not any((path / "equity_daily").glob("*.csv.gz")):
        rule = "must hold equity_daily/*.csv.gz and factor_files"
        raise refuse("PARAM_INVALID", name="data", value=str(path), rule=rule)
    return defaults, _page(collect(folder(path), tell=tell))


def _page(sources: Sequence[Source]) -> str:
    labels = labels_of(sources)
    trials = {
        "all setups before the window": fit(labels),
        "those of the last 12 months": fit(labels, rolling=True),
        "all, leaning on the driftless chance": fit(labels, pooled=False),
    }
    return render_page(sources, trials)


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the page and the documents anew, or `--check` that they are what is stored."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help=f"folder of history (default {OUTSIDE})")
    parser.add_argument("--bundled", action="store_true", help="use the bundled history alone")
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    asked = parser.parse_args(arguments)
    use_context()
    path = asked.data or (OUTSIDE if OUTSIDE.is_dir() else None)
    if asked.bundled or path is None:
        print("Only the bundled daily history is used.", file=sys.stderr)  # noqa: T201
        path = None
    documents, page = make(path, lambda line: print(line, file=sys.stderr))  # noqa: T201
    targets = {DEFAULTS: documents, PAGE: page.encode()}
    if asked.check:
        wrong = [str(file.name) for file, made in targets.items() if file.read_bytes() != made]
        print("differ: " + ", ".join(wrong) if wrong else "the same bytes")  # noqa: T201
        return 1 if wrong else 0
    for file, made in targets.items():
        file.write_bytes(made)
    return 0


if __name__ == "__main__":
    sys.exit(main())
