"""Encoders: the folder's own pooling, prompts and limits, and what the contrast is taken over."""

import logging
import shutil

import numpy as np
import pytest
import tiny_kinds
import torch
from safetensors.torch import load_file, save_file

from kshot.data.example import Example
from kshot.data.ranking import Ranking
from kshot.errors import DataError, ModelError
from kshot.models.kinds.contrast import drawn
from kshot.models.kinds.open import KindOptions, open_mixable

ROWS = [
    Ranking("tea", ("a cup of tea", "never used"), ("a bicycle", "a long train ride through Lima")),
    Ranking("which river", ("the Rimac",), ("a train", "a cup", "tea", "a ride")),
    Ranking("a bicycle", ("two wheels",)),
]


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return tiny_kinds.encoder(tmp_path_factory.mktemp("models") / "plain")


@pytest.fixture(scope="module")
def sentence(tmp_path_factory, plain):
    place = tmp_path_factory.mktemp("models") / "sentence"
    return tiny_kinds.sentence_folder(place, plain, prompts={"query": "Which? ", "document": "It: "})


def slow_losses(embed_query, embed_passage, rows, *, wanted=7, size=None, cosine=True):
    """Cross-entropy with one vector and one product at a time."""
    size = size or len(rows)
    losses, right = [], []
    for start in range(0, len(rows), size):
        batch = rows[start : start + size]
        groups = [(row.positives[0], *drawn(row, wanted, seed=0)) for row in batch]
        vectors = [[embed_passage(text) for text in group] for group in groups]
        for place, row in enumerate(batch):
            query = embed_query(row.query)
            scores = np.array([product(query, one, cosine) for group in vectors for one in group]) / 0.05
            own = product(query, vectors[place][0], cosine) / 0.05
            losses.append(np.log(np.exp(scores - own).sum()))
            right.append((scores >= own).sum() == 1)
    return losses, right


def product(one, other, cosine):
    return one @ other / (np.linalg.norm(one) * np.linalg.norm(other) if cosine else 1)


def transformer_states(folder, text):
    from transformers import AutoModel, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    with torch.no_grad():
        inputs = tokenizer(text, return_tensors="pt")
        return AutoModel.from_pretrained(folder).eval()(**inputs).last_hidden_state[0].double().numpy()


@pytest.mark.parametrize("size", [None, 1, 2])
@pytest.mark.parametrize("pooling", ["own", "compat"])
def test_a_plain_folder_pools_by_the_mean_or_compatibly_by_the_first_token(plain, pooling, size):
    def embed(text):
        states = transformer_states(plain, text)
        return states.mean(axis=0) if pooling == "own" else states[0]

    model = open_mixable(plain, "encoder", options=KindOptions(pooling=pooling, neg_number=2))
    found = model.losses(ROWS, batch_size=size)
    expected, right = slow_losses(embed, embed, ROWS, wanted=2, size=size)
    np.testing.assert_allclose(found.total, expected, atol=1e-5)
    assert found.right.tolist() == right
    assert found.count.tolist() == [1, 1, 1]
    alone = [f"1 of {3 if size == 1 else 2} batches hold no second passage: their loss says nothing"]
    assert found.notes == (
        f"queries are contrasted in batches of {size or 3}",
        "1 of 3 examples have fewer than 2 negatives; all count",
        *(alone if size else []),
    )


def test_a_sentence_transformers_folder_keeps_its_modules_and_prompts(sentence):
    model = open_mixable(sentence, "encoder")

    def embed(text):
        with torch.no_grad():
            pooled = torch.tensor(transformer_states(sentence, text).mean(axis=0), dtype=torch.float32)
            return model.module[2].linear(pooled).tanh().double().numpy()

    expected, _ = slow_losses(lambda t: embed("Which? " + t), lambda t: embed("It: " + t), ROWS)
    np.testing.assert_allclose(model.losses(ROWS).total, expected, atol=1e-5)
    assert "2.linear.weight" in model.module.state_dict()


def test_a_folder_that_compares_by_the_product_keeps_its_lengths(tmp_path, plain):
    folder = tiny_kinds.sentence_folder(tmp_path / "dot", plain, similarity="dot", dense=False)

    def embed(text):
        return transformer_states(folder, text).mean(axis=0)

    expected, _ = slow_losses(embed, embed, ROWS, cosine=False)
    np.testing.assert_allclose(open_mixable(folder, "encoder").losses(ROWS).total, expected, rtol=1e-5)


