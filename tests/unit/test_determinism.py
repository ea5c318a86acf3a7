"""The same day under another hash seed, time zone and locale leaves byte-identical results."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DAY = """
import json, sys, tempfile
from pathlib import Path
from services import audit
from services.kit.ids import CountedIds
from services.market import replay
from tests.fakes.trading_day import BUY, PLAN, TradingDay

with tempfile.TemporaryDirectory() as home:
    day = TradingDay(Path(home), ids=CountedIds())
    day.write(replay.pause)
    said = [day.say(PLAN), day.say(BUY)]
    cards = [(card.id, card.order_hash, dict(card.risk)) for card in day.pending()]
    head = [event.hash for event in day.read(lambda ctx: audit.trail(ctx, limit=1))]
    day.close()
sys.stdout.buffer.write(json.dumps([said, cards, head]).encode())
"""
PLACES = [
    {"PYTHONHASHSEED": "1", "TZ": "UTC", "LC_ALL": "C"},
    {"PYTHONHASHSEED": "4242", "TZ": "Asia/Kathmandu", "LC_ALL": "C.UTF-8"},
]


@pytest.mark.fault("F134")
def test_a_days_advice_and_card_do_not_depend_on_seed_zone_or_locale():
    running = [
        subprocess.Popen(
            [sys.executable, "-c", DAY],
            cwd=ROOT,
            env={**os.environ, **place},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for place in PLACES
    ]
    (one, first), (two, second) = [run.communicate(timeout=60) for run in running]
    assert [run.returncode for run in running] == [0, 0], (first, second)
    assert b"prop_" in one
    assert one == two
