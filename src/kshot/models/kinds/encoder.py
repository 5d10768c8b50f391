"""Sentence encoders: how near each query lies to its positive, against all other passages of its batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, final

import numpy as np

from kshot.errors import ModelError
from kshot.models.hf.batches import run_batches
from kshot.models.hf.positions import UNLIMITED, position_limit
from kshot.models.kinds.base import Doubles, ExampleLosses, KindName, Rows
from kshot.models.kinds.checks import check_finite, ranked
from kshot.models.kinds.contrast import contrastive_nats, drawn
from kshot.models.kinds.options import KindOptions

_MOST_TEXTS = 64
# names that folders give to the prompts of the two sides, the first that is there counts
PROMPTS = {"query": ("query",), "passage": ("document", "passage", "corpus")}


@final
class Encoder:
    """A ``Mixable`` over a sentence encoder.

    Of a row, the first positive and at most ``neg_number`` drawn negatives count. Vectors come from the
    folder's own pooling and normalisation, with the prompts that it declares for queries and passages; where
    it compares by the cosine, as sentence-transformers does unless told otherwise, vectors are brought to
    length 1.

    Args:
        model: A ``SentenceTransformer`` in evaluation mode. Texts beyond its longest length are cut; one
            without a transformer takes them whole.
        options: See ``KindOptions``; ``pooling`` compat takes the first token's vector at length 1.
        name: For messages.
        plain: Whether the folder is a plain transformers one: then ``module`` is its transformers model.

    Raises:
        ModelError: ``pooling`` is compat and there is no transformer.

    Source: LM-Cocktail (arXiv 2311.13534), released code, for the loss.
    """

    def __init__(self, model: Any, options: KindOptions, *, name: str, plain: bool = False) -> None:
        self.options = options
        self._model = model
        self._name = name
        self._plain = plain
        self._limit = UNLIMITED
        if hasattr(model[0], "auto_model"):
            own = UNLIMITED if model.max_seq_length is None else model.max_seq_length
            self._limit = min(options.max_input_length, own, position_limit(model[0].auto_model.config))
            model.max_seq_length = self._limit
        elif options.pooling == "compat":
            raise ModelError(f"{name}: has no transformer whose first token could be taken; use pooling own")

    @property
    def kind(self) -> KindName:
        """``encoder``."""
        return "encoder"

    @property
    def module(self) -> Any:
        """The transformers model of a plain folder, else the ``SentenceTransformer`` with all its modules."""
        return self._model[0].auto_model if self._plain else self._model

    def losses(self, rows: Rows, *, batch_size: int | None = None) -> ExampleLosses:
        """Nats of each query against the passages of its batch; see ``Mixable``.

        Texts go through the model in small batches of its own; ``batch_size`` says alone which queries and
        passages are contrasted.
        """
        rankings = ranked(rows, self.kind)
        wanted = self.options.neg_number
        groups = [(row.positives[0], *drawn(row, wanted, seed=self.options.seed)) for row in rankings]
        texts = [text for group in groups for text in group]
        asked = [row.query for row in rankings]
        ends = np.cumsum([len(group) for group in groups])[:-1]
        queries = self._vectors(asked, "query")  # (K, d)
        passages = np.split(self._vectors(texts, "passage"), ends)
        check_finite(self._name, [np.vstack(some) for some in zip(queries, passages, strict=True)], rankings)
        if self._by_cosine:
            queries, passages = _unit(queries), [_unit(some) for some in passages]
        nats, right = contrastive_nats(queries, passages, scale=self.options.scale, batch_size=batch_size)
        size = len(rankings) if batch_size is None else min(batch_size, len(rankings))
        notes = [f"queries are contrasted in batches of {size}"]
        fewer = sum(len(row.negatives) < wanted for row in rankings)
        if fewer:
            notes.append(f"{fewer} of {len(rankings)} examples have fewer than {wanted} negatives; all count")
        batches = [groups[at : at + size] for at in range(0, len(groups), size)]
        if alone := sum(len({text for group in batch for text in group}) == 1 for batch in batches):
            notes.append(f"{alone} of {len(batches)} batches hold no second passage: their loss says nothing")
        notes += self._cut_note(asked, texts)
        return ExampleLosses(nats, np.ones(len(nats), dtype=np.int64), right, tuple(notes))

    @property
    def _by_cosine(self) -> bool:
        return self.options.pooling == "compat" or self._model.similarity_fn_name == "cosine"

    def _prompt(self, role: Literal["query", "passage"]) -> str:
        prompts = self._model.prompts or {}
        return next((prompts[name] for name in PROMPTS[role] if prompts.get(name)), "")

    def _vectors(self, texts: Sequence[str], role: Literal["query", "passage"]) -> Doubles:
        """(N, d) as the model gives them; equal texts are embedded once."""
        distinct = list(dict.fromkeys(texts))
        first = self.options.pooling == "compat"
        found = self._first_tokens(distinct, role) if first else self._own(distinct, role)
        place = {text: at for at, text in enumerate(distinct)}
        return np.asarray(found[[place[text] for text in texts]])

    def _own(self, texts: list[str], role: Literal["query", "passage"]) -> Doubles:
        encode = self._model.encode_query if role == "query" else self._model.encode_document
        size = max(1, min(_MOST_TEXTS, self.options.batch_tokens // self._limit))
        found = encode(texts, batch_size=size, show_progress_bar=False, convert_to_tensor=True)
        return np.asarray(found.double().cpu().numpy())

    def _first_tokens(self, texts: list[str], role: Literal["query", "passage"]) -> Doubles:
        import torch

        transformer = self._model[0]
        prompted = [self._prompt(role) + text for text in texts]

        def run(batch: list[int]) -> list[Doubles]:
            inputs = transformer.tokenizer(
                [prompted[at] for at in batch],
                truncation=True,
                max_length=self._limit,
                padding=len(batch) > 1,
                padding_side="right",
                return_tensors="pt",
                verbose=False,
            ).to(self._model.device)
            with torch.inference_mode():
                states = transformer.auto_model(**inputs).last_hidden_state  # (B, T, d)
            return list(states[:, 0].double().cpu().numpy())

        return np.stack(
            run_batches(
                [min(length, self._limit) for length in self._lengths(prompted)],
                run,
                batch_tokens=self.options.batch_tokens,
                what=self._name,
            )
        )

    def _lengths(self, texts: list[str]) -> list[int]:
        if self._limit == UNLIMITED:
            return [0] * len(texts)
        ids = self._model.tokenizer(texts, truncation=False, verbose=False)["input_ids"]
        return [len(one) for one in ids]

    def _cut_note(self, queries: list[str], passages: list[str]) -> list[str]:
        prompted = [self._prompt("query") + text for text in queries]
        prompted += [self._prompt("passage") + text for text in passages]
        longer = sum(length > self._limit for length in self._lengths(prompted))
        return [f"{longer} of {len(prompted)} texts are cut to {self._limit} tokens"] if longer else []


def _unit(vectors: Doubles) -> Doubles:
    """(N, d) rows at length 1; a zero row stays."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(lengths == 0, 1, lengths))
