"""Owns the process that forks the children: everything is imported once, each child dies alone.

It reads one JSON command per line and answers with one. A command runs `act` in a fork of this
process, which has no threads and no open database, and says how the child ended.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import tempfile
import threading
import time
import traceback
from pathlib import Path

from services.kit import failpoint
from services.kit.money import use_context
from tests.crash import at_broker, stages

CHILD_MAX_S = 30.0


class Recorder(dict):
    """Stands in for the armed failpoints and remembers which were reached."""

    def __init__(self) -> None:
        super().__init__({"recording": "always"})
        self.reached: dict[str, int] = {}

    def clear(self) -> None:
        """Stay as it is when the product disarms."""

    def pop(self, name, default=None):
        self.reached[name] = self.reached.get(name, 0) + 1
        return default


def child(command: dict) -> None:
    """Run the stage in this fork and leave; whatever fails is written beside the database."""
    home = Path(command["home"])
    with (home / "child.log").open("a") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    code = 0
    try:
        use_context()
        if "base_url" in command:
            at_broker.act(command["home"], command)
        elif command.get("record"):
            recorder = Recorder()
            failpoint._armed = recorder
            stages.act(home, command["stage"], "")
            (home / "reached.json").write_text(json.dumps(recorder.reached))
        else:
            stages.act(home, command["stage"], command.get("failpoint", ""))
    except BaseException:
        traceback.print_exc()
        code = 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def watch(pid: int, command: dict) -> dict:
    """Wait for the child, killing or continuing it as the command says."""
    began, kill_at = time.monotonic(), command.get("kill_ms")
    killed = stopped = False
    while True:
        got, status = os.waitpid(pid, os.WNOHANG | os.WUNTRACED)
        passed = time.monotonic() - began
        if got and os.WIFSTOPPED(status):
            stopped = True
            os.kill(pid, signal.SIGKILL if command.get("after_stop") == "kill" else signal.SIGCONT)
        elif got:
            return {
                "code": os.waitstatus_to_exitcode(status),
                "stopped": stopped,
                "ms": int(passed * 1000),
            }
        if not killed and (
            (kill_at is not None and passed * 1000 >= kill_at) or passed > CHILD_MAX_S
        ):
            os.kill(pid, signal.SIGKILL)
            killed = True
        time.sleep(0.002)


def warm_up() -> None:
    """Live one whole day here, so that children find every module and every cache loaded."""
    with tempfile.TemporaryDirectory() as home, contextlib.redirect_stdout(sys.stderr):
        for stage in stages.STAGES:
            stages.act(Path(home), stage, "")
    if threading.active_count() != 1:
        raise RuntimeError("a process that forks has one thread")


def main() -> None:
    """Serve commands until the input ends."""
    use_context()
    warm_up()
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        command = json.loads(line)
        pid = os.fork()
        if pid == 0:
            child(command)
        print(json.dumps(watch(pid, command)), flush=True)


if __name__ == "__main__":
    main()
