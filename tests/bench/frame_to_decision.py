"""P3: one frame of trades to what it means: decode, bars and rules, beside the decoder alone."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import msgspec

from services.alerts.alert import Alert, AlertKind
from services.alerts.fast import FastWatch
from services.kit.money import use_context
from services.market.live import LiveBook
from services.market.quote import Provenance
from services.market.stream_decode import decode_frame
from tests.bench.measure import Outcome, Size

GOAL = 0.5
TRADES, SYMBOLS, RULES = 50, 100, 2_000
Sent = tuple[bytes, datetime]
_START = datetime(2027, 1, 12, 15, 0, tzinfo=UTC)


class _Trade(msgspec.Struct, tag_field="ev", tag="T", gc=False):
    """What the peer decodes: the same members into plain floats, and nothing else."""

    sym: str
    p: float
    t: int
    s: int
    c: list[int]
    i: str
    x: int
    q: int


def frames(count: int) -> list[tuple[bytes, datetime]]:
    """Return frames of 50 trades, a tenth of a second apart, with the time of their receipt."""
    draw, made, number = random.Random(3), [], 0
    for at in range(count):
        now = _START + timedelta(milliseconds=100 * at)
        rows = []
        for _ in range(TRADES):
            number += 1
            rows.append({
                "ev": "T", "sym": f"S{draw.randrange(SYMBOLS)}", "x": 4, "i": str(number), "z": 3,
                "p": round(100 + draw.randint(-50, 50) / 100, 2), "s": 100, "c": [],
                "t": int(now.timestamp() * 1000), "q": number,
            })  # fmt: skip
        made.append((json.dumps(rows).encode(), now))
    return made


def alerts() -> list[Alert]:
    """Return fast alerts that lie beyond what the trades reach."""
    made = []
    for at in range(RULES):
        level = Decimal(110 + at % 20)
        made.append(Alert(
            id=f"al_{at}", user_id="u", symbol=f"S{at % SYMBOLS}", listing="x", calendar="XNYS",
            kind=AlertKind.PRICE_ABOVE, side="above", level=level, ref_price=Decimal(100),
            created_at=_START, watched_from=_START, updated_at=_START, last_close=Decimal(100),
            latency="fast",
        ))  # fmt: skip
    return made


def rates(sides: Sequence[Callable[[], Callable[[], int]]], rounds: int) -> list[float]:
    """Return the best trades a second of each side; they take turns, each made ready untimed."""
    best = [0.0] * len(sides)
    for _ in range(rounds):
        for at, ready in enumerate(sides):
            run = ready()
            began = time.process_time()
            seen = run()
            best[at] = max(best[at], seen / (time.process_time() - began))
    return best


def decoded(given: list[Sent]) -> Callable[[], int]:
    """Return the peer."""
    decoder = msgspec.json.Decoder(list[_Trade])
    return lambda: sum(len(decoder.decode(body)) for body, _ in given)


def taken(given: list[Sent]) -> Callable[[], int]:
    """Return our decoder alone: the same with every row checked."""
    return lambda: sum(len(decode_frame(body, now).trades) for body, now in given)


def decided(given: list[Sent], rules: list[Alert]) -> Callable[[], int]:
    """Return ours: exact prices, minute bars and book of every symbol, every rule looked at."""
    book = LiveBook(provenance=Provenance.LIVE, source="bench")
    view = FastWatch()
    view.load(rules)

    def run() -> int:
        seen = 0
        for body, now in given:
            frame = decode_frame(body, now)
            book.note(frame)
            near = view.near(frame.trades)
            touched = view.touched((one.symbol, one.price, one.ts) for one in near)
            seen += len(frame.trades) + len(touched)
        for at in range(SYMBOLS):
            book.recent_bars(f"S{at}")
        return seen

    return run


def measure(size: Size) -> list[Outcome]:
    """Compare the whole way of a frame with decoding it."""
    use_context()
    given, rules = frames(20 if size.rounds == 1 else 2_000), alerts()
    sides = (
        lambda: decoded(given), lambda: taken(given), lambda: decided(given, rules),
    )  # fmt: skip
    peer, decoder, ours = rates(sides, size.rounds)
    return [
        Outcome(
            "P3", "frame to decision: decode, bars, rules", f"{ours / 1e6:.3f}M trades/s",
            f"msgspec decode alone {peer / 1e6:.2f}M trades/s", ours / peer, f">= {GOAL}x",
            met=ours >= GOAL * peer,
            note="ours keeps exact prices, checks each row, builds bars and a book; the peer "
            f"decodes floats. Ours decodes and checks {decoder / 1e6:.2f}M trades/s",
        )
    ]  # fmt: skip
