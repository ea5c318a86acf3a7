"""Owns the check of the page's types: `tsc --checkJs --strict` over the unbuilt files."""

from __future__ import annotations

import shutil
import subprocess
import sys

from tests.house.tree import ROOT


def main() -> int:
    """Run the page's own check; say so when Node is missing."""
    npm = shutil.which("npm")
    command = (
        [npm, "run", "--silent", "check"]
        if npm
        else [sys.executable, "-m", "app.node", "run", "check"]
    )
    return subprocess.run(
        command, cwd=ROOT / "app" / "web" if npm else ROOT, check=False
    ).returncode


if __name__ == "__main__":
    sys.exit(main())
