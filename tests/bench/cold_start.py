"""P12: from the start of the process to the first 200, and what must not be imported by then."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.bench.measure import ROOT, Outcome, Size, environment, median, run_json
from tests.journeys.serving import still_home

GOAL = 1.1
PEER = "import fastapi, sqlalchemy, sqlalchemy.orm, uvicorn"
_POLL_S, _WAIT_S = 0.002, 60.0


def measure(size: Size) -> list[Outcome]:
    """Start both in turn, every time as a new process, on a home that exists already."""
    with tempfile.TemporaryDirectory() as folder:
        home = still_home(Path(folder) / "home")
        for _ in range(min(2, size.warm)):
            first_answer_s(home)
            imports_s()
        theirs, mine = [imports_s()], []
        for _ in range(size.rounds):
            mine.append(first_answer_s(home))
            theirs.append(imports_s())
        found = run_json("-m", "tests.bench.ready_modules", home)
    ours, peer = median(mine), median(theirs)
    early = found["early"]
    return [
        Outcome(
            "P12",
            "cold start to the first 200",
            f"{ours * 1000:.0f} ms",
            f"core imports {peer * 1000:.0f} ms",
            ours / peer,
            f"<= {GOAL}x",
            ours / peer <= GOAL,
            note=f"best {min(mine) * 1000:.0f} ms and {min(theirs) * 1000:.0f} ms; {PEER}",
        ),
        Outcome(
            "P12",
            "modules that must be absent when ready",
            f"{len(early)} present",
            goal="0",
            met=not early,
            note=f"{', '.join(early) or 'none of them is imported'}; {found['count']} modules",
        ),
    ]


def imports_s() -> float:
    """Return the seconds of a process that imports the core libraries and ends."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", PEER], check=True, env=environment(), cwd=ROOT)
    return time.perf_counter() - began


def first_answer_s(home: Path) -> float:
    """Return the seconds from the start of the server to its first 200."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "cornerman.py"), "serve"],
        cwd=home,
        env=environment(home, PORT=str(port)),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while time.perf_counter() - began < _WAIT_S:
            with contextlib.suppress(OSError):
                if _asked(port):
                    return time.perf_counter() - began
            time.sleep(_POLL_S)
        raise RuntimeError("the server never answered")
    finally:
        process.terminate()
        process.wait(30)


def _asked(port: int) -> bool:
    with socket.create_connection(("127.0.0.1", port), 5) as line:
        line.sendall(f"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
        return line.recv(64).startswith(b"HTTP/1.1 200")
