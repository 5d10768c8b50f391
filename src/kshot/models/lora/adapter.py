"""LoraAdapter: the factors of a PEFT LoRA folder, by module; read, compared, scaled, added, written."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, final

import numpy as np

from kshot.errors import AdapterError, ModelError
from kshot.models.folders import new_folder
from kshot.models.lora import delta as algebra
from kshot.models.lora.config import CONFIG
from kshot.models.lora.delta import Doubles, LoraDelta, ab_cosines, gram
from kshot.models.lora.files import PREFIX, WEIGHTS, usable_files
from kshot.models.safetensor_files import Array, file_sha256, packed, write_bytes

__all__ = ["LoraAdapter", "LoraDelta", "ab_cosines", "concatenated", "gram"]


@final
@dataclass(frozen=True, slots=True, eq=False)
class LoraAdapter:
    """A LoRA adapter in memory: what it adds to each module's weight.

    Attributes:
        name: For messages; the folder's name unless given.
        modules: Module name within the base model to its delta, sorted by name. Deltas are (out, in), however
            the base stores its weight.
        base: The base model that its configuration declares.
        fan_in_fan_out: Whether the base stores weights as (in, out), as GPT-2's Conv1D does.
        file_sha256: Of the weights file that it was read from; None if it was made here.

    >>> half = LoraDelta(np.array([[1.0, 0.0]]), np.array([[1.0], [0.0]]), 1.0)
    >>> adapter = LoraAdapter("mine", {"q_proj": half})
    >>> adapter.norm(), adapter.cosine(adapter.scaled(-2.0)), adapter.parameters
    (1.0, -1.0, 4)
    """

    name: str
    modules: Mapping[str, LoraDelta]
    base: str | None = None
    fan_in_fan_out: bool = False
    file_sha256: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "modules", {name: self.modules[name] for name in sorted(self.modules)})

    @classmethod
    def load(cls, folder: str | Path, *, name: str | None = None) -> LoraAdapter:
        """Read a PEFT folder; bfloat16 and float16 become float32, exactly. NaN passes: see ``non_finite``.

        Raises:
            AdapterError: The folder is damaged, or holds anything but s B A on linear modules: DoRA, biases,
                saved modules, embeddings, other PEFT types, unknown or missing tensors.

        Example::

            smith = LoraAdapter.load("bank/smith-lora")
        """
        folder = Path(folder)
        config, pairs = usable_files(folder)
        try:
            modules = {
                module: LoraDelta(pair.a.read(), pair.b.read(), config.scaling_of(module))
                for module, pair in pairs.items()
            }
            digest = file_sha256(folder / WEIGHTS)
        except (ModelError, OSError) as error:
            raise AdapterError(f"{folder.name}: {error}") from error
        return cls(name or folder.name, modules, config.base, config.fan_in_fan_out, digest)

    @property
    def parameters(self) -> int:
        """How many numbers its factors hold."""
        return sum(delta.parameters for delta in self.modules.values())

    @property
    def sha256(self) -> str:
        """Of its weights file: the one that was read, or the one that ``save`` would write."""
        return self.file_sha256 or hashlib.sha256(packed(self._tensors())).hexdigest()

    def rank(self, module: str) -> int:
        """The rank of a module's delta; 0 where the adapter has none."""
        found = self.modules.get(module)
        return found.rank if found else 0

    def delta(self, module: str) -> Doubles:
        """(out, in) the change of a module's weight, in double.

        Raises:
            AdapterError: The adapter has no such module.
        """
        if module not in self.modules:
            known = ", ".join(list(self.modules)[:3])
            raise AdapterError(
                f"{self.name}: has no module {module!r}; it has {known} ... ({len(self.modules)})"
            )
        return self.modules[module].dense()

    def inner(self, other: LoraAdapter) -> float:
        """The inner product of both deltas over all modules; a module that one lacks is zero.

        Raises:
            AdapterError: A shared module has other shapes, or a weight is NaN or infinite.
        """
        with _about(self, other):
            return algebra.inner(self.modules, other.modules)

    def cosine(self, other: LoraAdapter) -> float:
        """The cosine of both deltas; 0 where either is zero. Splitting a delta otherwise changes nothing.

        Raises:
            AdapterError: As ``inner``.
        """
        with _about(self, other):
            return algebra.cosine(self.modules, other.modules)

    def norm(self) -> float:
        """Frobenius norm of all deltas; exactly 0 where rounding alone is left.

        Raises:
            AdapterError: A weight is NaN or infinite.
        """
        with _about(self):
            return algebra.norm(self.modules)

    def non_finite(self) -> tuple[str, ...]:
        """Names of the tensors that hold NaN or infinity."""
        return tuple(name for name, value in self._tensors().items() if not np.isfinite(value).all())

    def scaled(self, weight: float) -> LoraAdapter:
        """The adapter whose deltas are ``weight`` times these.

        Raises:
            AdapterError: The weight is no finite number.
        """
        if not math.isfinite(weight):
            raise AdapterError(f"{self.name}: scaled by {weight}, expected a finite number")
        modules = {n: replace(d, scaling=d.scaling * weight) for n, d in self.modules.items()}
        return replace(self, name=f"{weight:g} * {self.name}", modules=modules, file_sha256=None)

    def save(self, folder: str | Path) -> Path:
        """Write a PEFT folder, all at once, that gives the same output; ranks and alphas stand per module.

        Raises:
            ModelError: The folder is not empty, or cannot be written.
        """
        out = Path(folder)
        with new_folder(out) as part:
            write_bytes(part / WEIGHTS, packed(self._tensors()))
            text = json.dumps(self._config(), indent=2, sort_keys=True) + "\n"
            write_bytes(part / CONFIG, text.encode())
        return out

    def _tensors(self) -> dict[str, Array]:
        tensors: dict[str, Array] = {}
        for name, delta in self.modules.items():
            tensors[f"{PREFIX}{name}.lora_A.weight"] = delta.a
            tensors[f"{PREFIX}{name}.lora_B.weight"] = delta.b
        return tensors

    def _config(self) -> dict[str, Any]:
        ranks = {name: delta.rank for name, delta in self.modules.items()}
        alphas = {name: _alpha(delta) for name, delta in self.modules.items()}
        rank, alpha = _commonest(ranks.values(), 1), _commonest(alphas.values(), 1)
        return {
            "alpha_pattern": {_only(n): value for n, value in alphas.items() if value != alpha},
            "base_model_name_or_path": self.base,
            "bias": "none",
            "fan_in_fan_out": self.fan_in_fan_out,
            "inference_mode": True,
            "lora_alpha": alpha,
            "lora_dropout": 0.0,
            "peft_type": "LORA",
            "r": rank,
            "rank_pattern": {_only(n): value for n, value in ranks.items() if value != rank},
            "target_modules": list(self.modules),
            "task_type": "CAUSAL_LM",
            "use_rslora": False,
        }


