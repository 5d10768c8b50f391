"""Embeddings laid out in a plane, for a map of rows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kshot.errors import InputError


def plane(embeddings: NDArray[np.floating]) -> NDArray[np.float64]:
    """The first two principal components, shape (N, D) to (N, 2); no draw, no seed.

    Each axis is turned so that the entry furthest from 0 is positive. Rows lie around (0, 0); an axis on
    which they do not differ is 0.

    Raises:
        InputError: The embeddings are no table, or hold a value that is no number.

    >>> plane(np.array([[0.0, 0.0, 5.0], [3.0, 0.0, 5.0], [0.0, 0.0, 5.0]])).round(3).tolist()
    [[-1.0, 0.0], [2.0, 0.0], [-1.0, 0.0]]
    """
    if embeddings.ndim != 2:
        raise InputError(f"the embeddings have shape {embeddings.shape}; expected (rows, dimensions)")
    table = np.asarray(embeddings, dtype=np.float64)
    if not np.isfinite(table).all():
        raise InputError("an embedding holds a value that is no number; embed the texts again")
    found = np.zeros((len(table), 2))
    if not table.size:
        return found
    centred = table - table.mean(axis=0)
    # (D, D) rather than (N, D): many rows, few dimensions
    _, axes = np.linalg.eigh(centred.T @ centred)
    for at in range(min(2, table.shape[1])):
        along = centred @ axes[:, -1 - at]
        if (spread := np.abs(along).max()) > 1e-9 * max(1.0, np.abs(table).max()):
            furthest = along[np.flatnonzero(np.abs(along) >= spread * (1 - 1e-9))[0]]
            found[:, at] = along * np.sign(furthest)
    return found
