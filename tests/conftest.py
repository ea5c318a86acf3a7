"""Owns what every suite shares: sockets on loopback only, migrated databases, a runtime, an owner."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

import hypothesis
import pytest

from services.kit.bus.memory import MemoryBus
from services.kit.bus.port import Bus
from services.kit.clock import HandClock
from services.kit.context import SCOPES, Principal, Surface
from services.kit.db import Database
from services.kit.environment import load_settings
from services.kit.ids import CountedIds
from services.kit.money import use_context
from services.kit.settings import Settings
from services.kit.work import Runtime
from tests import postgres

NOW = datetime(2027, 1, 12, 15, 0, tzinfo=UTC)
SHARED = Path(__file__).resolve().parents[2] / "shared"
hypothesis.settings.register_profile(
    "calm",
    hypothesis.settings(),
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("calm")  # a busy machine is no fault of what is tested
LONG = {
    "test_cli_plans.py",
    "test_crash_broker.py",
    "test_determinism.py",
    "test_fault_soak.py",
    "test_gate_clean_year.py",
    "test_label.py",
    "test_live_book.py",
    "test_migrations.py",
    "test_rows_run.py",
    "test_weekend.py",
    "test_worker.py",
}
"""Files with a test that takes several seconds."""
PROVING = tuple(
    f"tests/{suite}"
    for suite in (
        "contract/test_account_age.py",
        "contract/test_bracket_desk.py",
        "contract/test_broker_alpaca",
        "contract/test_broker_brackets.py",
        "contract/test_broker_conformance.py",
        "contract/test_broker_connect.py",
        "contract/test_broker_faults.py",
        "contract/test_broker_paper.py",
        "contract/test_broker_preview.py",
        "contract/test_broker_replace.py",
        "contract/test_broker_tradier.py",
        "contract/test_broker_wire.py",
        "contract/test_gate_engines.py",
        "contract/test_tradier_",
        "stateful/",
        "unit/http/test_door.py",
        "unit/http/test_judged_anew.py",
        "unit/http/test_refused_proposal.py",
        "unit/http/test_risk.py",
        "unit/ledger/",
        "unit/market/test_gate",
        "unit/market/test_ingest.py",
        "unit/market/test_massive_rates.py",
        "unit/market/test_quality",
        "unit/orders/",
        "unit/research/test_follow.py",
        "unit/research/test_option_pick.py",
        "unit/research/test_pick.py",
        "unit/research/test_replay_advice.py",
        "unit/test_",
        "unit/tools/",
        "unit/trade/",
    )
)
"""The suites whose coverage counts for the gate's rooms. Tracing takes most of a test's time once
more, and what a journey happens to pass through is no proof of a branch."""
_LOOPBACK = ("127.", "::1", "localhost", "0.0.0.0")
_counter = itertools.count(1)


def absent(what: str, reason: str) -> NoReturn:
    """Skip with a visible reason, or fail where `CORNERMAN_REQUIRE` says that `what` must be there."""
    if what in os.environ.get("CORNERMAN_REQUIRE", "").split():
        pytest.fail(reason)
    pytest.skip(reason)


class SocketRefused(RuntimeError):
    """A test tried to leave the machine."""


def _guard(name: str):
    original = getattr(socket.socket, name)

    def connect(self, address, *rest):
        if self.family in (socket.AF_INET, socket.AF_INET6):
            host = str(address[0])
            if host and not host.startswith(_LOOPBACK):
                raise SocketRefused(f"sockets beyond loopback are refused in tests: {host}")
        return original(self, address, *rest)

    return connect


socket.socket.connect = _guard("connect")  # type: ignore[method-assign]
socket.socket.connect_ex = _guard("connect_ex")  # type: ignore[method-assign]


def pytest_configure() -> None:
    """Keep throwaway databases in memory when there is room: no test of ours proves a disk."""
    memory = postgres.memory_folder()
    if memory is not None and "TMPDIR" not in os.environ:
        tempfile.tempdir = str(memory)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the long ones, so that at the end no core waits; trace what counts alone."""
    items.sort(key=lambda item: item.path.name not in LONG)
    for item in items:
        if not item.nodeid.startswith(PROVING):
            item.add_marker(pytest.mark.no_cover)


@pytest.fixture(autouse=True)
def _exact_numbers() -> None:
    use_context()


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file migrated by Alembic, made once and copied per test."""
    from services import schema

    path = tmp_path_factory.mktemp("template") / "template.db"
    schema.upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[postgres.Server]:
    """A PostgreSQL server with a migrated template, or a visible skip."""
    reason = postgres.why_absent()
    if reason:
        absent("postgresql", reason)
    with postgres.running_server() as server:
        postgres.prepare_template(server)
        yield server


@pytest.fixture
def sqlite_url(migrated_file: Path, tmp_path: Path) -> str:
    target = tmp_path / "cornerman.db"
    shutil.copyfile(migrated_file, target)
    return f"sqlite:///{target}"


@pytest.fixture
def postgres_url(postgres_server: postgres.Server) -> Iterator[str]:
    name = f"t{os.getpid()}_{next(_counter)}"
    runtime_url, _owner_url = postgres.fresh_database(postgres_server, name)
    yield runtime_url
    postgres.drop_database(postgres_server, name)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest) -> str:
    """Both engines: a test that takes this runs twice."""
    return request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings({"CORNERMAN_HOME": str(tmp_path)})


@pytest.fixture
def clock() -> HandClock:
    return HandClock(NOW)


@pytest.fixture
def database(sqlite_url: str) -> Iterator[Database]:
    database = Database(sqlite_url)
    yield database
    database.close()


def build_runtime(database: Database, clock: HandClock, settings: Settings, **ports) -> Runtime:
    """Return a runtime on the replay feed and the in-process bus."""
    from services.market.feed import Feed
    from services.market.replay import ReplayFeed

    return Runtime(
        database,
        clock,
        CountedIds(),
        settings,
        ports={Bus: MemoryBus(), Feed: ReplayFeed(), **ports},
    )


@pytest.fixture
def runtime(database: Database, clock: HandClock, settings: Settings) -> Runtime:
    return build_runtime(database, clock, settings)


@pytest.fixture
def owner() -> Principal:
    return Principal(
        tenant_id="t_owner",
        user_id="u_owner",
        surface=Surface.WEB,
        session_id="s_owner",
        scopes=SCOPES,
    )


@pytest.fixture(scope="session")
def shared() -> Path:
    """The shared cases; a test that needs them says so when they are absent."""
    if not SHARED.is_dir():
        pytest.skip("../shared is absent: cases from outside not run")
    return SHARED


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Collect outcomes for the feature ledger; the controller of a parallel run sees them all."""
    if report.when == "call" or (report.when == "setup" and report.outcome != "passed"):
        _outcomes[report.nodeid] = report.outcome


_outcomes: dict[str, str] = {}


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the outcomes beside those of earlier runs of other tests."""
    if hasattr(session.config, "workerinput") or not _outcomes:
        return
    path = Path(__file__).resolve().parents[1] / ".features-run.json"
    known = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps({**known, **_outcomes}, indent=0, sort_keys=True))
