"""A transformers sequence classifier behind the seam."""

from __future__ import annotations

import numpy as np
import pytest
import tiny
import torch
from transformers import (
    LlamaConfig,
    LlamaForSequenceClassification,
    RobertaConfig,
    RobertaForSequenceClassification,
)

from kshot.errors import ModelError
from kshot.models.base import Classifier
from kshot.models.classifier.transformers_classifier import TransformersClassifier

TEXTS = ["France", "Peru, whose coast is long", "x", "東京 🗼", "a b c d e f g h"]
LABELS = {0: "joy", 1: "anger", 2: "sadness"}


def save(folder, kind="roberta", *, pad=True, positions=66, **options):
    torch.manual_seed(0)
    size = {"vocab_size": 400, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
            "num_attention_heads": 4, "max_position_embeddings": positions, "id2label": LABELS,
            "initializer_range": 0.5} | options  # fmt: skip
    if kind == "roberta":
        model = RobertaForSequenceClassification(RobertaConfig(**size, pad_token_id=0))
    else:
        model = LlamaForSequenceClassification(LlamaConfig(**size, pad_token_id=0 if pad else None))
    model.save_pretrained(folder)
    tiny.tokenizer(pad=pad).save_pretrained(folder)
    return folder, model.eval()


@pytest.mark.parametrize(("kind", "pad"), [("roberta", True), ("llama", True), ("llama", False)])
@pytest.mark.parametrize("batch", [1, 2, 32])
def test_probabilities_are_the_models_own_row_by_row(tmp_path, kind, pad, batch):
    folder, model = save(tmp_path, kind, pad=pad)
    ours = TransformersClassifier.load(folder, device="cpu", batch=batch)
    assert isinstance(ours, Classifier)
    assert ours.labels == ("joy", "anger", "sadness")
    found = ours.predict_proba(TEXTS)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-6)
    for text, row in zip(TEXTS, found, strict=True):
        with torch.no_grad():
            own = model(**tiny.tokenizer()(text, return_tensors="pt")).logits.softmax(-1)[0]
        np.testing.assert_allclose(row, own, atol=1e-5)
    assert not np.allclose(found[0], found[1], atol=1e-3)


def test_longer_texts_are_cut_with_one_warning(tmp_path):
    """RoBERTa counts positions from the pad id on: 66 positions read 65 tokens where the pad id is 0."""
    folder, model = save(tmp_path)
    ours = TransformersClassifier.load(folder, device="cpu")
    text = "a b c d e f g h " * 20
    with pytest.warns(UserWarning, match="1 of 2 texts are cut to the model's 65 tokens"):
        found = ours.predict_proba(["x", text])
    ids = torch.tensor([tiny.tokenizer()(text)["input_ids"][:65]])
    with torch.no_grad():
        own = model(ids, attention_mask=torch.ones_like(ids)).logits.softmax(-1)[0]
    np.testing.assert_allclose(found[1], own, atol=1e-5)


def test_a_chosen_limit_cuts_and_shows_in_the_id(tmp_path):
    folder, model = save(tmp_path)
    whole, cut = (TransformersClassifier.load(folder, device="cpu", max_tokens=most) for most in (None, 9))
    text = "a b c d e f g h " * 3
    with pytest.warns(UserWarning, match="1 of 2 texts are cut to 9 tokens"):
        found = cut.predict_proba(["x", text])
    ids = torch.tensor([tiny.tokenizer()(text)["input_ids"][:9]])
    with torch.no_grad():
        own = model(ids, attention_mask=torch.ones_like(ids)).logits.softmax(-1)[0]
    np.testing.assert_allclose(found[1], own, atol=1e-5)
    assert cut.id == f"{whole.id}:9"
    with pytest.raises(ModelError, match="max_tokens is 7, expected at least 8"):
        TransformersClassifier.load(folder, device="cpu", max_tokens=7)


def test_the_id_follows_the_content(tmp_path):
    folder, _ = save(tmp_path / "a")
    before = TransformersClassifier.load(folder, device="cpu").id
    assert before.startswith(f"{folder}@")
    assert before == TransformersClassifier.load(folder, device="cpu").id
    save(folder, id2label={0: "x", 1: "y", 2: "z"})
    assert TransformersClassifier.load(folder, device="cpu").id != before


def test_no_texts_no_rows(tmp_path):
    folder, _ = save(tmp_path)
    assert TransformersClassifier.load(folder, device="cpu").predict_proba([]).shape == (0, 3)


def test_a_model_that_does_not_choose_one_class_is_refused(tmp_path):
    folder, _ = save(tmp_path / "a", id2label={0: "score"})
    with pytest.raises(ModelError, match="has 1 outputs"):
        TransformersClassifier.load(folder, device="cpu")
    folder, _ = save(tmp_path / "b", problem_type="multi_label_classification")
    with pytest.raises(ModelError, match="of kind multi_label_classification; expected a model that chooses"):
        TransformersClassifier.load(folder, device="cpu")


def test_a_language_model_is_no_classifier(tmp_path):
    with pytest.raises(ModelError, match=r"weights are missing or of another shape, first score.weight"):
        TransformersClassifier.load(tiny.save(tmp_path), device="cpu")


def test_output_that_is_no_number(tmp_path):
    folder, model = save(tmp_path)
    with torch.no_grad():
        model.classifier.out_proj.bias[0] = np.nan
    model.save_pretrained(folder)
    with pytest.raises(ModelError, match="output is no number"):
        TransformersClassifier.load(folder, device="cpu").predict_proba(["x"])
