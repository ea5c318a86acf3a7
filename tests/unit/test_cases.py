"""The runner of cases: comparison rules, exit codes, and the golden values we answer."""

import json
from decimal import Decimal as D  # noqa: N817 - tables of numbers read better short

import pytest

from tests import cases
from tests.case_value import JsonFloat, differences
from tests.conftest import SHARED
from tests.golden_functions import FUNCTIONS


@pytest.mark.parametrize(
    ("expected", "actual", "tolerance"),
    [
        ("1.50", D("1.5"), "exact"),
        ("0.47", "0.4727", "exact"),
        (3, "3", "exact"),
        (JsonFloat("0.1"), "0.1", "exact"),
        ("1.000001", "1.0000005", "1e-6"),
        (None, None, "exact"),
        ({"a": 1}, {"a": 1, "b": 2}, "exact"),
        (["x"], ("x",), "exact"),
        (True, True, "exact"),
    ],
)
def test_values_that_are_equal(expected, actual, tolerance):
    assert differences(expected, actual, tolerance) == []


@pytest.mark.parametrize(
    ("expected", "actual", "tolerance"),
    [
        ("1.50", "1.51", "exact"),
        ("1", True, "exact"),
        (True, 1, "exact"),
        (None, "", "exact"),
        ("x", "y", "exact"),
        ("x", 1, "exact"),
        ([1], [1, 2], "exact"),
        ([1, 2], [2, 1], "exact"),
        ({"a": None}, {}, "exact"),
        ({"a": 1}, None, "exact"),
        ("1", "1.1", "1e-6"),
        ("1", None, "exact"),
        ("1", "NaN", "exact"),
    ],
)
def test_values_that_differ(expected, actual, tolerance):
    assert differences(expected, actual, tolerance)


def write(folder, *found):
    path = folder / "some.json"
    path.write_text(json.dumps({"file": "some.json", "cases": list(found)}))
    return str(path)


KELLY = {
    "id": "k",
    "function": "kelly",
    "input": {"p": "0.58", "b": "1.68"},
    "expected": {"full": "0.33"},
    "tolerance": "exact",
}


def test_all_passed_is_zero(tmp_path, capsys):
    assert cases.main(["golden", write(tmp_path, KELLY)]) == 0
    assert capsys.readouterr().out == "1 passed, 0 failed\n"


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"function": "oracle"}, "unknown function oracle"),
        ({"expected": {"full": "0.34"}}, "$.full: expected '0.34', got '0.330000'"),
        ({"expected": {"error": "PARAM_INVALID"}}, "expected refusal PARAM_INVALID, got a result"),
        ({"input": {"p": "2", "b": "1"}}, "refused PARAM_INVALID: p=2: must be 0 to 1"),
        ({"input": {"p": "0.5"}}, "refused PARAM_INVALID: b=None: is required"),
        ({"tolerance": "roughly"}, "unknown tolerance 'roughly'"),
    ],
)
def test_a_failing_case_is_one_line_and_exit_one(tmp_path, capsys, changed, reason):
    path = write(tmp_path, KELLY, KELLY | changed)
    assert cases.main(["golden", path]) == 1
    assert capsys.readouterr().out == f"FAIL {path}:k {reason}\n1 passed, 1 failed\n"


def test_a_refusal_must_hold_its_facts(tmp_path, capsys):
    wrong = {"error": "PARAM_INVALID", "facts": {"name": "b"}}
    path = write(tmp_path, KELLY | {"input": {"p": "2", "b": "1"}, "expected": wrong})
    assert cases.main(["golden", path]) == 1
    assert "$.facts.name" in capsys.readouterr().out


def test_wrong_usage_and_paths_without_cases_are_two(tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    for argv in (
        [],
        ["golden"],
        ["prophecy", "x"],
        ["decode", "nyse", "x"],
        ["golden", str(tmp_path / "absent")],
        ["golden", str(tmp_path / "empty")],
        ["golden", write(tmp_path)],
    ):
        assert cases.main(argv) == 2
    assert capsys.readouterr().out == ""


def test_a_file_that_is_no_json_fails(tmp_path, capsys):
    (tmp_path / "broken.json").write_text("{")
    assert cases.main(["golden", str(tmp_path)]) == 1
    assert capsys.readouterr().out.endswith("0 passed, 1 failed\n")


@pytest.mark.skipif(not SHARED.exists(), reason="../shared is not beside this checkout")
def test_every_golden_case_of_our_functions_passes():
    found = [
        case
        for file in sorted((SHARED / "golden").glob("*.json"))
        for case in cases._load(file)["cases"]
        if case["function"] in FUNCTIONS
    ]
    reasons = {case["id"]: cases.golden_reason(case) for case in found}
    assert len(found) >= 37
    assert {name: reason for name, reason in reasons.items() if reason} == {}
