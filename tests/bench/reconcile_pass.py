"""RECON: a complete pass over many orders that a broker lists, beside a diff of two dicts."""

from __future__ import annotations

from typing import Any

from tests.bench.measure import Outcome, Size, run_json

GOAL, FLAT, MEMORY_MB = 10.0, 1.5, 50.0


def measure(size: Size) -> list[Outcome]:
    """Reconcile a book and one a tenth its size, each in a process of its own."""
    small, large = (_reconciled(count) for count in (size.listed // 10, size.listed))
    return outcomes(small, large)


def outcomes(small: dict[str, Any], large: dict[str, Any]) -> list[Outcome]:
    """Return the lines of two measured books; pure."""
    ours, peer, news = large["quiet"], large["peer"], large["news"]
    ratio = ours["cpu_s"] / peer["cpu_s"]
    each = [one["quiet"]["cpu_s"] / one["orders"] * 1e6 for one in (small, large)]
    found, flat = news["found"], each[1] / each[0]
    told, looked, moved = found["told"], found["looked"], found["moved"]
    settled = large["left"] == told and large["differs"] == told + looked + moved
    orders, before = f"{large['orders']:,} orders", f"{small['orders']:,}"
    return [
        Outcome(
            "RECON",
            f"a pass over {orders} with nothing new, processor time",
            f"{ours['cpu_s'] * 1000:.0f} ms",
            f"diff of two dicts {peer['cpu_s'] * 1000:.0f} ms",
            ratio,
            f"<= {GOAL:.0f}x",
            ratio <= GOAL,
            note=f"{ours['statements']} statements; the peer reads four columns by the raw driver",
        ),
        Outcome(
            "RECON",
            f"cost of an order, {orders} against {before}",
            f"{each[1]:.1f} us",
            f"{each[0]:.1f} us",
            flat,
            f"<= {FLAT}x",
            flat <= FLAT,
        ),
        Outcome(
            "RECON",
            f"memory of a pass over {orders}",
            f"{large['peak_mb']:.1f} MB",
            goal=f"<= {MEMORY_MB:.0f} MB",
            met=large["peak_mb"] <= MEMORY_MB,
            note=f"{small['peak_mb']:.1f} MB over {before}; the broker in the process is not in it",
        ),
        Outcome(
            "RECON",
            f"a pass over {orders} with {moved} fills, {looked} in doubt, {told} foreign",
            f"{news['s']:.2f} s",
            goal="all settled or told",
            met=settled,
            note=f"{large['differs']} differences before, {large['left']} after: foreign orders "
            f"are told and stay; {news['statements']:,} statements, "
            f"{news['cpu_s']:.2f} s of processor time",
        ),
    ]


def _reconciled(orders: int) -> dict[str, Any]:
    return run_json("-m", "tests.bench.reconcile_process", orders)
