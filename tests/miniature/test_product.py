"""The shipped bank through the product's own eyes: the audit against the truth, and the room that is left."""

import json
from pathlib import Path

import pytest

from kshot import miniature
from kshot.data.task import Task
from kshot.models.bank import Bank
from kshot.pipeline.run import run_task

CODES = {
    "nan_weight": "nan", "zero_b": "zero_b", "exact_duplicate": "exact_duplicate", "no_effect": "no_effect",
    "other_base": "shape", "dora": "dora", "truncated": "truncated", "unknown_key": "unknown_key",
}  # fmt: skip


def test_the_audit_names_every_planted_defect_and_no_honest_adapter() -> None:
    audit = Bank(miniature.bank_folder()).audit(miniature.base_folder())
    found = {(finding.name, finding.code) for finding in audit.findings}
    expected = set()
    for name, facts in miniature.truth().adapters.items():
        if facts["kind"] == "copy":
            expected.add((name, "near_duplicate"))
        elif facts["kind"] == "defect":
            expected.add((name, CODES[facts["defect"]]))
    assert found == expected
    assert len(expected) == 11


def test_every_relevant_honest_adapter_beats_every_guesser_and_none_exceeds_60_percent() -> None:
    truth = miniature.truth()
    mixed = {name: f["tasks"]["mixed"] for name, f in truth.adapters.items() if "tasks" in f}
    helping = truth.tasks["mixed"]["helps"]
    guessers = [name for name, facts in truth.adapters.items() if facts["kind"] == "guesser"]
    assert len(helping) >= 3
    assert len(guessers) == 4
    assert min(mixed[name] for name in helping) > max(mixed[name] for name in guessers)
    assert max(mixed.values()) < 0.6


def test_the_truth_is_json_that_others_can_read() -> None:
    assert json.loads(json.dumps(miniature.truth().tasks))


@pytest.mark.slow
def test_the_bank_table_of_a_run_puts_relevant_experts_before_guessers(tmp_path: Path) -> None:
    """K = 20: on the shots and on the test rows alike; and the values are the ones the truth table has."""
    task = Task.load(miniature.task_file("mixed")).with_systems(("zero-shot", "adapters"))
    report = run_task(task, tmp_path / "run", listener=lambda event, **fields: None).report
    truth = miniature.truth()
    rows = {row.name: row for row in report.bank}
    helping = [rows[name] for name in truth.tasks["mixed"]["helps"]]
    guessers = [rows[name] for name, facts in truth.adapters.items() if facts["kind"] == "guesser"]
    assert min(row.right or 0 for row in helping) > max(row.right or 0 for row in guessers)
    assert min(row.test_value or 0 for row in helping) > max(row.test_value or 0 for row in guessers)
    assert max(system.value for system in report.systems) < 0.6
    for row in report.bank:
        if row.test_value is not None:
            assert row.test_value == pytest.approx(truth.adapters[row.name]["tasks"]["mixed"], abs=0.01)
