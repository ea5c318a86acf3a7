"""Owns the replay clock: one row per tenant that says where the replayed market stands.

The clock runs while the server runs. After a stop it goes on from the last moment that a committed
unit of work saw, so no market time is lost and nothing recorded lies in its future.
"""

from __future__ import annotations

import threading
from bisect import bisect_right
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache
from itertools import accumulate
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import Engine, select, update
from sqlalchemy.engine import Row

from services import audit
from services.kit.context import Context
from services.kit.db import Db
from services.kit.errors import check, refuse
from services.market.history.bundle import last_day
from services.market.session import Session, sessions_between
from services.market.tables import replay_clock

CALENDAR = "XNYS"
FIRST_DAY = date(2012, 1, 1)
STEP_SECONDS_MAX = 117_000
"""One step is at most five sessions."""
SPEED_MAX = 3600
_SECOND = 1_000_000
_LEAD_US = 60 * _SECOND
"""The clock starts at the second minute of its first session."""

_guard = threading.Lock()
_units: WeakKeyDictionary[Db, tuple[Row[Any] | None, int]] = WeakKeyDictionary()
_highest: WeakKeyDictionary[Engine, dict[str, tuple[int, int]]] = WeakKeyDictionary()


@dataclass(frozen=True, slots=True)
class ReplayClockState:
    """Where the replayed market stands.

    `speed` is market seconds per second; `round` counts how often the data have begun again;
    `position_us` is the market time travelled so far, which never falls.
    """

    as_of: datetime
    paused: bool
    speed: int
    session: Session
    round: int
    position_us: int


