"""Scores of arms against each other: paired by variation, tasks of equal weight; the verdict on insights."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from kshot.agents.episode import Episode, final_score
from kshot.measure.statistics import compare, wilson

Scores: TypeAlias = Mapping[str, Mapping[int, float]]
Interval: TypeAlias = tuple[float, float]
Question: TypeAlias = Literal["used", "adds_to_examples", "follows_blindly", "beside"]
HIGHEST, MARGIN = 100.0, 0.02
FEWEST = 6  # variations that can show a difference: p is at least 2^(1 - n)
SHOWN: Mapping[str, str] = {
    "real": "insights", "empty": "no insights", "shuffled": "shuffled insights",
    "irrelevant": "irrelevant insights", "corrupted": "corrupted insights",
    "both": "insights and preferences", "preference": "preferences", "expert": "the gold path",
}  # fmt: skip
_QUESTIONS: tuple[tuple[Question, str, str], ...] = (
    ("used", "real", "shuffled"), ("adds_to_examples", "both", "preference"),
    ("follows_blindly", "empty", "corrupted"), ("beside", "real", "empty"), ("beside", "real", "irrelevant"),
    ("beside", "real", "preference"), ("beside", "real", "expert"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Compared:
    """One arm's mean score less another's, in points of 0 to 100.

    Attributes:
        interval: 95 %.
        smallest: The difference that these variations would have shown four times in five; None: so few can
            show none.
        n: Variations that both finished, of all tasks.
        tasks: How many these are of.
    """

    difference: float
    interval: Interval
    p: float
    verdict: str
    smallest: float | None
    n: int
    tasks: int


@dataclass(frozen=True, slots=True)
class ScoreClaim:
    """One comparison of the verdict: whether ``a`` scores above ``b``."""

    question: Question
    a: str
    b: str
    compared: Compared

    @property
    def shown(self) -> bool:
        """Whether a is above b: the whole 95 % interval above 0, and p below 5 %.

        p is never below 2^(1 − n) with n variations: fewer than six show nothing, whatever their interval.
        """
        return self.compared.verdict == "better"

    @property
    def sentence(self) -> str:
        """What was found, in words; where nothing is shown, what these variations could have shown."""
        seen = self.compared
        low, high = seen.interval
        figures = (
            f"{seen.difference:+.1f} points, 95 % interval {low:+.1f} to {high:+.1f}, {seen.n} variations"
        )
        pair = f"{SHOWN[self.a]} against {SHOWN[self.b]}"
        if self.shown:
            return f"{pair}: higher ({figures})."
        if seen.verdict == "worse":
            return f"{pair}: lower ({figures})."
        could = "so few can show none"
        if seen.smallest is not None:
            could = f"they could have shown {seen.smallest:.1f} points or more"
        return f"{pair}: no effect shown ({figures}); {could}."


def variation_scores(episodes: Iterable[Episode]) -> dict[int, float]:
    """Mean final score of each variation over its rounds; failed episodes say nothing.

    >>> variation_scores([Episode("t", 0, "react", scores=(0, s)) for s in (100, 50)])
    {0: 75.0}
    """
    found: dict[int, list[int]] = {}
    for episode in episodes:
        if not episode.failed:
            found.setdefault(episode.variation, []).append(final_score(episode))
    return {variation: float(np.mean(scores)) for variation, scores in sorted(found.items())}


def mean_score(scores: Scores) -> float | None:
    """The mean over tasks of their mean over variations; None without any.

    >>> mean_score({"a": {0: 100.0, 1: 0.0}, "b": {0: 10.0}, "c": {}})
    30.0
    """
    means = [float(np.mean(list(one.values()))) for one in scores.values() if one]
    return float(np.mean(means)) if means else None


def mean_interval(scores: Scores, *, seed: int = 0) -> Interval | None:
    """95 % of the mean score; None with fewer than two variations.

    By bootstrap over variations; where all are 0 or 100, Wilson's.

    >>> mean_interval({"a": {0: 100.0}}) is None
    True
    """
    values = [score for found in scores.values() for score in found.values()]
    if len(values) > 1 and set(values) <= {0.0, HIGHEST} and _are_even(scores):
        low, high = wilson(sum(value > 0 for value in values), len(values))
        return low * HIGHEST, high * HIGHEST
    nothing = {task: dict.fromkeys(found, 0.0) for task, found in scores.items()}
    found = compared(scores, nothing, seed=seed)
    if found is None:
        return None
    low, high = found.interval
    return max(0.0, low), min(HIGHEST, high)


def compared(a: Scores, b: Scores, *, seed: int = 0) -> Compared | None:
    """Whether ``a`` scores above ``b`` on the variations that both finished; None with fewer than two.

    Paired by variation, bootstrapped by variation. Every task has the same weight, however many variations it
    has. All scores 0 or 100: exact McNemar, as ``kshot.measure.statistics.compare`` does.

    >>> found = compared({"t": {0: 60.0, 1: 50.0}}, {"t": {0: 40.0, 1: 30.0, 2: 9.0}})
    >>> found.difference, found.n
    (20.0, 2)
    """
    common = {task: sorted(set(a[task]) & set(b[task])) for task in a if task in b}
    common = {task: found for task, found in common.items() if found}
    n, tasks = sum(map(len, common.values())), len(common)
    if n < 2:
        return None
    # as shares, so that solved or not is 1 or 0; a task's weight is shared by its variations
    weights = {
        task: 1.0 if n == tasks * len(found) else n / (tasks * len(found)) for task, found in common.items()
    }
    first, second = (
        [side[task][one] / HIGHEST * weights[task] for task, found in common.items() for one in found]
        for side in (a, b)
    )
    seen = compare(first, second, margin=MARGIN, seed=seed)
    low, high = seen.interval
    interval = max(-HIGHEST, low * HIGHEST), min(HIGHEST, high * HIGHEST)
    difference = round(seen.difference * HIGHEST, 9)
    smallest = seen.smallest_difference * HIGHEST if n >= FEWEST else None
    return Compared(difference, interval, seen.p, seen.verdict, smallest, n, tasks)


def _are_even(scores: Scores) -> bool:
    return len({len(found) for found in scores.values() if found}) == 1


def claims(by_condition: Mapping[str, Scores], *, seed: int = 0) -> tuple[ScoreClaim, ...]:
    """The comparisons of the verdict, for the conditions that are there.

    Args:
        by_condition: ``real``, ``empty``, ``shuffled``, ``irrelevant``, ``corrupted`` (explanations
            alone), ``both``, ``preference``, ``expert`` (the gold path), each with its scores.
        seed: Of the bootstrap.

    >>> claims({"real": {"t": {0: 9.0}}})
    ()
    """
    found = []
    for question, a, b in _QUESTIONS:
        if a in by_condition and b in by_condition:
            seen = compared(by_condition[a], by_condition[b], seed=seed)
            if seen is not None:
                found.append(ScoreClaim(question, a, b, seen))
    return tuple(found)


def headline(found: Sequence[ScoreClaim]) -> str:
    """One sentence on whether the insights do the work, never more than the comparisons carry.

    >>> headline(())
    'Whether the insights are used was not measured: insights or shuffled insights were not played.'
    """
    used, adds, blind = (
        next((one for one in found if one.question == question), None)
        for question in ("used", "adds_to_examples", "follows_blindly")
    )
    if used is None:
        return (
            "Whether the insights are used was not measured: insights or shuffled insights were not played."
        )
    if used.shown:
        said = "The insights are used"
    elif used.compared.verdict == "worse":
        said = "The insights score below shuffled ones"
    else:
        least = used.compared.smallest
        could = "so few variations can show none" if least is None else f"one of {least:.0f} points could be"
        said = f"No effect of the insights themselves is shown ({could})"
    if adds is not None:
        said += (
            "; they add to the expert's bare preferences"
            if adds.shown
            else "; that they add to the expert's bare preferences is not shown"
        )
    if blind is not None and blind.shown:
        said += "; the model follows wrong insights below its own score"
    return f"{said}."
