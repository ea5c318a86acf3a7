"""A checkout, an editable install and a wheel all run our own modules beside foreign namesakes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from tests.house import tree

pytestmark = pytest.mark.xdist_group("packaging")

FOREIGN = ("agent", "app", "services", "tools")
"""Top-level names that strangers ship; three of them are real distributions on the public index."""
FORMS = ("wheel", "editable", "checkout")
PROBE = """
import importlib, json, sys
form, root = sys.argv[1:3]
sys.argv = ["cornerman", "--help"]
if form == "checkout":
    sys.path.insert(0, root)
import cornerman
try:
    cornerman.main()
except SystemExit as end:
    code = end.code or 0
from agent.loop import Coach
from app.http.pages import WEB
from app.wiring import build
from prompts import loader
from services import schema
from tools.registry import all_tools
ours = {"agent", "app", "migrations", "prompts", "services", "tools"}
files = {name: module.__file__ for name, module in sys.modules.items()
         if name.split(".")[0] in ours and getattr(module, "__file__", None)}
print("PROBE" + json.dumps({"code": code, "files": files, "launcher": cornerman.__file__,
    "head": schema.head(), "web": (WEB / "package.json").is_file(), "tools": sorted(all_tools())}))
"""


def run(*command: object, cwd: Path | str = "/", env: dict[str, str] | None = None) -> str:
    """Run a command outside the tree; its output, or a failure that shows it."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env=env or clean_environment(),
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def clean_environment(**more: str) -> dict[str, str]:
    """Only what a new user's shell has; nothing that points Python at the tree."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
    return {**kept, "HOME": "/nonexistent", **more}


class Place:
    """A small virtual environment that borrows this one's dependencies by one path line."""

    def __init__(self, folder: Path) -> None:
        venv.create(folder, with_pip=False, symlinks=True)
        self.python = folder / "bin" / "python"
        self.command = folder / "bin" / "cornerman"
        self.site = Path(
            run(self.python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip()
        )
        (self.site / "zz_dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")

    def pip(self, *arguments: object) -> None:
        run(
            sys.executable,
            "-m",
            "pip",
            "--python",
            self.python,
            "--disable-pip-version-check",
            *arguments,
        )

    def install(self, *arguments: object) -> None:
        self.pip("install", "--quiet", "--no-deps", "--no-index", *arguments)

    def entries(self) -> set[str]:
        return {path.name for path in self.site.iterdir()} - {"__pycache__"}


def foreign_wheel(folder: Path, name: str) -> Path:
    """Write a tiny distribution that claims `name` and fails loudly when it is imported."""
    path = folder / f"{name}_stranger-1.0-py3-none-any.whl"
    about = f"{name}_stranger-1.0.dist-info"
    files = {
        f"{name}/__init__.py": f"raise ImportError('the stranger {name} was imported')\n",
        f"{about}/METADATA": f"Metadata-Version: 2.1\nName: {name}-stranger\nVersion: 1.0\n",
        f"{about}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{file},,\n" for file in (*files, f"{about}/RECORD"))
    with zipfile.ZipFile(path, "w") as archive:
        for file, text in {**files, f"{about}/RECORD": record}.items():
            archive.writestr(file, text)
    return path


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, tree.ROOT)
    (built,) = folder.glob("cornerman-*.whl")
    return built


