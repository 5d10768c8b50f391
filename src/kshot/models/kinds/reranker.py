"""Rerankers: a model that scores query and passage together, by how far it sets positives above negatives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle, islice
from typing import Any, Literal, final

import numpy as np

from kshot.data.ranking import Ranking
from kshot.errors import DataError, ModelError
from kshot.models.hf.batches import run_batches
from kshot.models.hf.positions import position_limit
from kshot.models.kinds.base import Doubles, ExampleLosses, KindName, Rows
from kshot.models.kinds.checks import check_finite, ranked, row_name
from kshot.models.kinds.contrast import drawn, group_nats
from kshot.models.kinds.options import KindOptions

_RELEVANT = frozenset({"relevant", "yes", "true", "positive", "match", "is_relevant", "1"})


@final
class Reranker:
    """A ``Mixable`` over a sequence classifier with one output, or with a class that means relevant.

    Each positive of a row makes a group with the row's negatives; fewer than ``neg_number`` are repeated in
    turn up to that number. The score of a two-class model is the logit of its positive class minus the
    other's, which one output would be.

    Args:
        model: A transformers sequence classifier, in evaluation mode.
        tokenizer: Its tokenizer.
        options: See ``KindOptions``.
        name: For messages.

    Raises:
        ModelError: The model has more than two outputs, or two and no label that says which means relevant.

    Source: FlagEmbedding's rerankers: cross-entropy over the logits of a group, the positive first.
    """

    def __init__(self, model: Any, tokenizer: Any, options: KindOptions, *, name: str) -> None:
        self.tokenizer = tokenizer
        self.options = options
        self._model = model
        self._name = name
        self._positive = positive_class(model.config, chosen=options.positive_class, name=name)
        limit = min(position_limit(model.config), tokenizer.model_max_length)
        self._limit = min(limit, options.max_input_length)
        # a decoder finds its last token by the pad id of its configuration: without one, rows go alone
        pad = tokenizer.pad_token_id
        self._alone = pad is None or pad != model.config.pad_token_id

    @property
    def kind(self) -> KindName:
        """``reranker``."""
        return "reranker"

    @property
    def module(self) -> Any:
        """The transformers model."""
        return self._model

    def losses(self, rows: Rows, *, batch_size: int | None = None) -> ExampleLosses:
        """Nats over the groups of each row, one a positive; see ``Mixable``.

        Raises:
            DataError: A row has no negative.
        """
        rankings = ranked(rows, self.kind)
        negatives = [self._negatives(number, row) for number, row in enumerate(rankings)]
        pairs = list(
            dict.fromkeys(
                (row.query, text)
                for row, others in zip(rankings, negatives, strict=True)
                for text in (*row.positives, *others)
            )
        )
        scores, notes = self._scores(pairs)
        self._check(scores, rankings, negatives)
        total, count, right = [], [], []
        for row, others in zip(rankings, negatives, strict=True):
            low = [scores[row.query, text] for text in islice(cycle(others), self.options.neg_number)]
            nats, first = group_nats([[scores[row.query, text], *low] for text in row.positives])
            total.append(nats.sum())
            count.append(len(nats))
            right.append(bool(first.all()))
        short = sum(len(some) < self.options.neg_number for some in negatives)
        if short:
            notes.append(
                f"{short} of {len(rankings)} examples have fewer than {self.options.neg_number} negatives; "
                "theirs are repeated"
            )
        return ExampleLosses(np.array(total), np.array(count), np.array(right), tuple(notes))

    def _negatives(self, number: int, row: Ranking) -> tuple[str, ...]:
        if not row.negatives:
            raise DataError(
                f"{row_name(number, row)}: there is no negative; a reranker needs a passage in 'neg'"
            )
        return drawn(row, self.options.neg_number, seed=self.options.seed)

    def _check(
        self,
        scores: Mapping[tuple[str, str], float],
        rows: Sequence[Ranking],
        negatives: Sequence[Sequence[str]],
    ) -> None:
        each = zip(rows, negatives, strict=True)
        found = [np.array([scores[row.query, text] for text in (*row.positives, *low)]) for row, low in each]
        check_finite(self._name, found, rows)

    def _scores(self, pairs: list[tuple[str, str]]) -> tuple[dict[tuple[str, str], float], list[str]]:
        """The score of each pair, and a note where pairs are cut."""
        queries, texts = [query for query, _ in pairs], [text for _, text in pairs]
        lengths = [len(ids) for ids in self.tokenizer(queries, texts, verbose=False)["input_ids"]]
        longer = sum(length > self._limit for length in lengths)
        found = run_batches(
            [min(length, self._limit) for length in lengths],
            lambda batch: list(self._logits([pairs[at] for at in batch])),
            batch_tokens=1 if self._alone else self.options.batch_tokens,
            what=self._name,
        )
        notes = [f"{longer} of {len(pairs)} pairs are cut to {self._limit} tokens"] if longer else []
        return dict(zip(pairs, map(float, found), strict=True)), notes

    def _logits(self, pairs: Sequence[tuple[str, str]]) -> Doubles:
        import torch

        inputs = self.tokenizer(
            [query for query, _ in pairs],
            [text for _, text in pairs],
            truncation=True,
            max_length=self._limit,
            padding=len(pairs) > 1,
            padding_side="right",
            return_tensors="pt",
            verbose=False,
        )
        with torch.inference_mode():
            logits = self._model(**inputs.to(self._model.device)).logits.double().cpu().numpy()  # (B, 1 or 2)
        if self._positive is None:
            return np.asarray(logits[:, 0])
        return np.asarray(logits[:, self._positive] - logits[:, 1 - self._positive])


def positive_class(config: Any, *, chosen: Literal[0, 1] | None = None, name: str) -> int | None:
    """Which of two outputs means relevant; None for a model of one output.

    Raises:
        ModelError: The model has more than two outputs, or its labels do not say.

    >>> from types import SimpleNamespace as Config
    >>> positive_class(Config(num_labels=2, id2label={0: "irrelevant", 1: "relevant"}), name="a")
    1
    """
    if config.num_labels == 1:
        return None
    labels = [str(config.id2label[at]) for at in range(config.num_labels)]
    if config.num_labels != 2:
        raise ModelError(
            f"{name}: has {config.num_labels} outputs ({', '.join(labels[:4])}); a reranker has one, or two "
            "classes of which one means relevant"
        )
    if chosen is not None:
        return chosen
    found = [at for at, label in enumerate(labels) if label.strip().lower() in _RELEVANT]
    if len(found) != 1:
        raise ModelError(
            f"{name}: has two outputs, {labels[0]} and {labels[1]}, which do not say which means relevant; "
            'name them in config.json: "id2label": {"0": "irrelevant", "1": "relevant"}'
        )
    return found[0]
