"""One model that takes part in a mix, opened by headers and small files: full model, embedder or adapter."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kshot.errors import ModelError
from kshot.models.checkpoint.aliases import without_aliases
from kshot.models.checkpoint.modules import folder_settings, module_entries, transformer_folder
from kshot.models.checkpoint.parts import Member
from kshot.models.checkpoint.weight_files import INDEX, SINGLE, stored_tensors
from kshot.models.hf.loading import resolved
from kshot.models.kinds.base import KINDS, KindName
from kshot.models.lora.config import CONFIG as ADAPTER_CONFIG
from kshot.models.lora.config import read_config
from kshot.models.lora.files import usable_files
from kshot.models.text.chat import read_json

# beyond what a model needs to run: heads of bge-m3, the card's licence, tokenizers and code to carry along
_COMMIT = re.compile(r"[0-9a-f]{40}")  # the hub's cache names folders so
_MORE_FILES = ("*_linear.pt", "*.py", "*.tiktoken", "*.spm", "README.md", "LICENSE*", "LICENCE*", "NOTICE*")
_TASKS: Mapping[str, KindName] = {
    "CAUSAL_LM": "decoder",
    "SEQ_CLS": "reranker",
    "SEQ_2_SEQ_LM": "encoder-decoder",
    "FEATURE_EXTRACTION": "encoder",
}
_CAUSAL = ("ForCausalLM", "LMHeadModel", "GPTLMHead")


def open_member(name: str | Path, *, revision: str | None = None) -> Member:
    """A model that can be mixed: a local folder, or a hub name ``owner/model`` or ``owner/model@revision``.

    The folder holds a transformers model, a sentence-transformers model, or a PEFT LoRA adapter.

    Args:
        name: The folder or hub name.
        revision: Branch, tag or commit of a hub name.

    Raises:
        ModelError: There is no such folder or hub name, its weights are missing, damaged, or pickled.
        AdapterError: The adapter is anything but s B A on linear modules.

    Example::

        base = open_member("models/base")
        expert = open_member("owner/model@v1.0")
    """
    folder, revision = _located(str(name), revision)
    if (folder / ADAPTER_CONFIG).is_file():
        if (folder / SINGLE).is_file() or (folder / INDEX).is_file():
            raise ModelError(
                f"{folder}: holds the weights of a model and {ADAPTER_CONFIG} of an adapter; "
                "put them into two folders and give both"
            )
        lora, pairs = usable_files(folder)
        return Member(str(name), folder, {}, read_config(folder), lora, pairs, revision)
    config = read_json(transformer_folder(folder) / "config.json")
    if not config and not module_entries(folder):
        raise ModelError(
            f"{folder}: has no config.json, modules.json or {ADAPTER_CONFIG}; expected a transformers model, "
            "a sentence-transformers model or a PEFT adapter"
        )
    return Member(
        str(name), folder, without_aliases(stored_tensors(folder), config), config, revision=revision
    )


def kind_of(member: Member) -> KindName:
    """Which of the four kinds a member is, as its small files tell.

    Raises:
        ModelError: They do not tell.

    >>> kind_of(Member("mine", Path(), {}, {"architectures": ["LlamaForCausalLM"]}))
    'decoder'
    >>> kind_of(Member("mine", Path(), {}, {"architectures": ["BertForSequenceClassification"]}))
    'reranker'
    """
    if member.is_lora:
        task = str(member.config.get("task_type"))
        if task in _TASKS:
            return _TASKS[task]
        raise _unclear(member, f"its task_type is {task}")
    architectures = _architectures(member.config)
    if any(name.endswith("ForSequenceClassification") for name in architectures):
        return "reranker"
    if module_entries(member.folder):
        return "reranker" if folder_settings(member.folder).get("model_type") == "CrossEncoder" else "encoder"
    if member.config.get("is_encoder_decoder") and not _is_encoder_alone(architectures):
        return "encoder-decoder"
    if any(name.endswith(_CAUSAL) for name in architectures):
        return "decoder"
    if architectures and all(name.endswith(("Model", "ForMaskedLM")) for name in architectures):
        return "encoder"
    said = f"its architecture is {', '.join(architectures)}" if architectures else "it names no architecture"
    raise _unclear(member, said)


def _architectures(config: Mapping[str, Any]) -> tuple[str, ...]:
    found = config.get("architectures")
    return tuple(str(name) for name in found) if isinstance(found, list) else ()


def _is_encoder_alone(architectures: tuple[str, ...]) -> bool:
    return bool(architectures) and all(name.endswith("EncoderModel") for name in architectures)


def _unclear(member: Member, said: str) -> ModelError:
    return ModelError(
        f"{member.name}: cannot tell which kind of model it is ({said}); give --kind, one of "
        f"{', '.join(KINDS)}"
    )


def _located(name: str, revision: str | None) -> tuple[Path, str | None]:
    """The folder and the hub's revision: as named, else the commit; a local folder has none."""
    if not name.strip():
        raise ModelError("a model's name is empty; expected a folder or a hub name like owner/model")
    try:
        if Path(name).is_dir():
            return Path(name), None
    except OSError as error:
        raise ModelError(f"{name[:80]}: cannot be a folder ({error.strerror})") from error
    hub, at, named = name.partition("@")
    if at and not named:
        raise ModelError(f"{name}: no such folder, and no revision after '@'; expected owner/model@revision")
    if at and revision is not None and named != revision:
        raise ModelError(f"{name}: names the revision {named}, but {revision} was asked for; give one")
    revision = named or revision
    folder = resolved(hub, revision=revision, more_files=_MORE_FILES)
    is_commit = folder.parent.name == "snapshots" and _COMMIT.fullmatch(folder.name)
    return folder, revision or (folder.name if is_commit else None)
