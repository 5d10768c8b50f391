"""What ``kshot validate`` tells: formats, counts, notes, and two samples token by token. No model, no network."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from kshot.data.formats import read_examples
from kshot.data.task import Task
from kshot.data.template import plain_text
from kshot.measure.contamination import near_overlaps
from kshot.measure.labels import label_flags
from kshot.pipeline.plan import leaving

SHOWN = 5


def describe(task: Task) -> Iterator[str]:
    """One line a fact; a task that loads has no errors, so these are what to look at before a run."""
    settings = task.settings
    yield f"{task.name}: {task.template.kind}, metric {task.metric}, reasoning {task.template.reasoning}"
    files = {"examples": settings.examples} | ({"test": settings.test} if settings.test else {})
    for name, entry in files.items():
        read = read_examples(
            Path(settings.resolve(entry.path)), format=entry.format, columns=entry.columns or None
        )
        yield f"{name}: {entry.path}: {read.file_type}, rows of {read.format}, {len(read.examples)} rows"
    splits = task.splits()
    yield f"shots: {len(task.shots)}; test rows: {len(task.test)}; splits: {len(splits)}"
    if task.labels:
        counts = Counter(shot.answer for shot in task.shots)
        yield "labels among the shots: " + ", ".join(f"{label} {counts[label]}" for label in task.labels)
    yield from (f"note: {note}" for note in task.notes)
    overlaps = near_overlaps(task.shots, task.test, template_texts=(task.template.instruction,))
    yield from (f"warning: {overlap.where}: {overlap.sentence}" for overlap in overlaps[:SHOWN])
    if len(overlaps) > SHOWN:
        yield f"warning: ... and {len(overlaps) - SHOWN} more of {len(overlaps)} near overlaps"
    for flag in label_flags(task.shots, kind=task.template.kind):
        yield f"warning: {task.shots[flag.index].source}: {flag.sentence}"
    leaves = leaving(settings)
    yield from (f"a run would send {what}" for what in leaves)
    if not leaves:
        yield "a run would send nothing from this machine"
    yield from _samples(task)


def _samples(task: Task) -> Iterator[str]:
    for number, shot in enumerate(task.shots[:2], start=1):
        conversation, target = task.template.conversation(shot), task.template.target(shot)
        pieces = _pieces(task, shot_text=(conversation, target.text), number=number)
        yield from pieces


def _pieces(task: Task, *, shot_text: tuple[object, str], number: int) -> Iterator[str]:
    base = task.settings.model.base if task.settings.model else None
    folder = Path(task.settings.resolve(base)) if base is not None else None
    if folder is None or not (folder / "tokenizer.json").is_file():
        why = "no base model" if folder is None else "its tokenizer is not on this machine"
        yield f"sample {number} ({why}: shown as plain text; what stands in [[ ]] is learned and scored):"
        yield plain_text(shot_text[0]) + f"[[{shot_text[1]}]]"  # type: ignore[arg-type]
        return
    from kshot.models.text import mask_preview

    shot = task.shots[number - 1]
    tokens = mask_preview(folder, task.template.conversation(shot), task.template.target(shot))
    learned = sum(is_target for _, is_target in tokens)
    yield f"sample {number}: {len(tokens)} tokens, {learned} of them learned and scored (in [[ ]]):"
    yield " ".join(f"[[{text!r}]]" if is_target else repr(text) for text, is_target in tokens)
