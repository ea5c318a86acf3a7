"""WATCH: a thousand symbols at ten updates a second through book, event log and hub, on one core."""

from __future__ import annotations

import asyncio
import io
import json
import os
import sys
import tempfile
import time
from datetime import timedelta
from decimal import Decimal

from tests.bench.measure import Outcome, Size, rss_mb, run_json

SYMBOLS, RATE, FRAME = 1000, 10, 100
FULL_S, TINY_S = 60, 2


def measure(size: Size) -> list[Outcome]:
    """Run the watch as a process of its own, paced in real time."""
    seconds = FULL_S if size.rounds > 1 else TINY_S
    found = run_json("-m", "tests.bench.watchlist", seconds)
    grown = found["rss_after"] - found["rss_before"]
    return [
        Outcome(
            "WATCH",
            f"{SYMBOLS} symbols, {RATE} updates/s, {seconds} s",
            f"{found['told']:,} of {found['sent']:,} updates told",
            goal="nothing lost, memory flat, one core",
            met=found["told"] == found["sent"] and grown < 20 and found["cpu"] < 1.0,
            note=f"{found['cpu']:.2f} cores used, memory {grown:+.1f} MB after the first tenth, "
            f"frames left out {found['skipped']}",
        )
    ]


class Line:
    """A line that counts and keeps nothing."""

    def __init__(self) -> None:
        self.paused, self.is_open, self.heard_at, self.on_resume = False, True, 0.0, None
        self.prices = self.skipped = 0

    def write(self, payloads) -> None:
        for one in payloads:
            self.prices += b'"type":"price"' in one
            self.skipped += b'"skipped"' in one

    def end(self, _code, _reason) -> None:
        self.is_open = False


def frames(names, second, now):
    """The frames of one second: every symbol ten times, a hundred quotes and trades in a frame."""
    from services.market.stream_frame import Frame, StreamQuote, StreamTrade

    for turn in range(RATE):
        at = second * RATE + turn
        ts = now + timedelta(milliseconds=at * 100)
        price = Decimal(10_000 + at % 500) / 100
        for first in range(0, SYMBOLS, FRAME):
            part = names[first : first + FRAME]
            yield Frame(
                received_at=ts,
                quotes=tuple(
                    StreamQuote(name, price, price + 1, Decimal(1), Decimal(1), ts, at)
                    for name in part
                ),
                trades=tuple(
                    StreamTrade(name, price, Decimal(1), ts, (), at, str(at)) for name in part
                ),
            )


async def main(seconds: int) -> dict:
    """Feed the book from a thread, as a stream does, and count what readers are told."""
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
        now = product.clock.now()
        for frame in frames(names, 0, now - timedelta(seconds=5)):
            book.note(frame)
        readers = [Client(Line(), me) for _ in range(SYMBOLS // 200)]
        live = Live(product, hub)
        async with live.running():
            for at, reader in enumerate(readers):
                hub.join(reader).subscribe(reader, ["price"], names[at * 200 : (at + 1) * 200])
            async with asyncio.timeout(60):
                while not all(live.is_looked_at(name) for name in names):  # noqa: ASYNC110 - a bench
                    await asyncio.sleep(0.05)

            def feed() -> float:
                began, early = time.monotonic(), 0.0
                for second in range(seconds):
                    for at, frame in enumerate(frames(names, second, now)):
                        book.note(frame)
                        time.sleep(max(0.0, began + second + at / 100 - time.monotonic()))
                    if second == seconds // 10:
                        early = rss_mb("self")
                return early

            used = time.process_time()
            began = time.monotonic()
            early = await asyncio.to_thread(feed)
            await asyncio.sleep(0.5)
            took, used = time.monotonic() - began, time.process_time() - used
            told = sum(reader.line.prices for reader in readers)
            skipped = sum(reader.line.skipped for reader in readers)
            after = rss_mb("self")
            for reader in readers:
                hub.leave(reader)
        product.close()
    return {
        "sent": SYMBOLS * RATE * seconds,
        "told": told,
        "skipped": skipped,
        "cpu": used / took,
        "rss_before": early,
        "rss_after": after,
    }


if __name__ == "__main__":
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    print(json.dumps(asyncio.run(main(int(sys.argv[1])))))
