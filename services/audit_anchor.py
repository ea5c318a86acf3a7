"""Owns what the audit chain keeps outside the database: its key, its anchors, and its heads."""

from __future__ import annotations

import hashlib
import hmac
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile
from urllib.parse import quote

import structlog

from services.kit.ids import new_key

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

_log = structlog.get_logger("audit")
FORGED = "forged"
"""Stands for the hash of an anchor or a head whose signature does not hold."""


@dataclass(frozen=True, slots=True)
class Head:
    """The newest event of a chain that this host has seen committed."""

    chain: str
    seq: int
    digest: str


def signing_key(home: Path) -> bytes:
    """Return the key of the anchors, made at first use, readable by its owner only."""
    return secret_file(home / "signing.key")


def secret_file(path: Path) -> bytes:
    """Return the 32 secret bytes kept at `path`, made at first use, for its owner only."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile(mode="w", encoding="ascii", dir=path.parent, prefix="key.") as file:
            file.write(new_key())
            file.flush()
            os.fsync(file.fileno())
            with suppress(FileExistsError):
                os.link(file.name, path)
    return bytes.fromhex(path.read_text(encoding="ascii").strip())


def _signed(home: Path, head: Head) -> str:
    line = f"{head.chain} {head.seq} {head.digest}"
    mac = hmac.new(signing_key(home), line.encode(), hashlib.sha256).hexdigest()
    return f"{line} {mac}\n"


def _parsed(key: bytes, raw: str) -> Head:
    line, _, mac = raw.rpartition(" ")
    chain, seq, digest = line.split(" ")
    genuine = hmac.compare_digest(hmac.new(key, line.encode(), hashlib.sha256).hexdigest(), mac)
    return Head(chain, int(seq), digest if genuine else FORGED)


def write_anchor(home: Path, head: Head) -> None:
    """Append one signed anchor line to the anchor file, which lies outside the database."""
    with (home / "anchors.txt").open("a", encoding="ascii") as file:
        file.write(_signed(home, head))


def anchors(home: Path, chain: str) -> list[tuple[int, str]]:
    """Return the anchors of `chain` as (seq, hash); a forged line has the hash `forged`."""
    path = home / "anchors.txt"
    if not path.exists():
        return []
    key = signing_key(home)
    lines = path.read_text(encoding="ascii").splitlines()
    found = (_parsed(key, line) for line in lines)
    return [(one.seq, one.digest) for one in found if one.chain == chain]


def _head_path(home: Path, chain: str) -> Path:
    return home / "heads" / f"{quote(chain, safe='')}.txt"


def find_head(home: Path, chain: str) -> Head | None:
    """Return the head that this host keeps of `chain`, or None before its first event.

    A file that can not be read, is torn, or belongs to another chain reads as forged, at 0.
    """
    try:
        raw = _head_path(home, chain).read_text(encoding="ascii")
        head = _parsed(signing_key(home), raw.removesuffix("\n"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        return Head(chain, 0, FORGED)
    return head if head.chain == chain else Head(chain, 0, FORGED)


def write_head(home: Path, head: Head) -> None:
    """Replace the chain's head in one step, unless a later one is kept already.

    Called after the commit. A head that can not be written is behind until the next one, which
    is no break; it is logged and never fails what was committed.
    """
    path = _head_path(home, head.chain)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _alone(path.parent / "lock"):
            kept = find_head(home, head.chain)
            if kept is not None and (kept.digest == FORGED or kept.seq >= head.seq):
                return
            fresh = path.with_suffix(".new")
            fresh.write_text(_signed(home, head), encoding="ascii")
            fresh.replace(path)
    except OSError as error:
        _log.warning("audit.head_not_written", chain=head.chain, error=type(error).__name__)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Hold the lock file at `path`, against threads as well as processes."""
    with path.open("a+b") as file:
        if sys.platform == "win32":
            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)
        else:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX)
        yield
