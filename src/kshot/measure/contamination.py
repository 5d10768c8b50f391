"""The product's one guard: rows that repeat shots or test rows are found, told, and kept out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any, Literal, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from kshot.data.example import Example, normalised
from kshot.data.selection import Drop, Selection
from kshot.errors import DataError
from kshot.measure.overlap.index import OverlapIndex, RunIndex
from kshot.measure.overlap.rouge import tokens
from kshot.measure.overlap.whole import WholeIndex
from kshot.measure.similarity import cosines, nearest
from kshot.models.base import Embedder, Floats, Ints

Reason: TypeAlias = Literal["equal", "overlap", "run", "cosine"]
Protected: TypeAlias = Sequence[Example] | Mapping[str, Sequence[Example]]

REASONS: tuple[Reason, ...] = ("equal", "overlap", "run", "cosine")
COSINE = 0.95  # from here on, a row is named for review
_BLOCK_ROWS = 1024
_PROTECTED_ROWS = 2048
_TIE = 1e-12  # cosines no further apart are equal: sums in double differ in their last bits
_BETWEEN = ""  # no token: no run of words crosses it


@dataclass(frozen=True, slots=True)
class Overlap:
    """One row that comes near a protected row.

    Attributes:
        row: Its place among the rows.
        group: Which protected rows: ``shots``, ``test``, or ``protected`` where they have no name.
        protected: Place within that group of the row it comes near.
        reason: ``equal``, ``overlap`` and ``run`` drop the row; ``cosine`` asks for a look.
        score: ROUGE-L F or cosine; None for the others.
        evidence: The words shared, for ``run``.
    """

    row: int
    group: str
    protected: int
    reason: Reason
    score: float | None = None
    evidence: str = ""


@dataclass(frozen=True, slots=True)
class Guarded:
    """What the guard let through, what it kept out, and what somebody should look at.

    Attributes:
        selection: Kept rows in their order, and drops; a drop's neighbour is a place within its group.
        overlaps: Why rows were dropped: at most one for each row and group, by row.
        flagged: Kept rows whose embedding comes near a protected one, likewise.
    """

    selection: Selection
    overlaps: tuple[Overlap, ...] = ()
    flagged: tuple[Overlap, ...] = ()

    def counts(self) -> dict[str, int]:
        """Rows by group and reason (``test: equal``). A row near two groups counts once in each."""
        found = Counter(f"{overlap.group}: {overlap.reason}" for overlap in (*self.overlaps, *self.flagged))
        return dict(found)

    def rows(self) -> list[dict[str, Any]]:
        """One plain object for each overlap and flag, by row, for reports."""
        found = sorted((*self.overlaps, *self.flagged), key=lambda overlap: overlap.row)
        return [asdict(overlap) | {"dropped": overlap.reason != "cosine"} for overlap in found]


def guard(
    rows: Iterable[Example],
    protected: Protected,
    *,
    template_texts: Sequence[str] = (),
    embedder: Embedder | None = None,
    overlap: float = 0.7,
    run: int = 13,
) -> Guarded:
    """Drop the rows that repeat a protected row.

    The first of these rules that holds for a row is its reason:

    1. ``equal``: the normalised questions are equal, or the normalised prompts are.
    2. ``overlap``: ROUGE-L F of the prompts exceeds ``overlap``, strictly (in ``overlap.rouge_l``'s form).
    3. ``run``: the row (answer and reasoning too) holds ``run`` words running of what the protected row asks,
       outside ``template_texts`` (the task's own wording, which all its rows share); or all of a shorter
       prompt of at least three words and twelve letters.

    With an embedder, kept rows of cosine 0.95 or more are flagged, never dropped. Rows may be a stream; their
    order and number change no verdict. Of several protected rows under one rule the first is named.

    A prompt is taken whole, with the turns before it, and with choices both without and with them. Pools keep
    the same question in other forms, so of a row each user turn is compared as well, and the prompt
    without its first line (where instruction data has the instruction) or the template text it begins with.
    Short prompts pass 0.7 easily: two of ten words that differ in two have F = 0.8.

    Args:
        rows: What is to be let through: shots, or rows of open data.
        protected: What must not come back: rows, or groups of rows by name, to be counted apart.
        template_texts: Wordings whose repetition is no evidence; see ``RunIndex``.
        embedder: Finds rewordings, for review.
        overlap: ROUGE-L F above which a row is dropped.
        run: How many shared words running drop a row.

    Raises:
        DataError: A row is no ``Example``, or a limit is out of range.

    Source: arXiv 2408.15915 has no such guard; rules and limits are ours, after common decontamination.

    >>> test = [Example("What is the capital of France?", "Paris")]
    >>> pool = [Example("what is the capital of  france?", "Rome"), Example("Who wrote Faust?", "Goethe")]
    >>> found = guard(pool, {"test": test})
    >>> found.selection.kept, found.counts()
    ((1,), {'test: equal': 1})
    """
    named = protected if isinstance(protected, Mapping) else {"protected": protected}
    templates = [tokens(text) for text in template_texts]
    wordings = [text.strip() for text in template_texts if text.strip()]
    groups = [_Group(name, group, templates, overlap, run) for name, group in named.items()]
    overlaps: list[Overlap] = []
    flagged: list[Overlap] = []
    total = 0
    for block in _blocks(rows):
        read = [_Read.of(row, wordings) for row in block]
        found = [hit for group in groups for hit in group.overlaps(read, total)]
        overlaps += sorted(found, key=lambda hit: hit.row)
        if embedder is not None:
            dropped = {hit.row for hit in found}
            places = [place for place in range(len(block)) if total + place not in dropped]
            vectors = embedder.encode([_views(block[place])[-1] for place in places])
            at = [total + place for place in places]
            near = [flag for group in groups for flag in group.flags(vectors, at, embedder)]
            flagged += sorted(near, key=lambda flag: flag.row)
        total += len(block)
    return Guarded(_selection(total, overlaps), tuple(overlaps), tuple(flagged))


def near_overlaps(
    shots: Sequence[Example],
    test: Sequence[Example],
    *,
    template_texts: Sequence[str] = (),
    embedder: Embedder | None = None,
) -> tuple[Overlap, ...]:
    """Shots that come near a test row, by the rules of ``guard``: to be reported, nothing is dropped.

    >>> near_overlaps([Example("2 + 2 = ?", "4")], [Example("3 + 3 = ?", "6")])
    ()
    """
    found = guard(shots, {"test": test}, template_texts=template_texts, embedder=embedder)
    return tuple(sorted((*found.overlaps, *found.flagged), key=lambda overlap: overlap.row))


@dataclass(frozen=True, slots=True)
class _Read:
    """A row as every rule reads it."""

    keys: frozenset[str]
    views: tuple[list[str], ...]
    words: list[str]

    @classmethod
    def of(cls, row: Example, wordings: Sequence[str]) -> _Read:
        turns = (turn.content for turn in row.history if turn.role == "user")
        views = dict.fromkeys((*_views(row), row.prompt, *turns, *_bare(row.prompt, wordings)))
        return cls(_keys(row, views), tuple(map(tokens, views)), _run_words(row))


@final
class _Group:
    """Protected rows of one name, indexed for every rule."""

    def __init__(
        self, name: str, rows: Sequence[Example], templates: list[list[str]], overlap: float, run: int
    ) -> None:
        rows = _checked(rows, 0, f"{name} row")
        self.name = name
        self.texts = [_views(row)[-1] for row in rows]
        self.equal: dict[str, int] = {}
        for index, row in enumerate(rows):
            for key in _keys(row, _views(row)):
                self.equal.setdefault(key, index)
        views = [(index, tokens(view)) for index, row in enumerate(rows) for view in _views(row)]
        self.owner = [index for index, _ in views]
        self.index = OverlapIndex((view for _, view in views), threshold=overlap)
        self.runs = RunIndex(map(tokens, self.texts), length=run, templates=templates)
        self.wholes = WholeIndex((tokens(row.prompt) for row in rows), below=run, templates=templates)
        self.vectors: Floats | None = None

    def overlaps(self, block: Sequence[_Read], start: int) -> Iterator[Overlap]:
        """The strongest overlap of each row of the block that has one."""
        runs = {row: (index, words) for row, index, words in self.runs.shared([row.words for row in block])}
        for place, row in enumerate(block):
            at = start + place
            equals = [self.equal[key] for key in row.keys if key in self.equal]
            if equals:
                yield Overlap(at, self.name, min(equals), "equal")
            elif near := [hit for view in row.views if (hit := next(self.index.above(view), None))]:
                index, score = min(near, key=lambda hit: (self.owner[hit[0]], -hit[1]))
                yield Overlap(at, self.name, self.owner[index], "overlap", score)
            elif whole := runs.get(place) or self.wholes.first(row.words):
                yield Overlap(at, self.name, whole[0], "run", evidence=whole[1])

    def flags(self, vectors: Floats, at: Sequence[int], embedder: Embedder) -> Iterator[Overlap]:
        """Rows, ``at`` their places, whose nearest protected row has a cosine of 0.95 or more."""
        if self.vectors is None:
            self.vectors = embedder.encode(self.texts)
            nearest(self.vectors, self.vectors[:1], k=1)  # tells of rows that are no unit vectors
        if not len(self.vectors) or not len(vectors):
            return
        nearest(vectors, self.vectors[:1], k=1)
        indices, scores = _first_nearest(vectors, self.vectors)
        near = np.flatnonzero(scores >= COSINE - _TIE)
        exact = cosines(vectors[near], self.vectors[indices[near]])
        for place, score in zip(near.tolist(), exact.tolist(), strict=True):
            yield Overlap(at[place], self.name, int(indices[place]), "cosine", score)


def _first_nearest(vectors: Floats, protected: Floats) -> tuple[Ints, NDArray[np.float64]]:
    """(Q,) index and (Q,) cosine of the first most similar protected row.

    Products in double: where thousands of rows are alike, ``similarity.nearest`` scores every pair anew.
    """
    queries = vectors.astype(np.float64)
    indices = np.zeros(len(queries), dtype=np.int64)
    scores = np.full(len(queries), -np.inf)
    for base in range(0, len(protected), _PROTECTED_ROWS):
        products = queries @ protected[base : base + _PROTECTED_ROWS].astype(np.float64).T  # (Q, R)
        most = products.max(axis=1)
        better = most > scores + _TIE
        first = (products >= most[:, None] - _TIE).argmax(axis=1)
        indices[better], scores[better] = first[better] + base, most[better]
    return indices, scores


def _views(row: Example) -> list[str]:
    """What a row asks, as texts to compare: without its choices, and with them."""
    asked = "\n".join([*(turn.content for turn in row.history), row.prompt])
    return [asked, "\n".join([asked, *row.choices])] if row.choices else [asked]


def _bare(prompt: str, wordings: Sequence[str]) -> list[str]:
    """A prompt without its first line, and without a wording that it begins with: without an instruction."""
    _, _, below = prompt.strip().partition("\n")
    rests = [prompt.strip().removeprefix(wording) for wording in wordings]
    return [rest.strip() for rest in (below, *rests) if rest.strip()]


def _keys(row: Example, views: Iterable[str]) -> frozenset[str]:
    return frozenset((row.question, *map(normalised, views))) - {""}


def _run_words(row: Example) -> list[str]:
    parts = [_views(row)[-1], row.answer, row.reasoning or ""]
    return [token for part in parts for token in (*tokens(part), _BETWEEN)]


def _selection(total: int, overlaps: Sequence[Overlap]) -> Selection:
    strongest: dict[int, Overlap] = {}
    for hit in overlaps:  # by row; of equally strong ones the earlier group's
        known = strongest.get(hit.row)
        if known is None or REASONS.index(hit.reason) < REASONS.index(known.reason):
            strongest[hit.row] = hit
    drops = [Drop(h.row, f"{h.group}: {h.reason}", h.score, h.protected) for h in strongest.values()]
    return Selection(tuple(row for row in range(total) if row not in strongest), tuple(drops))


def _blocks(rows: Iterable[Example]) -> Iterator[list[Example]]:
    stream = iter(rows)
    start = 0
    while block := list(islice(stream, _BLOCK_ROWS)):
        yield _checked(block, start, "row")
        start += len(block)


def _checked(rows: Sequence[Example], start: int, name: str) -> list[Example]:
    for place, row in enumerate(rows):
        if not isinstance(row, Example):
            raise DataError(f"{name} {start + place} is {type(row).__name__}, expected an Example")
    return list(rows)
