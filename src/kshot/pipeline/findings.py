"""What the user should know about the data and the bank: one list of findings for the report."""

from __future__ import annotations

from collections.abc import Sequence

from kshot.data.example import Example
from kshot.data.task import Task
from kshot.measure.contamination import Overlap, near_overlaps
from kshot.measure.labels import label_flags
from kshot.measure.overlap import OverlapIndex, tokens
from kshot.models.base import Embedder
from kshot.pipeline.workbench import Workbench
from kshot.report.result import Finding

_REASONS = {
    "equal": "asks the same as test row {other}",
    "overlap": "nearly repeats test row {other} (ROUGE-L F = {score:.2f})",
    "run": "shares a run of words with test row {other}: {evidence!r}",
    "cosine": "is near test row {other} by embedding (cosine {score:.2f}); have a look",
}


def data_findings(task: Task, shots: Sequence[Example], *, embedder: Embedder | None = None) -> list[Finding]:
    """Notes of the task, shots that nearly repeat test rows, labels that look wrong."""
    found = [Finding("task", "info", note) for note in task.notes]
    wording = (task.template.instruction,) if task.template.instruction else ()
    for overlap in near_overlaps(shots, task.test, template_texts=wording, embedder=embedder):
        found.append(_overlap(overlap, shots, task.test))
    if not task.test:
        found += _between_folds(shots)
    for flag in label_flags(shots, embedder=embedder, kind=task.template.kind, labels=task.labels):
        found.append(Finding("labels", "warning", flag.sentence, shots[flag.index].source or ""))
    return found


def bank_findings(bench: Workbench) -> list[Finding]:
    """What the audit says of each adapter."""
    if bench.audit is None:
        return []
    return [
        Finding("bank", "error" if row.level == "refuse" else "warning", row.sentence, row.name)
        for row in bench.audit.findings
    ]


def _between_folds(shots: Sequence[Example]) -> list[Finding]:
    """Labelled rows that nearly repeat an earlier one: under k-fold one may be judged by the other."""
    index = OverlapIndex([tokens(shot.prompt) for shot in shots])
    found = []
    for place, shot in enumerate(shots):
        near = [(other, score) for other, score in index.above(tokens(shot.prompt)) if other < place]
        if near:
            other, score = near[0]
            text = f"nearly repeats {shots[other].source or other + 1} (ROUGE-L F = {score:.2f})"
            text += "; folds may judge one by the other"
            found.append(Finding("contamination", "warning", text, shot.source or str(place + 1)))
    return found


def _overlap(overlap: Overlap, shots: Sequence[Example], test: Sequence[Example]) -> Finding:
    other = test[overlap.protected].source or str(overlap.protected + 1)
    text = _REASONS[overlap.reason].format(other=other, score=overlap.score or 0.0, evidence=overlap.evidence)
    where = shots[overlap.row].source or str(overlap.row + 1)
    return Finding("contamination", "info" if overlap.reason == "cosine" else "warning", text, where)
