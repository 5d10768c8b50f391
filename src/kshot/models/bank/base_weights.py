"""The weights of a base model as their headers tell them: which modules there are, how large, how long."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

from kshot.errors import ModelError
from kshot.models.safetensor_files import StoredTensor, folder_header

# transformers' Conv1D stores (in, out)
_CONV1D_TYPES = frozenset({"gpt2", "openai-gpt", "imagegpt", "decision_transformer"})
_EMBEDDINGS = ("embed_tokens.weight", "wte.weight", "embed_in.weight", "word_embeddings.weight")
_PACKED = frozenset({"U8", "I8", "I32", "I16", "U16", "U32"})  # several numbers in one, so of other shape


@final
@dataclass(frozen=True, slots=True)
class BaseWeights:
    """Tensors of a base model on disk; no model is made of them.

    Attributes:
        tensors: Every stored tensor by its name in the files.
        names: How the base is called: its folder, and what its configuration says.
        tied: Whether the output layer shares the embedding's weight.
        transposed: Whether linear weights are stored as (in, out).
    """

    folder: Path
    tensors: Mapping[str, StoredTensor]
    names: frozenset[str]
    tied: bool
    transposed: bool
    _norms: dict[str, float] = field(default_factory=dict, repr=False)

    @classmethod
    def read(cls, folder: Path) -> BaseWeights:
        """Headers and configuration of a model folder.

        Raises:
            ModelError: Something is missing or damaged.
        """
        path = folder / "config.json"
        try:
            config = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise ModelError(f"{path}: is missing; expected the folder of the base model") from None
        except (OSError, ValueError, RecursionError) as error:
            raise ModelError(f"{path}: is no JSON ({error}); download it again") from error
        if not isinstance(config, dict):
            raise ModelError(f"{path}: holds a {type(config).__name__}, expected a JSON object")
        return cls.of(folder, config, folder_header(folder))

    @classmethod
    def of(cls, folder: Path, config: Mapping[str, Any], tensors: Mapping[str, StoredTensor]) -> BaseWeights:
        """Headers and configuration that are read already."""
        names = {folder.resolve().name, str(config.get("_name_or_path") or "").rsplit("/", 1)[-1]}
        tied = config.get("tie_word_embeddings")
        transposed = config.get("model_type") in _CONV1D_TYPES
        known = frozenset(name.casefold() for name in names if name)
        return cls(folder, tensors, known, tied is not False, transposed)

    def prefix_for(self, modules: Iterable[str]) -> str:
        """What stands before module names in the model, but not in its files (``transformer.`` in gpt2's)."""
        for module in modules:
            if self._find(module) is not None:
                return ""
            first, _, rest = module.partition(".")
            if rest and self._find(rest) is not None:
                return f"{first}."
        return ""

    def weight(self, module: str, *, prefix: str = "") -> StoredTensor | None:
        """The weight of a module; the embedding's for a tied output layer; None where the base has none."""
        return self._find(module.removeprefix(prefix))

    def shape(self, module: str, *, prefix: str = "") -> tuple[int, ...] | None:
        """(out, in) of a module; None where the stored weight is packed and does not tell."""
        tensor = self.weight(module, prefix=prefix)
        if tensor is None or tensor.dtype in _PACKED:
            return None
        turned = self.transposed and not self._is_tied_output(module.removeprefix(prefix))
        return tensor.shape[::-1] if turned else tensor.shape

    def has(self, module: str, *, prefix: str = "") -> bool:
        """Whether the base has a module of that name, packed or not."""
        if self.weight(module, prefix=prefix) is not None:
            return True
        start = module.removeprefix(prefix) + "."
        return any(name.startswith(start) for name in self.tensors)

    def matrices(self) -> list[str]:
        """Modules, as the files name them, that hold a matrix; single experts inside a layer are left out,
        since transformers may fuse them.
        """
        found = [
            name.removesuffix(".weight")
            for name, tensor in self.tensors.items()
            if name.endswith(".weight") and len(tensor.shape) == 2 and ".experts." not in name
        ]
        return [*found, "lm_head"] if self._is_tied_output("lm_head") and self._find("lm_head") else found

    def norm(self, module: str, *, prefix: str = "") -> float | None:
        """The Frobenius norm of a module's weight, read once; None where it is no stored floating point."""
        tensor = self.weight(module, prefix=prefix)
        if tensor is None or not tensor.is_float:
            return None
        if tensor.name not in self._norms:
            self._norms[tensor.name] = tensor.norm()
        return self._norms[tensor.name]

    @property
    def rows(self) -> int | None:
        """Rows of the token embedding; None where it cannot be found."""
        tensor = self._embedding()
        return tensor.shape[0] if tensor is not None and tensor.shape else None

    def _find(self, module: str) -> StoredTensor | None:
        found = self.tensors.get(f"{module}.weight")
        return self._embedding() if found is None and self._is_tied_output(module) else found

    def _is_tied_output(self, module: str) -> bool:
        return self.tied and module == "lm_head" and "lm_head.weight" not in self.tensors

    def _embedding(self) -> StoredTensor | None:
        return next((t for name, t in self.tensors.items() if name.endswith(_EMBEDDINGS)), None)
