"""P14: resident memory of the embedded process at rest, beside an openai-agents program."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from tests.bench.agent_loop import peer_python, present_peers, scripted_model
from tests.bench.measure import Outcome, Size, rss_mb, run_json
from tests.journeys.serving import serving, still_home

GOAL_MB = 120.0
_REST_S = 2.0


def measure(size: Size) -> list[Outcome]:
    """Let a new server rest with all its loops, and read what it holds."""
    with tempfile.TemporaryDirectory() as folder:
        home = still_home(Path(folder) / "home")
        with serving(home) as server:
            time.sleep(_REST_S * min(size.rounds, 3) / 3)
            ours = rss_mb(server._process.pid)
    peers = present_peers()
    peer, ratio, note = "", None, "peers are not installed"
    if "openai-agents" in peers:
        with scripted_model() as url:
            found = run_json(peers["openai-agents"], url, size.warm, 1, python=peer_python())
        peer, note = f"openai-agents {found['rss_mb']:.0f} MB", "the peer after a few turns"
        ratio = ours / found["rss_mb"]
    return [
        Outcome(
            "P14",
            "idle memory of the embedded process",
            f"{ours:.0f} MB",
            peer,
            ratio,
            f"<= {GOAL_MB:.0f} MB",
            ours <= GOAL_MB,
            note=note,
        )
    ]
