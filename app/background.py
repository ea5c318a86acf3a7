"""Owns the loops beside the requests: woken by the bus, bounded by a period, never silent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

import structlog

from agent.loop import recover
from agent.relay import deliver
from app.alert_poll import poll_alerts
from app.alert_trades import tell_touched
from app.backtests import run_asked
from app.broker_duty import tend_broker
from app.jobs import end_left_runs, run_due_jobs, tenant_principals
from app.risk_poll import poll_risk
from app.wiring import Product
from services.kit.context import Context
from services.ledger import coverage, portfolio, split, valuation
from services.market import failover, replay
from services.market.failover import FailoverFeed
from services.market.quality_watch import watch_frozen
from services.market.replay import ReplayFeed
from services.orders import execute, proposal, reconcile
from services.task_run import LEASE

_log = structlog.get_logger()
_REST_S = 0.5
"""Pause after a failed round, so that a lasting fault does not spin."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loop:
    """One repeated duty: `round` runs in a worker thread and returns how much it did."""

    name: str
    round: Callable[[Product], int]
    every_s: float
    topic: str = ""
    setting: str = ""

    def period_s(self, product: Product) -> float:
        """Return the seconds between rounds: those of the named setting, else the loop's own."""
        return float(getattr(product.settings, self.setting)) if self.setting else self.every_s


LOOPS = (
    Loop(
        name="executor",
        round=lambda product: execute.work_once(product.runtime, product.quarantine),
        every_s=0.25,
        topic="orders",
    ),
    Loop(
        name="relay",
        round=lambda product: each_tenant(product, deliver),
        every_s=1.0,
        topic="outbox",
    ),
    Loop(
        name="in_doubt",
        round=lambda product: reconcile.resolve_in_doubt(product.runtime, product.quarantine),
        every_s=2.0,
    ),
    Loop(
        name="expiry", round=lambda product: each_tenant(product, proposal.expire_due), every_s=2.0
    ),
    Loop(name="valuation", round=lambda product: each_tenant(product, _value_all), every_s=5.0),
    Loop(name="quality", round=lambda product: each_tenant(product, _watch_data), every_s=10.0),
    Loop(
        name="splits",
        round=lambda product: each_tenant(product, lambda ctx: len(split.apply_due_splits(ctx))),
        every_s=10.0,
    ),
    Loop(
        name="providers",
        round=lambda product: record_failovers(product),  # noqa: PLW0108 - made later
        every_s=1.0,
    ),
    Loop(name="alerts", round=poll_alerts, every_s=2.0, topic="alerts", setting="alert_poll_sec"),
    Loop(name="broker", round=tend_broker, every_s=30.0),
    Loop(name="fast_alerts", round=tell_touched, every_s=0.5),
    Loop(name="risk", round=poll_risk, every_s=1.0),
    Loop(name="backtests", round=run_asked, every_s=2.0, topic="backtests"),
    Loop(name="jobs", round=lambda product: _run_jobs(product), every_s=5.0),  # noqa: PLW0108 - made later
)
"""Every duty of the `worker` role. A lost wake-up costs at most the period."""


@asynccontextmanager
async def start_loops(product: Product, loops: tuple[Loop, ...] = LOOPS) -> AsyncIterator[None]:
    """Reconcile first, then run every loop until the block ends; no transaction is torn."""
    await product.runtime.in_thread(lambda: boot(product))
    tasks = [asyncio.create_task(_run(product, loop), name=f"loop:{loop.name}") for loop in loops]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def boot(product: Product) -> None:
    """Take up what the last process left: the replay clock, and orders that were in flight.

    A desk that can not be reconciled, or whose audit chain was cut, starts unready: it reads and
    cancels, and sends nothing.
    """
    if isinstance(product.feed, ReplayFeed):
        each_tenant(product, resume_clock)
    each_tenant(product, end_dead_runs)
    end_dead_jobs(product)
    each_tenant(product, verify_record)
    report = reconcile.at_boot(product.runtime, product.quarantine)
    for tenant, reason in report.unready.items():
        _log.error("execution.unready", tenant=tenant, reason=reason)


def verify_record(ctx: Context) -> int:
    """Mark a tenant unready whose audit chain does not verify to its end; return 1 then."""
    broken = reconcile.broken_record(ctx)
    if broken:
        reconcile.mark_unready(ctx, broken)
    return int(bool(broken))


def end_dead_runs(ctx: Context) -> int:
    """End the coach's runs that a dead process left behind."""
    return len(recover(ctx))


def end_dead_jobs(product: Product) -> int:
    """End the runs of jobs that a dead process left: all of them where only one process runs jobs.

    On a shared database another process may be at work, so there only what outlived its lease.
    """
    if not product.settings.jobs_embedded:
        return 0
    alone = product.settings.runtime_database_url.startswith("sqlite")
    age = timedelta() if alone else LEASE
    who = tenant_principals(product)
    return sum(end_left_runs(product, one, older_than=age) for one in who)


def resume_clock(ctx: Context) -> int:
    """Let a tenant's replay clock go on from where it was left."""
    replay.resume_at_boot(ctx)
    return 0


def _value_all(ctx: Context) -> int:
    for mine in portfolio.list_portfolios(ctx):
        valuation.record(ctx, mine.id)
    return 0


def _watch_data(ctx: Context) -> int:
    watch_frozen(ctx)
    for mine in portfolio.list_portfolios(ctx):
        coverage.check_coverage(ctx, mine.id)
    return 0


def _run_jobs(product: Product) -> int:
    """Run what is due, then rest: a fast replay has a new tick at any time."""
    run_due_jobs(product)
    return 0


async def _run(product: Product, loop: Loop) -> None:
    async with AsyncExitStack() as stack:
        wakes = (
            await stack.enter_async_context(product.bus.subscribe(loop.topic))
            if loop.topic
            else None
        )
        while True:
            try:
                with product.metrics.loop_s.labels(loop.name).time():
                    done = await product.runtime.in_thread(lambda: loop.round(product))
                product.metrics.loops.labels(loop.name, "ok").inc()
            except Exception:  # noqa: BLE001 - a worker loop; see architecture 4
                _log.exception("loop.failed", loop=loop.name)
                product.metrics.loops.labels(loop.name, "failed").inc()
                await asyncio.sleep(_REST_S)
                done = 0
            if done:
                continue
            if wakes is None:
                await asyncio.sleep(loop.period_s(product))
            else:
                await wakes.next(loop.period_s(product))


def record_failovers(product: Product) -> int:
    """Write each change between the first and the second provider into every tenant's record."""
    if not isinstance(product.feed, FailoverFeed):
        return 0
    changes = product.feed.changes.take()
    for change in changes:
        each_tenant(product, partial(failover.record_change, change=change))
    return 0


def each_tenant(product: Product, act: Callable[[Context], int]) -> int:
    """Run `act` in a writing transaction per tenant; a failing one does not stop the others."""
    total = 0
    for principal in tenant_principals(product):
        try:
            total += product.runtime.write(principal, act)
        except Exception:  # noqa: BLE001 - a worker loop; see architecture 4
            _log.exception("loop.tenant_failed", tenant=principal.tenant_id)
    return total
