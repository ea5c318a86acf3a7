"""Owns running asked backtests: one after the other, outside every transaction, told as it goes."""

from __future__ import annotations

import structlog

from app.wiring import Product
from services.identity.user import NOBODY, tenant_ids
from services.kit.context import Context, Principal, system_principal
from services.kit.errors import Refusal
from services.research import backtests
from services.research.dry_run import dry_run
from services.research.engine import Extras
from services.research.known_then import known_then
from services.research.report import Report

_log = structlog.get_logger("backtests")


def run_asked(product: Product) -> int:
    """Run the oldest asked backtest of each tenant; return how many ran."""
    runtime = product.runtime
    with runtime.database.read(None) as db:
        tenants = list(tenant_ids(runtime.context(db, NOBODY)))
    return sum(_run_next(product, system_principal(tenant)) for tenant in tenants)


def _run_next(product: Product, who: Principal) -> int:
    waiting = product.runtime.read(who, backtests.is_due)
    taken = product.runtime.write(who, backtests.take) if waiting else None
    if taken is None:
        return 0
    try:
        report = _run(product, who, taken)
    except Refusal as refusal:
        reason = f"{refusal.message} ({refusal.code})"
        product.runtime.write(who, lambda ctx: backtests.fail(ctx, taken.id, reason))
        return 1
    except Exception as error:  # noqa: BLE001 - a worker loop; see architecture 4
        _log.exception("backtest.failed", backtest=taken.id, tenant=who.tenant_id)
        reason = f"defect: {type(error).__name__}"
        product.runtime.write(who, lambda ctx: backtests.fail(ctx, taken.id, reason))
        return 1
    product.runtime.write(who, lambda ctx: backtests.finish(ctx, taken.id, report))
    return 1


def _run(product: Product, who: Principal, taken: backtests.Backtest) -> Report:
    runtime = product.runtime
    config, bars = runtime.read(who, lambda ctx: backtests.gather(ctx, taken))

    def told(done: int, _total: int, _symbol: str) -> None:
        runtime.write(who, lambda ctx: _note(ctx, taken.id, done))

    policy = runtime.read(who, lambda ctx: ctx.policy)
    known = runtime.read(who, known_then)
    return dry_run(config, bars, extras=Extras(policy=policy, progress=told, known=known))


def _note(ctx: Context, backtest_id: str, done: int) -> None:
    backtests.note_progress(ctx, backtest_id, done)
