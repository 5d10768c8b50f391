"""How many tokens a model reads, from its configuration."""

from __future__ import annotations

from typing import Any

UNLIMITED = 1 << 30
_FROM_PAD = frozenset({"camembert", "mpnet", "longformer", "xmod", "esm"})


def position_limit(config: Any) -> int:
    """Tokens that a model reads; ``UNLIMITED`` where its positions are relative.

    The RoBERTa family counts its positions from the pad id on, so that it reads fewer than it has.

    >>> from types import SimpleNamespace as Config
    >>> position_limit(Config(model_type="bert", max_position_embeddings=512))
    512
    >>> position_limit(Config(model_type="xlm-roberta", max_position_embeddings=514, pad_token_id=1))
    512
    """
    limit = int(getattr(config, "max_position_embeddings", 0) or UNLIMITED)
    family = str(config.model_type)
    if limit == UNLIMITED or not ("roberta" in family or family in _FROM_PAD):
        return limit
    return limit - 1 - (1 if config.pad_token_id is None else int(config.pad_token_id))
