"""Which tensor of one model is which of another: renames between versions, prefixes, tied output layers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from kshot.models.checkpoint.aliases import alias, is_tied
from kshot.models.checkpoint.modules import module_entries
from kshot.models.checkpoint.parts import Member
from kshot.models.safetensor_files import StoredTensor

# numbers that a library version writes or leaves out, and that the model makes anew when it is loaded
_BUFFERS = re.compile(
    r"(.*[./])?(position_ids|token_type_ids|inv_freq|original_inv_freq|masked_bias|rotary_emb\.(cos|sin)_cached)"
)
_CAUSAL_MASK = re.compile(r"(.*[./])?(attn|attention)\.bias")  # GPT-2's and GPT-NeoX's, of four dimensions
_OLD_NORM = re.compile(r"(LayerNorm|layer_norm)\.(gamma|beta)$")
_NEW_NORM = {"gamma": "weight", "beta": "bias"}


@dataclass(frozen=True, slots=True)
class NameMatch:
    """The tensors of a member against those of the base.

    Attributes:
        found: Name of the base's tensor to the member's. A buffer that only the base has is its own.
        missing: Names of the base that the member lacks, sorted.
        extra: Names of the member that the base lacks, sorted; buffers and second names are not among them.
        second: Name of a member's tensor that the base does not have because it ties it, to the member's
            tensor that must hold the same numbers.
        twice: Names of the member that two of its tensors come down to.
    """

    found: Mapping[str, StoredTensor]
    missing: tuple[str, ...]
    extra: tuple[str, ...]
    second: Mapping[str, str]
    twice: tuple[str, ...]


def is_buffer(name: str, shape: tuple[int, ...] = ()) -> bool:
    """Whether a tensor is a table that the model makes anew (position ids, rotary frequencies, masks).

    >>> is_buffer("embeddings.position_ids"), is_buffer("h.0.attn.bias", (1, 1, 8, 8))
    (True, True)
    >>> is_buffer("h.0.attn.bias", (32,))
    False
    """
    if _BUFFERS.fullmatch(name):
        return True
    return len(shape) == 4 and _CAUSAL_MASK.fullmatch(name) is not None


def match_names(base: Member, member: Member) -> Mapping[str, StoredTensor]:
    """Name of each of the base's tensors to the tensor of the member that is mixed with it.

    A base tensor that the member lacks is left out: ``find_problems`` refuses such members. A tied output
    layer is found under the embedding's name. A buffer that the member lacks is the base's own.

    Example::

        match_names(base, expert)["lm_head.weight"].path
    """
    return compare_names(base, member).found


def compare_names(base: Member, member: Member) -> NameMatch:
    """As ``match_names``, with what does not fit."""
    own, twice = _plain_names(member)
    wanted, _ = _plain_names(base)
    renamed = _with_prefix(wanted.keys(), own)
    tensors = {key: member.tensors[name] for key, name in own.items()}
    found: dict[str, StoredTensor] = {}
    used: set[str] = set()
    for key, name in wanted.items():
        match = renamed.get(key)
        if match is None:
            match = alias(key, tensors, tied=is_tied(member.config))
        if match is not None:
            found[name] = tensors[match]
            used.add(match)
        elif is_buffer(name, base.tensors[name].shape):
            found[name] = base.tensors[name]
    rest = [key for key in own if key not in used]
    tied = is_tied(base.config)
    second = {key: other for key in rest if (other := alias(key, tensors, tied=tied)) is not None}
    extra = [own[key] for key in rest if key not in second and not is_buffer(key, tensors[key].shape)]
    return NameMatch(
        found,
        tuple(sorted(base.tensors.keys() - found.keys())),
        tuple(sorted(extra)),
        {own[key]: own[other] for key, other in second.items()},
        twice,
    )


def _plain_names(member: Member) -> tuple[dict[str, str], tuple[str, ...]]:
    """Names as the newest library writes them, with a module's position for its folder, to those stored."""
    folders = {entry.path: str(at) for at, entry in enumerate(module_entries(member.folder)) if entry.path}
    found: dict[str, str] = {}
    twice = []
    for name in member.tensors:
        key = _plain(name, folders)
        if key in found:
            twice.append(name)
        found.setdefault(key, name)
    return found, tuple(twice)


def _plain(name: str, folders: Mapping[str, str]) -> str:
    folder, slash, inner = name.rpartition("/")
    if slash:
        top = next((path for path in folders if folder == path or folder.startswith(path + "/")), None)
        at = folders[top] + folder[len(top) :] if top is not None else folder
        inner = (
            inner if at == "0" else f"{at}/{inner}"
        )  # the first module's names stand alone, wherever it lies
    else:
        inner = name
    return _OLD_NORM.sub(lambda match: f"{match[1]}.{_NEW_NORM[match[2]]}", inner)


def _with_prefix(wanted: Iterable[str], own: Mapping[str, str]) -> dict[str, str]:
    """Wanted name to own name: the same, or the same but for one first part that one side lacks."""
    found = {key: key for key in wanted if key in own}
    open_wanted = [key for key in wanted if key not in found and "/" not in key]
    open_own = {key for key in own if key not in found and "/" not in key}
    if not open_wanted or not open_own:
        return found
    best: dict[str, str] = {}
    for prefix in sorted(_firsts(open_wanted) | _firsts(open_own)):
        lacking = {key: key[len(prefix) :] for key in open_wanted if key.startswith(prefix)}
        having = {key: prefix + key for key in open_wanted}
        for tried in (lacking, having):
            matched = {key: other for key, other in tried.items() if other in open_own}
            best = matched if len(matched) > len(best) else best
    return found | best


def _firsts(names: Iterable[str]) -> set[str]:
    return {name.split(".", 1)[0] + "." for name in names if "." in name}
