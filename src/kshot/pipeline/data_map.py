"""A map of the chosen data: shots, kept rows and a sample of the others, in the plane of their main axes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from kshot.data.example import Example
from kshot.methods.select_data import DataSelection
from kshot.models.base import Floats, Ints
from kshot.models.embed.rows import floats
from kshot.pipeline.open_pool import EmbeddedPool, retrieval_text

Fate: TypeAlias = Literal["shot", "kept", "near-duplicate", "guard", "not chosen"]

MOST: Mapping[Fate, int] = {"shot": 200, "kept": 800, "near-duplicate": 300, "guard": 200, "not chosen": 500}
TEXT_CHARS = 200
_AXES = 12
_ROUNDS = 20


@dataclass(frozen=True, slots=True)
class Point:
    """One row on the map; ``score`` is its best cosine to a shot, where it was compared."""

    x: float
    y: float
    fate: Fate
    text: str
    source: str
    score: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """The places, among all rows that were read, of the rows on the map, by fate."""

    places: Mapping[Fate, tuple[int, ...]]

    @classmethod
    def of(cls, pool: EmbeddedPool, chosen: DataSelection) -> Sample:
        """At most ``MOST`` of each; where there are more, those with the lowest hashes: chance, but fixed."""
        guarded = pool.guarded
        others = np.ones(len(guarded.kept), dtype=np.bool_)
        others[chosen.kept] = others[chosen.repeats] = False
        leaked = [drop.index for drop in guarded.dropped if ": " in drop.reason]
        found: dict[Fate, Ints] = {
            "kept": guarded.kept[chosen.kept],
            "near-duplicate": guarded.kept[chosen.repeats],
            "guard": np.array(leaked, dtype=np.int64),
            "not chosen": guarded.kept[others],
        }
        return cls({fate: _lowest(places, guarded.keys, MOST[fate]) for fate, places in found.items()})


def data_map(
    shots: Sequence[Example],
    shot_vectors: Floats,
    pool: EmbeddedPool,
    *,
    sample: Sample,
    rows: Mapping[int, Example],
    scores: Floats,
) -> tuple[Point, ...]:
    """The points of the map, shots first, then by fate.

    Args:
        shots: The first 200 of them are shown.
        shot_vectors: (K, D) of the shots.
        pool: What was chosen from.
        sample: Which rows are shown.
        rows: These rows, by place.
        scores: (N',) best cosine of every row of the pool.
    """
    shown: list[tuple[Fate, Example, float | None]] = [("shot", shot, None) for shot in shots[: MOST["shot"]]]
    vectors = [shot_vectors[: MOST["shot"]]]
    for fate, places in sample.places.items():
        some = [rows[place] for place in places]
        if fate == "guard":  # never embedded with the pool
            texts = [retrieval_text(row, instruction=pool.instruction, text=pool.text) for row in some]
            vectors.append(pool.embedder.encode(texts))
            known: list[float | None] = [None] * len(some)
        else:
            at = np.searchsorted(pool.guarded.kept, np.array(places, dtype=np.int64))
            vectors.append(floats(pool.vectors.vectors[at]))
            known = [float(scores[i]) for i in at]
        shown += [(fate, row, score) for row, score in zip(some, known, strict=True)]
    flat = plane(np.concatenate(vectors))
    return tuple(_points(shown, flat))


def plane(vectors: Floats) -> NDArray[np.float64]:
    """(P, 2) places of vectors on their two main axes; each axis points to where its longest share lies.

    >>> plane(np.array([[1, 0, 0], [-1, 0, 0], [0, 0.5, 0]], dtype=np.float32)).shape
    (3, 2)
    """
    centred = vectors.astype(np.float64) - (vectors.mean(axis=0) if len(vectors) else 0.0)
    if min(centred.shape) < 2:
        return np.zeros((len(vectors), 2))
    axes = np.random.default_rng(0).normal(size=(centred.shape[1], min(_AXES, *centred.shape)))
    for _ in range(_ROUNDS):  # subspace iteration: a whole decomposition takes seconds where D is large
        axes, _ = np.linalg.qr(centred.T @ (centred @ axes))
    flat: NDArray[np.float64] = centred @ axes  # (P, A)
    _, turned = np.linalg.eigh(flat.T @ flat)  # ascending
    flat = flat @ turned[:, :-3:-1]
    return flat * np.where(flat[np.abs(flat).argmax(axis=0), [0, 1]] < 0, -1.0, 1.0)


def _points(
    shown: Sequence[tuple[Fate, Example, float | None]], flat: NDArray[np.float64]
) -> Iterator[Point]:
    for (fate, row, score), (x, y) in zip(shown, flat.tolist(), strict=True):
        rounded = None if score is None else round(score, 4)
        yield Point(round(x, 5), round(y, 5), fate, row.prompt[:TEXT_CHARS], row.source or "", rounded)


def _lowest(places: Ints, keys: NDArray[np.uint64], most: int) -> tuple[int, ...]:
    order = np.lexsort((places, keys[places]))[:most] if len(places) > most else np.arange(len(places))
    return tuple(places[order].tolist())
