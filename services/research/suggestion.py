"""Owns the suggestion: stored advice read as levels that can be followed, or why they can not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from services.kit.clock import parse_instant
from services.market.session import find_last_session, next_session
from services.research.bracket import EntryKind, Side
from services.strategy.record import RecordKey, horizon_of

OWN_SESSIONS = 10
"""How long levels that a person drew are followed, in sessions after the one of the advice."""
LEAPS = "leaps"
"""Ideas held for months: followed, and kept out of the records of days."""
_BARS = {"5m": "1m", "15m": "1m", "60m": "5m"}
_OF_DAYS = "15m"


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """What was suggested, when, and what was stated about it.

    `entry` is the order's price, None at the market. `timeframe` is that of the bars it is
    followed on. `record_key`, `setup_key` and `score` are of a plan of ours; levels that a person
    drew have none.
    """

    ref: str
    kind: str
    symbol: str
    side: Side
    entry_kind: EntryKind
    entry: Decimal | None
    worst: Decimal
    stop: Decimal
    target: Decimal
    timeframe: str
    made_at: datetime
    entry_until: datetime
    ends_at: datetime
    invalid_at: Decimal | None = None
    record_key: str = ""
    setup_key: str = ""
    stated: Decimal | None = None
    tier: str = ""
    calibrator_hash: str = ""
    score: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NotFollowed:
    """Advice without levels to follow, and the reason in a person's words."""

    ref: str
    kind: str
    symbol: str
    side: Side
    made_at: datetime
    reason: str


def of_plan(document: Mapping[str, Any]) -> Suggestion:
    """Return the suggestion of a document `plan/v1`: its zone, its stop, its first target.

    A trigger stands at the near end of the zone, a limit at its worst end, as in labels.
    """
    entry, setup, timeframe = document["entry"], document["setup"], document["timeframe"]
    side: Side = document["side"]
    kind: EntryKind = entry["kind"]
    near = entry["lo"] if side == "long" else entry["hi"]
    price = {"market": None, "stop": near, "limit": entry["worst"]}[kind]
    closes = ("close_below", "close_above")
    invalid = next((one for one in document["invalidation"] if one["rule"] in closes), None)
    stated = document.get("confidence") or {}
    horizon = LEAPS if document["style"] == LEAPS else horizon_of(timeframe)
    key = RecordKey(setup["id"], int(setup["version"]), side, horizon)
    return Suggestion(
        ref=document["plan_id"],
        kind="plan",
        symbol=document["symbol"],
        side=side,
        entry_kind=kind,
        entry=None if price is None else Decimal(price),
        worst=Decimal(entry["worst"]),
        stop=Decimal(document["stop"]["price"]),
        target=Decimal(document["targets"][0]["price"]),
        timeframe=_BARS.get(timeframe, _OF_DAYS),
        made_at=parse_instant(document["as_of"]),
        entry_until=parse_instant(document["expires_at"]),
        ends_at=parse_instant(document["time_stop"]["value"]),
        invalid_at=None if invalid is None else Decimal(invalid["price"]),
        record_key=key.text,
        setup_key=setup["key"],
        stated=_optional(stated.get("value")),
        tier=stated.get("tier", ""),
        calibrator_hash=stated.get("calibrator_hash") or "",
        score=_optional(document["confluence"].get("score")),
    )


def of_advice(
    ref: str, kind: Literal["plan", "size"], document: Mapping[str, Any], *, at: datetime
) -> Suggestion | NotFollowed:
    """Return a person's own levels as a suggestion, or why they are not followed.

    `at` is the market's time of the advice. The entry waits, and the trade may take, ten sessions.
    """
    symbol, side = document["symbol"], document.get("side", "long")
    made = parse_instant(document["quote"]["ts"]) if "quote" in document else at
    targets = document.get("targets") or []
    reason = ""
    if kind == "size":
        reason = "a size names no target; the plan it belongs to is followed"
    elif document.get("errors"):
        reason = f"the check found {', '.join(document['errors'])}"
    elif not targets:
        reason = "the plan names no target"
    if reason:
        return NotFollowed(
            ref=ref, kind=f"own_{kind}", symbol=symbol, side=side, made_at=made, reason=reason
        )
    entry_kind: EntryKind = document.get("entry_kind", "limit")
    entry, ends = Decimal(document["entry"]), _sessions_after(made, OWN_SESSIONS)
    return Suggestion(
        ref=ref,
        kind="own_plan",
        symbol=symbol,
        side=side,
        entry_kind=entry_kind,
        entry=None if entry_kind == "market" else entry,
        worst=entry,
        stop=Decimal(document["stop"]),
        target=Decimal(targets[0]),
        timeframe=_OF_DAYS,
        made_at=made,
        entry_until=ends,
        ends_at=ends,
    )


def _sessions_after(moment: datetime, count: int, calendar: str = "XNYS") -> datetime:
    session = find_last_session(calendar, moment) or next_session(calendar, moment)
    for _ in range(count):
        session = next_session(calendar, session.close)
    return session.close


def _optional(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)
