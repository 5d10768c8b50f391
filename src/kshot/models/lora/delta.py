"""What a LoRA adds to one weight matrix, s B A, and its algebra through r × r products alone.

<s1 B1 A1, s2 B2 A2> = s1 s2 tr((B1ᵀ B2)(A2 A1ᵀ)) = s1 s2 sum of (B1ᵀ B2) * (A1 A2ᵀ), entry by entry. The
(out, in) product is never formed, and nothing depends on how a delta is split into its factors: A -> R A
with B -> B R⁻¹ is the same delta, while cosines of A and of B alone change.

Source: arXiv 2408.15915v2, Eq. 6, where A and B are compared apart; the delta form is ours.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from kshot.errors import AdapterError
from kshot.models.safetensor_files import Array

Doubles: TypeAlias = NDArray[np.float64]

# below this share of s²|A|²|B|² a squared norm is what rounding leaves of zero
_ROUNDING = 1e-13
_BLOCK_RANKS = 2048  # (2048, 2048) doubles are 32 MB


@dataclass(frozen=True, slots=True, eq=False)
class LoraDelta:
    """The factors of one module: the weight W (out, in) becomes W + scaling · B A.

    Attributes:
        a: (r, in).
        b: (out, r).
        scaling: alpha / r, or alpha / sqrt(r) with rsLoRA.

    Raises:
        AdapterError: The factors are no matrices of one rank, or the scaling is no number.

    >>> LoraDelta(np.eye(2), np.array([[1.0, 2.0], [3.0, 4.0]]), 0.5).dense().tolist()
    [[0.5, 1.0], [1.5, 2.0]]
    """

    a: Array
    b: Array
    scaling: float

    def __post_init__(self) -> None:
        if self.a.ndim != 2 or self.b.ndim != 2 or self.a.shape[0] != self.b.shape[1]:
            raise AdapterError(f"A {self.a.shape} and B {self.b.shape} are no (r, in) and (out, r)")
        if not math.isfinite(self.scaling):
            raise AdapterError(f"the scaling is {self.scaling}, expected a finite number")

    @property
    def rank(self) -> int:
        """Columns of B, rows of A."""
        return int(self.a.shape[0])

    @property
    def shape(self) -> tuple[int, int]:
        """(out, in)."""
        return self.b.shape[0], self.a.shape[1]

    @property
    def parameters(self) -> int:
        """How many numbers the two factors hold."""
        return self.a.size + self.b.size

    def dense(self) -> Doubles:
        """(out, in) the change of the weight itself, in double; for checks, not for large models."""
        product: Doubles = self.scaling * (self.b.astype(np.float64) @ self.a.astype(np.float64))
        return product

    def inner(self, other: LoraDelta) -> float:
        """The sum over all entries of this delta times the other's.

        Raises:
            AdapterError: The shapes differ.
        """
        if self.shape != other.shape:
            raise AdapterError(f"deltas of shapes {self.shape} and {other.shape} cannot be compared")
        left = self.b.astype(np.float64).T @ other.b.astype(np.float64)  # (r1, r2)
        right = self.a.astype(np.float64) @ other.a.astype(np.float64).T  # (r1, r2)
        return self.scaling * other.scaling * float((left * right).sum())

    def norm(self) -> float:
        """Frobenius norm; exactly 0 where rounding alone is left."""
        return norm({"": self})


Deltas: TypeAlias = Mapping[str, LoraDelta]


def inner(one: Deltas, other: Deltas) -> float:
    """The inner product of two adapters' deltas over all modules; a missing module is zero.

    Raises:
        AdapterError: A module has other shapes, or holds NaN or infinity.
    """
    total = 0.0
    for name in sorted(one.keys() & other.keys()):
        try:
            with np.errstate(all="ignore"):  # what overflows is found below
                total += one[name].inner(other[name])
        except AdapterError as error:
            raise AdapterError(f"{name}: {error}; the adapters belong to different base models") from None
    if not math.isfinite(total):
        raise AdapterError("the inner product is no finite number: a weight is NaN, infinite or too large")
    return total


def norm(deltas: Deltas) -> float:
    """The Frobenius norm of all deltas; exactly 0 where rounding alone is left.

    Raises:
        AdapterError: A weight is NaN or infinite.
    """
    squared = inner(deltas, deltas)
    largest = sum((d.scaling * _length(d.a) * _length(d.b)) ** 2 for d in deltas.values())
    return math.sqrt(squared) if squared > _ROUNDING * largest else 0.0


def cosine(one: Deltas, other: Deltas) -> float:
    """The cosine of two adapters' deltas, in [-1, 1]; 0 where either is zero.

    >>> a = LoraDelta(np.eye(2), np.array([[1.0, 2.0], [3.0, 4.0]]), 1.0)
    >>> b = LoraDelta(np.array([[0.0, -1.0], [1.0, 0.0]]), np.array([[-2.0, 1.0], [-4.0, 3.0]]), 1.0)
    >>> round(cosine({"q": a}, {"q": b}), 12)
    1.0
    """
    lengths = norm(one) * norm(other)
    return min(1.0, max(-1.0, inner(one, other) / lengths)) if lengths else 0.0


def gram(adapters: Sequence[Deltas]) -> Doubles:
    """(E, E) inner products of E adapters: one pair of matrix products for each block of adapters and module.

    Raises:
        AdapterError: Adapters share a module whose shapes differ, or hold NaN or infinity.
    """
    table = np.zeros((len(adapters), len(adapters)))
    for name in sorted(set().union(*adapters)):
        holders = [at for at, adapter in enumerate(adapters) if name in adapter]
        found = [adapters[at][name] for at in holders]
        if len({delta.shape for delta in found}) > 1:
            raise AdapterError(
                f"{name}: shapes differ between adapters: they belong to different base models"
            )
        blocks = _blocks([delta.rank for delta in found])
        for i, one in enumerate(blocks):
            for other in blocks[i:]:
                part = _products([found[at] for at in one], [found[at] for at in other])
                rows, columns = [holders[at] for at in one], [holders[at] for at in other]
                table[np.ix_(rows, columns)] += part
                if one is not other:
                    table[np.ix_(columns, rows)] += part.T
    if not np.isfinite(table).all():
        raise AdapterError("an inner product is no finite number: a weight is NaN, infinite or too large")
    both: Doubles = (table + table.T) / 2
    return both


def ab_cosines(one: Deltas, other: Deltas, *, signed: bool) -> Doubles:
    """(2 · M,) cosines of the flattened A, then B, of each module that both have in equal shape, by name.

    The paper's similarity is the mean of them (``signed``), the released code's the sum of the absolute ones.
    A zero matrix gives 0. Empty where no module matches.

    Source: arXiv 2408.15915v2, Eq. 6. Scaling plays no part in it.
    """
    found: list[float] = []
    for name in sorted(one.keys() & other.keys()):
        for x, y in ((one[name].a, other[name].a), (one[name].b, other[name].b)):
            if x.shape == y.shape:
                x, y = x.astype(np.float64).ravel(), y.astype(np.float64).ravel()
                lengths = _length(x) * _length(y)
                found.append(float(x @ y) / lengths if lengths else 0.0)
    cosines: Doubles = np.clip(np.array(found), -1.0, 1.0)
    return cosines if signed else np.absolute(cosines)


def summed(deltas: Sequence[LoraDelta], weights: Sequence[float]) -> LoraDelta:
    """Σ w_i s_i B_i A_i as one LoRA of scaling 1: A stacked, the weights folded into B, ranks added up.

    >>> half = LoraDelta(np.array([[1.0, 0.0]]), np.array([[1.0], [0.0]]), 1.0)
    >>> other = LoraDelta(np.array([[0.0, 1.0]]), np.array([[0.0], [1.0]]), 1.0)
    >>> summed([half, other], [0.5, 0.5]).dense().tolist()
    [[0.5, 0.0], [0.0, 0.5]]
    """
    kind = reduce(np.promote_types, (factor.dtype for d in deltas for factor in (d.a, d.b)))
    columns = [w * d.scaling * d.b.astype(np.float64) for d, w in zip(deltas, weights, strict=True)]
    a: Array = np.concatenate([d.a for d in deltas], axis=0)
    return LoraDelta(a, np.concatenate(columns, axis=1).astype(kind), 1.0)


def _blocks(ranks: Sequence[int]) -> list[list[int]]:
    """Neighbouring positions whose ranks add up to at most ``_BLOCK_RANKS``, one position at least."""
    starts = list(itertools.accumulate(ranks, initial=0))
    blocks: list[list[int]] = [[]]
    for at, rank in enumerate(ranks):
        if blocks[-1] and starts[at] + rank - starts[blocks[-1][0]] > _BLOCK_RANKS:
            blocks.append([])
        blocks[-1].append(at)
    return blocks


def _products(one: Sequence[LoraDelta], other: Sequence[LoraDelta]) -> Doubles:
    """(len(one), len(other)) inner products."""
    left = _stacked([d.scaling * d.b.astype(np.float64).T for d in one])  # (R1, out)
    right = _stacked([d.scaling * d.b.astype(np.float64).T for d in other])  # (R2, out)
    with np.errstate(all="ignore"):  # what overflows is found in the sum
        pairs = left @ right.T  # (R1, R2)
        pairs *= _stacked([d.a for d in one]) @ _stacked([d.a for d in other]).T
    return _sums(_sums(pairs, [d.rank for d in one]).T, [d.rank for d in other]).T


def _stacked(parts: Sequence[Array]) -> Doubles:
    whole: Doubles = np.concatenate(parts, axis=0).astype(np.float64)
    return whole


def _sums(rows: Doubles, sizes: Sequence[int]) -> Doubles:
    """Sums over runs of rows of the given sizes."""
    ends = list(itertools.accumulate(sizes))
    return np.array([rows[end - size : end].sum(axis=0) for size, end in zip(sizes, ends, strict=True)])


def _length(values: Array) -> float:
    return math.sqrt(float(np.square(values, dtype=np.float64).sum()))
