"""An embedding with a logistic head."""

from __future__ import annotations

import json
import resource

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

from kshot.errors import DataError, ModelError
from kshot.models.base import Classifier
from kshot.models.classifier.head import GRID, EmbeddingHead


class Letters:
    """Counts of letters, as unit rows."""

    id = "letters@1"
    dim = 26

    def encode(self, texts):
        rows = np.array([[text.count(chr(97 + i)) for i in range(26)] for text in texts], dtype=np.float32)
        return rows.reshape(-1, 26) / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)


class OtherLetters(Letters):
    id = "letters@2"


TEXTS = ["aab", "aba", "aac", "abb", "xyz", "xzz", "yyz", "xxz", "mnm", "mnn", "nno", "mmo"]
LABELS = ["joy"] * 4 + ["anger"] * 4 + ["calm"] * 4
NAMES = ("anger", "joy", "calm", "never seen")


def head(texts=TEXTS, labels=LABELS, **options):
    return EmbeddingHead.fit(Letters(), texts, labels, **({"label_names": NAMES} | options))


def test_a_head_learns_and_answers_in_the_order_of_the_names():
    made = head()
    assert isinstance(made, Classifier)
    assert made.labels == NAMES
    found = made.predict_proba(["aaab", "zzx", "mo"])
    assert [NAMES[i] for i in found.argmax(axis=1)] == ["joy", "anger", "calm"]
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-6)
    assert (found[:, 3] == 0).all()


@pytest.mark.parametrize("count", [2, 3])
def test_probabilities_are_scikit_learns(count):
    from sklearn.linear_model import LogisticRegression

    texts, labels = TEXTS[: 4 * count], LABELS[: 4 * count]
    made = head(texts, labels)
    own = LogisticRegression(C=made.c, class_weight="balanced", max_iter=2000, tol=1e-6)
    own.fit(Letters().encode(texts).astype(np.float64), labels)
    expected = own.predict_proba(Letters().encode(["ab", "xm", "q"]).astype(np.float64))
    columns = [NAMES.index(name) for name in own.classes_]
    np.testing.assert_allclose(made.predict_proba(["ab", "xm", "q"])[:, columns], expected, atol=1e-5)


def test_strength_is_chosen_by_cross_validation_where_there_are_three_rows_of_each_class():
    assert head().c in GRID
    assert head(c=0.5).c in GRID
    assert head(TEXTS[:10], LABELS[:10], c=0.5).c == 0.5
    assert head(TEXTS[:11], LABELS[:11], c=0.5).c in GRID


def test_noise_is_regularised_and_clear_classes_are_not():
    rng = np.random.default_rng(0)
    texts = ["".join(rng.choice(list("abcdef"), 5)) for _ in range(24)]
    assert head(texts, ["joy", "anger"] * 12).c <= 1
    assert head().c == max(GRID)


def test_a_large_class_does_not_drown_a_small_one():
    made = head([*["ab"] * 30, "ac"], [*["joy"] * 30, "anger"])
    assert made.predict_proba(["ac"]).argmax() == NAMES.index("anger")


def test_one_class_alone_is_certain():
    found = head(["a", "b", "c"], ["joy"] * 3).predict_proba(["a", "zz"])
    assert found[:, NAMES.index("joy")].tolist() == [1.0, 1.0]


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 5), order=st.permutations(range(12)))
def test_the_same_rows_and_seed_give_the_same_head(seed, order):
    texts, labels = [TEXTS[i] for i in order], [LABELS[i] for i in order]
    one, other = head(texts, labels, seed=seed), head(texts, labels, seed=seed)
    assert one.id == other.id
    np.testing.assert_array_equal(one.predict_proba(TEXTS), other.predict_proba(TEXTS))


def test_a_head_is_read_back_bit_by_bit(tmp_path):
    made = head()
    made.save(tmp_path / "h")
    read = EmbeddingHead.load(tmp_path / "h", Letters())
    assert (read.id, read.labels, read.c) == (made.id, made.labels, made.c)
    np.testing.assert_array_equal(read.predict_proba(TEXTS), made.predict_proba(TEXTS))
    assert sorted(path.name for path in (tmp_path / "h").iterdir()) == ["head.json", "head.safetensors"]
    assert [path.name for path in tmp_path.iterdir()] == ["h"]
    head().save(tmp_path / "i")
    for name in ("head.json", "head.safetensors"):
        assert (tmp_path / "h" / name).read_bytes() == (tmp_path / "i" / name).read_bytes()


def test_a_disk_that_takes_no_more_raises_os_error(tmp_path):
    made = head()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            made.save(tmp_path / "h")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(tmp_path.iterdir()) == []


def test_no_texts_no_rows():
    assert head().predict_proba([]).shape == (0, 4)


class TestRefusals:
    @pytest.mark.parametrize(
        ("texts", "labels", "message"),
        [
            ([], [], "no labelled rows"),
            (["a"], ["joy", "joy"], "1 texts but 2 labels"),
            (["a"], ["rage"], "label 'rage' is none of anger, joy"),
        ],
    )
    def test_rows_that_cannot_be_learned(self, texts, labels, message):
        with pytest.raises(DataError, match=message):
            head(texts, labels)

    def test_a_label_named_twice(self):
        with pytest.raises(DataError, match="name one twice"):
            head(label_names=("joy", "anger", "calm", "joy"))

    def test_a_folder_in_use(self, tmp_path):
        (tmp_path / "mine").write_text("keep")
        with pytest.raises(ModelError, match="not empty"):
            head().save(tmp_path)

    def test_another_embedder(self, tmp_path):
        head().save(tmp_path / "h")
        with pytest.raises(ModelError, match=r"was learned on embedder letters@1, given letters@2"):
            EmbeddingHead.load(tmp_path / "h", OtherLetters())

    @pytest.mark.parametrize(
        ("name", "content"),
        [("head.json", "{"), ("head.json", "[]"), ("head.json", '{"labels": []}'), ("head.safetensors", "x")],
    )
    def test_damaged_files(self, tmp_path, name, content):
        head().save(tmp_path / "h")
        (tmp_path / "h" / name).write_text(content)
        with pytest.raises(ModelError, match="no head that kshot saved"):
            EmbeddingHead.load(tmp_path / "h", Letters())

    def test_files_that_do_not_belong_together(self, tmp_path):
        head().save(tmp_path / "h")
        path = tmp_path / "h" / "head.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"labels": ["a", "b"]}))
        with pytest.raises(ModelError, match=r"weights are \(4, 26\), expected \(2, 26\)"):
            EmbeddingHead.load(tmp_path / "h", Letters())
        head().save(tmp_path / "i")
        tensors = load_file(tmp_path / "i" / "head.safetensors")
        save_file({"weights": tensors["weights"]}, tmp_path / "i" / "head.safetensors")
        with pytest.raises(ModelError, match="no head that kshot saved"):
            EmbeddingHead.load(tmp_path / "i", Letters())

    def test_nothing_there(self, tmp_path):
        with pytest.raises(ModelError, match="no head that kshot saved"):
            EmbeddingHead.load(tmp_path, Letters())
