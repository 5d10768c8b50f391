"""How the loss of a model on labelled examples is taken, with the defaults of the paper where it has one."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from kshot.errors import ModelError


@dataclass(frozen=True, slots=True)
class KindOptions:
    """How losses are taken, for all kinds of models; each kind heeds what concerns it.

    Attributes:
        max_input_length: Tokens of a text (of prompt and answer together in a decoder), at most; a model
            that reads fewer cuts earlier.
        neg_number: Negatives of an example, at most; a reranker repeats those it has up to this number.
        seed: Of the draw where an example has more negatives.
        boundary: Where the answer of a decoder begins: ``exact`` by the places of tokens in the text,
            ``paper`` after as many tokens as the prompt has by itself.
        pooling: Of an embedder: ``own`` is the folder's pooling and normalisation; ``compat`` the first
            token's vector at length 1, whatever the folder says, as LM-Cocktail's code does.
        scale: Similarities of an embedder are divided by it; not the temperature of the weights.
        positive_class: Of a reranker with two outputs: which of them means relevant; None: as its labels say.
        batch_tokens: Padded tokens in a forward pass; no result depends on it.

    Raises:
        ModelError: A value is out of range.

    >>> KindOptions().neg_number
    7
    """

    max_input_length: int = 2048
    neg_number: int = 7
    seed: int = 0
    boundary: Literal["exact", "paper"] = "exact"
    pooling: Literal["own", "compat"] = "own"
    scale: float = 0.05
    positive_class: Literal[0, 1] | None = None
    batch_tokens: int = 8192

    def __post_init__(self) -> None:
        for name in ("max_input_length", "neg_number", "batch_tokens"):
            if getattr(self, name) < 1:
                raise ModelError(f"{name} is {getattr(self, name)}, expected at least 1")
        if not 0 < self.scale < math.inf:
            raise ModelError(f"scale is {self.scale}, expected a number above 0")
        for name, known in (("boundary", ("exact", "paper")), ("pooling", ("own", "compat"))):
            if getattr(self, name) not in known:
                raise ModelError(f"{name} is {getattr(self, name)!r}, expected {' or '.join(known)}")
        if self.positive_class not in (None, 0, 1):
            raise ModelError(f"positive_class is {self.positive_class!r}, expected 0 or 1")
