"""P13: from the confirm request to the paper fill on the event stream, on a real server."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from tests.bench.desk import DeskStream
from tests.bench.measure import Outcome, Size, percentile
from tests.journeys.serving import Person, serving, still_home

GOAL_MS = 50.0
MANY = {"RISK_MAX_TRADES_DAY": "1000000", "RISK_LOSS_STREAK": "1000000"}
"""A day of this measure has more trades, and each loses the spread."""


def measure(size: Size) -> list[Outcome]:
    """Confirm orders one after the other and watch the desk stream for each fill."""
    with tempfile.TemporaryDirectory() as folder:
        home = still_home(Path(folder) / "home")
        with serving(home, **MANY) as server:
            person = Person(server)
            desk = DeskStream(person)
            try:
                waits = [_one(person, desk, at) for at in range(size.warm + size.orders)]
            finally:
                desk.close()
                person.close()
    seen = [wait[0] for wait in waits[size.warm :]]
    answered = [wait[1] for wait in waits[size.warm :]]
    p99 = percentile(seen, 0.99)
    return [
        Outcome(
            "P13",
            f"confirm to fill on the stream, p99 of {len(seen)}",
            f"{p99:.1f} ms",
            goal=f"<= {GOAL_MS:.0f} ms",
            met=p99 <= GOAL_MS,
            note=f"p50 {percentile(seen, 0.5):.1f} ms, worst {max(seen):.1f} ms; the confirm "
            f"request itself p50 {percentile(answered, 0.5):.1f} ms, "
            f"p99 {percentile(answered, 0.99):.1f} ms; SQLite FULL",
        )
    ]


def _one(person: Person, desk: DeskStream, number: int) -> tuple[float, float]:
    """Buy or sell a quantity of its own; return ms to the fill seen and to the answer."""
    side = "sell" if number % 2 else "buy"
    wanted = {"symbol": "AAPL", "side": side, "quantity": str(1 + number // 2)}
    proposal = person.post("portfolio/trade", wanted)["result"]["proposal_id"]
    attempt = person.attempt(proposal)
    began = time.perf_counter()
    person.post(f"proposals/{proposal}/confirm", attempt)
    answered = time.perf_counter()
    return (desk.filled(proposal) - began) * 1000, (answered - began) * 1000
