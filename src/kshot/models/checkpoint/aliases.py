"""Tensors with two names: an output layer tied to the embedding, an embedding that two halves share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kshot.models.safetensor_files import StoredTensor

# in the order of trust, where several stand in one file
_EMBEDDINGS = (
    "shared.weight",
    "embed_tokens.weight",
    "wte.weight",
    "embed_in.weight",
    "word_embeddings.weight",
    "tok_embeddings.weight",
    "tokens_embed.weight",
    "word_embedding.weight",
)
_HEADS = ("lm_head.weight", "predictions.decoder.weight", "lm_head.decoder.weight")
# as the end of a longer name these may be anything
_WHOLE_HEADS = (
    "decoder.weight",
    "embed_out.weight",
    "proj_out.weight",
    "vocab_projector.weight",
    "generator_lm_head.weight",
)
_HALVES = ("encoder.embed_tokens.weight", "decoder.embed_tokens.weight")
_BIASES = ("predictions.decoder.bias", "lm_head.decoder.bias")


def is_tied(config: Mapping[str, Any]) -> bool:
    """Whether the output layer shares the embedding's weight; that is so unless a configuration denies it.

    >>> is_tied({}), is_tied({"tie_word_embeddings": False})
    (True, False)
    """
    return config.get("tie_word_embeddings") is not False


def is_head(name: str) -> bool:
    """Whether a tensor is the weight of an output layer over the vocabulary.

    >>> is_head("lm_head.weight"), is_head("model.norm.weight")
    (True, False)
    """
    return name in _WHOLE_HEADS or any(_ends(name, head) for head in _HEADS)


def embedding(tensors: Mapping[str, StoredTensor]) -> str | None:
    """The name of the token embedding; None where there is none of a known name."""
    for end in _EMBEDDINGS:
        found = sorted((name for name in tensors if _ends(name, end)), key=lambda name: (len(name), name))
        if found:
            return found[0]
    return None


def alias(name: str, tensors: Mapping[str, StoredTensor], *, tied: bool) -> str | None:
    """Another tensor of the same model that ``name`` stands for, whether or not ``name`` itself is stored.

    None where there is none: ``name`` is a tensor of its own.
    """
    found = None
    if any(_ends(name, end) for end in _BIASES):
        found = name.removesuffix(".decoder.bias") + ".bias"
    elif (is_head(name) and tied) or any(_ends(name, half) for half in _HALVES):
        found = embedding(tensors)
    elif tied and any(_ends(name, end) for end in _EMBEDDINGS):  # saved under the other name
        found = embedding(tensors) or next((head for head in tensors if is_head(head)), None)
    return found if found != name and found in tensors else None


def without_aliases(
    tensors: Mapping[str, StoredTensor], config: Mapping[str, Any]
) -> dict[str, StoredTensor]:
    """The tensors without an output layer that the configuration ties, but that is stored once more.

    Whether it holds the embedding's numbers is for ``find_problems`` to see. Where the configuration says
    nothing, a stored output layer is one of its own.
    """
    if config.get("tie_word_embeddings") is not True:
        return dict(tensors)
    return {
        name: tensor
        for name, tensor in tensors.items()
        if not (is_head(name) and _repeats(tensor, tensors.get(alias(name, tensors, tied=True) or "")))
    }


def _repeats(tensor: StoredTensor, other: StoredTensor | None) -> bool:
    return other is not None and other.shape == tensor.shape


def _ends(name: str, end: str) -> bool:
    return name == end or name.endswith(("." + end, "/" + end))