@cache
def _timeline() -> tuple[tuple[Session, ...], tuple[int, ...]]:
    """Return the replayed sessions and the microseconds of regular session before each, and all."""
    sessions = tuple(sessions_between(CALENDAR, FIRST_DAY, last_day()))
    lengths = ((one.close - one.open) // timedelta(microseconds=1) for one in sessions)
    return sessions, tuple(accumulate(lengths, initial=0))


def locate(position_us: int) -> tuple[datetime, Session, int]:
    """Return market time, session and round of a position; pure.

    A close is the next open. Worked: 0 is 2012-01-03 14:31Z; 389 minutes on is 2012-01-04 14:30Z.
    """
    check(position_us >= 0, "a position is not negative", position_us=position_us)
    sessions, sums = _timeline()
    turn, rest = divmod(position_us, sums[-1] - _LEAD_US)
    at = bisect_right(sums, rest + _LEAD_US) - 1
    moment = sessions[at].open + timedelta(microseconds=rest + _LEAD_US - sums[at])
    return moment, sessions[at], turn


def clock(ctx: Context) -> ReplayClockState:
    """Return the state of the tenant's clock; needs no writing transaction.

    The same within one unit of work. In a writing unit the reading is kept in the row, and a
    missing row is made. Without a row a reader sees the start, standing.
    """
    row, position = _read(ctx)
    as_of, session, turn = locate(position)
    if row is None:
        return ReplayClockState(as_of, False, ctx.settings.replay_speed, session, turn, position)
    return ReplayClockState(as_of, bool(row.paused), row.speed, session, turn, position)


def _read(ctx: Context) -> tuple[Row[Any] | None, int]:
    known = _units.get(ctx.db)
    if known is not None:
        return known
    row, writing = _find_row(ctx), _is_writing(ctx)
    if row is None and writing:
        _open_clock(ctx)
        row = _find_row(ctx)
    position = 0
    if row is not None:
        position = _not_below_highest(ctx, row, _computed(ctx, row))
        if writing:
            _keep(ctx, row, position)
            ctx.db.after_commit(lambda: _show(ctx, row, position))
        else:
            _show(ctx, row, position)
    _units[ctx.db] = (row, position)
    return row, position


def _find_row(ctx: Context) -> Row[Any] | None:
    return ctx.db.row(select(replay_clock).order_by(replay_clock.c.id).limit(1))


def _is_writing(ctx: Context) -> bool:
    return bool(ctx.db.connection.get_execution_options().get("cornerman_write", False))


def _open_clock(ctx: Context) -> None:
    ctx.db.lock(f"replay_clock:{ctx.principal.tenant_id}")
    if _find_row(ctx) is None:
        ctx.db.insert(
            replay_clock,
            {
                "id": ctx.ids.new("clk"),
                "version": 1,
                "position_us": 0,
                "wall_at": ctx.now,
                "speed": ctx.settings.replay_speed,
                "paused": 0,
                "seen_us": 0,
            },
        )


def _computed(ctx: Context, row: Row[Any]) -> int:
    """Return the position by the wall clock, never below what a committed unit saw."""
    run_us = 0 if row.paused else max(0, _elapsed_us(ctx, row)) * int(row.speed)
    return max(int(row.position_us) + run_us, int(row.seen_us))


def _elapsed_us(ctx: Context, row: Row[Any]) -> int:
    return int((ctx.now - row.wall_at) // timedelta(microseconds=1))


def _not_below_highest(ctx: Context, row: Row[Any], position: int) -> int:
    """Return `position`, or the highest that this process has shown of the row's version."""
    with _guard:
        shown = _highest.get(ctx.db.connection.engine, {})
        version, highest = shown.get(row.id, (0, 0))
        return max(position, highest) if version == row.version else position


def _show(ctx: Context, row: Row[Any], position: int) -> None:
    with _guard:
        shown = _highest.setdefault(ctx.db.connection.engine, {})
        version, highest = shown.get(row.id, (0, 0))
        if (version, highest) < (row.version, position):
            shown[row.id] = (row.version, position)


def _keep(ctx: Context, row: Row[Any], position: int) -> None:
    """Keep the reading in the row; a row that another writer holds is left to that writer.

    When the wall clock has jumped back, the clock goes on from here instead of standing still.
    """
    jumped_back = not row.paused and _elapsed_us(ctx, row) < 0
    if position <= row.seen_us and not jumped_back:
        return
    mine = (replay_clock.c.id == row.id, replay_clock.c.version == row.version)
    held = select(replay_clock.c.id).where(*mine).with_for_update(skip_locked=True)
    if ctx.db.row(held) is None:
        return
    values: dict[str, Any] = {"seen_us": position}
    if jumped_back:
        values |= {"position_us": position, "wall_at": ctx.now, "version": row.version + 1}
    ctx.db.change(update(replay_clock).where(*mine).values(**values))


def _set(
    ctx: Context,
    event: str,
    *,
    add_us: int = 0,
    speed: int | None = None,
    paused: bool | None = None,
) -> ReplayClockState:
    """Anchor the clock anew at its present position, with changes; audited as `event`."""
    ctx.db.lock(f"replay_clock:{ctx.principal.tenant_id}")
    _units.pop(ctx.db, None)
    row, position = _read(ctx)
    check(row is not None, "a writing unit of work has a clock")
    now_at = position + add_us
    values: dict[str, Any] = {
        "position_us": now_at,
        "seen_us": now_at,
        "wall_at": ctx.now,
        "version": replay_clock.c.version + 1,
    }
    if speed is not None:
        values["speed"] = speed
    if paused is not None:
        values["paused"] = int(paused)
    ctx.db.change(update(replay_clock).values(**values))
    _units.pop(ctx.db, None)
    state = clock(ctx)
    audit.record(
        ctx,
        event,
        "replay_clock",
        before=locate(position)[0],
        as_of=state.as_of,
        speed=state.speed,
        paused=state.paused,
        round=state.round,
    )
    return state


def pause(ctx: Context) -> ReplayClockState:
    """Stop the replayed market where it stands; a writing unit of work."""
    return _set(ctx, "replay.paused", paused=True)


def resume(ctx: Context) -> ReplayClockState:
    """Let the replayed market run on from where it stands."""
    return _set(ctx, "replay.resumed", paused=False)


def step(ctx: Context, seconds: int) -> ReplayClockState:
    """Move the market on by whole `seconds` of regular session, running or paused.

    Raises `PARAM_INVALID` outside 1..117000 (five sessions).
    """
    _require(seconds, "seconds", STEP_SECONDS_MAX)
    return _set(ctx, "replay.stepped", add_us=seconds * _SECOND)


def set_speed(ctx: Context, speed: int) -> ReplayClockState:
    """Run at `speed` market seconds per second from now on.

    Raises `PARAM_INVALID` outside 1..3600.
    """
    _require(speed, "speed", SPEED_MAX)
    return _set(ctx, "replay.speed_set", speed=speed)


def resume_at_boot(ctx: Context) -> ReplayClockState:
    """Go on from the last moment that a committed unit of work saw; called once at start-up.

    The time between stop and start does not pass in the market. Makes the clock at first use.
    """
    row = _find_row(ctx)
    if row is not None:
        left_at = max(int(row.seen_us), int(row.position_us))
        ctx.db.change(
            update(replay_clock).values(
                position_us=left_at, seen_us=left_at, wall_at=ctx.now, version=row.version + 1
            )
        )
        _units.pop(ctx.db, None)
    return _set(ctx, "replay.booted")


def _require(value: int, name: str, limit: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= limit:
        raise refuse(
            "PARAM_INVALID",
            field=name,
            name=name,
            value=ascii(value)[:40],
            rule=f"must be a whole number from 1 to {limit}",
        )
