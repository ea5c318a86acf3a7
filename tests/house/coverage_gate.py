"""Owns the coverage gate: branch coverage of the rooms where money and data are judged."""

from __future__ import annotations

import json
import sys
from pathlib import Path

LIMIT_PCT = 95.0
ROOMS = (
    "services/orders/",
    "services/ledger/",
    "services/trade/",
    "services/identity/",
    "services/market/quality",
)


def main(path: str) -> int:
    """Print each room's branch coverage; return 1 when one is below the limit."""
    files = json.loads(Path(path).read_text())["files"]
    failed = False
    for room in ROOMS:
        sums = [one["summary"] for name, one in files.items() if name.startswith(room)]
        covered = sum(s["covered_lines"] + s.get("covered_branches", 0) for s in sums)
        total = sum(s["num_statements"] + s.get("num_branches", 0) for s in sums)
        share = 100.0 * covered / total if total else 0.0
        failed |= share < LIMIT_PCT
        print(f"{room:26} {share:6.2f} %  {'ok' if share >= LIMIT_PCT else 'below the limit'}")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
