"""score_bank: every expert asked every shot, those of one base model together, and nothing asked twice."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, TypeAlias, TypedDict, Unpack

import numpy as np
from numpy.typing import NDArray

from kshot.data.example import Example
from kshot.data.template import Template
from kshot.errors import DataError, InputError
from kshot.measure.predict import Normalise, predict
from kshot.measure.scores.bank_scores import BankScores, check_names
from kshot.measure.scores.cache import ScoreCache, ShotScore, score_key
from kshot.measure.scores.questions import Expert, Questions
from kshot.models.hf.group import GROUP_SIZE, ExpertGroup, together

Progress: TypeAlias = Callable[[str, int, int], None]


class Running(TypedDict, total=False):
    """What goes with a long scoring and changes no score beyond rounding.

    Attributes:
        cache: A file that grows by the new scores of each group of experts, written once the group is
            through. Its records are found by what they depend on: model id, row, template, metric, length,
            rule for stopping.
        on_progress: Called before each expert with its name, how many came before it and how many there are;
            those that the cache knows come first.
        group_size: How many experts are asked in one forward where they are adapters of one base model; 1
            asks each alone, with PEFT.
    """

    cache: Path | None
    on_progress: Progress | None
    group_size: int


def score_bank(
    experts: Iterable[tuple[str, Expert]],
    shots: Sequence[Example],
    template: Template,
    *,
    metric: str,
    max_new_tokens: int = 64,
    normalise: Normalise = "sum",
    **running: Unpack[Running],
) -> BankScores:
    """Ask every expert every shot, zero-shot, and read its losses; what the cache holds is not asked again.

    Replies are greedy; where the answers are a closed list, the likeliest counts (see ``predict``). For a
    metric that is no mean of rows, right means the right label. Plain LoRA adapters of one base model are
    asked in groups (``models.hf.group.together``), whose weights are read from the disk while the group
    before is asked; everybody else is asked in turn.

    Args:
        experts: Names and models; ``StoredExpert`` is the kind that is read last and grouped.
        shots: K rows with answers.
        template: The task's words.
        metric: As in ``evaluate``.
        max_new_tokens: How long a reply may be; the limit of the test, so that both are measured alike.
        normalise: How closed answers are compared, as in ``predict``.
        **running: ``cache``, ``on_progress`` and ``group_size``; see ``Running``.

    Raises:
        InputError: A name stands twice, or the group size is below 1.
        DataError: There is no shot, or one has no answer.
        MetricError: The metric does not exist, or does not fit the rows.

    Example::

        scores = score_bank(experts, task.shots, task.template, metric=task.metric, cache=file)
    """
    if not shots:
        raise DataError("no shots to score experts on; expected at least one")
    listed = list(experts)
    check_names([name for name, _ in listed])
    stored, tell, size = _running(**running)
    how = {"metric": metric, "max_new_tokens": max_new_tokens, "normalise": normalise}
    how |= {"stop": list(template.stop(shots))}
    keys = [[score_key(model.id, shot, template, how=how) for shot in shots] for _, model in listed]
    answer = partial(predict, shots=shots, max_new_tokens=max_new_tokens, normalise=normalise)
    missing, told = _missing(keys, stored), count()
    for place in missing.pop((), []):
        tell(listed[place][0], next(told), len(listed))
    for rows, places in missing.items():
        questions = Questions([shots[row] for row in rows], template, metric, answer)
        for members, group in _groups([listed[place][1] for place in places], size):
            for place in (at := [places[member] for member in members]):
                tell(listed[place][0], next(told), len(listed))
            models = [listed[place][1] for place in at]
            found = questions.scores_of(group) if group else [questions.scores(model) for model in models]
            stored.add(
                {
                    keys[p][r]: s
                    for p, line in zip(at, found, strict=True)
                    for r, s in zip(rows, line, strict=True)
                }
            )
    return _assembled([name for name, _ in listed], shots, [[stored[key] for key in line] for line in keys])


def _missing(keys: Sequence[Sequence[str]], stored: ScoreCache) -> dict[tuple[int, ...], list[int]]:
    """Rows that are to be asked, to the places of the experts that lack just these; no key is due twice."""
    missing: dict[tuple[int, ...], list[int]] = {}
    due: set[str] = set()
    for place, line in enumerate(keys):
        first = {key: row for row, key in reversed(list(enumerate(line)))}
        rows = sorted(row for key, row in first.items() if key not in stored and key not in due)
        missing.setdefault(tuple(rows), []).append(place)
        due |= first.keys()
    return missing


def _groups(models: Sequence[Expert], size: int) -> Iterator[tuple[list[int], ExpertGroup | None]]:
    """Places of the models that are asked together, and their group; None where one is asked alone."""
    return together(models, size=size) if size > 1 else (([place], None) for place in range(len(models)))


def _running(
    *, cache: Path | None = None, on_progress: Progress | None = None, group_size: int = GROUP_SIZE
) -> tuple[ScoreCache, Progress, int]:
    """The cache opened, whom to tell, and how many go together; Python refuses any other keyword here."""
    if group_size < 1:
        raise InputError(f"group_size is {group_size}, expected 1 or more")
    return ScoreCache(cache), on_progress or (lambda name, at, total: None), group_size


def _assembled(
    names: Sequence[str], shots: Sequence[Example], table: Sequence[Sequence[ShotScore]]
) -> BankScores:
    def column(name: str, kind: type) -> NDArray[Any]:
        values = [[getattr(score, name) for score in row] for row in table]
        return np.array(values, dtype=kind).reshape(len(names), len(shots))

    losses = (column(name, np.float64) for name in ("answer", "reasoning", "target"))
    return BankScores(tuple(names), tuple(shot.id for shot in shots), column("right", np.bool_), *losses)
