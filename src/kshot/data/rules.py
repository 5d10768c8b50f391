"""What must hold among a task's rows: answers, labels, choices, repeats, contradictions, overlap."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from kshot.data.example import Example
from kshot.data.nearest import proposal
from kshot.data.template import TaskKind
from kshot.errors import TaskError, collected

FEWEST, MOST = 5, 50
SHOWN = 3


def check_answers(rows: Sequence[Example], *, tests_will_do: bool = False) -> None:
    """Every row must have an answer, or a program that judges one.

    Raises:
        TaskError: A row has none.
    """
    faults = [
        f"{row.source}: the row has no answer; every shot and every test row needs one"
        for row in rows
        if not row.answer.strip() and not (tests_will_do and row.tests)
    ]
    if faults:
        raise TaskError(collected(faults))


def check_choices(rows: Sequence[Example], kind: TaskKind) -> None:
    """Choice tasks need choices in every row; classification has labels instead.

    Raises:
        TaskError: A row does not fit.
    """
    faults: list[str] = []
    if kind == "choice":
        faults = [
            f"{row.source}: the row has no choices; type choice needs them" for row in rows if not row.choices
        ]
    if kind == "classification":
        told = "the row has choices of its own; use type: choice, or leave the choices out"
        faults = [f"{row.source}: {told}" for row in rows if row.choices]
    if faults:
        raise TaskError(collected(faults))


def named_by_position(
    rows: Sequence[Example], labels: Sequence[str], notes: list[str]
) -> tuple[Example, ...]:
    """Rows whose answers are all numbers of labels, from 0, under the labels' names; others as they are."""
    positions = {str(index): label for index, label in enumerate(labels)}
    if not rows or not all(row.answer in positions for row in rows) or set(positions) & set(labels):
        return tuple(rows)
    named = ", ".join(f"{index} = {label}" for index, label in positions.items())
    notes.append(f"{_file(rows[0])}: answers are numbers, read as places in the labels: {named}")
    return tuple(replace(row, answer=positions[row.answer]) for row in rows)


def without_repeats(rows: Sequence[Example], notes: list[str]) -> tuple[Example, ...]:
    """The rows without exact repeats; of equal rows the first stays."""
    kept: dict[str, Example] = {}
    repeats = []
    for row in rows:
        if row.id in kept:
            repeats.append(f"{row.source} = {kept[row.id].source}")
        else:
            kept[row.id] = row
    if repeats:
        notes.append(f"{_count(len(repeats), 'exact repeat')} left out before the draw: {_some(repeats)}")
    return tuple(kept.values())


def contradictions(rows: Sequence[Example]) -> list[str]:
    """Notes on questions that stand there with different answers; the rows are kept."""
    found = []
    for same in _by_question(rows).values():
        answers = list(dict.fromkeys(row.answer for row in same))
        if len(answers) > 1:
            where = ", ".join(str(row.source) for row in same[:SHOWN])
            found.append(
                f"{where}: the same question has different answers ({_quoted(answers)}); check the labels"
            )
    return _first(found, "contradictory questions")


def test_repeats(rows: Sequence[Example]) -> list[str]:
    """A note where test rows ask the same question twice; they are kept, but count twice."""
    repeats = [f"{row.source} = {same[0].source}" for same in _by_question(rows).values() for row in same[1:]]
    if not repeats:
        return []
    return [f"{_count(len(repeats), 'repeated question')} among the test rows (kept): {_some(repeats)}"]


def labels_of(rows: Sequence[Example], notes: list[str]) -> tuple[str, ...]:
    """The labels that occur in labelled rows, sorted.

    Raises:
        TaskError: There is one label only, or a label has white space at its ends.
    """
    faults = [
        f"{row.source}: label {row.answer[:60]!r} has white space at its ends; remove it"
        for row in rows
        if row.answer != row.answer.strip()
    ]
    if faults:
        raise TaskError(collected(faults))
    labels = sorted({row.answer for row in rows})
    if len(labels) < 2:
        check_classes(rows, labels, where=_file(rows[0]))
    if len(labels) == len(rows) > 2:
        notes.append(f"each of the {len(rows)} labelled rows has a label of its own; is this classification?")
    return tuple(labels)


def check_labels(rows: Sequence[Example], labels: Sequence[str], *, are_listed: bool) -> None:
    """Every answer must be one of the labels.

    Raises:
        TaskError: One is not; with the nearest label.
    """
    known = set(labels)
    shown = ", ".join(labels[:12]) + (", ..." if len(labels) > 12 else "")
    remedy = (
        "correct the row, or" if are_listed else "correct the row, or list all labels in the task file and"
    )
    faults = [
        f"{row.source}: label {row.answer[:60]!r} is none of {shown}{proposal(row.answer, labels)}; "
        f"{remedy} add it under task: labels"
        for row in rows
        if row.answer not in known
    ]
    if faults:
        raise TaskError(collected(faults))


def check_classes(shots: Sequence[Example], labels: Sequence[str], *, where: str) -> list[str]:
    """At least two labels must occur among shots; notes name those that do not.

    Raises:
        TaskError: All shots have one label.
    """
    counts = Counter(shot.answer for shot in shots)
    if len(counts) < 2:
        only = next(iter(counts), "none")
        raise TaskError(
            f"{where}: all {len(shots)} shots have the label {only!r}; classification needs at least "
            "two: add rows of other labels, or raise k"
        )
    absent = [label for label in labels if label not in counts]
    return [f"no shot has the label {_quoted(absent)}; systems that learn from shots cannot learn it"] * bool(
        absent
    )


def check_overlap(shots: Sequence[Example], test: Sequence[Example]) -> None:
    """No shot may ask what a test row asks, after normalising.

    Raises:
        TaskError: Some do; with both places of each.
    """
    asked = {shot.question: shot for shot in shots}
    faults = [
        f"{shot.source} asks the same as {row.source}; shots and test must not overlap: remove one of them"
        for row in test
        if (shot := asked.get(row.question)) is not None
    ]
    if faults:
        raise TaskError(collected(faults))


def rest_overlap(rest: Sequence[Example], test: Sequence[Example]) -> list[str]:
    """A note on labelled rows that stand among the test rows and were just not drawn."""
    asked = {row.question: row for row in test}
    found = [f"{row.source} = {asked[row.question].source}" for row in rest if row.question in asked]
    if not found:
        return []
    told = _count(len(found), "undrawn labelled row")
    return [f"{told} found in the test file, too; another seed or k may draw such a row: {_some(found)}"]


def size_notes(count: int) -> list[str]:
    """A note where there are fewer or more shots than this tool is made for."""
    if FEWEST <= count <= MOST:
        return []
    return [f"{_count(count, 'shot')}: outside {FEWEST} to {MOST}, the range that kshot is made for"]


def _by_question(rows: Sequence[Example]) -> dict[str, list[Example]]:
    found: dict[str, list[Example]] = {}
    for row in rows:
        found.setdefault(row.question, []).append(row)
    return found


def _first(found: list[str], what: str) -> list[str]:
    return [
        *found[:SHOWN],
        *[f"... and {len(found) - SHOWN} more of {len(found)} {what}"] * (len(found) > SHOWN),
    ]


def _some(found: Sequence[str]) -> str:
    return ", ".join(found[:SHOWN]) + (", ..." if len(found) > SHOWN else "")


def _quoted(texts: Sequence[str]) -> str:
    return _some([repr(text[:60]) for text in texts])


def _count(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _file(row: Example) -> str:
    return (row.source or "rows").rpartition(":")[0] or "rows"
