"""KPI: the service gates that never fail: plan, quote, alert, share of errors, over HTTP."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from tests.bench.measure import Outcome, Size, percentile
from tests.journeys.serving import Person, serving, still_home

PLAN_MS, QUOTE_MS, ALERT_MS, ERRORS = 800.0, 1500.0, 3000.0, 0.01
_ALERTS_MAX, _GIVE_UP_S = 40, 15.0


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
            alerts = [_alerted(person) for _ in range(min(size.calls, _ALERTS_MAX))]
            person.close()
    share = (bad + worse) / (2 * size.calls)
    plan_max, quote_p95 = max(plans), percentile(quotes, 0.95)
    return [
        _gate("plan_check, worst", plan_max, PLAN_MS),
        _gate("quote, p95", quote_p95, QUOTE_MS),
        _gate("alert, its bar to the feed, p95", percentile(alerts, 0.95), ALERT_MS),
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


def _alerted(person: Person) -> float:
    """Return the milliseconds from the end of the bar that fires an alert until it is told."""
    price = person.get("symbols/AAPL/price")["last"]
    before = person.get("notifications?limit=1")["cursor"]
    below = {"symbol": "AAPL", "kind": "price_above", "mode": "level", "level": _under(price)}
    made = person.post("alerts", below)
    person.post("market/replay", {"action": "step", "seconds": 120})
    began = time.perf_counter()
    while not _told(person, before):
        if time.perf_counter() - began > _GIVE_UP_S:
            raise RuntimeError(f"no alert was told for {made}")
        time.sleep(0.005)
    waited = (time.perf_counter() - began) * 1000
    person.client.delete(f"/api/v1/alerts/{made['id']}")
    return waited


def _told(person: Person, before: int) -> bool:
    items = person.get(f"notifications?after={before}")["items"]
    return any(one["code"] == "ALERT_FIRED" for one in items)


def _under(price: str) -> str:
    return f"{float(price) * 0.97:.2f}"


def _gate(metric: str, ms: float, limit: float) -> Outcome:
    return Outcome("KPI", metric, f"{ms:.1f} ms", goal=f"< {limit:.0f} ms", met=ms < limit)
