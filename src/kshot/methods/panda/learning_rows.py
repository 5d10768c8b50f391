"""Which rows an expert's preferences are learned from, where there are more than shots.

All functions see texts, vectors and labels of learning rows only, and tell what they left out and why.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from kshot.data.selection import Drop, Selection
from kshot.errors import DataError
from kshot.measure.similarity import duplicate_of, nearest
from kshot.models.base import Ints
from kshot.models.embed.rows import Rows, floats

MOST = 1000
SEED = 42
BEYOND = "beyond the number asked for"


def first(count: int, *, most: int = MOST) -> Selection:
    """The first rows, in their order.

    Raises:
        DataError: ``most`` is below 1.

    >>> first(3, most=2).kept
    (0, 1)
    """
    return _cut(list(range(count)), most)


def stratified(
    labels: Sequence[str], *, label_names: Sequence[str] | None = None, most: int = MOST, seed: int = SEED
) -> Selection:
    """The released draw: each class in proportion, in the order of the draw; all rows, if they are no more.

    It is ``StratifiedShuffleSplit(n_splits=1, train_size=most, random_state=seed)`` of scikit-learn over the
    class indices, whose train part is kept. Where that refuses, because a class has one row or there are
    more classes than rows on one side, the two smallest strata are taken together until it does not (ties:
    the earlier class).

    Args:
        labels: (N,) of the rows: gold ones, or the expert's.
        label_names: The classes in the order of their indices, on which the draw depends; None: by name.
        most: How many rows.
        seed: Of the draw.

    Raises:
        DataError: ``most`` is below 1, or a label is not named.

    Source: the release of arXiv 2402.12835.

    >>> sorted(stratified(["a", "b"] * 4, most=4).kept)
    [2, 3, 6, 7]
    """
    names = sorted(set(labels)) if label_names is None else list(label_names)
    foreign = sorted(set(labels) - set(names))
    if foreign:
        raise DataError(f"label {foreign[0]!r} is none of {', '.join(names)}")
    if most >= len(labels):
        return _cut(list(range(len(labels))), most)
    _check_count(most)
    from sklearn.model_selection import StratifiedShuffleSplit

    index = {name: place for place, name in enumerate(names)}
    strata = _merged([index[label] for label in labels], most)
    split = StratifiedShuffleSplit(n_splits=1, train_size=most, random_state=seed)
    kept, _ = next(split.split(np.zeros(len(strata)), strata))
    return _drawn(kept.tolist(), len(labels))


def by_margin(
    probabilities: ArrayLike, *, most: int = MOST, order: Literal["largest", "smallest"] = "largest"
) -> Selection:
    """Rows by how far the expert's first class is ahead of its second; ties: the earlier row.

    The largest margins are the rows that the expert is surest of, the smallest those it learned least about.

    Args:
        probabilities: (N, C), or (N, 2) of the first two answers alone.
        most: How many rows.
        order: Which margins come first.

    Raises:
        DataError: ``most`` is below 1, or there are less than two classes.

    >>> by_margin([[0.5, 0.5], [0.9, 0.1], [0.2, 0.8]], most=2).kept
    (1, 2)
    """
    shares = np.asarray(probabilities, dtype=np.float64)
    if shares.ndim != 2 or shares.shape[1] < 2 or not np.isfinite(shares).all():
        raise DataError(f"probabilities of shape {shares.shape}; expected (rows, 2 classes or more), finite")
    two = np.partition(shares, -2, axis=1)[:, -2:]  # (N, 2)
    margins = two[:, 1] - two[:, 0]
    sign = -1 if order == "largest" else 1
    return _cut(np.argsort(sign * margins, kind="stable").tolist(), most, margins.tolist())


def diverse(rows: Rows, shots: Rows, *, most: int = MOST, threshold: float = 0.9) -> Selection:
    """Rows nearest to the shots, without repeats: similarity first, then diversity.

    Rows stand by their cosine with the nearest shot (ties: the earlier row). Down that order, a row whose
    cosine with a row taken before exceeds the threshold is left out, until there are ``most``.

    Args:
        rows: (N, D) unit rows to choose from.
        shots: (K, D) unit rows, one at least.
        most: How many rows.
        threshold: Cosine above which a row repeats another.

    Raises:
        DataError: There is no shot, ``most`` is below 1, or as ``measure.similarity`` has it.

    >>> pool = np.array([[0, 1], [1, 0], [1, 0]], dtype=np.float32)
    >>> diverse(pool, pool[1:2], most=2).kept
    (1, 0)
    """
    _check_count(most)
    if not len(shots):
        raise DataError("no shots to be near to; expected at least one")
    if not len(rows):
        return Selection(())
    scores = nearest(rows, shots, k=1)[1][:, 0]  # (N,)
    order = np.argsort(-scores, kind="stable")
    owners = _owners(rows, order, most, threshold)
    kept = [place for place in order.tolist() if owners.get(place) == place][:most]
    taken = set(kept)
    drops = []
    for place in order.tolist():
        if place not in taken:
            repeats = owners.get(place) in taken
            reason = "repeats a row that was taken" if repeats else BEYOND
            drops.append(Drop(place, reason, float(scores[place]), owners[place] if repeats else None))
    return Selection(tuple(kept), tuple(drops))


def _owners(rows: Rows, order: Ints, most: int, threshold: float) -> dict[int, int]:
    """Which row each row repeats, itself if none; only of as many as it takes to find the most."""
    looked_at = min(len(order), 2 * most)
    while True:
        some = order[:looked_at]
        repeated = duplicate_of(floats(rows[some]), threshold=threshold)
        if looked_at == len(order) or int((repeated < 0).sum()) >= most:
            pairs = zip(some.tolist(), repeated.tolist(), strict=True)
            return {place: place if owner < 0 else int(some[owner]) for place, owner in pairs}
        looked_at = min(len(order), 2 * looked_at)


def _merged(classes: Sequence[int], most: int) -> Ints:
    """(N,) strata that scikit-learn takes: the class indices where it can."""
    strata = np.asarray(classes, dtype=np.int64)
    rest = len(strata) - most
    while True:
        names, sizes = np.unique(strata, return_counts=True)
        if len(names) == 1 or (sizes.min() > 1 and len(names) <= min(most, rest)):
            return strata
        small = names[np.argsort(sizes, kind="stable")[:2]]
        strata[np.isin(strata, small)] = small.min()


def _cut(order: Sequence[int], most: int, scores: Sequence[float] | None = None) -> Selection:
    _check_count(most)
    drops = (Drop(place, BEYOND, None if scores is None else scores[place]) for place in order[most:])
    return Selection(tuple(order[:most]), tuple(drops))


def _drawn(kept: Sequence[int], count: int) -> Selection:
    taken = set(kept)
    rest = (Drop(place, "not drawn") for place in range(count) if place not in taken)
    return Selection(tuple(kept), tuple(rest))


def _check_count(most: int) -> None:
    if most < 1:
        raise DataError(f"{most} learning rows are asked for; expected at least 1")
