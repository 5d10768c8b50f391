"""Sentence-transformers folders against one another: modules, pooling and prompts must be one model's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kshot.models.checkpoint.modules import (
    ModuleEntry,
    folder_settings,
    module_entries,
    module_settings,
)
from kshot.models.checkpoint.parts import Member

# of a module's own file: these decide which tokens count or how long a text may be, and mix with a warning
_SOFT = frozenset({
    "include_prompt", "max_seq_length", "do_lower_case", "modality_config", "transformer_task",
    "module_output_name", "model_args", "tokenizer_args", "processing_kwargs", "unpad_inputs",
})  # fmt: skip
_PROMPTS = ("prompts", "default_prompt_name", "similarity_fn_name", "activation_fn")


def module_problems(member: Member, base: Member) -> tuple[list[str], list[str]]:
    """Refusals and warnings, without the member's name.

    The lists of modules and the settings of pooling and dense layers must agree. Prompts, lengths and
    similarity may differ: the base's are used.

    Raises:
        ModelError: A file is damaged.
    """
    own, known = module_entries(member.folder), module_entries(base.folder)
    if not own and not known:
        return [], []
    if not own or not known:
        return _one_sided(own or known, member, base, has=bool(own))
    kinds, wanted = [entry.kind for entry in own], [entry.kind for entry in known]
    if kinds != wanted:
        return [
            f"its modules are {', '.join(kinds)}, {base.name} has {', '.join(wanted)}; vectors of other "
            "pooling or other layers cannot be mixed: save both with the same modules"
        ], []
    refusals: list[str] = []
    warnings: list[str] = []
    for one, other in zip(own, known, strict=True):
        _compare(one, member.folder, other, base, (refusals, warnings))
    warnings += _prompt_differences(member.folder, base)
    return refusals, warnings


def _one_sided(
    entries: tuple[ModuleEntry, ...], member: Member, base: Member, *, has: bool
) -> tuple[list[str], list[str]]:
    listed = ", ".join(entry.kind for entry in entries)
    if len(entries) == 1:  # a plain transformer, as in a reranker's folder
        return [], []
    if has:
        return [
            f"is a sentence-transformers model ({listed}) and {base.name} a plain one, so its pooling would "
            f"be lost; take {member.name} as the base"
        ], []
    return [], [
        f"states no pooling, as it is no sentence-transformers folder; the modules of {base.name} ({listed}) "
        "are used: check that it was trained with them"
    ]


def _compare(
    one: ModuleEntry, folder: Path, other: ModuleEntry, base: Member, found: tuple[list[str], list[str]]
) -> None:
    own, known = module_settings(folder, one), module_settings(base.folder, other)
    for key in sorted(own.keys() & known.keys()):
        if own[key] == known[key]:
            continue
        sentence = f"{one.kind}: {key} is {own[key]!r}, {base.name} has {known[key]!r}"
        if key in _SOFT:
            found[1].append(f"{sentence}; {base.name}'s is used")
        else:
            found[0].append(f"{sentence}; one embedder cannot pool in two ways")


def _prompt_differences(folder: Path, base: Member) -> list[str]:
    own, known = folder_settings(folder), folder_settings(base.folder)
    return [
        f"its {key} are {_stated(own, key)!r}, {base.name} has {_stated(known, key)!r}, which are used"
        for key in _PROMPTS
        if _stated(own, key) != _stated(known, key)
    ]


def _stated(settings: dict[str, Any], key: str) -> Any:
    """Empty prompts are none: newer versions write them out."""
    value = settings.get(key)
    if isinstance(value, dict):
        return {name: text for name, text in sorted(value.items()) if text}
    return value or {} if key == "prompts" else value
