"""Owns pressing one card's button from many threads at the same moment."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from services.kit.errors import Refusal
from services.orders import confirm as gate
from tests.fakes.order_desk import OrderDesk

WAIT_S = 60


def press_at_once(
    desk: OrderDesk, attempt: gate.Attempt, threads: int, key_of: Callable[[int], str]
) -> list[str]:
    """Confirm one attempt `threads` times at once; return each answer: an order's id or a code.

    `key_of` gives the Idempotency-Key of a press by its number; empty means none.
    """
    start = threading.Barrier(threads)

    def press(number: int) -> str:
        start.wait(timeout=WAIT_S)
        try:
            answer = gate.confirm(desk.runtime, desk.who, attempt, key=key_of(number))
        except Refusal as refusal:
            return refusal.code
        return str(answer.body["order_id"])

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(press, range(threads)))
