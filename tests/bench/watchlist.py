"""WATCH: a thousand symbols at ten updates a second, off the wire to the readers, on one core."""

from __future__ import annotations

import asyncio
import io
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from tests.bench.measure import Outcome, Size, percentile, rss_mb, run_json

SYMBOLS, RATE, FRAME = 1000, 10, 100
FULL_S, TINY_S = 60, 2
GROWTH_MB = 20
"""How much the memory may differ between the first tenth, the middle and the end."""
_BEGAN = datetime(2026, 11, 20, 15, 0, 20, tzinfo=UTC)
"""In regular hours and 40 s before a minute ends, so that bars build and are completed."""
_SAMPLE = 97
_QUOTE = (
    '{"ev":"Q","sym":"%s","bx":4,"bp":@p,"bs":1,"ax":7,"ap":@p1,"as":1,"c":0,"t":@t,"q":@q,"z":3}'
)
_TRADE = '{"ev":"T","sym":"%s","x":4,"i":"@q","z":3,"p":@p,"s":100,"c":[],"t":@t,"q":@q}'


def measure(size: Size) -> list[Outcome]:
    """Run the watch as a process of its own, paced in real time."""
    found = run_json("-m", "tests.bench.watchlist", FULL_S if size.rounds > 1 else TINY_S)
    memory = found["rss"]
    flat = max(memory) - memory[0] < GROWTH_MB
    whole = found["told"] == found["sent"] and found["bars"] == found["bars_due"]
    return [
        Outcome(
            "WATCH",
            f"{SYMBOLS} symbols, {RATE} updates/s, {found['seconds']} s",
            f"{found['told']:,} of {found['sent']:,} updates told",
            goal="nothing lost, memory flat, one core",
            met=whole and flat and found["cpu"] < 1.0,
            note=f"lost {found['sent'] - found['told']}, left out {found['skipped']}; "
            f"{found['bars']} of {found['bars_due']} minute bars; memory "
            f"{' / '.join(f'{one:.1f}' for one in memory)} MB after a tenth, in the middle and at "
            f"the end; {found['cpu']:.2f} s of a core for each second; told after {found['p50']:.0f} ms, "
            f"p99 {found['p99']:.0f} ms",
        )
    ]


class Line:
    """A line that counts and keeps nothing but how late a few prices were."""

    def __init__(self) -> None:
        self.paused, self.is_open, self.heard_at, self.on_resume = False, True, 0.0, None
        self.prices = self.skipped = 0
        self.began = 0.0
        self.late_ms: list[float] = []

    def write(self, payloads) -> None:
        for one in payloads:
            self.prices += b'"type":"price"' in one
            self.skipped += b'"skipped"' in one
        if self.began and len(self.late_ms) * _SAMPLE < self.prices:
            ts = datetime.fromisoformat(json.loads(payloads[-1])["ts"])
            due = self.began + (ts - _BEGAN).total_seconds()
            self.late_ms.append((time.monotonic() - due) * 1000)

    def end(self, _code, _reason) -> None:
        self.is_open = False


def messages(names: list[str], second: int) -> Iterator[tuple[bytes, datetime]]:
    """Yield the messages of one second: each symbol ten times, a hundred of them in a message."""
    parts = [
        ",".join(row % name for name in names[at : at + FRAME] for row in (_QUOTE, _TRADE))
        for at in range(0, len(names), FRAME)
    ]
    for turn in range(RATE):
        at = second * RATE + turn
        cents = 10_000 + at % 500
        for number, part in enumerate(parts):
            now = _BEGAN + timedelta(milliseconds=100 * at + 10 * number)
            said = part.replace("@p1", f"{cents / 100 + 1:.2f}").replace("@p", f"{cents / 100:.2f}")
            said = said.replace("@t", f"{now.timestamp() * 1000:.0f}").replace("@q", str(at + 100))
            yield f"[{said}]".encode(), now


