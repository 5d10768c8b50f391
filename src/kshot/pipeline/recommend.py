"""Which system to take, and the plain statement where there is none to recommend."""

from __future__ import annotations

from collections.abc import Sequence

from kshot.data.task import Task
from kshot.pipeline.answers import Outcome
from kshot.pipeline.evaluate import reference_of, versus
from kshot.report.result import SystemResult
from kshot.report.wording import Scale, p_value


def recommend(
    task: Task, outcomes: Sequence[Outcome], systems: Sequence[SystemResult]
) -> tuple[str | None, str]:
    """The best system that is better than the reference, or None; and why, in one sentence.

    Single adapters and the oracle are no candidates: picking them by test score would be choosing on the
    test. The runner-up is named with its paired comparison, since a first place may be luck.
    """
    reference = reference_of(outcomes)
    candidates = [s for s in systems if not s.oracle and not s.single_adapter]
    if reference is None:
        return None, "neither zero-shot nor majority ran, so there is nothing to compare with."
    shown = [bound for system in systems for bound in (system.value, *system.interval)]
    scale = Scale(percent=all(0 <= value <= 1 for value in shown))
    better = [s for s in candidates if s.verdict == "better"]
    if not better:
        return None, _nothing(candidates, reference, scale)
    best = better[0]
    text = f"it is better than {reference} by {_gap(best.difference, best.difference_interval, scale)}"
    text += f", p {_p(best.p_holm)} after Holm"
    rivals = [s for s in candidates if s.name not in {best.name, reference}]
    if not rivals:
        return best.name, text + "."
    by_name = {outcome.recipe.name: outcome for outcome in outcomes}
    duel = versus(task, by_name[best.name], by_name[rivals[0].name])
    text += f"; against the highest of the others, {rivals[0].name}:"
    text += f" {_gap(duel.difference, duel.interval, scale)}"
    return best.name, text + f", {duel.verdict} (one comparison, uncorrected)."


def _nothing(candidates: Sequence[SystemResult], reference: str, scale: Scale) -> str:
    rivals = [s for s in candidates if s.name != reference and s.difference is not None]
    if not rivals:
        return f"only {reference} ran."
    best = rivals[0]
    text = f"the highest of the others, {best.name}, lies at"
    text += f" {_gap(best.difference, best.difference_interval, scale)}, p {_p(best.p_holm)} after Holm"
    if best.smallest_difference is None:
        return text + "."
    least = f"{scale.number(best.smallest_difference)} {scale.points}"
    return text + f"; {best.n} rows could have shown a difference of {least}."


def _gap(difference: float | None, interval: tuple[float, float] | None, scale: Scale) -> str:
    return f"{scale.signed(difference)} {scale.points} {scale.interval(interval, signed=True)}"


def _p(value: float | None) -> str:
    text = p_value(value)
    return text if text.startswith("<") else f"= {text}"
