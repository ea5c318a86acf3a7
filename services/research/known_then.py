"""Owns which record and curve spoke at a moment of the past: none that later outcomes made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from services.kit.context import Context
from services.strategy.documents import (
    CALIBRATOR,
    RECORD,
    Document,
    calibrator_from,
    list_documents,
    record_from,
    shipped_versions,
)
from services.strategy.record import Calibrator, RecordKey, SetupRecord

_STORED_MAX = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoken:
    """A record or a curve that was in force from `since` on, and before `until` if it ended."""

    since: datetime
    what: SetupRecord | Calibrator
    until: datetime | None = None

    def at(self, moment: datetime) -> bool:
        """Return whether it was in force at a moment."""
        return self.since <= moment and (self.until is None or moment < self.until)


@dataclass(frozen=True)
class KnownThen:
    """Every document with its time; of two in force the one that came later speaks."""

    rows: tuple[Spoken, ...] = ()

    @cached_property
    def _by_key(self) -> Mapping[tuple[type, str], list[Spoken]]:
        found: dict[tuple[type, str], list[Spoken]] = {}
        for one in sorted(self.rows, key=lambda row: (row.since, row.what.hash), reverse=True):
            found.setdefault((type(one.what), one.what.key.text), []).append(one)
        return found

    @property
    def hashes(self) -> tuple[str, ...]:
        """Return the hash of every document, ascending."""
        return tuple(sorted(dict.fromkeys(one.what.hash for one in self.rows)))

    def record(self, key: RecordKey, moment: datetime) -> SetupRecord | None:
        """Return the record in force at a moment, or None."""
        found = self._find(SetupRecord, key, moment)
        return found if isinstance(found, SetupRecord) else None

    def calibrator(self, key: RecordKey, moment: datetime) -> Calibrator | None:
        """Return the curve in force at a moment, accepted or not, or None."""
        found = self._find(Calibrator, key, moment)
        return found if isinstance(found, Calibrator) else None

    def _find(
        self, kind: type, key: RecordKey, moment: datetime
    ) -> SetupRecord | Calibrator | None:
        rows = self._by_key.get((kind, key.text), [])
        return next((one.what for one in rows if one.at(moment)), None)


NOTHING_KNOWN = KnownThen()


def known_then(ctx: Context) -> KnownThen:
    """Return the documents of a tenant with the times they were in force, and those that ship.

    A stored one speaks from its approval to its revocation. Each version that ships was made of
    the bundled history up to a day, and speaks of no bar before the end of that.
    """
    stored = [
        one for kind in (RECORD, CALIBRATOR) for one in list_documents(ctx, kind, limit=_STORED_MAX)
    ]
    return KnownThen((*_spoken(stored), *shipped_then().rows))


def shipped_then() -> KnownThen:
    """Return the documents that ship, each version in force after the history it was made of."""
    return KnownThen(
        tuple(
            Spoken(since=one.since, what=_read(kind, one.body))
            for (kind, _), versions in sorted(shipped_versions().items())
            for one in versions
        )
    )


def _spoken(stored: Iterable[Document]) -> Iterable[Spoken]:
    for one in stored:
        if one.approved_at is not None:
            what = _read(one.kind, one.body)
            yield Spoken(since=one.approved_at, until=one.revoked_at, what=what)


def _read(kind: str, body: Mapping[str, Any]) -> SetupRecord | Calibrator:
    return record_from(body) if kind == RECORD else calibrator_from(body)
