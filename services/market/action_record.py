"""Owns recorded corporate actions: splits as providers and persons say them, and what counts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, select

from services import audit
from services.kit.context import Actor, Context
from services.kit.errors import Refusal, refuse
from services.market.as_of import market_now
from services.market.feed import Feed, Split
from services.market.instrument import Instrument
from services.market.round import market_round
from services.market.session import session_on
from services.market.store_tables import corporate_actions

RATIO_MAX = 10_000
_AHEAD = timedelta(days=366)


@dataclass(frozen=True, slots=True, kw_only=True)
class CorporateAction:
    """One thing said about a listing: `ratio_to` new units for `ratio_from` old ones.

    It counts from the open of `ex_date`. The newest record of a day is what counts; 1 for 1 says
    that there was none. `source` is a provider's name, or `person`.
    """

    id: str
    instrument_id: str
    kind: str
    ex_date: date
    effective_at: datetime
    ratio_from: int
    ratio_to: int
    source: str
    note: str
    known_at: datetime
    recorded_by: str


_OF = (
    select(corporate_actions)
    .where(
        corporate_actions.c.instrument_id == bindparam("listing"),
        corporate_actions.c.round == bindparam("turn"),
        corporate_actions.c.known_at <= bindparam("until"),
    )
    .order_by(corporate_actions.c.seq)
)


def list_actions(ctx: Context, instrument_id: str) -> list[CorporateAction]:
    """Return everything recorded about a listing by now, in the order in which it was said."""
    rows = ctx.db.rows(_OF, listing=instrument_id, turn=market_round(ctx), until=market_now(ctx))
    return [_action(row) for row in rows]


def recorded_splits(
    ctx: Context, instrument_id: str, after: datetime, until: datetime
) -> list[Split]:
    """Return the recorded splits with `after < effective_at <= until`, ascending."""
    said = {one.ex_date: one for one in list_actions(ctx, instrument_id)}
    return _in_span(said.values(), after, until)


def known_splits(ctx: Context, instrument_id: str, after: datetime, until: datetime) -> list[Split]:
    """Return the splits with `after < effective_at <= until`: the feed's, and those on record.

    Of a day that something is recorded about, the newest record counts and not the feed.
    Raises what the feed raises.
    """
    said = {one.ex_date: one for one in list_actions(ctx, instrument_id)}
    asked = ctx.port(Feed).splits(ctx, instrument_id, after, until)
    found = [one for one in asked if one.ex_date not in said]
    return sorted([*found, *_in_span(said.values(), after, until)], key=lambda one: one.ex_date)


def record_split(ctx: Context, instrument: Instrument, split: Split, source: str) -> bool:
    """Keep a split as a provider says it; return False when it has said exactly this before."""
    known = list_actions(ctx, instrument.id)
    terms = (source, split.ex_date, split.ratio_from, split.ratio_to)
    if any((one.source, one.ex_date, one.ratio_from, one.ratio_to) == terms for one in known):
        return False
    _append(ctx, instrument, split, source=source, note="", who=source)
    return True


def record_by_person(
    ctx: Context, instrument: Instrument, ex_date: date, ratio: tuple[int, int], note: str
) -> CorporateAction:
    """Record a split that a person knows of, `ratio` being old and new units; audited.

    From its open on it explains prices, and holdings are split once by it. 1 for 1 withdraws what
    was said of that day, not what it did to the book. Raises `SCOPE_MISSING` without an
    administrator, and `PARAM_INVALID` for a day without a session or a ratio out of range.
    """
    who = ctx.principal
    if who.actor is not Actor.PERSON or "admin" not in who.scopes:
        raise refuse("SCOPE_MISSING", scope="admin")
    split = _require_split(ctx, instrument, ex_date, ratio)
    made = _append(ctx, instrument, split, source="person", note=note, who=who.user_id)
    audit.record(
        ctx,
        "data.action_recorded",
        instrument.id,
        action=made.id,
        ex_date=ex_date.isoformat(),
        ratio=f"{ratio[0]}:{ratio[1]}",
        note=note,
    )
    return made


def _require_split(
    ctx: Context, instrument: Instrument, ex_date: date, ratio: tuple[int, int]
) -> Split:
    for name, units in zip(("ratio_from", "ratio_to"), ratio, strict=True):
        if not 1 <= units <= RATIO_MAX:
            raise _wrong(name, units, f"must be a whole number from 1 to {RATIO_MAX}")
    if ex_date > (market_now(ctx) + _AHEAD).date():
        raise _wrong("ex_date", ex_date.isoformat(), "must not lie more than a year ahead")
    session = session_on(instrument.calendar, ex_date)
    if session is None:
        rule = f"must be a day on which {instrument.calendar} trades"
        raise _wrong("ex_date", ex_date.isoformat(), rule)
    return Split(ex_date, session.open, *ratio)


def _wrong(name: str, value: object, rule: str) -> Refusal:
    return refuse("PARAM_INVALID", field=name, name=name, value=value, rule=rule)


def _append(
    ctx: Context, instrument: Instrument, split: Split, *, source: str, note: str, who: str
) -> CorporateAction:
    ctx.db.lock(f"corporate_actions:{instrument.id}")
    known = list_actions(ctx, instrument.id)
    values = {
        "id": ctx.ids.new("split"),
        "instrument_id": instrument.id,
        "kind": "split",
        "ex_date": split.ex_date.isoformat(),
        "effective_at": split.effective_at,
        "ratio_from": split.ratio_from,
        "ratio_to": split.ratio_to,
        "source": source,
        "note": note,
        "round": market_round(ctx),
        "seq": len(known) + 1,
        "known_at": market_now(ctx),
        "recorded_at": ctx.now,
        "recorded_by": who,
    }
    ctx.db.insert(corporate_actions, values)
    return list_actions(ctx, instrument.id)[-1]


def _in_span(said: Iterable[CorporateAction], after: datetime, until: datetime) -> list[Split]:
    found = [
        Split(one.ex_date, one.effective_at, one.ratio_from, one.ratio_to)
        for one in said
        if after < one.effective_at <= until and one.ratio_from != one.ratio_to
    ]
    return sorted(found, key=lambda one: one.ex_date)


def _action(row: Any) -> CorporateAction:
    return CorporateAction(
        id=row.id,
        instrument_id=row.instrument_id,
        kind=row.kind,
        ex_date=date.fromisoformat(row.ex_date),
        effective_at=row.effective_at,
        ratio_from=row.ratio_from,
        ratio_to=row.ratio_to,
        source=row.source,
        note=row.note,
        known_at=row.known_at,
        recorded_by=row.recorded_by,
    )
