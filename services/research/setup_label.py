"""Owns the labels of a run: what became of every setup it found, taken or not."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator

from services.research.label import Label, label_setup
from services.research.setup_run import SetupRun


def labels_of_run(run: SetupRun) -> Iterator[Label]:
    """Yield a label for each setup that a run finds in its frame and whose end the bars hold.

    Each is followed on the bars of the run itself, whether or not a position was open then.
    """
    frame = run.frame
    bars = frame.series.bars
    for context, setup in run.setups():
        first = bisect_left(bars, setup.trigger_ts, key=lambda bar: bar.t_open)
        if frame.first < first < len(bars):
            made = label_setup(context, setup, bars[first:], policy=run.policy)
            if not isinstance(made, str):
                yield made
