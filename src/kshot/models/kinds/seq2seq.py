"""Encoder-decoders: the loss of an answer that the decoder writes to the encoder's prompt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, final

import numpy as np

from kshot.errors import DataError, ModelError
from kshot.models.base import Floats
from kshot.models.hf.batches import run_batches
from kshot.models.hf.loading import first_line
from kshot.models.hf.losses import cross_entropy
from kshot.models.hf.positions import position_limit
from kshot.models.kinds.base import ExampleLosses, KindName, Rows
from kshot.models.kinds.checks import check_finite, input_and_output, labelled, row_name
from kshot.models.kinds.options import KindOptions

_IGNORED = -100  # transformers' mark of a label that is no target


@final
class EncoderDecoder:
    """A ``Mixable`` over an encoder-decoder.

    Inputs and outputs are tokenised apart, each with the special tokens that the tokenizer sets by itself; an
    output without an end token gets one.

    Args:
        model: A transformers model with a language head, in evaluation mode.
        tokenizer: Its tokenizer.
        options: See ``KindOptions``.
        name: For messages.

    Raises:
        ModelError: The tokenizer has no end token.

    Source: LM-Cocktail (arXiv 2311.13534), released code: cross-entropy of the output's tokens.
    """

    def __init__(self, model: Any, tokenizer: Any, options: KindOptions, *, name: str) -> None:
        if tokenizer.eos_token_id is None:
            raise ModelError(
                f"{name}: the tokenizer names no end token, which an answer is scored with; "
                "set eos_token in tokenizer_config.json"
            )
        self.tokenizer = tokenizer
        self.options = options
        self._model = model
        self._name = name
        self._limit = min(position_limit(model.config), options.max_input_length)

    @property
    def kind(self) -> KindName:
        """``encoder-decoder``."""
        return "encoder-decoder"

    @property
    def module(self) -> Any:
        """The transformers model."""
        return self._model

    def losses(self, rows: Rows, *, batch_size: int | None = None) -> ExampleLosses:
        """Nats over the tokens of each output; see ``Mixable``."""
        examples = labelled(rows, self.kind)
        texts = [input_and_output(row) for row in examples]
        inputs = self.tokenizer([text for text, _ in texts], verbose=False)["input_ids"]
        cut_inputs = self.tokenizer(
            [text for text, _ in texts], truncation=True, max_length=self._limit, verbose=False
        )["input_ids"]
        outputs = [self._output(text) for _, text in texts]
        for number, (row, ids) in enumerate(zip(examples, outputs, strict=True)):
            if len(ids) < 2:
                raise DataError(f"{row_name(number, row)}: the answer has no token to score")
        cut_outputs = [ids[: self._limit] for ids in outputs]
        pairs = list(zip(cut_inputs, cut_outputs, strict=True))
        nats = run_batches(
            [len(one) + len(other) for one, other in pairs],
            lambda batch: self._score([pairs[at] for at in batch]),
            batch_tokens=self.options.batch_tokens,
            what=self._name,
        )
        check_finite(self._name, nats, examples)
        return ExampleLosses(
            total=np.array([losses.sum(dtype=np.float64) for losses in nats]),
            count=np.array([len(losses) for losses in nats]),
            notes=(*self._note("prompts", inputs), *self._note("answers", outputs)),
        )

    def _output(self, text: str) -> list[int]:
        ids: list[int] = self.tokenizer(text_target=text, verbose=False)["input_ids"]
        end = self.tokenizer.eos_token_id
        return ids if ids[-1:] == [end] else [*ids, end]

    def _note(self, what: str, texts: Sequence[Sequence[int]]) -> tuple[str, ...]:
        longer = sum(len(ids) > self._limit for ids in texts)
        return (f"{longer} of {len(texts)} {what} are cut to {self._limit} tokens",) if longer else ()

    def _score(self, pairs: Sequence[tuple[Sequence[int], Sequence[int]]]) -> list[Floats]:
        """One batch; the model itself shifts the labels to the right for its decoder."""
        import torch

        counts = [len(output) for _, output in pairs]
        ids = torch.zeros(len(pairs), max(len(given) for given, _ in pairs), dtype=torch.long)  # (B, S)
        mask = torch.zeros_like(ids)
        labels = torch.full((len(pairs), max(counts)), _IGNORED)  # (B, T)
        for row, (given, output) in enumerate(pairs):
            ids[row, : len(given)] = torch.tensor(given)
            mask[row, : len(given)] = 1
            labels[row, : len(output)] = torch.tensor(output)
        at = (labels != _IGNORED).nonzero().T  # (2, N)
        device = self._model.device
        with torch.inference_mode():
            try:
                out = self._model(
                    input_ids=ids.to(device), attention_mask=mask.to(device), labels=labels.to(device)
                )
            except ValueError as error:  # no start token, no pad token
                raise ModelError(f"{self._name}: cannot score an answer: {first_line(error)}") from error
            nats = cross_entropy(out.logits, at.to(device), labels[at[0], at[1]].to(device)).cpu().numpy()
        return np.split(nats, np.cumsum(counts)[:-1])
