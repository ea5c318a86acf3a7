"""The table of quirks: every row of the conformance table has a test that names it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.unit.agent.model.test_quirks_of_requests import REFUSED
from tests.unit.agent.model.test_quirks_of_streams import QUIRKS

HERE = Path(__file__).parent
ALL = tuple(f"Q{number:02d}" for number in range(1, 43))


def proven() -> set[str]:
    named = {
        f"Q{number}"
        for file in HERE.glob("test_quirks_of_*.py")
        for number in re.findall(r"^(?:async )?def test_q(\d\d)_", file.read_text(), re.MULTILINE)
    }
    return named | {quirk.id for quirk in QUIRKS} | {row[0] for row in REFUSED}


@pytest.mark.parametrize("row", ALL)
def test_every_quirk_has_a_test(row: str) -> None:
    assert row in proven()
