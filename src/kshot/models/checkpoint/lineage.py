"""Whether the members of a mix share an origin: their weights compared on samples, before a mix."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kshot.models.checkpoint.aliases import is_head
from kshot.models.checkpoint.names import match_names
from kshot.models.checkpoint.parts import Member
from kshot.models.safetensor_files import StoredTensor

LOWEST_COSINE = 0.9
_MATRICES = 8
_RUNS, _RUN_VALUES = 24, 4096  # about 1e5 values of a matrix, in runs so that few pages are read
_STORED = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2"}


@dataclass(frozen=True, slots=True)
class Kinship:
    """How near a full model is to the base, on the sampled weights.

    Attributes:
        name: The member.
        distance: |M - B| / |B|: well below 1 for a fine-tune, about sqrt(2) for a model of other origin.
        cosine: Of the weights M and B: near 1 for a fine-tune, near 0 for a model of other origin. NaN
            where nothing could be compared.
        delta_cosines: (N,) of M - B with the change of each member, in their order; NaN for the base and for
            adapters.
    """

    name: str
    distance: float
    cosine: float
    delta_cosines: tuple[float, ...]


def lineage(members: Sequence[Member], *, base: int, seed: int = 0) -> tuple[Kinship, ...]:
    """Distance and cosine to the base of every full model but the base itself, in the order of the members.

    Up to 8 of the larger matrices are sampled, at most 100,000 values each; the same values in all members.

    Example::

        for kin in lineage(members, base=0):
            print(kin.name, kin.distance, kin.cosine)
    """
    if members[base].is_lora:
        return ()
    full = {at: match_names(members[base], m) for at, m in enumerate(members) if not m.is_lora}
    names = _chosen(full, base, seed)
    runs = {name: _runs(full[base][name], seed) for name in names}
    values = {at: _sample(matched, runs) for at, matched in full.items()}
    own = values[base]
    with np.errstate(invalid="ignore"):  # infinite in both
        deltas = {at: value - own for at, value in values.items() if at != base}
    return tuple(
        Kinship(
            members[at].name,
            _ratio(float(np.linalg.norm(delta)), float(np.linalg.norm(own))),
            _cosine(values[at], own),
            tuple(_cosine(delta, deltas[i]) if i in deltas else math.nan for i in range(len(members))),
        )
        for at, delta in deltas.items()
    )


def lineage_warnings(members: Sequence[Member], *, base: int, seed: int = 0) -> tuple[str, ...]:
    """A loud sentence for each full model whose weights do not look like a fine-tune of the base.

    The threshold is a cosine of 0.9 between sampled weights. A warning is no proof: a model trained very long
    may fall below it, but a mix with a model of other origin is noise.

    Example::

        lineage_warnings([base, other], base=0)
    """
    return tuple(
        sentence
        for kin in lineage(members, base=base, seed=seed)
        if (sentence := _sentence(kin, members[base].name)) is not None
    )


def _sentence(kin: Kinship, base: str) -> str | None:
    if kin.cosine >= LOWEST_COSINE:
        return None
    if math.isnan(kin.cosine):
        return (
            f"{kin.name}: its origin cannot be compared with {base}: no matrix in common, or NaN, infinite "
            "or all-zero weights"
        )
    return (
        f"{kin.name}: DOES NOT LOOK LIKE A FINE-TUNE OF {base}: cosine of the weights {kin.cosine:.3f} "
        f"(expected above {LOWEST_COSINE}), relative distance {kin.distance:.2f} (about 1.41 between models "
        "of different origin); averaging models of different origin gives noise"
    )


def _chosen(full: Mapping[int, Mapping[str, StoredTensor]], base: int, seed: int) -> list[str]:
    """Names of up to 8 of the larger matrices that all full members have in one shape, in sorted order."""
    own = full[base]
    fit = [
        (math.prod(tensor.shape), name)
        for name, tensor in own.items()
        if len(tensor.shape) == 2
        and min(tensor.shape)
        and not is_head(name)  # where one side ties it, it is compared with an embedding
        and all(_like(matched.get(name), tensor) for matched in full.values())
    ]
    fit.sort(key=lambda one: (-one[0], one[1]))
    larger = [name for _, name in fit[: max(_MATRICES, (len(fit) + 1) // 2)]]
    return sorted(random.Random(seed).sample(larger, min(_MATRICES, len(larger))))


def _like(tensor: StoredTensor | None, own: StoredTensor) -> bool:
    return tensor is not None and tensor.is_float and own.is_float and tensor.shape == own.shape


def _runs(tensor: StoredTensor, seed: int) -> list[slice]:
    """Where to read in a flattened matrix."""
    count = math.prod(tensor.shape)
    if count <= _RUNS * _RUN_VALUES:
        return [slice(0, count)]
    draw = random.Random(f"{seed} {tensor.name}")
    blocks = sorted(draw.sample(range(count // _RUN_VALUES), _RUNS))
    return [slice(block * _RUN_VALUES, (block + 1) * _RUN_VALUES) for block in blocks]


def _sample(matched: Mapping[str, StoredTensor], runs: Mapping[str, list[slice]]) -> NDArray[np.float64]:
    """(S,) the sampled values of one member."""
    parts = [_values(matched[name], run) for name, found in runs.items() for run in found]
    return np.concatenate(parts) if parts else np.zeros(0)


def _values(tensor: StoredTensor, run: slice) -> NDArray[np.float64]:
    kind = np.dtype(_STORED[tensor.dtype])
    with tensor.path.open("rb") as file:
        file.seek(tensor.start + run.start * kind.itemsize)
        raw = np.frombuffer(file.read((run.stop - run.start) * kind.itemsize), dtype=kind)
    if tensor.dtype == "BF16":  # the upper half of a float32
        raw = (raw.astype(np.uint32) << np.uint32(16)).view(np.float32)
    with np.errstate(invalid="ignore"):  # a signalling NaN is found later
        return raw.astype(np.float64)


def _cosine(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    with np.errstate(all="ignore"):  # NaN is an answer here
        found = _ratio(float(a @ b), float(np.linalg.norm(a)) * float(np.linalg.norm(b)))
    return found if math.isnan(found) else max(-1.0, min(1.0, found))


def _ratio(value: float, whole: float) -> float:
    return value / whole if whole and math.isfinite(whole) and math.isfinite(value) else math.nan
