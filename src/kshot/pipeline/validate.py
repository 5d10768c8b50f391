"""What ``kshot validate`` tells: formats, counts, notes, two samples by their tokens; loads no model."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from kshot.data.formats import read_examples
from kshot.data.task import Task
from kshot.data.template import plain_text
from kshot.pipeline.findings import data_findings
from kshot.pipeline.plan import check_metric_fits, leaving

SHOWN = 5


def describe(task: Task) -> Iterator[str]:
    """One line a fact; a task that loads has no errors, so these are what to look at before a run."""
    settings = task.settings
    check_metric_fits(task)
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
    found = data_findings(task, task.shots)
    for topic in ("task", "contamination", "labels"):
        lines = [": ".join(filter(None, (f.level, f.where, f.sentence))) for f in found if f.topic == topic]
        yield from lines[:SHOWN]
        if len(lines) > SHOWN:
            yield f"... and {len(lines) - SHOWN} more about {topic}"
    llm = settings.knowledge.llm
    if llm is not None and llm.api_key_env and not os.environ.get(llm.api_key_env):
        yield f"warning: knowledge: llm: the environment variable {llm.api_key_env} is not set"
    leaves = leaving(settings)
    yield from (f"a run would send {what}" for what in leaves)
    if not leaves:
        yield "a run would send nothing from this machine"
    yield from _samples(task)


def _samples(task: Task) -> Iterator[str]:
    from kshot.models.text.text_format import TextFormat, mask_preview

    base = task.settings.model.base if task.settings.model else None
    folder = Path(task.settings.resolve(base)) if base is not None else None
    text = None
    if folder is not None and (folder / "tokenizer.json").is_file() and task.settings.model is not None:
        text = TextFormat.load(folder, template=task.settings.model.template)
    why = "no base model" if folder is None else "its tokenizer is not on this machine"
    for number, shot in enumerate(task.shots[:2], start=1):
        conversation, target = task.template.conversation(shot), task.template.target(shot)
        if text is None:
            yield f"sample {number} ({why}: shown as plain text; [[ ]] is what is learned and scored):"
            yield plain_text(conversation) + f"[[{target.text}]]"
            continue
        tokens = mask_preview(text, conversation, target)
        learned = sum(is_target for _, is_target in tokens)
        yield f"sample {number}: {len(tokens)} tokens, {learned} of them learned and scored (in [[ ]]):"
        yield " ".join(f"[[{token!r}]]" if is_target else repr(token) for token, is_target in tokens)
