"""Labels of shots that contradict each other, or look like slips: named for a look, never changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from kshot.data.example import Example, normalised
from kshot.data.template import TaskKind
from kshot.errors import DataError
from kshot.measure.overlap.index import OverlapIndex
from kshot.measure.overlap.rouge import tokens
from kshot.measure.similarity import nearest
from kshot.models.base import Embedder, Ints
from kshot.models.embed.hashing import HashingEncoder

Doubles: TypeAlias = NDArray[np.float64]
Pairs: TypeAlias = NDArray[np.bool_]
FlagKind: TypeAlias = Literal[
    "empty", "white_space", "spelling", "contradictory", "near_contradictory", "suspicious"
]

KINDS: tuple[FlagKind, ...] = get_args(FlagKind)
NEAR_OVERLAP = 0.7  # ROUGE-L F above it, or cosine from 0.95: the same thing asked again
NEAR_COSINE = 0.95
FLOOR = 0.5  # cosine from which a neighbour is a witness
WITNESSES = 3
NEAR_SHOTS = 2_000  # the first ones are compared pair by pair; every pair of all would take hours
_TIE = 1e-12  # cosines no further apart are equal: sums in double differ in their last bits
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

    ``near_contradictory`` and ``suspicious`` compare pairs, and are sought among the first 2,000 shots alone
    (``NEAR_SHOTS``), as if there were no others; the other kinds among all.

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
        flags += [*_spelling(shots, labels), *_near(shots[:NEAR_SHOTS], embedder or HashingEncoder(), graver)]
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
    asked: dict[str, dict[str, int]] = {}  # question to its answers, in order, each with its first shot
    for index, shot in enumerate(shots):
        if not shot.answer.strip():
            continue
        first = asked.setdefault(shot.question, {})
        answer = normalised(shot.answer)
        against = next((other for given, other in first.items() if given != answer), None)
        if against is not None:
            yield LabelFlag(index, "contradictory", _sentence(shots, index, against, "the same"), against)
        first.setdefault(answer, index)


def _spelling(shots: Sequence[Example], labels: Sequence[str]) -> Iterator[LabelFlag]:
    spellings = Counter(shot.answer.strip() for shot in shots)  # in order of first appearance
    right = {normalised(label): label for label in reversed(labels)}
    for spelling in sorted(spellings, key=lambda spelling: -spellings[spelling]):  # stable
        right.setdefault(normalised(spelling), spelling)
    first: dict[str, int] = {}
    stated = frozenset(labels)
    for index, shot in enumerate(shots):
        first.setdefault(shot.answer.strip(), index)
    for index, shot in enumerate(shots):
        label = shot.answer.strip()
        usual = right[normalised(label)]
        if label and label != usual and label not in stated:
            found = f"{_name(shots, index)}: label {label!r} is spelled {usual!r} elsewhere; use one spelling"
            yield LabelFlag(index, "spelling", found, first.get(usual))


def _near(shots: Sequence[Example], embedder: Embedder, graver: set[int]) -> Iterator[LabelFlag]:
    labelled = [index for index, shot in enumerate(shots) if shot.answer.strip() and index not in graver]
    if not labelled:
        return
    texts = [_asked(shots[index]) for index in labelled]
    names = [normalised(shots[index].answer) for index in labelled]
    _, codes = np.unique(names, return_inverse=True)  # (N,)
    cosines = _cosines(texts, embedder)  # (N, N)
    against = _contradicted(_near_pairs(texts, cosines), codes)
    common = np.bincount(codes)[codes] > 1
    for place, index in enumerate(labelled):
        if against[place] >= 0:
            other = labelled[against[place]]
            yield LabelFlag(
                index, "near_contradictory", _sentence(shots, index, other, "almost the same"), other
            )
        elif common[place] and (found := _outvoted(cosines[place], codes, place)):
            yield _suspicious(shots, index, labelled[found[0]], found[1])


def _cosines(texts: Sequence[str], embedder: Embedder) -> Doubles:
    """(N, N) cosines of each text and every other; minus infinity of a text and itself.

    One product in double: where most texts are alike, ``similarity`` would score every pair anew.
    """
    rows = embedder.encode(texts)
    nearest(rows, rows[:1], k=1)  # tells of rows that are no unit vectors
    doubles = rows.astype(np.float64)
    products: Doubles = doubles @ doubles.T
    np.fill_diagonal(products, -np.inf)
    return products


def _near_pairs(texts: Sequence[str], cosines: Doubles) -> Pairs:
    """(N, N) whether a later text (row) asks almost the same as an earlier one (column)."""
    near = np.tril(cosines >= NEAR_COSINE - _TIE, -1)
    words = [tokens(text) for text in texts]
    index = OverlapIndex(words, threshold=NEAR_OVERLAP)
    for late, text in enumerate(words):
        earlier = takewhile(lambda hit, late=late: hit[0] < late, index.above(text))  # type: ignore[misc]
        near[late, [early for early, _ in earlier]] = True
    return near


def _contradicted(near: Pairs, codes: Ints) -> Ints:
    """(N,) the first near shot of another label, -1 where there is none or the prompts are one template."""
    differ = near & (codes[:, None] != codes)
    pairs = int(near.sum())
    if pairs >= _PAIRS_OF_A_TEMPLATE and 3 * int(differ.sum()) > pairs:
        return np.full(len(codes), -1)
    return np.where(differ.any(axis=1), differ.argmax(axis=1), -1)


def _outvoted(cosines: Doubles, codes: Ints, place: int) -> tuple[int, int] | None:
    """The nearest of a shot's witnesses and their number, where three or more agree on another label."""
    witnesses = np.flatnonzero(cosines >= FLOOR - _TIE)
    if len(witnesses) < WITNESSES:
        return None
    found = codes[witnesses]
    if found[0] == codes[place] or (found != found[0]).any():
        return None
    return int((cosines >= cosines.max() - _TIE).argmax()), len(witnesses)


def _suspicious(shots: Sequence[Example], index: int, other: int, count: int) -> LabelFlag:
    sentence = (
        f"{_name(shots, index)}: label {_shown(shots[index])}, but all {count} shots like it have "
        f"{_shown(shots[other])}, {_name(shots, other)} the nearest; look at it again"
    )
    return LabelFlag(index, "suspicious", sentence, other)


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
