"""Which two or three of an expert's ranked answers are explained, and how far a wish was met."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import get_args

from kshot.errors import DataError, InputError
from kshot.methods.panda.preferences import gold_flagged
from kshot.methods.panda.records import Candidate, Heuristic, Preference

CORRUPTED = "corrupted"


@dataclass(frozen=True, slots=True)
class Pair:
    """An answer, and those it is preferred to.

    Attributes:
        preferred: r1.
        rivals: None for ``top1``, two for ``top3``, else one.
        heuristic: The one that was used.
        fell_back: Whether there were too few answers for the one asked for.
    """

    preferred: Candidate
    rivals: tuple[Candidate, ...]
    heuristic: Heuristic
    fell_back: bool = False


def pair_of(preference: Preference, heuristic: Heuristic = "top2") -> Pair:
    """What is explained of a ranking r1, r2, ..., rC.

    ``top1``: r1 alone · ``top2``: r1 over r2 · ``top3``: over r2 and r3 · ``far``: over r3 · ``last``: over
    rC. With two answers all but ``top1`` mean ``top2``, with one they mean ``top1``; that is a fall-back.

    Raises:
        InputError: The heuristic does not exist.
        DataError: The preference has no answer.

    Source: arXiv 2402.12835; its release declares ``far`` and never uses it.

    >>> from kshot.methods.panda.records import ExpertFacts
    >>> ranked = Preference("t", tuple(map(Candidate, "abcd")), ExpertFacts("agent"))
    >>> [rival.answer for rival in pair_of(ranked, "last").rivals]
    ['d']
    """
    if heuristic not in get_args(Heuristic):
        raise InputError(f"heuristic {heuristic!r} is none of {', '.join(get_args(Heuristic))}")
    if not preference.candidates:
        raise DataError(f"{preference.source or repr(preference.text[:40])}: ranks no answer")
    used = _possible(heuristic, len(preference.candidates))
    places = {"top1": (), "top2": (1,), "top3": (1, 2), "far": (2,), "last": (-1,)}[used]
    rivals = tuple(preference.candidates[place] for place in places)
    return Pair(preference.top, rivals, used, used != heuristic)


def reversed_pair(pair: Pair) -> Pair:
    """The first rival over the preferred one; a second rival stays a rival.

    Raises:
        DataError: There is no rival.

    >>> reversed_pair(Pair(Candidate("a"), (Candidate("b"),), "top2")).preferred.answer
    'b'
    """
    if not pair.rivals:
        raise DataError(f"{pair.preferred.answer!r} has no rival, so there is nothing to reverse")
    return replace(pair, preferred=pair.rivals[0], rivals=(pair.preferred, *pair.rivals[1:]))


def reversed_preference(preference: Preference, heuristic: Heuristic = "top2") -> Preference:
    """The ranking with r1 and its first rival in each other's place, flagged ``corrupted``.

    ``pair_of`` it is ``reversed_pair`` of the right one, but for probabilities: those stay with the places,
    so that nothing but the answers tells the two apart.

    Raises:
        DataError: There is no rival.

    >>> from kshot.methods.panda.records import ExpertFacts
    >>> ranked = Preference("t", (Candidate("a", "", 0.9), Candidate("b", "", 0.1)), ExpertFacts("lm"))
    >>> reversed_preference(ranked).top
    Candidate(answer='b', name='', probability=0.9)
    """
    pair = pair_of(preference, heuristic)
    rival = reversed_pair(pair).preferred
    return answers_swapped(preference, preference.candidates.index(rival), flag=CORRUPTED)


def answers_swapped(preference: Preference, place: int, *, flag: str) -> Preference:
    """The first answer and the one at ``place`` swapped, probabilities left where they are, and a flag.

    >>> from kshot.methods.panda.records import ExpertFacts
    >>> answers_swapped(Preference("t", tuple(map(Candidate, "abc")), ExpertFacts("lm")), 2, flag="x").flags
    ('x',)
    """
    ranked = list(preference.candidates)
    first, other = ranked[0], ranked[place]
    ranked[0] = replace(other, probability=first.probability)
    ranked[place] = replace(first, probability=other.probability)
    flags = tuple(dict.fromkeys((*preference.flags, flag)))
    return gold_flagged(replace(preference, candidates=tuple(ranked), flags=flags))


def _possible(heuristic: Heuristic, count: int) -> Heuristic:
    if heuristic == "top1" or count == 1:
        return "top1"
    return "top2" if count == 2 else heuristic
