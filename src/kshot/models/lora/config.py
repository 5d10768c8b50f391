"""``adapter_config.json`` of a LoRA: what kshot reads of it, and what makes it refuse.

Rank, alpha and targets are matched to modules by PEFT's own rules (``peft.utils.get_pattern_key`` and
``check_target_module_exists``), restated here so that reading a configuration needs neither peft nor torch.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from kshot.errors import AdapterError

CONFIG = "adapter_config.json"
Names: TypeAlias = tuple[str, ...] | str


@dataclass(frozen=True, slots=True)
class Problem:
    """Why an adapter cannot be used: a short code for programs, and a sentence."""

    code: str
    sentence: str


@dataclass(frozen=True, slots=True)
class LoraConfig:
    """The part of a LoRA configuration that decides what its weights mean.

    Attributes:
        base: The base model that it declares; nobody checks that by the name.
        rank: Rank of every module that no pattern names; ``alpha`` likewise.
        rank_pattern: Regular expression over module names to rank; the first that matches counts.
        rslora: Whether the scaling is alpha / sqrt(r) instead of alpha / r.
        targets: Names (or their last parts), or one regular expression; ``all-linear`` stands for itself.
        excluded: Modules that no target may match.
        layers: Indices of the only layers that are adapted; None: all.
        layers_pattern: Names of the lists of layers that ``layers`` counts in.
        fan_in_fan_out: Whether the base stores the weight as (in, out), like GPT-2's Conv1D.
    """

    base: str | None
    rank: int
    alpha: float
    rank_pattern: Mapping[str, int]
    alpha_pattern: Mapping[str, float]
    rslora: bool
    targets: Names
    excluded: Names = ()
    layers: tuple[int, ...] | None = None
    layers_pattern: tuple[str, ...] = ()
    fan_in_fan_out: bool = False

    def rank_of(self, module: str) -> int:
        """The rank of a module, by its name within the base model."""
        return self.rank_pattern.get(_matching(self.rank_pattern, module), self.rank)

    def alpha_of(self, module: str) -> float:
        """Alpha of a module."""
        return self.alpha_pattern.get(_matching(self.alpha_pattern, module), self.alpha)

    def scaling_of(self, module: str) -> float:
        """The factor before B A: alpha / r, or alpha / sqrt(r) with rsLoRA."""
        rank = self.rank_of(module)
        return self.alpha_of(module) / (math.sqrt(rank) if self.rslora else rank)

    def is_target(self, module: str) -> bool:
        """Whether PEFT would put this adapter on a module of that name. ``all-linear`` says yes to all."""
        if _named(self.excluded, module):
            return False
        if self.targets == "all-linear":
            return True
        whole = isinstance(self.targets, str) or module in self.targets  # then layers do not matter
        return _named(self.targets, module) and (whole or self._in_layers(module))

    def _in_layers(self, module: str) -> bool:
        if self.layers is None:
            return True
        patterns = self.layers_pattern or (r"[^.]*",)
        lead = r".*?\." if not self.layers_pattern else r"(?:^|.*?\.)"
        found = (re.match(rf"{lead}{pattern}\.(?P<index>\d+)\.", module) for pattern in patterns)
        return next((int(match["index"]) in self.layers for match in found if match), False)


def read_config(folder: Path) -> dict[str, Any]:
    """The JSON object of an adapter folder's configuration.

    Raises:
        AdapterError: It is missing, or no JSON object.
    """
    path = folder / CONFIG
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise AdapterError(f"{path}: is missing; expected a PEFT adapter folder") from None
    except (OSError, ValueError, RecursionError) as error:
        raise AdapterError(f"{path}: is no JSON ({error}); save the adapter again") from error
    if not isinstance(config, dict):
        raise AdapterError(f"{path}: holds a {type(config).__name__}, expected a JSON object")
    return config


def lora_config(config: Mapping[str, Any]) -> LoraConfig:
    """The configuration, its types checked; ``unsupported`` says whether it means more than s B A.

    Raises:
        AdapterError: A field is missing or has another type.

    >>> lora_config({"r": 8, "lora_alpha": 16, "target_modules": ["q_proj"]}).scaling_of("model.q_proj")
    2.0
    """
    layers = _field(config, "layers_to_transform", None, int | list | None)
    base = config.get("base_model_name_or_path")
    return LoraConfig(
        base=base if isinstance(base, str) and base else None,
        rank=_rank("r", config.get("r")),
        alpha=_alpha("lora_alpha", config.get("lora_alpha")),
        rank_pattern={key: _rank(f"rank_pattern {key!r}", r) for key, r in _pattern(config, "rank_pattern")},
        alpha_pattern={
            key: _alpha(f"alpha_pattern {key!r}", a) for key, a in _pattern(config, "alpha_pattern")
        },
        rslora=_field(config, "use_rslora", False, bool),
        targets=_names(config, "target_modules"),
        excluded=_names(config, "exclude_modules"),
        layers=(layers,) if isinstance(layers, int) else tuple(layers) if layers else None,
        layers_pattern=_as_tuple(_names(config, "layers_pattern")),
        fan_in_fan_out=_field(config, "fan_in_fan_out", False, bool),
    )


# a field that is set to anything, and what an adapter is then, beyond s B A on some matrices
_BEYOND: dict[str, tuple[str, str]] = {
    "use_dora": ("dora", "is a DoRA: it scales whole columns of the base weight, beyond s B A"),
    "lora_bias": ("bias", "has biases of its own (lora_bias)"),
    "modules_to_save": ("saved_modules", "replaces whole modules of the base (modules_to_save)"),
    "trainable_token_indices": ("trainable_tokens", "replaces token embeddings (trainable_token_indices)"),
    "target_parameters": ("parameters", "adapts bare parameters (target_parameters)"),
    "layer_replication": ("layer_replication", "repeats layers of the base (layer_replication)"),
    "alora_invocation_tokens": ("activated", "acts only after certain tokens (aLoRA)"),
    "use_qalora": ("qalora", "is a QA-LoRA"),
    "use_bdlora": ("bdlora", "is a block-diagonal LoRA"),
    "arrow_config": ("arrow", "is an Arrow router over other adapters"),
    "kasa_config": ("kasa", "is a KaSA adapter"),
    "monteclora_config": ("monteclora", "is a MonteCLoRA"),
    "megatron_config": ("megatron", "is made for Megatron layers"),
}
_KNOWN_SWITCHES = frozenset(_BEYOND) | {"use_rslora", "use_cache"}
# these begin by taking a part out of the base weights, so that B A alone does not say what they do
_CHANGED_BASE = ("pissa", "olora", "corda", "loftq", "lora_ga")


def unsupported(config: Mapping[str, Any]) -> list[Problem]:
    """Everything in a configuration that makes the adapter more, or other, than s B A on some matrices."""
    kind = config.get("peft_type")
    if str(kind).upper() != "LORA":
        return [
            Problem("other_type", f"its peft_type is {kind!r}, expected LORA; kshot reads LoRA adapters only")
        ]
    found = [Problem(code, what) for key, (code, what) in _BEYOND.items() if config.get(key)]
    if config.get("bias", "none") not in ("none", None):
        found.append(Problem("bias", f"changes biases of the base (bias: {config['bias']!r})"))
    start = str(config.get("init_lora_weights", True)).lower()
    if start.startswith(_CHANGED_BASE):
        found.append(Problem("changed_base", f"its training changed the base weights at the start ({start}); "
                             "convert it with PEFT's path_initial_model_for_weight_conversion"))  # fmt: skip
    for key in sorted(config.keys() - _KNOWN_SWITCHES):
        if key.startswith("use_") and config[key]:
            found.append(Problem("unknown_switch", f"has the switch {key}, which kshot does not know"))
    return found


def _matching(patterns: Iterable[str], module: str) -> str:
    for pattern in patterns:
        if re.match(rf"(.*\.)?({pattern})$", module):
            return pattern
    return module


def _named(names: Names, module: str) -> bool:
    if isinstance(names, str):
        return bool(re.fullmatch(names, module))
    return any(module == name or module.endswith(f".{name}") for name in names)


def _field(config: Mapping[str, Any], key: str, default: Any, kind: Any) -> Any:
    value = config.get(key, default)
    if value is None:
        value = default
    if not isinstance(value, kind):
        raise AdapterError(
            f"{CONFIG}: field {key!r} is {value!r}, expected {getattr(kind, '__name__', kind)}"
        )
    return value


def _rank(where: str, value: Any) -> int:
    if type(value) is not int or value < 1:
        raise AdapterError(f"{CONFIG}: field {where} is {value!r}, expected a whole number from 1")
    return value


def _alpha(where: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise AdapterError(f"{CONFIG}: field {where} is {value!r}, expected a number")
    return float(value)


def _pattern(config: Mapping[str, Any], key: str) -> list[tuple[str, Any]]:
    pairs = list(_field(config, key, {}, dict).items())
    for pattern, _ in pairs:
        _check_regex(key, pattern)
    return pairs


def _names(config: Mapping[str, Any], key: str) -> Names:
    value = _field(config, key, [], str | list)
    if isinstance(value, str):
        _check_regex(key, value)
        return value if value else ()
    if not all(isinstance(name, str) for name in value):
        raise AdapterError(f"{CONFIG}: field {key!r} is no list of names")
    return tuple(value)


def _as_tuple(names: Names) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else names


def _check_regex(key: str, pattern: str) -> None:
    try:
        re.compile(f"({pattern})")
    except re.error as error:
        raise AdapterError(
            f"{CONFIG}: field {key!r}: {pattern!r} is no regular expression ({error})"
        ) from error
