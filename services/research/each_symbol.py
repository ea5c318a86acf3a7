"""Owns going through many symbols in one unit of work: what is missing is fetched in one go."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from services.market.fetching import Unfetched

T = TypeVar("T")
R = TypeVar("R")


def each_symbol(items: Iterable[T], act: Callable[[T], R]) -> Iterator[R]:
    """Yield `act(item)` of every item whose answers are here.

    A unit of work that lacks an answer of the network begins again after it was fetched. Going on
    to the other items first and asking for everything at the end makes that a few rounds, however
    many items there are. Ends with `Unfetched` when any item lacked an answer.
    """
    needs: list[Callable[[], object]] = []
    for item in items:
        try:
            found = act(item)
        except Unfetched as need:
            needs.append(need.fetch)
            continue
        yield found
    if needs:
        raise Unfetched(lambda: [fetch() for fetch in needs])