@pytest.mark.parametrize("pooling", ["own", "compat"])
def test_batch_and_padding_leave_no_trace(sentence, pooling):
    options = [KindOptions(pooling=pooling, batch_tokens=tokens) for tokens in (8192, 1)]
    together, alone = (open_mixable(sentence, "encoder", options=one).losses(ROWS) for one in options)
    np.testing.assert_allclose(together.each, alone.each, atol=1e-5)


def test_a_tokenizer_that_pads_on_the_left_leaves_no_trace(tmp_path, plain):
    folder = tmp_path / "left"
    shutil.copytree(plain, folder)
    tiny_kinds.bert_tokenizer(padding_side="left").save_pretrained(folder)
    options = KindOptions(pooling="compat")
    model = open_mixable(folder, "encoder", options=options)
    assert model._model.tokenizer.padding_side == "left"
    expected = open_mixable(plain, "encoder", options=options).losses(ROWS).total
    np.testing.assert_array_equal(model.losses(ROWS).total, expected)


def test_the_names_of_the_weights_are_those_of_transformers(plain):
    module = open_mixable(plain, "encoder").module
    assert set(module.state_dict()) == set(load_file(plain / "model.safetensors"))
    assert not module.training


@pytest.mark.parametrize("pooling", ["own", "compat"])
def test_long_texts_are_cut_at_the_models_own_limit(tmp_path, plain, pooling):
    long = [Ranking("tea " * 200, ("a cup",), ("train " * 300,))]
    options = KindOptions(pooling=pooling)
    for folder, limit in ((plain, 64), (tiny_kinds.roberta(tmp_path / "roberta"), 32)):
        found = open_mixable(folder, "encoder", options=options).losses(long)
        assert f"2 of 3 texts are cut to {limit} tokens" in found.notes
        assert np.isfinite(found.total).all()
    shorter = open_mixable(plain, "encoder", options=KindOptions(max_input_length=10)).losses(long)
    assert "2 of 3 texts are cut to 10 tokens" in shorter.notes


def test_weights_that_are_missing_are_not_made_up(tmp_path, plain, sentence):
    for name, source in (("plain", plain), ("sentence", sentence)):
        folder = tmp_path / name
        shutil.copytree(source, folder)
        tensors = load_file(folder / "model.safetensors")
        some = next(key for key in tensors if "layer.1.output.dense.weight" in key)
        save_file(
            {k: v for k, v in tensors.items() if k != some}, folder / "model.safetensors", {"format": "pt"}
        )
        with pytest.raises(ModelError, match=r"1 weights are missing .*layer.1.output.dense.weight"):
            open_mixable(folder, "encoder")


def test_a_missing_pooler_does_not_matter(tmp_path, plain):
    folder = tmp_path / "poolerless"
    shutil.copytree(plain, folder)
    tensors = load_file(folder / "model.safetensors")
    save_file(
        {k: v for k, v in tensors.items() if "pooler" not in k},
        folder / "model.safetensors",
        {"format": "pt"},
    )
    found = open_mixable(folder, "encoder").losses(ROWS)
    np.testing.assert_array_equal(found.total, open_mixable(plain, "encoder").losses(ROWS).total)


def test_nothing_is_said_while_loading_and_logging_is_as_before(plain, capfd, caplog):
    level = logging.getLogger("sentence_transformers").level
    open_mixable(plain, "encoder", dtype="bfloat16").losses(ROWS)
    assert capfd.readouterr() == ("", "")
    assert caplog.records == []
    assert logging.getLogger("sentence_transformers").level == level


def test_an_encoder_without_a_transformer(tmp_path):
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding

    table = StaticEmbedding(tiny_kinds.bert_tokenizer(), embedding_dim=8)
    SentenceTransformer(modules=[table], device="cpu").save(str(tmp_path / "static"))
    found = open_mixable(tmp_path / "static", "encoder").losses(ROWS)
    assert found.right.shape == (3,)
    with pytest.raises(ModelError, match="has no transformer whose first token"):
        open_mixable(tmp_path / "static", "encoder", options=KindOptions(pooling="compat"))


def test_refusals(plain):
    model = open_mixable(plain, "encoder")
    with pytest.raises(DataError, match="there is no example"):
        model.losses([])
    with pytest.raises(DataError, match="encoder needs rows with query"):
        model.losses([Example("a", "b")])
    with torch.no_grad():
        rare = tiny_kinds.bert_tokenizer()("\u00df")["input_ids"][1]  # of no other text here
        model.module.embeddings.word_embeddings.weight[rare] = np.nan
    with pytest.raises(ModelError, match=r"example 1 \(f:2\) has a loss that is no finite number"):
        model.losses([ROWS[1], Ranking("tea", ("\u00df",), id="f:2")])
