"""The model that is to be trained as an embedder: its last hidden states, pooled over a text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, TypeAlias, final, get_args

import numpy as np

from kshot.errors import DataError, ModelError
from kshot.models.base import Floats
from kshot.models.hf.batches import run_batches

if TYPE_CHECKING:
    from kshot.models.hf import HfModel

Pooling: TypeAlias = Literal["mean", "position"]


@final
class HiddenStateEmbedder:
    """Texts to unit vectors by a causal language model's last hidden states.

    ``position`` weighs the t-th token by t, since later ones have read more of the text; ``mean`` weighs all
    alike. Texts are read plainly, without a chat template; what is beyond the model's positions is cut.
    Hidden states of one model lie close together: cosines are high, and near-duplicates need a threshold
    nearer to 1 than with a sentence encoder.

    Args:
        model: Whose hidden states are read.
        pooling: See above.

    Raises:
        ModelError: There is no such pooling.

    Source: position weights as in RDS+ (arXiv 2503.01807), which reads prompt and reply in chat form.

    Example::

        HiddenStateEmbedder(HfModel.load("models/base")).encode(["a text"])
    """

    def __init__(self, model: HfModel, *, pooling: Pooling = "position") -> None:
        if pooling not in get_args(Pooling):
            raise ModelError(f"pooling is {pooling!r}, expected {' or '.join(get_args(Pooling))}")
        self._model = model
        self._pooling = pooling

    @property
    def id(self) -> str:
        """How it is pooled, and the model's id."""
        return f"hidden-{self._pooling}-v1:{self._model.id}"

    @property
    def dim(self) -> int:
        """The model's width."""
        return int(self._model.model.config.get_text_config().hidden_size)

    def encode(self, texts: Sequence[str]) -> Floats:
        """(N, dim) float32 rows of length 1, in order; a text without any token gives zeros.

        No row depends on the texts beside it, beyond rounding.

        Raises:
            DataError: ``texts`` is one text, or holds something that is none.
            ModelError: The model gave values that are no finite numbers.
        """
        if isinstance(texts, str):
            raise DataError("HiddenStateEmbedder.encode: found one text, expected a list of texts")
        ids = [self._ids(text, row) for row, text in enumerate(texts)]
        rows = np.zeros((len(texts), self.dim), dtype=np.float32)
        filled = [row for row, found in enumerate(ids) if found]
        if not filled:
            return rows
        loaded = self._model.loaded
        found = run_batches(
            [len(ids[row]) for row in filled],
            lambda batch: self._pooled([ids[filled[place]] for place in batch]),
            batch_tokens=loaded.batch_tokens,
            what=loaded.name,
        )
        pooled = np.stack(found).astype(np.float64)  # (F, dim)
        if not np.isfinite(pooled).all():
            raise ModelError(
                f"{loaded.name}: hidden states overflow; use dtype bfloat16 or float32, or another embedder"
            )
        lengths = np.linalg.norm(pooled, axis=1, keepdims=True)
        rows[filled] = (pooled / np.where(lengths == 0, 1, lengths)).astype(np.float32)
        return rows

    def _ids(self, text: str, row: int) -> list[int]:
        if not isinstance(text, str):
            raise DataError(f"text {row} is {type(text).__name__}, expected text")
        reader = self._model.text
        try:
            found = reader.backend.encode(text, add_special_tokens=False).ids
        except (TypeError, UnicodeEncodeError) as error:
            raise DataError(
                f"text {row} holds half a character (a lone surrogate), expected Unicode"
            ) from error
        return [*reader.prefix_ids, *found][: self._model.loaded.limit] if found else []

    def _pooled(self, rows: Sequence[list[int]]) -> list[Floats]:
        """(dim,) each: right-padded, padding has no weight."""
        import torch

        loaded = self._model.loaded
        longest = max(map(len, rows))
        ids = torch.zeros(len(rows), longest, dtype=torch.long)  # (B, T)
        mask = torch.zeros_like(ids)
        for i, row in enumerate(rows):
            ids[i, : len(row)] = torch.tensor(row)
            mask[i, : len(row)] = 1
        ids, mask = ids.to(loaded.device), mask.to(loaded.device)
        weights = mask.float() if self._pooling == "mean" else mask.cumsum(1).float() * mask  # (B, T)
        with torch.inference_mode():
            body = (
                loaded.model.get_decoder()
                if hasattr(loaded.model, "get_decoder")
                else loaded.model.base_model
            )
            states = body(input_ids=ids, attention_mask=mask, use_cache=False).last_hidden_state  # (B, T, d)
            pooled = torch.einsum("bt,btd->bd", weights / weights.sum(1, keepdim=True), states.float())
        return list(pooled.cpu().numpy())
