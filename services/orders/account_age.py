"""Owns how old our reading of an account outside may be: too old freezes it, a read thaws it.

Cash and positions are read together. Without them nobody knows what an order would meet there, so
after `OrderPolicy.account_stale_s` only cancels pass (`domain.md` 6.2).
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import bindparam, select, update

from services import audit
from services.kit.clock import instant_text
from services.kit.context import Context
from services.kit.outbox import put
from services.market.freeze import portfolio_scope
from services.orders import desk as desks
from services.orders.account_tables import account_reads
from services.orders.broker_routes import broker_name
from services.orders.freeze import end_freeze, find_standing, open_freeze

_READ = select(account_reads.c.read_at).where(account_reads.c.account_id == bindparam("of_account"))


def note_read(ctx: Context, account_id: str, portfolio_id: str) -> bool:
    """Remember that an account was just read completely; return True when that ended a freeze."""
    _remember(ctx, account_id, portfolio_id)
    standing = find_standing(ctx, portfolio_scope(portfolio_id), account_id)
    if standing is None:
        return False
    said = f"{account_id} was read again: its orders are no longer frozen."
    end_freeze(ctx, standing, "the account was read completely")
    body = {"level": "info", "message": said, "code": "ACCOUNT_READ", "subject": account_id}
    put(ctx, "alert", account_id, body, dedupe=f"unfreeze:{standing}")
    return True


def judge_age(ctx: Context, account_id: str, portfolio_id: str) -> str:
    """Freeze the orders of an account that was not read for too long, once; return why, or empty.

    The freeze tells itself as an alert. An account that was never read counts from its first
    question on. The guard `frozen` says the same by itself, also when nobody asks here.
    """
    if ctx.db.scalar(_READ, of_account=account_id) is None:
        _remember(ctx, account_id, portfolio_id)
    why = stale_reason(ctx, account_id)
    scope = portfolio_scope(portfolio_id)
    if not why or find_standing(ctx, scope, account_id) is not None:
        return why
    freeze_id = open_freeze(ctx, why, subject=account_id, scope=scope, ends_itself=True)
    body = {"level": "critical", "message": why, "code": "FROZEN", "subject": account_id}
    put(ctx, "alert", account_id, body, dedupe=f"freeze:{freeze_id}")
    return why


def stale_reason(ctx: Context, account_id: str) -> str:
    """Return why the orders of an account wait for a read of it; empty while they do not.

    The limit itself is still in time. Worked: read at 15:00:00 with a limit of 300 s, an order at
    15:05:00 passes and one a second later does not.
    """
    if broker_name(account_id) == "paper":
        return ""
    read_at: datetime | None = ctx.db.scalar(_READ, of_account=account_id)
    limit_s = ctx.policy.orders.account_stale_s
    if read_at is None or desks.peek_now(ctx) - read_at <= timedelta(seconds=limit_s):
        return ""
    return (
        f"cash and positions of {account_id} were last read at {instant_text(read_at)}, more than "
        f"{limit_s} s ago; orders wait until the broker answers"
    )


def _remember(ctx: Context, account_id: str, portfolio_id: str) -> None:
    hit = ctx.db.change(
        update(account_reads)
        .where(account_reads.c.account_id == account_id)
        .values(read_at=ctx.now)
    )
    if not hit:
        values = {"account_id": account_id, "portfolio_id": portfolio_id, "read_at": ctx.now}
        ctx.db.insert(account_reads, values)
        audit.record(ctx, "broker.read_first", account_id, portfolio=portfolio_id)
