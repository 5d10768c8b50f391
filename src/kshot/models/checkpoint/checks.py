"""What speaks against a mix, found in headers and small files: refusals and warnings, a sentence each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kshot.errors import ModelError
from kshot.models.checkpoint.adapters import match_adapter
from kshot.models.checkpoint.configs import config_differences, label_count, label_order
from kshot.models.checkpoint.module_checks import module_problems
from kshot.models.checkpoint.modules import module_entries, transformer_folder
from kshot.models.checkpoint.parts import Member
from kshot.models.checkpoint.side_files import side_file_problems
from kshot.models.checkpoint.stored_checks import copy_problems, packing_problems, tensor_problems
from kshot.models.checkpoint.tokenizers import tokenizer_differences

_CLASSIFIERS = ("ForSequenceClassification", "ForTokenClassification", "ForMultipleChoice")


@dataclass(frozen=True, slots=True)
class Problems:
    """What speaks against a mix: with any refusal nothing may be written; warnings are for the reader."""

    refusals: tuple[str, ...]
    warnings: tuple[str, ...]


def find_problems(members: Sequence[Member], *, base: int) -> Problems:
    r"""Everything that headers, configurations and tokenizers say against a mix, each with the member's name.

    Refused: another architecture, size, vocabulary or number of outputs; packed numbers; missing, extra or
    doubled tensors; other shapes; other pooling; an adapter of another base, and an adapter as the base.
    Warned of: special tokens, chat templates, prompts and dtypes that differ, code that a folder brings
    along, one folder given twice. No full weight is read, but output layers that should be tied.

    Args:
        members: N members.
        base: Position of the one whose layout the output takes.

    Raises:
        ModelError: A small file is damaged, or there is no such member.

    Example::

        problems = find_problems(members, base=0)
        print(*problems.refusals, sep="\n")
    """
    if not 0 <= base < len(members):
        raise ModelError(f"base is member {base}, expected one from 0 to {len(members) - 1}")
    own = members[base]
    if own.is_lora:
        return Problems((_adapter_as_base(members, own),), ())
    refusals: list[str] = []
    warnings: list[str] = []
    for at, member in enumerate(members):
        found = _own_problems(member)
        if at != base:
            more = _adapter_problems(member, own) if member.is_lora else _model_problems(member, own)
            found = (found[0] + more[0], found[1] + more[1])
        refusals += [f"{member.name}: {sentence}" for sentence in found[0]]
        warnings += [f"{member.name}: {sentence}" for sentence in found[1]]
    refusals += side_file_problems(own, members)
    warnings += _repeated(members)
    return Problems(tuple(dict.fromkeys(refusals)), tuple(dict.fromkeys(warnings)))


def _adapter_as_base(members: Sequence[Member], own: Member) -> str:
    if all(member.is_lora for member in members):
        return (
            f"{own.name}: is an adapter, and so is every other member; give the full model as the base, or "
            "mix the adapters alone into one adapter"
        )
    return f"{own.name}: is an adapter and cannot be the base; name a full model as the base"


def _own_problems(member: Member) -> tuple[list[str], list[str]]:
    """Of one member by itself."""
    if member.is_lora:
        return [], []
    packed = packing_problems(member)
    refusals, warnings = copy_problems(member)
    code = [entry.type for entry in module_entries(member.folder) if not entry.is_known]
    if member.config.get("auto_map") or code:
        warnings.append(
            f"brings code of its own ({'auto_map in config.json' if not code else code[0]}), which kshot "
            "does not run; the base's is copied beside the weights"
        )
    return packed + refusals, warnings


def _model_problems(member: Member, base: Member) -> tuple[list[str], list[str]]:
    """Of a full model against the base. Where the architecture is another, nothing else is worth saying."""
    other, unlike = _architecture_problems(member, base)
    if other:
        return other, []
    differences = config_differences(member.config, base.config, name=base.name)
    names = tensor_problems(member, base)
    modules = module_problems(member, base)
    tokens = _tokenizer_problems(member, base)
    labels = _label_problems(member.config, base.config, base.name)
    parts = (differences.refusals, labels[0], names[0], modules[0], tokens[0])
    notes = (unlike, differences.warnings, labels[1], names[1], modules[1], tokens[1])
    return [one for part in parts for one in part], [one for part in notes for one in part]


def _architecture_problems(member: Member, base: Member) -> tuple[list[str], list[str]]:
    own, known = member.config.get("model_type"), base.config.get("model_type")
    if own != known:
        return [
            f"its model_type is {own!r}, {base.name} has {known!r}; only models of one kind can be mixed"
        ], []
    one, other = _class(member.config), _class(base.config)
    if one == other:
        return [], []
    if not one or not other or one.endswith("Model") or other.endswith("Model"):
        return [], [f"its architecture is {one or 'unnamed'}, {base.name} has {other or 'none named'}"]
    return [
        f"its architecture is {one}, {base.name} has {other}: their output layers mean other things; save "
        "both with the same class"
    ], []


def _class(config: Any) -> str:
    found = config.get("architectures")
    return str(found[0]) if isinstance(found, list) and found else ""


def _label_problems(config: Any, base: Any, name: str) -> tuple[list[str], list[str]]:
    if not _class(config).endswith(_CLASSIFIERS):
        return [], []
    count, known = label_count(config), label_count(base)
    if count != known:
        return [f"has {count} outputs (num_labels), {name} has {known}"], []
    order, wanted = label_order(config), label_order(base)
    if not order or not wanted or order == wanted:
        return [], []
    said = f"its outputs are {', '.join(order[:5])}, those of {name} {', '.join(wanted[:5])}"
    if set(order) == set(wanted):
        return [f"{said}: the same labels in another order, so other classes would be averaged"], []
    return [], [f"{said}; {name}'s names are used"]


def _tokenizer_problems(member: Member, base: Member) -> tuple[list[str], list[str]]:
    found = tokenizer_differences(
        transformer_folder(member.folder), transformer_folder(base.folder), name=base.name
    )
    return list(found.ids), list(found.others)


def _adapter_problems(member: Member, base: Member) -> tuple[list[str], list[str]]:
    match = match_adapter(base, member)
    shown = list(match.problems[:1])
    if len(match.problems) > 1:
        shown = [f"{match.problems[0]} ({len(match.problems)} modules do not fit)"]
    tokens = tokenizer_differences(member.folder, transformer_folder(base.folder), name=base.name)
    return shown + list(tokens.ids), _declared(member, base) + list(tokens.others)


def _declared(member: Member, base: Member) -> list[str]:
    """The base that an adapter names, where this one is called otherwise; a name proves nothing."""
    declared = member.lora.base if member.lora else None
    if not declared:
        return []
    last = declared.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1].casefold()
    called = (
        base.name.partition("@")[0],
        base.folder.resolve().name,
        str(base.config.get("_name_or_path") or ""),
    )
    if last in {name.rstrip("/").rsplit("/", 1)[-1].casefold() for name in called if name}:
        return []
    return [f"says that it was trained for {declared}; check that {base.name} is that model"]


def _repeated(members: Sequence[Member]) -> list[str]:
    seen: dict[object, str] = {}
    found = []
    for member in members:
        where = member.folder.resolve()
        if where in seen:
            found.append(f"{member.name}: is the same folder as {seen[where]}; its weights add up")
        seen.setdefault(where, member.name)
    return found
