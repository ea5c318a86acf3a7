"""Owns the finding: what is wrong with data, how bad it is, and what makes it end."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

CLEAN_NEEDED = 3
"""Clean observations after which a freeze of a feed fault ends by itself."""
BY_PERSON = frozenset({"DQ_SCALE_SUSPECT", "DQ_SPLIT_SUSPECT", "DQ_CCY_MISMATCH"})
"""Freezes that only a person ends: a unit or a split is a matter of fact, not of patience."""
PASSING = frozenset({"DQ_MISSING", "DQ_WIDE", "DQ_SESSION"})
"""States that each look sees anew: they block while they last and freeze nothing."""
OF_THE_TIME = PASSING | {"DQ_STALE"}
"""Findings about the moment: the price itself was good, so it may still be shown and valued."""
_UNTIL = {
    "DQ_MISSING": "It ends as soon as a quote arrives.",
    "DQ_WIDE": "It ends as soon as the spread is normal again.",
    "DQ_SESSION": "It ends when trading resumes.",
    "DQ_STALE": "It ends when fresh quotes arrive: after {needed} clean observations.",
    "DQ_JUMP": "It ends when 2 further observations or a second source agree with the price, "
    "or after {needed} clean ones at the old level.",
    "DQ_COVERAGE": "It ends when the holdings that it names have good data again.",
    "DQ_SPLIT_SUSPECT": "It ends when the split is recorded, or when a person who looked "
    "into it clears the freeze.",
}


class Severity(StrEnum):
    """`CRIT` blocks advice and orders; `WARN` is shown; `INFO` is counted."""

    INFO = "INFO"
    WARN = "WARN"
    CRIT = "CRIT"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong with the data of one symbol."""

    symbol: str
    code: str
    severity: Severity
    detail: str


def freezes(finding: Finding) -> bool:
    """Return whether the finding freezes what it is about."""
    return finding.severity is Severity.CRIT and finding.code not in PASSING


def until_words(code: str, needed: int = CLEAN_NEEDED) -> str:
    """Return in one sentence what ends a block or a freeze of `code`."""
    if code in _UNTIL:
        return _UNTIL[code].format(needed=needed)
    if code in BY_PERSON:
        return "It stays until a person who looked into it clears the freeze."
    return f"It ends by itself after {needed} clean observations."
