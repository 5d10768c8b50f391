"""The stored tensors of members: packed types, copies that differ, shapes and names that do not fit."""

from __future__ import annotations

import re
from collections import Counter

import numpy as np

from kshot.models.checkpoint.aliases import alias
from kshot.models.checkpoint.names import NameMatch, compare_names, is_buffer
from kshot.models.checkpoint.parts import Member
from kshot.models.checkpoint.weight_files import left_out, stored_tensors
from kshot.models.safetensor_files import StoredTensor

_PACKED_TYPES = frozenset({"F8_E4M3", "F8_E5M2", "F8_E8M0", "C64"})
_PACKED_NAMES = re.compile(
    r"(.*[./])?(qweight|qzeros|g_idx|weight_packed|weight_scale(_inv)?|input_scale|scales|SCB|weight_format"
    r"|.*\.(quant_state|absmax|quant_map|nested_absmax).*|.*_(blocks|scales))"
)
_DEQUANTISE = (
    "dequantise it first (load it in full precision and save_pretrained): packed numbers cannot be averaged"
)
_SAME_CLASS = "save both with the same class: from_pretrained(...) and save_pretrained(...)"


def packing_problems(member: Member) -> list[str]:
    """Why a full model's numbers cannot be averaged: a quantised or packed type."""
    quantised = member.config.get("quantization_config") or member.config.get("compression_config")
    if quantised:
        method = quantised.get("quant_method") if isinstance(quantised, dict) else None
        return [f"is quantised ({method or 'quantization_config'} in config.json); {_DEQUANTISE}"]
    packed = sorted(name for name, tensor in member.tensors.items() if _is_packed(name, tensor))
    if not packed:
        return []
    first = member.tensors[packed[0]]
    return [f"{len(packed)} tensors are packed, first {packed[0]} as {first.dtype}; {_DEQUANTISE}"]


def copy_problems(member: Member) -> tuple[list[str], list[str]]:
    """Refusals where a tied output layer is stored with other numbers; warnings of files left out."""
    refusals = []
    stored = stored_tensors(member.folder)
    for name in sorted(stored.keys() - member.tensors.keys()):
        other = alias(name, stored, tied=True)
        if other is not None and not same_numbers(stored[name], stored[other]):
            refusals.append(
                f"config.json ties the output layer, but {name} differs from {other}; state "
                "tie_word_embeddings false if it is untied, or delete the tensor"
            )
    warnings = [f"{name} is no part of the model and left out" for name in left_out(member.folder)]
    return refusals, warnings


def tensor_problems(member: Member, base: Member) -> tuple[list[str], list[str]]:
    """Refusals about names and shapes against the base's, warnings about dtypes."""
    match = compare_names(base, member)
    refusals = _name_problems(match, member, base)
    shapes = [
        f"tensor {name} has shape {tensor.shape}, {base.name} has {base.tensors[name].shape}"
        for name, tensor in sorted(match.found.items())
        if tensor.shape != base.tensors[name].shape and not is_buffer(name, tensor.shape)
    ]
    refusals += shapes[:1] if len(shapes) < 2 else [f"{shapes[0]} ({len(shapes)} tensors differ in shape)"]
    types = [
        f"tensor {name} is {tensor.dtype}, {base.name} has {base.tensors[name].dtype}; floating point and "
        "whole numbers cannot be mixed"
        for name, tensor in sorted(match.found.items())
        if tensor.is_float != base.tensors[name].is_float and not is_buffer(name, tensor.shape)
    ]
    return refusals + types[:1], _dtype_differences(match, base)


def same_numbers(one: StoredTensor, other: StoredTensor) -> bool:
    """Whether two stored matrices hold the same numbers; read block by block until they differ."""
    if one.shape != other.shape or not one.is_float or not other.is_float:
        return False
    return all(np.array_equal(a, b) for a, b in zip(one.blocks(), other.blocks(), strict=True))


def _name_problems(match: NameMatch, member: Member, base: Member) -> list[str]:
    found = []
    if match.missing:
        found.append(
            f"lacks {len(match.missing)} tensors of {base.name}, first {match.missing[0]}; {_SAME_CLASS}"
        )
    if match.extra:
        found.append(
            f"has {len(match.extra)} tensors that {base.name} lacks, first {match.extra[0]}; {_SAME_CLASS}"
        )
    if match.twice:
        found.append(
            f"has a tensor twice under old and new names, first {match.twice[0]}; delete one of them"
        )
    found += [
        f"its output layer {name} differs from its embedding, which {base.name} ties; take an untied model "
        "as the base"
        for name, other in sorted(match.second.items())
        if not same_numbers(member.tensors[name], member.tensors[other])
    ]
    return found


def _dtype_differences(match: NameMatch, base: Member) -> list[str]:
    pairs = Counter(
        (tensor.dtype, base.tensors[name].dtype)
        for name, tensor in match.found.items()
        if tensor.is_float and base.tensors[name].is_float and tensor.dtype != base.tensors[name].dtype
    )
    return [
        f"{count} tensors are {one}, {base.name} has {other}; the mix has {base.name}'s unless --dtype is "
        "given"
        for (one, other), count in sorted(pairs.items())
    ]


def _is_packed(name: str, tensor: StoredTensor) -> bool:
    if tensor.dtype in _PACKED_TYPES:
        return True
    if tensor.is_float:  # scales alone are floating point; the numbers that they scale are not
        return False
    return name.endswith(".weight") or _PACKED_NAMES.fullmatch(name) is not None
