"""Expert classifiers: a fine-tuned transformers classifier, and the names of ``head`` and ``majority``."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, final

import numpy as np

from kshot.errors import ModelError
from kshot.models.base import Floats
from kshot.models.classifier.head import EmbeddingHead
from kshot.models.classifier.majority import MajorityClassifier
from kshot.models.hf.batches import run_batches
from kshot.models.hf.loading import check_folder, folder_hash, load_model, pick_device, resolved
from kshot.models.hf.positions import position_limit

__all__ = ["EmbeddingHead", "MajorityClassifier", "TransformersClassifier"]

_FEWEST_TOKENS = 8  # special tokens and a word or two


@final
class TransformersClassifier:
    """A ``Classifier`` over a transformers sequence classification folder.

    Example::

        expert = TransformersClassifier.load("models/irony")
        expert.labels, expert.predict_proba(["what a day"])
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        *,
        id: str,  # noqa: A002
        batch: int = 32,
        max_tokens: int | None = None,
    ) -> None:
        self._model = model
        self._tokenizer = tokenizer
        self._id = id
        self._batch = batch
        self._labels = tuple(str(model.config.id2label[i]) for i in range(model.config.num_labels))
        self._chosen = max_tokens is not None
        longest = min(position_limit(model.config), tokenizer.model_max_length)
        self._limit = longest if max_tokens is None else min(longest, max_tokens)

    @classmethod
    def load(
        cls,
        path_or_id: str | Path,
        *,
        revision: str | None = None,
        device: str = "auto",
        batch: int = 32,
        max_tokens: int | None = None,
    ) -> TransformersClassifier:
        """A classifier from a folder or the hub; safetensors only, no remote code.

        Args:
            path_or_id: A folder, or a hub name.
            revision: Of the hub.
            device: ``auto`` is the first of cuda, mps, cpu.
            batch: Rows at a time, where all are as long as the longest; short ones go together in more.
            max_tokens: Where longer texts are cut; None: where the model ends. (PANDA's release: 128.)

        Raises:
            ModelError: The folder cannot be used, the model does not choose one of several classes, or
                ``max_tokens`` is below 8.
        """
        if max_tokens is not None and max_tokens < _FEWEST_TOKENS:
            raise ModelError(f"max_tokens is {max_tokens}, expected at least {_FEWEST_TOKENS}")
        folder = resolved(path_or_id, revision=revision)
        check_folder(folder)
        on = pick_device(device)
        model, tokenizer = load_model(
            folder, dtype="auto", device=on, auto="AutoModelForSequenceClassification"
        )
        kind = getattr(model.config, "problem_type", None)
        if model.config.num_labels < 2 or kind in ("regression", "multi_label_classification"):
            raise ModelError(
                f"{folder}: has {model.config.num_labels} outputs of kind {kind or 'unknown'}; expected "
                "a model that chooses one of two or more classes"
            )
        digest = folder_hash(folder, str(model.dtype), on.type)
        cut = "" if max_tokens is None else f":{max_tokens}"
        return cls(model, tokenizer, id=f"{path_or_id}@{digest}{cut}", batch=batch, max_tokens=max_tokens)

    @property
    def id(self) -> str:
        """The path or name as given, and a content hash."""
        return self._id

    @property
    def labels(self) -> tuple[str, ...]:
        """The class names of the model's configuration."""
        return self._labels

    def predict_proba(self, texts: Sequence[str]) -> Floats:
        """(N, C) probabilities. Texts longer than the limit are cut at the end, with one warning."""
        if not texts:
            return np.zeros((0, len(self._labels)), dtype=np.float32)
        lengths = [len(ids) for ids in self._tokenizer(list(texts), verbose=False)["input_ids"]]
        longer = sum(length > self._limit for length in lengths)
        if longer:
            whose = "" if self._chosen else "the model's "
            message = f"{self._id}: {longer} of {len(texts)} texts are cut to {whose}{self._limit} tokens"
            warnings.warn(message, stacklevel=2)
        capped = [min(length, self._limit) for length in lengths]
        rows = 1 if self._tokenizer.pad_token is None else self._batch
        found = run_batches(
            capped,
            lambda batch: self._batch_proba([texts[i] for i in batch]),
            batch_tokens=max(capped) * rows if rows > 1 else 1,
            what=self._id,
        )
        return np.stack(found)

    def _batch_proba(self, texts: list[str]) -> list[Floats]:
        import torch

        inputs = self._tokenizer(
            texts, truncation=True, max_length=self._limit, padding=len(texts) > 1, return_tensors="pt"
        )
        with torch.inference_mode():
            logits = self._model(**inputs.to(self._model.device)).logits.float()  # (B, C)
        if not bool(logits.isfinite().all()):
            raise ModelError(f"{self._id}: the classifier's output is no number; audit its weights")
        return list(logits.softmax(-1).cpu().numpy())
