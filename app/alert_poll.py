"""Owns the round of the alert poller: what is due, symbol by symbol, in one process at a time."""

from __future__ import annotations

import os
import platform
from functools import partial

import structlog

from app.jobs import tenant_principals
from app.wiring import Product
from services.alerts import watch
from services.kit.context import Context, Principal
from services.kit.lease import take

LEASE = "alerts"
_TERMS = 4
"""Periods that a lease lasts; a poller that died is replaced after them."""
_log = structlog.get_logger("alerts")


def poll_alerts(product: Product) -> int:
    """Evaluate every tenant's due alerts and return 0, so that the loop rests for its period.

    Each symbol is a unit of work of its own, so a provider that is slow or bad for one, or a
    defect that one runs into, does not keep back the others. Without anything due nothing is
    written.
    """
    for who in tenant_principals(product):
        try:
            due = _work_of(product, who)
        except Exception:  # noqa: BLE001 - a worker loop; see architecture 4
            _log.exception("alerts.tenant_failed", tenant=who.tenant_id)
            continue
        for work in due:
            _evaluate(product, who, work)
    return 0


def _evaluate(product: Product, who: Principal, work: watch.Work) -> None:
    try:
        product.runtime.write(who, partial(watch.evaluate, work=work))
    except Exception:  # noqa: BLE001 - a worker loop; see architecture 4
        _log.exception("alerts.symbol_failed", tenant=who.tenant_id, symbol=work.symbol)


def _work_of(product: Product, who: Principal) -> list[watch.Work]:
    """Return what is due, and nothing while another process holds the lease."""
    due = product.runtime.read(who, watch.due)
    lasts_s = float(_TERMS * product.settings.alert_poll_sec)
    holder = f"{platform.node()}:{os.getpid()}"

    def claim(ctx: Context) -> bool:
        return take(ctx, LEASE, holder, lasts_s)

    if not due:
        return []
    mine = product.runtime.write(who, claim)
    return due if mine else []
