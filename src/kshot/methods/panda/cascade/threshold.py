"""How sure is sure enough: the threshold of a cascade, chosen on the shots."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import final

from kshot.errors import InputError

NEVER, ALWAYS = 0.0, 2.0  # no agreement lies below 0 or at 2


@final
@dataclass(frozen=True, slots=True)
class Threshold:
    """The chosen threshold, and what each one would have given on the shots: selection scores.

    Attributes:
        value: Rows whose agreement is below it go to the expert.
        right: Mean score of the shots under it: the share that is right, where they are right or wrong.
        share_asked: Share of the shots below it.
        tried: (threshold, mean score, share asked) of all, ascending.
    """

    value: float
    right: float
    share_asked: float
    tried: tuple[tuple[float, float, float], ...]


def threshold_from_shots(
    agreement: Sequence[float], own_right: Sequence[float], expert_right: Sequence[float]
) -> Threshold:
    """The threshold under which most of the shots come out right. Ties: the one that asks least.

    Tried are never asking, always asking, and the middle between any two neighbouring agreements that occur.

    Args:
        agreement: (K,) of the model's draws on the shots, answered with each shot left out of its own prompt
            and of its own retrieval (``draw_answers`` with a retriever that leaves it out).
        own_right: (K,) score of the model's answer, or whether it is right.
        expert_right: (K,) the same of the expert's, of an expert that never saw the shot: out of fold.

    Raises:
        InputError: There are no shots, the lengths differ, or an agreement is no share.

    >>> chosen = threshold_from_shots([1.0, 1.0, 0.4], [True, True, False], [True, False, True])
    >>> chosen.value, chosen.right
    (0.7, 1.0)
    """
    if not agreement or not len(agreement) == len(own_right) == len(expert_right):
        raise InputError(
            f"{len(agreement)} agreements, {len(own_right)} answers of the model and {len(expert_right)} of "
            "the expert; expected one of each for every shot, and at least one shot"
        )
    if wrong := [share for share in agreement if not 0 <= share <= 1]:
        raise InputError(f"agreement {wrong[0]!r} is no share from 0 to 1")
    levels = sorted(set(agreement))
    middles = [(low + high) / 2 for low, high in pairwise(levels)]
    tried = []
    for value in (NEVER, *middles, ALWAYS):
        asked = [share < value for share in agreement]
        right = [
            expert if ask else own for ask, own, expert in zip(asked, own_right, expert_right, strict=True)
        ]
        tried.append((value, sum(right) / len(right), sum(asked) / len(asked)))
    value, right_share, asked_share = max(tried, key=lambda each: (each[1], -each[0]))
    return Threshold(value, right_share, asked_share, tuple(tried))
