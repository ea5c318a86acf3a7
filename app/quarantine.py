"""Owns the quarantine of the order worker: a defect holds back its own order, nothing else."""

from __future__ import annotations

from collections.abc import Callable

import structlog

from services.orders.broker import Desk
from services.orders.isolate import isolated

_log = structlog.get_logger("orders")
_FIRST_WAIT_S, _WAIT_MAX_S = 0.5, 60.0
_HELD_MAX = 10_000
"""Orders held back at once; beyond it the list starts anew, which only costs extra tries."""


class Quarantine:
    """Runs work on orders; what fails by a defect waits 0.5 s, doubling up to a minute."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._held: dict[tuple[str, str], tuple[int, float]] = {}

    def __call__(self, desk: Desk, subject: str, act: Callable[[], int]) -> int | None:
        """Return the steps that `act` did, or None when it failed or is held back."""
        key = (desk.tenant_id, subject)
        failures, until = self._held.get(key, (0, 0.0))
        if until > self._monotonic():
            return None
        try:
            done = isolated(desk, subject, act)
        except Exception:  # noqa: BLE001 - a worker loop; see architecture 4
            wait_s = min(_WAIT_MAX_S, _FIRST_WAIT_S * 2 ** min(failures, 10))
            if len(self._held) >= _HELD_MAX:
                self._held.clear()
            self._held[key] = (failures + 1, self._monotonic() + wait_s)
            _log.exception(
                "order.quarantined",
                tenant=desk.tenant_id,
                order_id=subject,
                failures=failures + 1,
                wait_s=wait_s,
            )
            return None
        self._held.pop(key, None)
        return done

    @property
    def held(self) -> int:
        """Return how many orders and duties have failed and not yet succeeded."""
        return len(self._held)
