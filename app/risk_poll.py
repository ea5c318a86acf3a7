"""Owns the round of the risk engine: each account is looked at often and stored when it changed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from weakref import WeakKeyDictionary

import structlog
from sqlalchemy import select

from app.jobs import tenant_principals
from app.wiring import Product
from services.alerts.risk_watch import tell_risk
from services.kit.context import Context, Principal
from services.kit.db import Database
from services.kit.outbox import outbox_rows
from services.ledger import portfolio
from services.market.live import LiveBook
from services.orders.risk_engine import evaluate_account, is_due

REST_S = 5.0
"""An account is looked at this often although nothing seems to have happened."""
_log = structlog.get_logger("risk")


@dataclass(slots=True)
class _Look:
    """When a tenant was last looked at, and the newest of its messages then."""

    at: float
    mark: int


_looks: WeakKeyDictionary[Database, dict[Principal, _Look]] = WeakKeyDictionary()


def poll_risk(product: Product) -> int:
    """Evaluate the accounts of every tenant whose turn it is, and return 0 so that the loop rests.

    A fill, an order, and with a stream every second, brings the turn at once; else it comes every
    five seconds. Nothing is written while nothing has changed.
    """
    for who in tenant_principals(product):
        try:
            _look_at(product, who)
        except Exception:  # noqa: BLE001 - a worker loop; see architecture 4
            _log.exception("risk.tenant_failed", tenant=who.tenant_id)
    return 0


def _look_at(product: Product, who: Principal) -> None:
    looks = _looks.setdefault(product.runtime.database, {})
    now, mark = product.clock.monotonic(), product.runtime.read(who, _mark_of)
    last = looks.get(who)
    streamed = isinstance(product.runtime.ports.get(LiveBook), LiveBook)
    if last is not None and not streamed and last.mark == mark and now - last.at < REST_S:
        return
    looks[who] = _Look(now, mark)
    for portfolio_id in product.runtime.read(who, _due):
        product.runtime.write(who, partial(_evaluate, portfolio_id=portfolio_id))


def _evaluate(ctx: Context, portfolio_id: str) -> None:
    """Evaluate one account; alerts on its state see the change in the same unit of work."""
    if evaluate_account(ctx, portfolio_id):
        tell_risk(ctx)


def _mark_of(ctx: Context) -> int:
    """Return the newest message of the tenant: every fill and every order leaves one."""
    newest = select(outbox_rows.c.seq).order_by(outbox_rows.c.seq.desc()).limit(1)
    return int(ctx.db.scalar(newest) or 0)


def _due(ctx: Context) -> list[str]:
    return [one.id for one in portfolio.list_portfolios(ctx) if is_due(ctx, one.id)]
