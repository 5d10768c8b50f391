"""A weaker expert on purpose: in a share of the rows its first two answers are swapped."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kshot.errors import InputError
from kshot.methods.panda.pairs import answers_swapped
from kshot.methods.panda.records import Preference

SWAPPED = "swapped"


def swapped(preferences: Sequence[Preference], share: float, *, seed: int = 0) -> tuple[Preference, ...]:
    """Preferences with r1 and r2 swapped in a share of the rows, flagged ``swapped``; the rest as they are.

    ``share`` of all N rows, rounded half up, are swapped, in an order drawn by the seed: rows swapped at 0.1
    are among those swapped at 0.2. Rows with one answer are passed over. Probabilities stay with the places:
    a weak expert is no less sure of itself.

    Raises:
        InputError: The share is not from 0 to 1.

    >>> from kshot.methods.panda.records import Candidate, ExpertFacts
    >>> ranked = Preference("t", (Candidate("a"), Candidate("b")), ExpertFacts("lm"))
    >>> [p.top.answer for p in swapped([ranked] * 4, 0.5)].count("b")
    2
    """
    if not 0 <= share <= 1:
        raise InputError(f"the share of swapped rows is {share}, expected 0 to 1")
    order = np.random.default_rng(seed).permutation(len(preferences)).tolist()
    able = [place for place in order if len(preferences[place].candidates) > 1]
    chosen = set(able[: int(share * len(preferences) + 0.5)])
    return tuple(
        answers_swapped(preference, 1, flag=SWAPPED) if place in chosen else preference
        for place, preference in enumerate(preferences)
    )
