"""What `cornerman doctor` says of each provider: it asks the configured ones once."""

import shutil

import pytest

from app.doctor import examine
from app.terminal import Desk
from app.wiring import build
from services.identity.user import LOCAL_TENANT
from services.kit.context import system_principal
from services.kit.environment import load_settings
from tests.fakes.massive_server import KEY, Fault, MassiveServer


@pytest.fixture
def server():
    with MassiveServer() as running:
        yield running


def lines(migrated_file, home, **given):
    shutil.copyfile(migrated_file, home / "cornerman.db")
    product = build(load_settings({"CORNERMAN_HOME": str(home), **given}))
    try:
        found = examine(Desk(product, system_principal(LOCAL_TENANT)))
    finally:
        product.close()
    return {one.name: one for one in found if one.name.startswith("provider ")}


def test_without_keys_there_is_a_line_for_each_with_what_to_set(migrated_file, tmp_path):
    found = lines(migrated_file, tmp_path)
    names = ["provider replay", "provider massive", "provider polygon", "provider tradier"]
    assert list(found) == names
    assert all(one.ok for one in found.values())
    assert "Set TRADIER_ACCESS_TOKEN" in found["provider tradier"].said


@pytest.mark.parametrize(
    ("key", "fault", "said"),
    [
        (KEY, None, "provides market data"),
        ("wrong", None, "refused the key"),
        (KEY, Fault.HTML_504, "Massive"),
    ],
)
def test_a_configured_provider_is_asked_and_a_failing_one_is_a_finding(
    migrated_file, tmp_path, server, key, fault, said
):
    if fault:
        server.fault("/", fault)
    given = {"MASSIVE_API_KEY": key, "MASSIVE_BASE_URL": server.base_url}
    found = lines(migrated_file, tmp_path, **given)["provider massive"]
    assert (found.ok, said in found.said) == (key == KEY and fault is None, True)