@pytest.fixture(scope="module")
def strangers(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("strangers")
    return [foreign_wheel(folder, name) for name in FOREIGN]


@pytest.fixture(scope="module", params=FORMS)
def installed(request, tmp_path_factory, wheel, strangers) -> tuple[str, Place]:
    """One form of the product in a new environment, with the strangers put in after it."""
    place = Place(tmp_path_factory.mktemp(request.param) / "venv")
    match request.param:
        case "wheel":
            place.install(wheel)
        case "editable":
            place.install("--no-build-isolation", "--editable", tree.ROOT)
    place.install(*strangers)
    return request.param, place


def home_of(form: str, place: Place) -> Path:
    return place.site / "cornerman_app" if form == "wheel" else tree.ROOT


def command_of(form: str, place: Place) -> list[object]:
    return [place.python, tree.ROOT / "cornerman.py"] if form == "checkout" else [place.command]


def names_of(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


def test_the_wheel_holds_one_module_one_private_folder_and_its_metadata(wheel):
    tops = {name.split("/")[0] for name in names_of(wheel)}
    assert {top for top in tops if not top.endswith(".dist-info")} == {
        "cornerman.py",
        "cornerman_app",
    }
    assert len(tops) == 3


def test_the_wheel_holds_every_file_of_our_folders_and_nothing_that_git_ignores(wheel):
    inside = {
        name.removeprefix("cornerman_app/")
        for name in names_of(wheel)
        if name.startswith("cornerman_app/")
    }
    tracked = {
        tree.name_of(path)
        for path in tree.tracked_files()
        if tree.name_of(path).split("/")[0] in tree.FOLDERS and path.name != ".npmrc"
    }
    assert tracked - inside == set()
    for must in (
        "prompts/coach.md",
        "services/market/history/wiki_daily.bin",
        "services/market/sessions/XNYS.txt",
        "migrations/env.py",
        "migrations/versions/0001_baseline.py",
        "app/web/package.json",
    ):
        assert must in inside
    assert [
        name
        for name in inside
        if {"node_modules", "__pycache__", ".env", "secrets"} & set(name.split("/"))
    ] == []
    assert wheel.stat().st_size < 5_000_000


def test_the_page_s_libraries_ship_when_they_were_built(wheel):
    if not (tree.ROOT / "app" / "web" / "vendor" / "lit.js").is_file():
        pytest.skip("app/web/vendor is not built (run `make web`): its shipping was not tried")
    assert "cornerman_app/app/web/vendor/lit.js" in names_of(wheel)
    assert "cornerman_app/app/web/vendor/LICENSES" in names_of(wheel)


def test_help_answers_from_the_root_folder_beside_the_strangers(installed, tmp_path):
    form, place = installed
    text = run(
        *command_of(form, place), "--help", env=clean_environment(CORNERMAN_HOME=str(tmp_path))
    )
    for verb in ("serve", "chat", "doctor"):
        assert verb in text


def test_every_module_comes_from_our_own_folder(installed, tmp_path):
    form, place = installed
    text = run(
        place.python,
        "-c",
        PROBE,
        form,
        tree.ROOT,
        env=clean_environment(CORNERMAN_HOME=str(tmp_path)),
    )
    seen = json.loads(text.split("PROBE")[1])
    home = home_of(form, place)
    assert seen["code"] == 0
    assert Path(seen["launcher"]).parent == (place.site if form == "wheel" else tree.ROOT)
    assert len(seen["files"]) > 100
    assert [file for file in seen["files"].values() if not Path(file).is_relative_to(home)] == []
    assert seen["web"]
    assert "propose_order" in seen["tools"]
    assert seen["head"] >= "0001"


def test_a_tool_answers_on_bundled_history_from_a_fresh_home(installed, tmp_path):
    form, place = installed
    text = run(
        *command_of(form, place),
        "tool",
        "quote",
        "--json",
        '{"symbols": ["AAPL"]}',
        env=clean_environment(CORNERMAN_HOME=str(tmp_path)),
    )
    assert "AAPL" in text
    assert "REPLAY" in text or "SIMULATED" in text


def test_the_strangers_cannot_be_imported_by_our_command_but_are_really_there(installed):
    _, place = installed
    done = subprocess.run(
        [str(place.python), "-c", "import services"],
        cwd="/",
        check=False,
        capture_output=True,
        text=True,
        env=clean_environment(),
    )
    assert "the stranger services was imported" in done.stderr


def test_the_wheel_leaves_nothing_behind_and_harms_no_stranger(tmp_path, wheel, strangers):
    place = Place(tmp_path / "venv")
    place.install(*strangers)
    before = place.entries()
    place.install(wheel)
    added = {name for name in place.entries() - before if not name.endswith(".dist-info")}
    assert added == {"cornerman.py", "cornerman_app"}
    place.pip("uninstall", "--quiet", "--yes", *(f"{name}-stranger" for name in FOREIGN))
    run(place.command, "--help", env=clean_environment(CORNERMAN_HOME=str(tmp_path / "home")))
    place.pip("uninstall", "--quiet", "--yes", "cornerman")
    left = [
        path
        for path in place.site.rglob("*")
        if path.is_file() and "cornerman" in str(path.relative_to(place.site))
    ]
    assert left == []
