"""KPI: the service gates that never fail: plan, quote, share of errors, over HTTP."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from tests.bench.measure import Outcome, Size, percentile
from tests.journeys.serving import Person, serving, still_home

PLAN_MS, QUOTE_MS, ERRORS = 800.0, 1500.0, 0.01


def measure(size: Size) -> list[Outcome]:
    """Ask for quotes and plans and count what did not answer."""
    with tempfile.TemporaryDirectory() as folder:
        home = still_home(Path(folder) / "home")
        with serving(home) as server:
            person = Person(server)
            price = person.post("tools/quote", {"args": {"symbols": ["AAPL"]}})["result"]
            last = float(_last(price))
            plan = {
                "symbol": "AAPL",
                "side": "long",
                "entry": f"{last:.2f}",
                "stop": f"{last * 0.97:.2f}",
                "targets": [f"{last * 1.06:.2f}"],
            }
            quotes, bad = _timed(person, "quote", {"symbols": ["AAPL", "MSFT"]}, size.calls)
            plans, worse = _timed(person, "plan_check", plan, size.calls)
            person.close()
    share = (bad + worse) / (2 * size.calls)
    plan_max, quote_p95 = max(plans), percentile(quotes, 0.95)
    return [
        _gate("plan_check, worst", plan_max, PLAN_MS),
        _gate("quote, p95", quote_p95, QUOTE_MS),
        Outcome(
            "KPI",
            f"API errors in {2 * size.calls} calls",
            f"{share:.2%}",
            goal=f"< {ERRORS:.0%}",
            met=share < ERRORS,
        ),
    ]


def _last(result: dict) -> str:
    """Return the last price wherever the quote tool puts it."""
    for value in result.values():
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, dict) and item.get("last"):
                return item["last"]
    raise RuntimeError(f"no last price in {result}")


def _timed(person: Person, tool: str, args: dict, calls: int) -> tuple[list[float], int]:
    waits, bad = [], 0
    for _ in range(calls):
        began = time.perf_counter()
        answer = person.send(f"tools/{tool}", {"args": args})
        waits.append((time.perf_counter() - began) * 1000)
        bad += answer.status_code >= 400
    return waits, bad


def _gate(metric: str, ms: float, limit: float) -> Outcome:
    return Outcome("KPI", metric, f"{ms:.1f} ms", goal=f"< {limit:.0f} ms", met=ms < limit)
