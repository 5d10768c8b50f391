"""How alike the adapters of a bank are: all pairs, with the weights of a few modules in memory at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np

from kshot.errors import AdapterError, InputError, ModelError
from kshot.models.lora.adapter import LoraAdapter
from kshot.models.lora.config import LoraConfig
from kshot.models.lora.delta import Doubles, LoraDelta, gram
from kshot.models.lora.files import Pair, usable_files
from kshot.models.safetensor_files import Array

Likeness: TypeAlias = Literal["delta", "ab_signed", "ab_abs"]
KINDS: tuple[Likeness, ...] = ("delta", "ab_signed", "ab_abs")


@dataclass(frozen=True, slots=True)
class _Stored:
    """An adapter on the disk: its headers, from which one module at a time is read."""

    name: str
    config: LoraConfig
    pairs: Mapping[str, Pair]


def similarity_matrix(adapters: Sequence[LoraAdapter | str | Path], *, kind: Likeness = "delta") -> Doubles:
    """(E, E) similarity of each pair of adapters; symmetric, 1 on the diagonal.

    Folders are read module by module: each file once, and never more than one module of all in memory.

    Args:
        adapters: E adapters in memory, or PEFT folders.
        kind: ``delta``: cosine of s B A over all modules, a missing module being zero; splitting s B A into
            other factors changes nothing. ``ab_signed``: mean cosine of the flattened A and of B over the
            matrices that both have in equal shape, 0 where there is none. ``ab_abs``: sum of the absolute
            cosines, divided by the count of matrices that any adapter has: a scale that ranks groups as the
            sum does.

    Raises:
        AdapterError: A folder cannot be used, a weight is no finite number, or the adapters belong to
            different base models.
        InputError: There is no such kind.

    Source: arXiv 2408.15915v2, Eq. 6 (``ab_signed``); its released code (``ab_abs``); ``delta`` is ours.

    >>> one = LoraDelta(np.eye(2), np.array([[1.0, 2.0], [3.0, 4.0]]), 1.0)
    >>> turned = LoraDelta(np.array([[0.0, -1.0], [1.0, 0.0]]), np.array([[-2.0, 1.0], [-4.0, 3.0]]), 1.0)
    >>> pair = [LoraAdapter("one", {"q": one}), LoraAdapter("turned", {"q": turned})]
    >>> [round(float(similarity_matrix(pair, kind=kind)[0, 1]), 12) for kind in ("delta", "ab_signed")]
    [1.0, 0.0]
    """
    if kind not in KINDS:
        raise InputError(f"the similarity {kind!r} does not exist; expected one of {', '.join(KINDS)}")
    stored = [one if isinstance(one, LoraAdapter) else _opened(Path(one)) for one in adapters]
    table = _delta(stored) if kind == "delta" else _factors(stored, signed=kind == "ab_signed")
    np.fill_diagonal(table, 1.0)
    return table


def _delta(adapters: Sequence[LoraAdapter | _Stored]) -> Doubles:
    inner = np.zeros((len(adapters), len(adapters)))
    squared = np.zeros(len(adapters))
    for module, holders, deltas in _modules(adapters):
        inner[np.ix_(holders, holders)] += gram([{module: delta} for delta in deltas])
        squared[holders] += [delta.norm() ** 2 for delta in deltas]  # exactly 0 where rounding is left
    lengths = np.sqrt(np.outer(squared, squared))
    return np.clip(np.divide(inner, lengths, out=np.zeros_like(inner), where=lengths > 0), -1.0, 1.0)


def _factors(adapters: Sequence[LoraAdapter | _Stored], *, signed: bool) -> Doubles:
    total, shared = np.zeros((2, len(adapters), len(adapters)))
    matrices = 0
    for _, holders, deltas in _modules(adapters):
        matrices += 2
        for factors in ([delta.a for delta in deltas], [delta.b for delta in deltas]):
            for same in _of_equal_shape(factors):
                at = np.ix_([holders[i] for i in same], [holders[i] for i in same])
                cosines = _cosines(np.array([factors[i].ravel() for i in same], dtype=np.float64))
                total[at] += cosines if signed else np.abs(cosines)
                shared[at] += 1
    if not np.isfinite(total).all():
        raise AdapterError("a cosine is no number: a weight is too large; audit the bank")
    return total / (np.maximum(shared, 1) if signed else max(1, matrices))


def _cosines(rows: Doubles) -> Doubles:
    """(n, n) cosines of (n, d) rows; a row of zeros gives 0."""
    with np.errstate(all="ignore"):  # what overflows is found in the sum
        lengths = np.sqrt((rows * rows).sum(axis=1, keepdims=True))
        rows = rows / np.where(lengths == 0, 1.0, lengths)
        products: Doubles = rows @ rows.T
    return np.clip((products + products.T) / 2, -1.0, 1.0)


def _of_equal_shape(factors: Sequence[Array]) -> list[list[int]]:
    by_shape: dict[tuple[int, ...], list[int]] = {}
    for at, factor in enumerate(factors):
        by_shape.setdefault(factor.shape, []).append(at)
    return list(by_shape.values())


def _modules(adapters: Sequence[LoraAdapter | _Stored]) -> Iterator[tuple[str, list[int], list[LoraDelta]]]:
    """Module by module: its name, the positions of the adapters that have it, and their factors."""
    held = [one.modules if isinstance(one, LoraAdapter) else one.pairs for one in adapters]
    for module in sorted(set().union(*held)):
        holders = [at for at, modules in enumerate(held) if module in modules]
        yield module, holders, [_read(adapters[at], module) for at in holders]


def _read(adapter: LoraAdapter | _Stored, module: str) -> LoraDelta:
    if isinstance(adapter, LoraAdapter):
        delta = adapter.modules[module]
    else:
        pair = adapter.pairs[module]
        try:
            delta = LoraDelta(pair.a.read(), pair.b.read(), adapter.config.scaling_of(module))
        except (ModelError, OSError) as error:
            raise AdapterError(f"{adapter.name}: {error}") from error
    if not (np.isfinite(delta.a).all() and np.isfinite(delta.b).all()):
        raise AdapterError(f"{adapter.name}: {module} holds NaN or infinity; audit the bank and leave it out")
    return delta


def _opened(folder: Path) -> _Stored:
    config, pairs = usable_files(folder)
    return _Stored(folder.name, config, pairs)
