"""The decode cases from outside, and the runner's own verdicts on cases of our making."""

import json

import pytest

from tests import cases_decode

FRAME = [{"ev": "T", "sym": "A", "p": 1.5, "s": 1, "t": 1644506128351}]


@pytest.mark.parametrize(("provider", "least"), [("alpaca", 29), ("massive", 51), ("tradier", 51)])
def test_every_recorded_body_decodes_as_its_manifest_says(shared, provider, least):
    passed, failed = cases_decode.run(provider, shared / "fixtures" / provider)
    assert failed == []
    assert passed >= least


def run_one(tmp_path, provider="massive", **entry):
    (tmp_path / "a.json").write_text(json.dumps(FRAME))
    (tmp_path / "manifest.json").write_text(json.dumps({"a.json": {"kind": "trade", **entry}}))
    return cases_decode.run(provider, tmp_path)


def test_a_case_that_holds_passes(tmp_path):
    fields = {"price": "1.50", "0.ts": "1644506128351", "-1.symbol": "A", "trade_id": None}
    assert run_one(tmp_path, expect="ok", count=1, fields=fields) == (1, [])


@pytest.mark.parametrize(
    "entry",
    [
        {"expect": "ok", "count": 2},
        {"expect": "ok", "fields": {"price": "1.6"}},
        {"expect": "ok", "fields": {"price": None}},
        {"expect": "ok", "fields": {"nothing": None}},
        {"expect": "ok", "fields": {"3.price": "1.5"}},
        {"expect": "refusal", "refusal": "PROVIDER_BODY_INVALID"},
        {"expect": "unsupported"},
        {"expect": "surprise"},
        {"expect": "ok", "kind": "unheard_of"},
        {"expect": "ok", "given": {"weather": "fine"}},
        {"expect": "ok", "provider": "discord"},
    ],
)
def test_a_case_that_does_not_hold_fails(tmp_path, entry):
    passed, failed = run_one(tmp_path, **entry)
    assert passed == 0
    assert len(failed) == 1
    assert failed[0].startswith(f"FAIL {tmp_path / 'a.json'} ")


def test_a_file_without_an_entry_is_a_failed_case(tmp_path):
    (tmp_path / "b.json").write_text("{}")
    (tmp_path / "b.meta.json").write_text("{}")
    passed, failed = run_one(tmp_path, expect="ok")
    assert (passed, len(failed)) == (1, 1)


def test_an_entry_without_a_file_is_a_failed_case(tmp_path):
    run_one(tmp_path, expect="ok")
    (tmp_path / "a.json").unlink()
    passed, failed = cases_decode.run("massive", tmp_path)
    assert (passed, len(failed)) == (0, 1)
