"""Owns the border around the work on one order: what fails there stops nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import structlog

from services.kit.errors import Refusal
from services.orders.broker import BrokerUnreachable, Desk

_log = structlog.get_logger("orders")


class Isolate(Protocol):
    """Runs one piece of work of a desk; `subject` is an order id or the name of a duty."""

    def __call__(self, desk: Desk, subject: str, act: Callable[[], int]) -> int | None:
        """Return the steps that `act` did, or None when it failed or was held back."""
        ...


def isolated(desk: Desk, subject: str, act: Callable[[], int]) -> int | None:
    """Run `act`; a refusal or an unreachable broker is logged and left for the next round.

    Defects are raised: the worker loop's own border (`app/quarantine.py`) catches and logs them.
    """
    try:
        return act()
    except (Refusal, BrokerUnreachable) as error:
        _log.warning(
            "order.step_failed", tenant=desk.tenant_id, order_id=subject, error=str(error)[:300]
        )
        return None
