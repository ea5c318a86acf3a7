"""Owns what is done between units of work: a unit that lacks an answer is begun again.

An answer of the network is fetched outside of any transaction; what takes long to read and to work
out is read in a transaction of its own before the writing one, so that no writer waits for it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

from services.kit.clock import Clock
from services.kit.context import Context, Principal
from services.kit.db import Db
from services.kit.errors import InvariantBroken, Refusal
from services.kit.work import Runtime

T = TypeVar("T")
FETCHES_MAX = 64
"""Bound of the answers that one unit of work may wait for."""


class Unfetched(BaseException):
    """A unit of work needs `fetch` to run first, outside its transaction.

    No error and no refusal: it passes every handler, so the transaction is rolled back whole.
    """

    def __init__(self, fetch: Callable[[], object]) -> None:
        super().__init__("an answer of the network is needed first")
        self.fetch = fetch


_Reader = Callable[[Callable[[Context], object]], object]


@dataclass(frozen=True, slots=True)
class _Ahead:
    """What a writing unit has had read before: the value or refusal, and the acts left behind."""

    value: object
    refusal: Refusal | None
    afterwards: tuple[Callable[[Context], object], ...]


class _Unit(threading.local):
    """The unit of work of this thread: its stamped time, and when it began for the first time.

    `reader` opens a reading transaction of the same principal, `ahead` holds what was read so.
    """

    now: datetime | None = None
    began: float | None = None
    reader: _Reader | None = None
    ahead: dict[object, _Ahead] | None = None


_unit = _Unit()


@dataclass(frozen=True)
class FetchingRuntime(Runtime):
    """A runtime whose units may raise `Unfetched`; none holds a transaction across the network.

    A unit that begins again keeps its time and reads what was fetched since it first began.
    """

    def write(self, principal: Principal, act: Callable[[Context], T], *, trace: str = "") -> T:
        """Run `act` in one writing transaction, again after each fetch it needs."""
        run, read = super().write, super().read
        return self._until_fetched(
            lambda: run(principal, act, trace=trace),
            lambda ahead: read(principal, ahead, trace=trace),
        )

    def read(self, principal: Principal, act: Callable[[Context], T], *, trace: str = "") -> T:
        """Run `act` in one reading transaction, again after each fetch it needs."""
        run = super().read
        return self._until_fetched(lambda: run(principal, act, trace=trace), None)

    def context(self, db: Db, principal: Principal, trace: str = "") -> Context:
        """Return the context of an open transaction; a unit begun again keeps its time."""
        made = super().context(db, principal, trace)
        if _unit.began is None:
            return made
        if _unit.now is None:
            _unit.now = made.now
        return replace(made, now=_unit.now)

    def _until_fetched(self, run: Callable[[], T], reader: _Reader | None) -> T:
        if _unit.began is not None:
            return run()
        with _begun(self.clock, reader):
            return _repeated(run)


def _repeated(run: Callable[[], T]) -> T:
    for _ in range(FETCHES_MAX):
        try:
            return run()
        except Unfetched as need:
            fetch = need.fetch
        fetch()
    raise InvariantBroken("a unit of work asked the network without end")


@contextmanager
def _begun(clock: Clock, reader: _Reader | None) -> Iterator[None]:
    _unit.now, _unit.began = None, clock.monotonic()
    _unit.reader, _unit.ahead = reader, {}
    try:
        yield
    finally:
        _unit.now = _unit.began = _unit.reader = _unit.ahead = None


def read_ahead(ctx: Context, key: object, read: Callable[[Context], T]) -> T:
    """Return `read(ctx)`; a writing unit has it made before, in a reading transaction.

    The unit is begun again once it is there, and finds it under `key` then; a refusal is raised in
    the unit, and what the reading left to be done afterwards is done after it. `read` sees what was
    committed before the unit. Without a fetching runtime, or in a reading unit, it runs at once.
    """
    if _unit.reader is None or _unit.ahead is None or not ctx.db.writing:
        return read(ctx)
    made = _unit.ahead.get(key)
    if made is None:
        raise Unfetched(lambda: _read_now(ctx, key, read))
    ctx.afterwards.extend(made.afterwards)
    if made.refusal is not None:
        raise made.refusal
    return made.value  # type: ignore[return-value]


def _read_now(ctx: Context, key: object, read: Callable[[Context], object]) -> None:
    reader, ahead = _unit.reader, _unit.ahead
    if reader is None or ahead is None:
        raise InvariantBroken("a unit of work is read ahead in its own thread")
    value: object = None
    refused: Refusal | None = None
    left: list[Callable[[Context], object]] = []

    def act(fresh: Context) -> object:
        left.clear()
        return read(replace(ctx, db=fresh.db, afterwards=left))

    try:
        value = _repeated(lambda: reader(act))
    except Refusal as refusal:
        refused = refusal
    ahead[key] = _Ahead(value, refused, tuple(left))


@dataclass(frozen=True, slots=True)
class _Kept:
    value: object
    refusal: Refusal | None
    at: float


class Fetched:
    """Answers by key with a time to live; the newest `size_max` are kept."""

    def __init__(self, clock: Clock, size_max: int = 20_000) -> None:
        self._clock = clock
        self._size_max = size_max
        self._kept: dict[object, _Kept] = {}
        self._lock = threading.Lock()

    def get(self, key: object, ttl_s: float, ask: Callable[[], T], *, refused_s: float = 5) -> T:
        """Return the answer under `key`, at most `ttl_s` old or fetched since this unit began.

        Without one it raises `Unfetched` inside a fetching runtime, and asks at once outside. A
        refusal is kept for `refused_s` and raised again.
        """
        kept = self._find(key, ttl_s, refused_s)
        if kept is None and _unit.began is not None:
            raise Unfetched(lambda: self._fetch(key, ask))
        if kept is None:
            kept = self._fetch(key, ask)
        if kept.refusal is not None:
            raise kept.refusal
        return kept.value  # type: ignore[return-value]

    def _find(self, key: object, ttl_s: float, refused_s: float) -> _Kept | None:
        kept = self._kept.get(key)
        if kept is None:
            return None
        oldest = self._clock.monotonic() - (ttl_s if kept.refusal is None else refused_s)
        since = oldest if _unit.began is None else min(oldest, _unit.began)
        return kept if kept.at >= since else None

    def _fetch(self, key: object, ask: Callable[[], object]) -> _Kept:
        try:
            kept = _Kept(ask(), None, self._clock.monotonic())
        except Refusal as refusal:
            kept = _Kept(None, refusal, self._clock.monotonic())
        with self._lock:
            self._kept.pop(key, None)
            self._kept[key] = kept
            while len(self._kept) > self._size_max:
                self._kept.pop(next(iter(self._kept)))
        return kept
