"""Owns the launcher: puts the product's own folder first on the path, then runs the command."""

from __future__ import annotations

import sys
from pathlib import Path


def main() -> None:
    """Run the `cornerman` command from a checkout, an editable install or a wheel."""
    here = Path(__file__).resolve().parent
    private = here / "cornerman_app"
    sys.path.insert(0, str(private if private.is_dir() else here))
    from app.cli import run

    run()


if __name__ == "__main__":
    main()
