"""What a system learns from: shots, chosen open rows and rehearsed ones, each in the words it is asked in."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from kshot.data.example import Conversation, Example
from kshot.data.template import Target, Template
from kshot.models.train import TrainRows

Worded: TypeAlias = tuple[Conversation, Target]


def in_task_form(row: Example, template: Template) -> Example | None:
    r"""An open row as a row of the task, where it begins with the task's own instruction; else None.

    Reasoning that stands in the answer, on the lines after its first, becomes the row's reasoning where the
    task's shots have theirs there.

    >>> row = Example("Name the capital.\nFrance", "Paris")
    >>> in_task_form(row, Template(instruction="Name the capital.")).prompt
    'France'
    """
    words = template.instruction.strip()
    asked = row.prompt.strip()
    if not words or not asked.startswith(words) or not asked.removeprefix(words).strip():
        return None
    answer, reasoning = row.answer, row.reasoning
    if template.reasoning == "answer_first" and not reasoning and "\n" in answer.strip():
        answer, _, reasoning = answer.strip().partition("\n")
    return replace(row, prompt=asked.removeprefix(words).strip(), answer=answer, reasoning=reasoning)


def worded(row: Example, template: Template) -> Worded:
    """A row as it is learned: a row of the task in the task's words, any other in its own.

    >>> worded(Example("2 + 2 = ?", "4"), Template(instruction="Name the capital."))[0][0].role
    'user'
    """
    formed = in_task_form(row, template)
    if formed is not None:
        return template.conversation(formed), template.target(formed)
    own = Template(kind=template.kind if row.choices else "generation", reasoning=template.reasoning)
    return own.conversation(row), own.target(row)


@dataclass(frozen=True, slots=True)
class Rows:
    """What there is to learn from: shots, chosen open rows, and made-up rows, which are rows of the task."""

    shots: Sequence[Example]
    chosen: Sequence[Example] = ()
    made_up: Sequence[Example] = ()


def lessons(
    rows_given: Rows, template: Template, *, kshot_repeat: int = 1, hold_back: int = 0, seed: int = 0
) -> TrainRows:
    """Every chosen and made-up row once, each shot ``kshot_repeat`` times, shuffled by the seed.

    ``hold_back`` shots, drawn by the seed, are kept apart to stop the training by; one is left to learn from.
    """
    shots = rows_given.shots
    rng = random.Random(seed)
    apart = set(rng.sample(range(len(shots)), min(hold_back, max(0, len(shots) - 1))))
    told = [(template.conversation(shot), template.target(shot)) for shot in shots]
    rows = [row for at, row in enumerate(told) if at not in apart] * kshot_repeat
    rows += [worded(row, template) for row in rows_given.chosen]
    rows += [(template.conversation(row), template.target(row)) for row in rows_given.made_up]
    rng.shuffle(rows)
    held = [told[at] for at in sorted(apart)]
    return TrainRows(
        [conversation for conversation, _ in rows],
        [target for _, target in rows],
        [conversation for conversation, _ in held],
        [target for _, target in held],
    )
