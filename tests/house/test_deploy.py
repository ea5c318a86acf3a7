"""Containers are what they claim, checked by parsing: non-root, hardened, database unpublished."""

import re

import yaml

from tests.house import tree


def compose():
    return yaml.safe_load((tree.ROOT / "docker-compose.yml").read_text())


def test_the_database_has_no_published_port_and_sits_on_an_internal_network():
    services, networks = compose()["services"], compose()["networks"]
    assert "ports" not in services["db"]
    assert services["db"]["networks"] == ["inside"]
    assert networks["inside"]["internal"] is True


def test_the_api_is_published_on_loopback_only_and_runs_hardened():
    api = compose()["services"]["api"]
    assert all(port.startswith("127.0.0.1:") for port in api["ports"])
    assert api["read_only"] is True
    assert api["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in api["security_opt"]
    assert api["pids_limit"] > 0
    assert api["mem_limit"]


def test_no_secret_stands_in_the_compose_file():
    for name, service in compose()["services"].items():
        for key, value in service.get("environment", {}).items():
            if re.search(r"PASSWORD|SECRET|KEY|TOKEN|OWNER_URL", key):
                assert key.endswith("_FILE"), (name, key)
                assert value.startswith("/run/secrets/")


def test_the_api_never_holds_the_owner_role():
    services = compose()["services"]
    assert "db_owner_url" not in services["api"]["secrets"]
    assert services["migrate"]["command"] == ["migrate"]
    assert services["api"]["depends_on"]["migrate"]["condition"] == "service_completed_successfully"


def test_the_image_runs_as_a_user_without_rights_through_the_launcher():
    lines = (tree.ROOT / "deploy" / "Dockerfile").read_text().splitlines()
    final = lines[max(at for at, line in enumerate(lines) if line.startswith("FROM ")) :]
    users = [line.split()[1] for line in final if line.startswith("USER ")]
    assert users
    assert users[-1] not in ("root", "0")
    assert any(line.startswith("HEALTHCHECK") for line in final)
    assert 'ENTRYPOINT ["/opt/cornerman/bin/cornerman"]' in final


def test_the_workflow_runs_the_same_commands_with_actions_pinned_by_hash():
    text = (tree.ROOT / ".github" / "workflows" / "ci.yml").read_text()
    flow = yaml.safe_load(text)
    runs = [step["run"] for job in flow["jobs"].values() for step in job["steps"] if "run" in step]
    assert "bash .ci/run" in runs
    assert "make check" in runs
    for used in re.findall(r"uses: (\S+)", text):
        assert re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", used), used
    assert flow["permissions"] == {"contents": "read"}


def test_ci_calls_make_test_and_nothing_else_tests():
    script = (tree.ROOT / ".ci" / "run").read_text()
    assert script.rstrip().endswith("make test")
    assert "pytest" not in script
