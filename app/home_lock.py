"""Owns the lock of a home folder: one process at a time runs its loops on an embedded database."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl


@contextmanager
def hold_home(home: Path) -> Iterator[bool]:
    """Yield True while this process holds the lock of `home`, False when another one does.

    The operating system frees the lock when its process ends, however it ends.
    """
    home.mkdir(parents=True, exist_ok=True)
    with (home / "server.lock").open("a+b") as file:
        yield _try_lock(file.fileno())


def _try_lock(descriptor: int) -> bool:
    try:
        if sys.platform == "win32":
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
