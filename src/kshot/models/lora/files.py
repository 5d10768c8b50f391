"""The files of an adapter folder, looked at without reading a weight: what is there, and what is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from kshot.errors import AdapterError, ModelError, collected
from kshot.models.lora.config import LoraConfig, Problem, lora_config, read_config, unsupported
from kshot.models.safetensor_files import StoredTensor, read_header

WEIGHTS = "adapter_model.safetensors"
PICKLED = "adapter_model.bin"
PREFIX = "base_model.model."
_A, _B = ".lora_A.weight", ".lora_B.weight"
_CONVERT = "convert it where you trust it: load with PeftModel.from_pretrained and save_pretrained again"
# parts of tensor names that belong to features, whatever the configuration says
_FEATURES = {
    "lora_magnitude_vector": Problem("dora", "is a DoRA: its weights hold magnitude vectors"),
    "lora_embedding_": Problem("embedding", "adapts an embedding (lora_embedding_A, lora_embedding_B)"),
    "modules_to_save": Problem("saved_modules", "replaces whole modules of the base (modules_to_save)"),
    "token_adapter": Problem("trainable_tokens", "replaces token embeddings (trainable tokens)"),
}


@dataclass(frozen=True, slots=True)
class Pair:
    """The two stored factors of one module."""

    a: StoredTensor
    b: StoredTensor


@dataclass(frozen=True, slots=True)
class AdapterFiles:
    """What the headers of an adapter folder say.

    Attributes:
        peft_type: As the configuration spells it.
        config: None where it cannot be read.
        pairs: Module name within the base model to its factors, by name; empty where there are problems.
        problems: Why it cannot be used as s B A, if so.
    """

    folder: Path
    peft_type: str | None
    config: LoraConfig | None
    pairs: Mapping[str, Pair]
    problems: tuple[Problem, ...]


def adapter_files(folder: Path) -> AdapterFiles:
    """Configuration and header of an adapter folder. What is wrong is not raised, but told."""
    try:
        raw = read_config(folder)
    except AdapterError as error:
        code = "bad_config" if (folder / "adapter_config.json").exists() else "missing_config"
        return AdapterFiles(folder, None, None, {}, (Problem(code, str(error)), *_weight_problems(folder)))
    kind = None if raw.get("peft_type") is None else str(raw["peft_type"])
    problems = unsupported(raw)
    if any(problem.code == "other_type" for problem in problems):
        return AdapterFiles(folder, kind, None, {}, (*problems, *_weight_problems(folder)))
    try:
        config = lora_config(raw)
    except AdapterError as error:
        problems.append(Problem("bad_config", str(error)))
        return AdapterFiles(folder, kind, None, {}, (*problems, *_weight_problems(folder)))
    pairs, found = _pairs(folder, config, featured=bool(problems))
    problems += [problem for problem in found if problem.code not in {p.code for p in problems}]
    return AdapterFiles(folder, kind, config, {} if problems else pairs, tuple(problems))


def usable_files(folder: Path) -> tuple[LoraConfig, Mapping[str, Pair]]:
    """Configuration and factors of an adapter that is s B A and nothing else.

    Raises:
        AdapterError: It is not; the message names the adapter and tells every reason.
    """
    if not folder.is_dir():
        raise AdapterError(f"{folder}: no such folder; expected a PEFT adapter folder")
    files = adapter_files(folder)
    if files.problems or files.config is None:
        raise AdapterError(collected([f"{folder.name}: {problem.sentence}" for problem in files.problems]))
    return files.config, files.pairs


def _weight_problems(folder: Path) -> list[Problem]:
    """What is wrong with the weights file alone."""
    path = folder / WEIGHTS
    if not path.is_file():
        if (folder / PICKLED).is_file():
            return [
                Problem(
                    "pickled", f"has pickled weights only ({PICKLED}), which kshot does not open; {_CONVERT}"
                )
            ]
        return [Problem("missing_weights", f"{path}: is missing; expected the adapter's weights")]
    try:
        read_header(path)
    except ModelError as error:
        return [Problem("truncated" if "cut short" in str(error) else "damaged", str(error))]
    return []


def _pairs(folder: Path, config: LoraConfig, *, featured: bool) -> tuple[dict[str, Pair], list[Problem]]:
    if problems := _weight_problems(folder):
        return {}, problems
    header = read_header(folder / WEIGHTS)
    features = {p.code: p for part, p in _FEATURES.items() if any(part in name for name in header)}
    if features or featured:  # their tensors would each be unknown: one reason is enough
        return {}, list(features.values())
    modules = sorted({m for name in header if (m := _module(name)) is not None})
    pairs: dict[str, Pair] = {}
    for module in modules:
        missing = [end for end in (_A, _B) if PREFIX + module + end not in header]
        problems += [Problem("missing_key", f"tensor {PREFIX}{module}{end} is missing") for end in missing]
        if not missing:
            pairs[module] = Pair(header[PREFIX + module + _A], header[PREFIX + module + _B])
    problems += [
        Problem("unknown_key", f"tensor {name} is no part of a LoRA; nothing is ever loaded in part")
        for name in header
        if _module(name) is None
    ]
    problems += _shape_problems(pairs, config)
    problems += _target_problems(modules, config)
    return pairs, problems


def _module(name: str) -> str | None:
    if name.startswith(PREFIX) and name.endswith((_A, _B)):
        return name[len(PREFIX) : -len(_A)]
    return None


def _shape_problems(pairs: Mapping[str, Pair], config: LoraConfig) -> list[Problem]:
    found = []
    for module, pair in pairs.items():
        rank, a, b = config.rank_of(module), pair.a.shape, pair.b.shape
        if len(a) != 2 or len(b) != 2:
            found.append(
                Problem("shape", f"{module}: A is {a} and B is {b}, expected matrices; only linear layers")
            )
        elif a[0] != rank or b[1] != rank:
            found.append(
                Problem("rank", f"{module}: A is {a} and B is {b}, but the configuration says rank {rank}")
            )
        for tensor in (pair.a, pair.b):
            if not tensor.is_float:
                found.append(
                    Problem("dtype", f"tensor {tensor.name} is {tensor.dtype}, expected floating point")
                )
    return found


def _target_problems(modules: list[str], config: LoraConfig) -> list[Problem]:
    if not modules:
        return [Problem("empty", "its weights hold no LoRA factor at all")]
    return [
        Problem("unknown_key", f"module {module} has weights, but is no target of the configuration")
        for module in modules
        if not config.is_target(module)
    ]
