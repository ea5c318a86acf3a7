"""Owns failpoints: named places where a crash test may stop, kill or fail the process."""

from __future__ import annotations

import os
import signal

from services.kit.errors import InvariantBroken

_armed: dict[str, str] = {}


class FailpointHit(RuntimeError):
    """The failpoint's action was `raise`."""


def arm(spec: str) -> None:
    """Arm `name:action` pairs, comma-separated; action is `exit`, `raise` or `stop`.

    `exit` ends the process at once, as kill -9 does; `stop` suspends it (SIGSTOP). Empty disarms.
    """
    _armed.clear()
    for part in filter(None, spec.split(",")):
        name, _, action = part.partition(":")
        if action not in ("exit", "raise", "stop"):
            raise InvariantBroken(f"failpoint {part}: action must be exit, raise or stop")
        _armed[name] = action


def reach(name: str) -> None:
    """Act if the failpoint `name` is armed; costs one dictionary look-up otherwise.

    `exit` and `stop` act once per process; `raise` acts once and disarms itself.
    """
    if not _armed:
        return
    match _armed.pop(name, None):
        case "exit":
            os._exit(137)
        case "stop":
            os.kill(os.getpid(), signal.SIGSTOP)
        case "raise":
            raise FailpointHit(name)
        case _:
            return
