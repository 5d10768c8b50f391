"""Do the insights do the work? Answers with and without them, and with controls, compared row by row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from kshot.errors import DataError
from kshot.measure.statistics import Comparison, compare_predictions

Stated: TypeAlias = Sequence[str | None]
Question: TypeAlias = Literal["used", "adds_to_examples", "follows_blindly", "beside"]
CONDITIONS = (
    "real", "empty", "shuffled", "irrelevant", "corrupted", "neutral", "both", "preference", "expert",
)  # fmt: skip
_SHOWN = {
    "real": "real insights", "empty": "no insights", "shuffled": "shuffled insights",
    "irrelevant": "irrelevant insights", "corrupted": "corrupted insights", "neutral": "neutral filler",
    "both": "labels with insights", "preference": "the expert's labels alone", "expert": "the expert itself",
}  # fmt: skip
_QUESTIONS: tuple[tuple[Question, str, str], ...] = (
    ("used", "real", "shuffled"),
    ("adds_to_examples", "both", "preference"),
    ("follows_blindly", "empty", "corrupted"),
    ("beside", "real", "empty"),
    ("beside", "real", "irrelevant"),
    ("beside", "real", "neutral"),
    ("beside", "real", "preference"),
    ("beside", "real", "expert"),
    ("beside", "both", "expert"),
)


@dataclass(frozen=True, slots=True)
class Claim:
    """One comparison of the verdict: whether the score of ``a`` is above that of ``b``.

    Attributes:
        question: Which of the verdict's questions it answers; ``beside``: it is shown beside them.
        comparison: Paired on the same rows.
    """

    question: Question
    a: str
    b: str
    comparison: Comparison

    @property
    def shown(self) -> bool:
        """Whether the 95 % interval of a − b lies above 0."""
        return self.comparison.interval[0] > 0

    @property
    def sentence(self) -> str:
        """What was found, in words; where nothing is shown, what these rows could have shown."""
        seen = self.comparison
        low, high = seen.interval
        figures = f"{seen.difference:+.3f}, 95 % interval {low:+.3f} to {high:+.3f}, n {seen.n:,}"
        pair = f"{_SHOWN[self.a]} against {_SHOWN[self.b]}"
        if self.shown:
            return f"{pair}: higher ({figures})."
        if high < 0:
            return f"{pair}: lower ({figures})."
        could = f"{seen.n:,} rows could have shown {seen.smallest_difference:.3f} or more"
        return f"{pair}: no effect shown ({figures}); {could}."


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the controls say of the insights. None: the answers that the question needs are not there.

    Attributes:
        metric: What was compared.
        claims: The three questions first, then what stands beside them.
        missing: Conditions without answers.
    """

    metric: str
    claims: tuple[Claim, ...]
    missing: tuple[str, ...] = ()

    @property
    def used(self) -> bool | None:
        """Real insights score above shuffled ones: the model uses what they say of the row."""
        return self._shown("used")

    @property
    def adds_to_examples(self) -> bool | None:
        """Labels with insights score above the same labels alone: insights add to nearest examples."""
        return self._shown("adds_to_examples")

    @property
    def follows_blindly(self) -> bool | None:
        """Corrupted insights score below none: the model believes what it is told."""
        return self._shown("follows_blindly")

    @property
    def smallest_detectable(self) -> float | None:
        """The largest of the smallest effects that the three questions could have shown; None without any."""
        found = [one.comparison.smallest_difference for one in self.claims if one.question != "beside"]
        return max(found, default=None)

    @property
    def headline(self) -> str:
        """One sentence, never more than the three questions carry.

        >>> faithfulness("accuracy", ["a", "b"], {"real": ["a", "b"], "empty": ["a", "b"]}).headline
        'Whether the insights are used was not measured: there are no answers with shuffled insights.'
        """
        if self.used is None:
            lacking = next(name for name in ("real", "shuffled") if name in self.missing)
            return (
                "Whether the insights are used was not measured: there are no answers with "
                f"{_SHOWN[lacking]}."
            )
        said = "The insights are used" if self.used else "No effect of the insights themselves is shown"
        if self.adds_to_examples is not None:
            adds = "add to the nearest examples with the expert's labels"
            join = "and they" if self.used == self.adds_to_examples else "but they"
            if not self.used and not self.adds_to_examples:
                said += ", nor that they " + adds
            elif self.adds_to_examples:
                said += f", {join} {adds}"
            else:
                said += f", but it is not shown that they {adds}"
        blindly = "; the model follows wrong insights below its own score" if self.follows_blindly else ""
        return f"{said}{blindly}."

    @property
    def sentences(self) -> tuple[str, ...]:
        """The headline, then every comparison in words."""
        return (self.headline, *(f"{one.sentence[0].upper()}{one.sentence[1:]}" for one in self.claims))

    def _shown(self, question: Question) -> bool | None:
        return next((one.shown for one in self.claims if one.question == question), None)


def faithfulness(
    metric: str,
    gold: Sequence[str],
    answers: Mapping[str, Stated],
    *,
    labels: Sequence[str] | None = None,
    seed: int = 0,
) -> Verdict:
    """The verdict on insights from answers to the same rows under several conditions.

    Every comparison is paired and takes its 95 % interval from ``compare_predictions``: a bootstrap of rows
    for scores over classes, Tango's interval where rows are right or wrong. Nothing is shown where an
    interval holds 0.

    Args:
        metric: As ``kshot.measure.metrics.evaluate``.
        gold: The right answers.
        answers: Condition to answers in the order of the rows; None: invalid. Conditions: ``real``,
            ``empty``, ``shuffled``, ``irrelevant``, ``corrupted``, ``neutral`` (all at one render), ``both``
            and ``preference`` (those renders of the real pool), ``expert``. What is not there is not
            compared.
        labels: Of a classification task.
        seed: Of the bootstrap.

    Raises:
        DataError: An unknown condition, or its answers are not as many as the rows.

    >>> gold = ["a", "b"] * 20
    >>> found = faithfulness("accuracy", gold, {"real": gold, "shuffled": ["a"] * 40, "empty": ["a"] * 40})
    >>> found.used, found.adds_to_examples
    (True, None)
    """
    if unknown := [name for name in answers if name not in CONDITIONS]:
        raise DataError(f"faithfulness: condition {unknown[0]!r} is none of {', '.join(CONDITIONS)}")
    for name, stated in answers.items():
        if len(stated) != len(gold):
            raise DataError(f"faithfulness: {len(stated)} answers of {name!r} for {len(gold)} rows")
    claims = tuple(
        Claim(question, a, b,
              compare_predictions(metric, answers[a], answers[b], gold, labels=labels, seed=seed))
        for question, a, b in _QUESTIONS
        if a in answers and b in answers
    )  # fmt: skip
    return Verdict(metric, claims, tuple(name for name in CONDITIONS if name not in answers))
