"""DARE: drop most entries of each change of the base at random, scale up the rest."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Literal, final

import numpy as np
from numpy.typing import NDArray

from kshot.models.checkpoint.operations.deltas import added_to_base, check_base, check_density, check_scale
from kshot.models.checkpoint.operations.weights import check_finite
from kshot.models.checkpoint.parts import Blocks, Survey, TensorPlan

if TYPE_CHECKING:
    from torch import Tensor


@final
@dataclass(frozen=True, slots=True)
class Dare:
    """M_b + scale · sum of w_i (m_i * (M_i - M_b)) / density, m_i drawn entry by entry: 1 with ``density``.

    Each draw is a function of the seed, the member's position, the tensor's name and the entry's index
    alone, so it depends on no block, thread or other tensor; other seeds, members or names draw apart.

    The base takes part with a delta of zero, so its own weight changes nothing.

    Attributes:
        density: Share of entries that stay; 1 - p of the paper.
        scale: One factor for all deltas.
        seed: Of the draws.
        base: Position of the base among the members.

    Source: Yu et al. (arXiv 2311.03099), equations of section 3.1, then task arithmetic.

    Example::

        write_mix(plan, [0, 0.5, 0.5], out, operation=Dare(density=0.1, seed=7))
    """

    density: float = 0.5
    scale: float = 1.0
    seed: int = 0
    base: int = 0
    name: Literal["dare"] = field(default="dare", init=False)
    passes: Literal[1] = field(default=1, init=False)

    def check(self, weights: Sequence[float], *, base: int) -> None:
        """Refuse weights that are not finite, a density outside (0, 1], and another base than the plan's.

        Raises:
            ModelError: Says what was found.
        """
        check_finite(weights)
        check_scale(self.scale, operation=self.name)
        check_density(self.density, operation=self.name)
        check_base(self.base, base, operation=self.name)

    def survey(self, tensor: TensorPlan, blocks: Iterator[Blocks]) -> Survey:
        """Nothing needs to be known beforehand."""
        return {}

    def combine(
        self, blocks: Blocks, weights: Sequence[float], *, tensor: TensorPlan, at: int, survey: Survey
    ) -> Tensor:
        """(n,) the base's block plus what is left of the weighted deltas."""
        import torch

        def drop(member: int, delta: Tensor) -> Tensor:
            stream = (member, str(PurePosixPath(tensor.path).parent), tensor.name)  # not the shard
            kept = drawn(len(delta), at, density=self.density, seed=self.seed, stream=stream)
            return delta.mul_(torch.from_numpy(kept))  # NaN times 0 stays NaN

        scaled = [self.scale * weight / self.density for weight in weights]
        return added_to_base(blocks, scaled, base=self.base, change=drop)


def drawn(
    count: int, at: int, *, density: float, seed: int, stream: tuple[int | str, ...]
) -> NDArray[np.bool_]:
    """(count,) true with probability ``density``, for the indices from ``at`` on of a stream of draws.

    Source: the finaliser of SplitMix64 (Steele et al. 2014) over index and key; the key is a SHA-256.

    >>> whole = drawn(1000, 0, density=0.3, seed=0, stream=("q",))
    >>> bool((whole[500:] == drawn(500, 500, density=0.3, seed=0, stream=("q",))).all())
    True
    """
    if density >= 1:
        return np.ones(count, dtype=np.bool_)
    key = hashlib.sha256(repr((seed, *stream)).encode()).digest()
    bits = np.arange(at, at + count, dtype=np.uint64)
    bits += np.uint64(1)
    bits *= np.uint64(0x9E3779B97F4A7C15)
    bits += np.frombuffer(key, dtype="<u8", count=1)[0]
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        bits ^= bits >> np.uint64(shift)
        bits *= np.uint64(factor)
    bits ^= bits >> np.uint64(31)
    kept: NDArray[np.bool_] = bits < np.uint64(int(density * 2.0**64))
    return kept
