"""Owns a throwaway PostgreSQL server for tests: found or started, migrated once, copied per test."""

from __future__ import annotations

import glob
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

OWNER, RUNTIME = "app_owner", "app_rt"
MEMORY, MEMORY_MIN = Path("/dev/shm"), 2 << 30
_STRATEGIES_SINCE = 150_000
"""From this version on a database may be copied as files, in half the time."""


@dataclass(frozen=True)
class Server:
    """A running server; `admin_url` reaches its superuser."""

    admin_url: str
    host: str
    port: int

    def url(self, database: str, role: str) -> str:
        return f"postgresql://{role}@{self.host}:{self.port}/{database}"


def memory_folder() -> Path | None:
    """Return a folder in memory with room for every database of a run, or None."""
    usable = MEMORY.is_dir() and os.access(MEMORY, os.W_OK)
    return MEMORY if usable and shutil.disk_usage(MEMORY).free > MEMORY_MIN else None


def find_binaries() -> Path | None:
    """Return the folder of initdb, or None."""
    found = shutil.which("initdb")
    if found:
        return Path(found).resolve().parent
    places = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"))
    return Path(places[-1]).parent if places else None


def why_absent() -> str | None:
    """Return why no server can be started here, or None when one can."""
    if find_binaries() is None:
        return "PostgreSQL is not installed (no initdb found): not run"
    if os.geteuid() == 0:
        try:
            pwd.getpwnam("postgres")
        except KeyError:
            return "root can not start PostgreSQL and there is no user postgres: not run"
    return None


def _as_server_user(command: list[str]) -> list[str]:
    if os.geteuid() != 0:
        return command
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", *command]


@contextmanager
def running_server() -> Iterator[Server]:
    """Start a server on a free loopback port in a temporary folder; stop it at the end."""
    binaries = find_binaries()
    assert binaries is not None
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder = Path(tempfile.mkdtemp(prefix="cornerman-pg-"))
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres", "postgres")
    base = {"cwd": folder, "check": True, "stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    subprocess.run(
        _as_server_user(
            [
                str(binaries / "initdb"),
                "-D",
                str(folder / "db"),
                "-U",
                "postgres",
                "-A",
                "trust",
                "--no-sync",
                "-E",
                "UTF8",
            ]
        ),
        **base,
    )
    options = (
        f"-p {port} -h 127.0.0.1 -k {folder} -c fsync=off -c full_page_writes=off "
        "-c max_connections=200 -c autovacuum=off -c wal_level=minimal -c max_wal_senders=0"
    )
    control = [str(binaries / "pg_ctl"), "-D", str(folder / "db"), "-w", "-l", str(folder / "log")]
    subprocess.run(_as_server_user([*control, "-o", options, "start"]), **base)
    try:
        yield Server(f"postgresql://postgres@127.0.0.1:{port}/postgres", "127.0.0.1", port)
    finally:
        subprocess.run(_as_server_user([*control, "-m", "immediate", "stop"]), **base)
        shutil.rmtree(folder, ignore_errors=True)


def prepare_template(server: Server) -> None:
    """Create both roles and one migrated template database."""
    from services import schema

    with psycopg.connect(server.admin_url, autocommit=True) as admin:
        admin.execute(f"CREATE ROLE {OWNER} LOGIN")
        admin.execute(f"CREATE ROLE {RUNTIME} LOGIN NOBYPASSRLS")
        admin.execute(f"CREATE DATABASE template_app OWNER {OWNER}")
    schema.upgrade(server.url("template_app", OWNER), runtime_role=RUNTIME)


def fresh_database(server: Server, name: str) -> tuple[str, str]:
    """Copy the template; return (runtime URL, owner URL)."""
    with psycopg.connect(server.admin_url, autocommit=True) as admin:
        copied = " STRATEGY FILE_COPY" if admin.info.server_version >= _STRATEGIES_SINCE else ""
        admin.execute(f"CREATE DATABASE {name} TEMPLATE template_app OWNER {OWNER}{copied}")
    return server.url(name, RUNTIME), server.url(name, OWNER)


def drop_database(server: Server, name: str) -> None:
    with psycopg.connect(server.admin_url, autocommit=True) as admin:
        admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
