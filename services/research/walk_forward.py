"""Owns the walk-forward plan: what is fitted on which bars, and tested on which later ones."""

from __future__ import annotations

from dataclasses import dataclass

from services.kit.errors import refuse
from services.market.param import require_count


@dataclass(frozen=True, slots=True)
class Fold:
    """Half-open index ranges [first, end): fitted on `train`, reported on `test` only."""

    train: tuple[int, int]
    test: tuple[int, int]


def walk_forward(
    n: int, *, train: int, test: int, step: int, embargo: int, holding_max: int = 0
) -> list[Fold]:
    """Return every rolling fold that fits whole into `n` bars, oldest first.

    The embargo between train and test must cover the longest holding period of a label, since
    labels overlap in time (De Prado 2018); else `EMBARGO_TOO_SHORT`. Raises `PARAM_INVALID`.
    Worked: 1000 bars, 500/125, embargo 10, step 125: tests [510,635) [635,760) [760,885).
    """
    for name, value in (("n", n), ("train", train), ("test", test), ("step", step)):
        require_count(name, value)
    if embargo < max(holding_max, 0):
        raise refuse("EMBARGO_TOO_SHORT", index=f"embargo {embargo}, longest trade {holding_max}")
    folds = []
    for first in range(0, n - train - embargo - test + 1, step):
        tested = first + train + embargo
        folds.append(Fold((first, first + train), (tested, tested + test)))
    return folds
