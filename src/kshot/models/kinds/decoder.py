"""Causal language models: the loss of an answer after its prompt, as LM-Cocktail joins the two."""

from __future__ import annotations

from itertools import takewhile
from typing import Any, final

import numpy as np

from kshot.errors import DataError, ModelError
from kshot.models.hf.loading import Loaded
from kshot.models.hf.losses import score
from kshot.models.hf.positions import position_limit
from kshot.models.kinds.base import ExampleLosses, KindName, Rows
from kshot.models.kinds.checks import input_and_output, labelled, row_name
from kshot.models.kinds.options import KindOptions
from kshot.models.text.encoded import Encoded
from kshot.models.text.text_format import TextFormat


@final
class Decoder:
    """A ``Mixable`` over a causal language model.

    A row becomes the tokens of prompt, one space and answer, with the special tokens that the tokenizer sets
    by itself, and an end token. What does not fit is cut on the right.

    Attributes:
        loaded: The model, read as plain text.
        options: See ``KindOptions``.

    Raises:
        ModelError: The tokenizer has no end token.

    Source: LM-Cocktail (arXiv 2311.13534), released code. On purpose, the answer begins by default at the
    first token that ends beyond the prompt, not after as many tokens as the prompt has by itself.
    """

    def __init__(self, loaded: Loaded, options: KindOptions) -> None:
        if loaded.text.end_id is None:
            raise ModelError(
                f"{loaded.name}: the tokenizer names no end token, which an answer is scored with; "
                "set eos_token in tokenizer_config.json"
            )
        self.loaded = loaded
        self.options = options
        self._limit = min(position_limit(loaded.model.config.get_text_config()), options.max_input_length)

    @property
    def kind(self) -> KindName:
        """``decoder``."""
        return "decoder"

    @property
    def module(self) -> Any:
        """The transformers model."""
        return self.loaded.model

    def losses(self, rows: Rows, *, batch_size: int | None = None) -> ExampleLosses:
        """Nats over the tokens of each answer; see ``Mixable``."""
        examples = labelled(rows, self.kind)
        found = [
            encoded_pair(self.loaded.text, *input_and_output(row), boundary=self.options.boundary)
            for row in examples
        ]
        cut = 0
        for number, (row, encoded) in enumerate(zip(examples, found, strict=True)):
            if not any(encoded.answer[: max(self._limit - encoded.start, 0)]):
                raise DataError(
                    f"{row_name(number, row)}: nothing of the answer is left to score: the prompt takes "
                    f"{encoded.start} tokens of {self._limit}; shorten it or raise the maximum input length"
                )
            cut += len(encoded.ids) > self._limit
        nats = score(self.loaded, [_cut(encoded, self._limit) for encoded in found])
        note = f"{cut} of {len(found)} answers are cut: prompt and answer exceed {self._limit} tokens"
        return ExampleLosses(
            total=np.array([losses.sum(dtype=np.float64) for losses in nats]),
            count=np.array([len(losses) for losses in nats]),
            notes=(note,) if cut else (),
        )


def encoded_pair(text: TextFormat, prompt: str, answer: str, *, boundary: str = "exact") -> Encoded:
    """Prompt, one space and answer as tokens with an end token, uncut.

    Args:
        text: Of the tokenizer, as plain text.
        prompt: The input.
        answer: The output.
        boundary: See ``KindOptions``. A token that spans the border is scored by ``exact``.

    Returns:
        ``answer`` of the result marks the scored tokens but the end token.

    Example::

        row = encoded_pair(TextFormat.load("models/llama", template="plain"), "Capital of Peru?", "Lima")
    """
    end = text.end_id
    whole = text.backend.encode(f"{prompt} {answer}", add_special_tokens=True)
    ids = [*whole.ids] if whole.ids[-1:] == [end] or end is None else [*whole.ids, end]
    closing = len(list(takewhile(bool, reversed(whole.special_tokens_mask))))  # of the tokenizer itself
    if boundary == "paper":
        alone = text.backend.encode(prompt, add_special_tokens=True)
        start = len(alone.ids) - len(list(takewhile(bool, reversed(alone.special_tokens_mask))))
    else:
        stops = [stop for _, stop in whole.offsets]
        start = next((at for at, stop in enumerate(stops) if stop > len(prompt)), len(ids) - 1)
    start = max(start, 1)  # nothing is predicted before the first token
    spoken = len(whole.ids) - closing
    marks = tuple(at < spoken for at in range(start, len(ids)))
    return Encoded(tuple(ids), start, marks, (False,) * len(marks), len(answer))


def _cut(row: Encoded, limit: int) -> Encoded:
    kept = max(limit - row.start, 0)
    return Encoded(row.ids[:limit], row.start, row.answer[:kept], row.reasoning[:kept], row.target_chars)
