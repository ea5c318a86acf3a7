"""Every call to the broker leaves its duration in the log."""

from __future__ import annotations

from structlog.testing import capture_logs

from services.orders import execute


def test_calls_to_the_broker_are_timed_in_the_log(desk, runtime):
    made = desk.propose()
    desk.confirm(made.id)
    with capture_logs() as logs:
        execute.work_once(runtime)
    calls = [line for line in logs if line["event"] == "broker.called"]
    assert [line["operation"] for line in calls] == ["submit"]
    assert isinstance(calls[0]["latency_ms"], int)
