"""The page of measured figures says what ran, what failed, and what did not run."""

from __future__ import annotations

import json

import pytest

from tests import proof


@pytest.fixture
def kept(tmp_path, monkeypatch):
    monkeypatch.setattr(proof, "RUN", tmp_path / "run.jsonl")
    monkeypatch.setenv("CORNERMAN_PROOF", "1")
    return lambda: [json.loads(one) for one in proof.RUN.read_text().splitlines()]


def row_of(page: str, name: str) -> str:
    return next(line for line in page.splitlines() if line.startswith(f"| {name} |"))


def test_what_did_not_run_is_said_to_be_not_run():
    page = proof.render([])
    assert page.count("| not run |") == len(proof.AIMS)


def test_parts_are_summed_and_a_part_that_ran_again_counts_once(kept):
    for count in (3, 5):
        with proof.measured("kill -9", "paper, fill") as figure:
            figure.count = count
    with proof.measured("kill -9", "tradier 0") as figure:
        figure.count = 10
    assert "| 15 | 0 | 2 parts |" in row_of(proof.render(kept()), "kill -9")


def test_a_failed_part_is_counted_as_failed(kept):
    with pytest.raises(ValueError, match="seed"), proof.measured("simulation", "0..9") as figure:
        figure.count = 4
        raise ValueError("seed 4")
    assert "| 4 | 1 | 0..9 |" in row_of(proof.render(kept()), "simulation")


def test_nothing_is_kept_of_a_usual_run(kept, monkeypatch):
    monkeypatch.delenv("CORNERMAN_PROOF")
    monkeypatch.delenv("CORNERMAN_PROVE", raising=False)
    with proof.measured("simulation", "0..9"):
        pass
    assert not proof.RUN.exists()


def test_the_page_has_a_row_of_each_figure():
    page = proof.PAGE.read_text(encoding="utf-8")
    for aim in proof.AIMS:
        assert row_of(page, aim.name)
        assert f"- **{aim.name}**: {aim.counted}" in page
