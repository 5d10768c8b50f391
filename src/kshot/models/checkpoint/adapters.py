"""A LoRA adapter against the stored tensors of a base: what it adds where, and what does not fit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kshot.models.bank.base_weights import BaseWeights
from kshot.models.checkpoint.modules import module_entries
from kshot.models.checkpoint.parts import Factors, Member
from kshot.models.lora.config import LoraConfig
from kshot.models.lora.files import Pair

# linear layers also in models whose other layers are stored as (in, out)
_PLAIN_LINEAR = frozenset({"lm_head", "score", "classifier", "summary"})


@dataclass(frozen=True, slots=True)
class AdapterMatch:
    """The modules of an adapter against a base.

    Attributes:
        factors: Name of the base's stored tensor to what the adapter adds to it.
        problems: Sentences without the adapter's name.
    """

    factors: Mapping[str, Factors]
    problems: tuple[str, ...]


def adapter_factors(base: Member, member: Member) -> Mapping[str, Factors]:
    """Name of each of the base's stored tensors that an adapter changes, to its two factors and scaling.

    A module that does not fit the base is left out: ``find_problems`` refuses such adapters.

    Example::

        adapter_factors(base, adapter)["model.layers.0.self_attn.q_proj.weight"].scaling
    """
    return match_adapter(base, member).factors


def match_adapter(base: Member, member: Member) -> AdapterMatch:
    """As ``adapter_factors``, with what does not fit."""
    start = _transformer_prefix(base)
    weights = _weights(base, start)
    prefix, added = _prefixes(weights, list(member.pairs))
    factors: dict[str, Factors] = {}
    problems: list[str] = []
    for module, pair in member.pairs.items():
        inner = added + module.removeprefix(prefix)
        tensor = weights.tensors.get(f"{inner}.weight")
        problem = None
        if tensor is None:
            problem = _absent(inner, module, weights, base)
        elif not tensor.is_float:
            problem = f"adapts {module}, which is stored as {tensor.dtype}; dequantise the base first"
        elif (turned := _turned(inner, weights)) is not None:
            out, inputs = pair.b.shape[0], pair.a.shape[1]
            shape = (inputs, out) if turned else (out, inputs)
            if tensor.shape != shape:
                problem = (
                    f"{module} changes a matrix of shape {shape}, the base's {tensor.name} has "
                    f"{tensor.shape}; it was trained for another model"
                )
            elif member.lora is not None:
                factors[f"{start}{inner}.weight"] = _factors(member.lora, module, pair, turned)
        if problem:
            problems.append(problem)
    return AdapterMatch(factors, tuple(problems))


def _factors(config: LoraConfig, module: str, pair: Pair, turned: bool) -> Factors:
    return Factors(pair, config.scaling_of(module), turned)


def _turned(module: str, weights: BaseWeights) -> bool:
    return weights.transposed and module.rsplit(".", 1)[-1] not in _PLAIN_LINEAR


def _absent(inner: str, module: str, weights: BaseWeights, base: Member) -> str:
    if weights.weight(inner) is not None:  # found by the tie alone
        return (
            f"adapts {module}, which {base.name} shares with its embedding, so that the embedding would "
            "change too; use an adapter without it, or untie the base"
        )
    return f"adapts {module}, which {base.name} does not have; it was trained for another model"


def _weights(base: Member, start: str) -> BaseWeights:
    tensors = {name[len(start) :]: t for name, t in base.tensors.items() if name.startswith(start)}
    if not start:
        tensors = {name: tensor for name, tensor in tensors.items() if "/" not in name}
    return BaseWeights.of(base.folder, base.config, tensors)


def _transformer_prefix(base: Member) -> str:
    """What stands before the transformer's tensors in a folder of several modules."""
    entries = module_entries(base.folder)
    return f"{entries[0].path}/" if entries and entries[0].path else ""


def _prefixes(weights: BaseWeights, modules: list[str]) -> tuple[str, str]:
    """What an adapter's module names have before those of the files, or lack."""
    modules = [module for module in modules if module != "lm_head"]  # a tie finds it under any prefix
    prefix = weights.prefix_for(modules)
    if prefix or any(weights.weight(module) is not None for module in modules):
        return prefix, ""
    firsts = sorted({name.split(".", 1)[0] + "." for name in weights.tensors if "." in name})
    counts = {
        first: sum(f"{first}{module}.weight" in weights.tensors for module in modules) for first in firsts
    }
    best = max(firsts, key=lambda first: counts[first], default="")
    return ("", best) if best and counts[best] else ("", "")