def feed(book, names: list[str], seconds: int, lines: list[Line]) -> list[float]:
    """Take the messages in as they are due; return the memory at a tenth, half and the end."""
    from services.kit.money import use_context
    from services.market.stream_decode import decode_frame

    use_context()
    memory, marks = [], {seconds // 10, seconds // 2, seconds - 1}
    began = time.monotonic()
    for line in lines:
        line.began = began
    for second in range(seconds):
        for body, now in messages(names, second):
            due = began + (now - _BEGAN).total_seconds()
            time.sleep(max(0.0, due - time.monotonic()))
            book.note(decode_frame(body, now))
        if second in marks:
            memory.append(rss_mb("self"))
    return memory


def whole_bars(book, names: list[str]) -> int:
    """Count the minute bars that have every trade since the second before the first."""
    due = RATE * (60 - _BEGAN.second + 1)
    return sum(bar.n == due for name in names for bar in book.recent_bars(name))


async def main(seconds: int) -> dict:
    """Take messages in from a thread, as a stream does, and count what readers are told."""
    from dataclasses import replace

    from app.http.hub import Hub
    from app.http.ws_client import Client
    from app.live import Live
    from app.wiring import build, prepare_database
    from services.identity.user import LOCAL_TENANT
    from services.kit.context import Principal, system_principal
    from services.kit.environment import load_settings
    from services.market.feed import Feed
    from services.market.live import LiveBook
    from services.market.quote import Provenance
    from services.market.stream_decode import decode_frame

    book = LiveBook(provenance=Provenance.LIVE, source="bench")
    book.ineligible = frozenset()
    with tempfile.TemporaryDirectory() as home:
        settings = load_settings({"CORNERMAN_HOME": home, "FEATURE_REPLAY_ENABLED": "true"})
        product = build(settings, log_stream=io.StringIO(), ports={LiveBook: book})
        prepare_database(product)
        instrument = product.runtime.read(
            system_principal(LOCAL_TENANT), lambda ctx: ctx.port(Feed).instrument(ctx, "AAPL")
        )
        names = [f"S{at}" for at in range(SYMBOLS)]
        for name in names:
            book.enroll(replace(instrument, id=f"XNAS:{name}", symbol=name))
        hub = Hub(product)
        me = Principal(tenant_id=LOCAL_TENANT, user_id="usr_owner", session_id="ses_1")
        for body, now in messages(names, -1):
            book.note(decode_frame(body, now))
        readers = [Client(Line(), me) for _ in range(SYMBOLS // 200)]
        live = Live(product, hub)
        async with live.running():
            for at, reader in enumerate(readers):
                hub.join(reader).subscribe(reader, ["price"], names[at * 200 : (at + 1) * 200])
            async with asyncio.timeout(60):
                while not all(live.is_looked_at(name) for name in names):  # noqa: ASYNC110 - a bench
                    await asyncio.sleep(0.05)
            lines = [reader.line for reader in readers]
            used = time.process_time()
            memory = await asyncio.to_thread(feed, book, names, seconds, lines)
            await asyncio.sleep(0.5)
            used = time.process_time() - used
            for reader in readers:
                hub.leave(reader)
        bars = whole_bars(book, names)
        product.close()
    late_ms = [one for line in lines for one in line.late_ms]
    return {
        "seconds": seconds,
        "sent": SYMBOLS * RATE * seconds,
        "told": sum(line.prices for line in lines),
        "skipped": sum(line.skipped for line in lines),
        "bars": bars,
        "bars_due": SYMBOLS if seconds > 60 - _BEGAN.second + 2 else 0,
        "cpu": used / seconds,
        "rss": memory,
        "p50": percentile(late_ms, 0.5),
        "p99": percentile(late_ms, 0.99),
    }


if __name__ == "__main__":
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    print(json.dumps(asyncio.run(main(int(sys.argv[1])))))
