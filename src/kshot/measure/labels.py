"""Labels of shots that contradict each other, or look like slips: named for a look, never changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from kshot.data.example import Example, normalised
from kshot.data.template import TaskKind
from kshot.errors import DataError
from kshot.measure.overlap.index import OverlapIndex
from kshot.measure.overlap.rouge import tokens
from kshot.measure.similarity import neighbours_above
from kshot.models.base import Embedder
from kshot.models.embed.hashing import HashingEncoder

FlagKind: TypeAlias = Literal[
    "empty", "white_space", "spelling", "contradictory", "near_contradictory", "suspicious"
]

KINDS: tuple[FlagKind, ...] = get_args(FlagKind)
NEAR_OVERLAP = 0.7  # ROUGE-L F above it, or cosine from 0.95: the same thing asked again
NEAR_COSINE = 0.95
FLOOR = 0.5  # cosine from which a neighbour is a witness
WITNESSES = 3
_PAIRS_OF_A_TEMPLATE = 5  # near pairs, from which on they must mostly agree to count as evidence
_SHOWN = 60  # characters of an answer


@dataclass(frozen=True, slots=True)
class LabelFlag:
    """One shot whose answer somebody should look at.

    Attributes:
        index: Its place among the shots.
        kind: What is odd about it.
        sentence: What was found, where, and what to do.
        other: The earlier or nearest shot that speaks against it, where one does.
    """

    index: int
    kind: FlagKind
    sentence: str
    other: int | None = None


def label_flags(
    shots: Sequence[Example],
    *,
    kind: TaskKind = "generation",
    labels: Sequence[str] = (),
    embedder: Embedder | None = None,
) -> tuple[LabelFlag, ...]:
    """Shots whose answers look wrong, by shot; several flags on one shot in the order of ``FlagKind``.

    - ``empty``: there is no answer.
    - ``contradictory``: an earlier shot asks the same (``Example.question``) and has another answer.

    Not for ``generation``, where white space may matter:

    - ``white_space``: around the answer.

    For ``classification`` alone:

    - ``spelling``: another spelling of the label, equal but for case, width and blanks, stands in
      ``labels`` or, without it, in more shots (ties: in an earlier one).
    - ``near_contradictory``: an earlier shot with another label asks almost the same: ROUGE-L F of the
      prompts above 0.7, or cosine from 0.95. Where five pairs or more are so alike and over a third of
      them differ in label, the prompts are one wording with a slot, and none is flagged.
    - ``suspicious``: at least three other shots have a cosine from 0.5, and all that have it agree on
      one other label, while the shot is not alone with its own. Shots with a graver flag are not tried.

    Labels are compared normalised. On random draws of 16 and 50 training rows of TweetEval's eight tasks
    (5,280 shots) nothing is flagged with the hashing encoder, and 0.8 % are ``suspicious`` with MiniLM; on
    such noisy texts few true slips are found either: three witnesses are rare among 50 tweets.

    Args:
        shots: Labelled rows.
        kind: The task's kind.
        labels: The task's labels as they should be spelled, if stated.
        embedder: Who measures cosine; the hashing encoder if None.

    Raises:
        DataError: A shot is no ``Example``.

    >>> shots = [Example("It rained all day.", "bad"), Example("it rained all day.", "good")]
    >>> label_flags(shots, kind="classification")[0].sentence
    "shot 2: answer 'good', but shot 1 asks the same and has 'bad'; correct one of them"
    """
    for place, shot in enumerate(shots):
        if not isinstance(shot, Example):
            raise DataError(f"shot {place + 1} is {type(shot).__name__}, expected an Example")
    flags = [*_form(shots, kind), *_contradictory(shots)]
    if kind == "classification" and shots:
        graver = {flag.index for flag in flags if flag.kind in ("empty", "contradictory")}
        flags += [*_spelling(shots, labels), *_near(shots, embedder or HashingEncoder(), graver)]
    return tuple(sorted(flags, key=lambda flag: (flag.index, KINDS.index(flag.kind))))


def _form(shots: Sequence[Example], kind: TaskKind) -> Iterator[LabelFlag]:
    for index, shot in enumerate(shots):
        name = _name(shots, index)
        if not shot.answer.strip():
            yield LabelFlag(index, "empty", f"{name}: the answer is empty; every shot needs one")
        elif kind != "generation" and shot.answer != shot.answer.strip():
            found = f"{name}: answer {_shown(shot)} has white space around it; remove it"
            yield LabelFlag(index, "white_space", found)


def _contradictory(shots: Sequence[Example]) -> Iterator[LabelFlag]:
    asked: dict[str, list[int]] = {}
    for index, shot in enumerate(shots):
        earlier = asked.setdefault(shot.question, [])
        if not shot.answer.strip():
            continue
        against = next((other for other in earlier if _differ(shots, index, other)), None)
        if against is not None:
            yield LabelFlag(index, "contradictory", _sentence(shots, index, against, "the same"), against)
        earlier.append(index)


def _spelling(shots: Sequence[Example], labels: Sequence[str]) -> Iterator[LabelFlag]:
    spellings = Counter(shot.answer.strip() for shot in shots)  # in order of first appearance
    right = {normalised(label): label for label in reversed(labels)}
    for spelling in sorted(spellings, key=lambda spelling: -spellings[spelling]):  # stable
        right.setdefault(normalised(spelling), spelling)
    first: dict[str, int] = {}
    for index, shot in enumerate(shots):
        first.setdefault(shot.answer.strip(), index)
    for index, shot in enumerate(shots):
        label = shot.answer.strip()
        usual = right[normalised(label)]
        if label and label != usual and label not in labels:
            found = f"{_name(shots, index)}: label {label!r} is spelled {usual!r} elsewhere; use one spelling"
            yield LabelFlag(index, "spelling", found, first.get(usual))


def _near(shots: Sequence[Example], embedder: Embedder, graver: set[int]) -> Iterator[LabelFlag]:
    labelled = [index for index, shot in enumerate(shots) if shot.answer.strip() and index not in graver]
    texts = [_asked(shots[index]) for index in labelled]
    witnesses = _neighbours(texts, embedder)
    near = _near_pairs(texts, witnesses)
    differ = [_differ(shots, labelled[late], labelled[early]) for late, early in near]
    against: dict[int, int] = {}
    if len(near) < _PAIRS_OF_A_TEMPLATE or 3 * sum(differ) <= len(near):
        for (late, early), differs in zip(near, differ, strict=True):
            if differs:
                against.setdefault(late, labelled[early])
    frequency = Counter(normalised(shots[index].answer) for index in labelled)
    for place, index in enumerate(labelled):
        if place in against:
            sentence = _sentence(shots, index, against[place], "almost the same")
            yield LabelFlag(index, "near_contradictory", sentence, against[place])
        elif frequency[normalised(shots[index].answer)] > 1:
            yield from _outvoted(
                shots, index, [(labelled[other], score) for other, score in witnesses[place]]
            )


def _near_pairs(
    texts: Sequence[str], witnesses: Sequence[Sequence[tuple[int, float]]]
) -> list[tuple[int, int]]:
    """(later, earlier) places of texts that ask almost the same, in order."""
    words = [tokens(text) for text in texts]
    index = OverlapIndex(words, threshold=NEAR_OVERLAP)
    pairs = {(late, early) for late, text in enumerate(words) for early, _ in index.above(text)}
    pairs |= {(late, early) for late, found in enumerate(witnesses) for early, s in found if s >= NEAR_COSINE}
    return sorted((late, early) for late, early in pairs if early < late)


def _outvoted(
    shots: Sequence[Example], index: int, witnesses: Sequence[tuple[int, float]]
) -> Iterator[LabelFlag]:
    """The flag of a shot whose witnesses, three or more, agree on one label that it has not."""
    names = {normalised(shots[other].answer) for other, _ in witnesses}
    if len(witnesses) < WITNESSES or len(names) > 1 or not _differ(shots, index, witnesses[0][0]):
        return
    nearest = max(witnesses, key=lambda witness: (witness[1], -witness[0]))[0]
    sentence = (
        f"{_name(shots, index)}: label {_shown(shots[index])}, but all {len(witnesses)} shots like it have "
        f"{_shown(shots[nearest])}, {_name(shots, nearest)} the nearest; look at it again"
    )
    yield LabelFlag(index, "suspicious", sentence, nearest)


def _neighbours(texts: Sequence[str], embedder: Embedder) -> list[list[tuple[int, float]]]:
    """For each text the others whose cosine is at least the floor, by place, with the cosine."""
    vectors = embedder.encode(texts)
    found: list[list[tuple[int, float]]] = [[] for _ in texts]
    for place, other, score in neighbours_above(vectors, vectors, threshold=FLOOR):
        if place != other:
            found[place].append((other, score))
    return found


def _differ(shots: Sequence[Example], index: int, other: int) -> bool:
    return normalised(shots[index].answer) != normalised(shots[other].answer)


def _asked(row: Example) -> str:
    return "\n".join([*(turn.content for turn in row.history), row.prompt])


def _sentence(shots: Sequence[Example], index: int, other: int, asks: str) -> str:
    return (
        f"{_name(shots, index)}: answer {_shown(shots[index])}, but {_name(shots, other)} asks {asks} "
        f"and has {_shown(shots[other])}; correct one of them"
    )


def _shown(shot: Example) -> str:
    answer = shot.answer
    return repr(answer if len(answer) <= _SHOWN else answer[: _SHOWN - 3] + "...")


def _name(shots: Sequence[Example], index: int) -> str:
    """Where a shot stands, for people: its file and line, or its number from 1."""
    return shots[index].source or f"shot {index + 1}"
