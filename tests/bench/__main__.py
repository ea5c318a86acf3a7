"""Owns the command `python -m tests.bench [ROW...]`: run, print, append to the record."""

from __future__ import annotations

import sys

from tests.bench import (
    agent_loop,
    alert_rules,
    backtest_speed,
    cold_start,
    confirm_to_fill,
    fan_out,
    frame_to_decision,
    gates,
    guarded_endpoint,
    idle_memory,
    ledger_post,
    order_path,
    parameter_sweep,
    plan_speed,
    reconcile_pass,
    redeems,
    report,
    watchlist,
)
from tests.bench.measure import FULL

ROWS = {
    "P1": agent_loop.measure,
    "P2": alert_rules.measure,
    "P3": frame_to_decision.measure,
    "P4": fan_out.measure,
    "WATCH": watchlist.measure,
    "P6": plan_speed.measure,
    "P8": backtest_speed.measure,
    "P9": parameter_sweep.measure,
    "P10": ledger_post.measure,
    "P11": guarded_endpoint.measure,
    "P12": cold_start.measure,
    "P13": confirm_to_fill.measure,
    "PATH": order_path.measure,
    "REDEEM": redeems.measure,
    "RECON": reconcile_pass.measure,
    "P14": idle_memory.measure,
    "KPI": gates.measure,
}


def main(names: list[str]) -> int:
    """Run the named rows, or all; unknown names are told and nothing runs."""
    unknown = [name for name in names if name not in ROWS]
    if unknown:
        print(f"unknown: {' '.join(unknown)}; there are {' '.join(ROWS)}")
        return 2
    outcomes = []
    for name in names or ROWS:
        print(f"{name} ...", flush=True)
        found = ROWS[name](FULL)
        outcomes += found
        for one in found:
            print("  " + report.line(one), flush=True)
    report.append(outcomes)
    print("\n" + report.table(outcomes))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