def concatenated(
    adapters: Sequence[LoraAdapter], weights: Sequence[float], *, name: str = "sum"
) -> LoraAdapter:
    """Σ w_i · adapter_i as one adapter, exactly: A stacked, weights and scalings folded into B.

    Ranks add up, modules that only some adapters have are kept, and weights need not sum to 1.

    Raises:
        AdapterError: There is no adapter, a weight is missing or no finite number, or shapes differ.

    Source: arXiv 2410.13025 (there ``cat``); PEFT's ``linear`` adds A and B apart and brings in cross terms.
    """
    if not adapters or len(adapters) != len(weights):
        raise AdapterError(
            f"{len(adapters)} adapters and {len(weights)} weights; expected one weight for each of some"
        )
    if bad := [weight for weight in weights if not math.isfinite(weight)]:
        raise AdapterError(f"a weight is {bad[0]}, expected finite numbers")
    modules: dict[str, LoraDelta] = {}
    for module in sorted(set().union(*(adapter.modules for adapter in adapters))):
        parts = [
            (a.modules[module], w) for a, w in zip(adapters, weights, strict=True) if module in a.modules
        ]
        shapes = sorted({part.shape for part, _ in parts})
        if len(shapes) > 1:
            who = ", ".join(adapter.name for adapter in adapters)
            raise AdapterError(
                f"{module}: shapes {shapes[0]} and {shapes[1]} in {who}; one base model is needed"
            )
        modules[module] = algebra.summed(*zip(*parts, strict=True))
    bases = {adapter.base for adapter in adapters}
    base = bases.pop() if len(bases) == 1 else None
    return LoraAdapter(name, modules, base, any(adapter.fan_in_fan_out for adapter in adapters))


@contextmanager
def _about(*adapters: LoraAdapter) -> Iterator[None]:
    """Puts the adapters' names before what goes wrong inside the block."""
    try:
        yield
    except AdapterError as error:
        raise AdapterError(f"{' and '.join(adapter.name for adapter in adapters)}: {error}") from None


def _only(module: str) -> str:
    """A pattern that PEFT matches to this module; ``^`` keeps it from matching ``x.module`` as well."""
    return "^" + re.escape(module)


def _alpha(delta: LoraDelta) -> float:
    """The alpha whose quotient by the rank is the scaling again, bit by bit where there is one."""
    alpha = delta.scaling * delta.rank
    return next((a for a in (float(round(alpha)), alpha) if a / delta.rank == delta.scaling), alpha)


def _commonest(values: Any, default: Any) -> Any:
    """The most frequent value; ties: the larger."""
    counts = Counter(values)
    return max(counts, key=lambda value: (counts[value], value)) if counts else default
