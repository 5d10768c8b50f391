"""What the user should know about the data and the bank: one list of findings for the report."""

from __future__ import annotations

from typing import Any

from kshot.data.task import Task
from kshot.measure.contamination import near_overlaps
from kshot.measure.labels import label_flags
from kshot.pipeline.workbench import Workbench
from kshot.report.result import Finding


def data_findings(task: Task, bench: Workbench) -> list[Finding]:
    """Notes of the task, shots that nearly repeat test rows, labels that look wrong."""
    found = [Finding("task", "note", note, "") for note in task.notes]
    shots = bench.labelled
    for overlap in near_overlaps(shots, task.test, template_texts=(task.template.instruction,)):
        found.append(Finding("contamination", "warn", overlap.sentence, overlap.where))
    kind = task.template.kind
    for flag in label_flags(shots, embedder=bench.embedder, kind=kind):
        found.append(Finding("labels", "warn", flag.sentence, shots[flag.index].source or ""))
    return found


def bank_findings(bench: Workbench) -> list[Finding]:
    """What the audit says of each adapter."""
    if bench.audit is None:
        return []
    return [Finding("bank", row.level, row.sentence, row.name) for row in bench.audit.findings]


def as_rows(findings: list[Finding]) -> list[dict[str, Any]]:
    """Plain JSON objects."""
    return [{"topic": f.topic, "level": f.level, "sentence": f.sentence, "where": f.where} for f in findings]
