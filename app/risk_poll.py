"""Owns the round of the risk engine: each account is looked at often and stored when it changed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from weakref import WeakKeyDictionary

import structlog

from app.jobs import tenant_principals
from app.wiring import Product
from services.alerts.risk_watch import tell_risk
from services.kit.context import Context, Principal
from services.kit.db import Database
from services.kit.outbox import newest_seq
from services.ledger import portfolio
from services.market.live import LiveBook
from services.orders.risk_engine import evaluate_account, is_due
from services.trade.risk_store import list_risks

REST_S, QUIET_S = 5.0, 60.0
"""Accounts are looked at this often although nothing happened; when nothing is held or ordered."""
_log = structlog.get_logger("risk")


@dataclass(slots=True)
class _Look:
    """When a tenant was last looked at, and its newest message then: fills and orders leave one."""

    at: float
    mark: int
    rest_s: float


_looks: WeakKeyDictionary[Database, dict[Principal, _Look]] = WeakKeyDictionary()


def poll_risk(product: Product) -> int:
    """Evaluate the accounts of every tenant whose turn it is, and return 0 so that the loop rests.

    A fill, an order, and with a stream every second, brings the turn at once; else it comes every
    five seconds, and every minute where nothing is held. Nothing is written while nothing changed.
    """
    for who in tenant_principals(product):
        try:
            _look_at(product, who)
        except Exception:  # noqa: BLE001 - a worker loop; see architecture 4
            _log.exception("risk.tenant_failed", tenant=who.tenant_id)
    return 0


def _look_at(product: Product, who: Principal) -> None:
    looks = _looks.setdefault(product.runtime.database, {})
    now, mark = product.clock.monotonic(), product.runtime.read(who, newest_seq)
    last = looks.get(who)
    streamed = isinstance(product.runtime.ports.get(LiveBook), LiveBook)
    rest_s = last.rest_s if last is not None else 0.0
    if streamed and rest_s == REST_S:
        rest_s = 0.0
    if last is not None and last.mark == mark and now - last.at < rest_s:
        return
    for portfolio_id in product.runtime.read(who, _due):
        product.runtime.write(who, partial(_evaluate, portfolio_id=portfolio_id))
    looks[who] = _Look(now, mark, product.runtime.read(who, _rest_s))


def _evaluate(ctx: Context, portfolio_id: str) -> None:
    """Evaluate one account; alerts on its state see the change in the same unit of work."""
    if evaluate_account(ctx, portfolio_id):
        tell_risk(ctx)


def _rest_s(ctx: Context) -> float:
    """Return how long the accounts may rest: what holds nothing hardly changes by itself."""
    return REST_S if any(one.body.get("positions") for one in list_risks(ctx)) else QUIET_S


def _due(ctx: Context) -> list[str]:
    return [one.id for one in portfolio.list_portfolios(ctx) if is_due(ctx, one.id)]
