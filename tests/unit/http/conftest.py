"""One real server per module; tests make their own callers."""

import pytest

from services.kit.context import SCOPES


@pytest.fixture(scope="module")
def live(migrated_file, tmp_path_factory):
    import shutil

    from tests.unit.http.live import live_server

    home = tmp_path_factory.mktemp("home")
    shutil.copyfile(migrated_file, home / "cornerman.db")
    with live_server(home, f"sqlite:///{home / 'cornerman.db'}") as server:
        yield server


@pytest.fixture(scope="module")
def served(migrated_file, tmp_path_factory):
    import shutil

    from tests.unit.http.live import GENEROUS, SERVED, live_server

    home = tmp_path_factory.mktemp("served")
    shutil.copyfile(migrated_file, home / "cornerman.db")
    with live_server(
        home, f"sqlite:///{home / 'cornerman.db'}", environment={**GENEROUS, **SERVED}
    ) as server:
        yield server


@pytest.fixture(scope="module")
def owner_key(live):
    return live.key(*SCOPES)
