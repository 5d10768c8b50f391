from __future__ import annotations

import numpy as np
import pytest
import tiny_kinds
import torch
from safetensors.torch import load_file, save_file

from kshot.data.ranking import Ranking
from kshot.errors import DataError, ModelError
from kshot.models.embed.sentence import SentenceEmbedder, sentence_model
from kshot.models.kinds.contrast import contrastive_nats
from kshot.models.train.contrastive import EncoderSettings, batch_loss, same_label_rankings, train_encoder

ROWS = [
    Ranking("cheap tickets", ("low cost fares",), ("garden tools",)),
    Ranking("fix a tyre", ("repair a wheel",)),
    Ranking("swallows", ("birds fly south",), ("bread", "chess")),
    Ranking("tea time", ("a hot drink",)),
]
FAST = EncoderSettings(epochs=6, batch_size=2, learning_rate=1e-3, seed=3)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("encoders")
    prompts = {"query": "ask: ", "document": "read: "}
    return tiny_kinds.sentence_folder(
        place / "sentences", tiny_kinds.encoder(place / "plain"), prompts=prompts
    )


def contents(folder):
    return {p.relative_to(folder): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_the_loss_falls_and_the_folder_is_of_the_same_kind(folder, tmp_path):
    before, seen, longer = contents(folder), [], EncoderSettings(80, 4, learning_rate=3e-3)
    result = train_encoder(
        folder, ROWS, out=tmp_path / "tuned", settings=longer, on_step=lambda *step: seen.append(step)
    )
    assert len(result.losses) == 80
    assert np.mean(result.losses[-8:]) < 0.5 * np.mean(result.losses[:8])
    assert seen == [(step + 1, 80, loss) for step, loss in enumerate(result.losses)]
    assert contents(folder) == before
    tuned, base = sentence_model(result.folder), sentence_model(folder)
    assert [type(module) for module in tuned] == [type(module) for module in base]
    assert tuned.prompts == base.prompts
    assert tuned.max_seq_length == base.max_seq_length
    assert not list(tmp_path.glob(".*"))
    vectors = SentenceEmbedder(result.folder).encode(
        ["ask: swallows", "read: birds fly south", "read: bread"]
    )
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2]


def test_every_weight_of_every_module_learns(folder, tmp_path):
    result = train_encoder(folder, ROWS, out=tmp_path / "tuned", settings=FAST)
    for path in ("model.safetensors", "2_Dense/model.safetensors"):
        before, after = load_file(folder / path), load_file(result.folder / path)
        assert before.keys() == after.keys()
        same = [name for name in before if torch.equal(before[name], after[name])]
        assert [name for name in same if not name.startswith("pooler.")] == []


def test_the_same_seed_gives_the_same_bytes(folder, tmp_path):
    torch.manual_seed(1)
    one = train_encoder(folder, ROWS, out=tmp_path / "one", settings=FAST)
    torch.manual_seed(2)
    state = torch.random.get_rng_state()
    other = train_encoder(folder, ROWS, out=tmp_path / "other", settings=FAST)
    assert torch.equal(torch.random.get_rng_state(), state)
    third = train_encoder(
        folder, ROWS, out=tmp_path / "third", settings=EncoderSettings(6, 2, learning_rate=1e-3, seed=4)
    )
    assert contents(one.folder) == contents(other.folder)
    assert contents(one.folder) != contents(third.folder)


def test_weights_stored_in_16_bits_stay_so(folder, tmp_path):
    half = tmp_path / "half"
    model = sentence_model(folder)
    model.to(torch.bfloat16).save_pretrained(str(half), create_model_card=False)
    tuned = train_encoder(half, ROWS, out=tmp_path / "tuned", settings=FAST).folder
    dtypes = {value.dtype for path in tuned.rglob("*.safetensors") for value in load_file(path).values()}
    assert dtypes == {torch.bfloat16}


def expected(model, rows, *, groups=None):
    """The batch's loss by the pure function of scoring; texts of one group one by one."""
    queries = [model.encode_query(row.query, normalize_embeddings=True) for row in rows]
    passages = [
        [
            model.encode_document(text, normalize_embeddings=True)
            for text in (row.positives[0], *row.negatives)
        ]
        for row in rows
    ]
    nats = []
    for place, query in enumerate(queries):
        others = [
            part
            for other, part in enumerate(passages)
            if other != place and (groups is None or groups[other] != groups[place])
        ]
        nats.append(
            contrastive_nats([query], [[v for part in (passages[place], *others) for v in part]])[0][0]
        )
    return np.mean(nats)


@pytest.mark.parametrize("groups", [None, ["a", "b", "a", "b"], ["a", "a", "a", "a"]])
def test_the_loss_of_a_batch_is_the_one_that_scoring_takes(folder, groups):
    model = sentence_model(folder)
    names = groups or list("abcd")
    with torch.no_grad():
        found = float(batch_loss(model, list(zip(ROWS, names, strict=True)), scale=0.05))
    assert found == pytest.approx(expected(model, ROWS, groups=groups), rel=1e-5)


def test_a_passage_that_is_the_own_positive_is_no_negative(folder):
    model = sentence_model(folder)
    twice = [(ROWS[0], "a"), (Ranking("dear fares", ROWS[0].positives), "b")]
    with torch.no_grad():
        found = float(batch_loss(model, twice, scale=0.05))
        alone = [float(batch_loss(model, [row], scale=0.05)) for row in twice]
    vectors = model.encode_query("dear fares", normalize_embeddings=True)
    texts = [ROWS[0].positives[0], *ROWS[0].negatives]
    passages = [model.encode_document(text, normalize_embeddings=True) for text in texts]
    second = contrastive_nats([vectors], [passages])[0][0]
    assert alone[1] == 0
    assert found == pytest.approx((alone[0] + second) / 2, rel=1e-5)


def test_pairs_of_one_label():
    texts, labels = ["a", "b", "c", "d", "e"], ["x", "x", "y", "z", "x"]
    rows = same_label_rankings(texts, labels, seed=1)
    assert [row.query for row in rows] == ["a", "b", "e"]
    assert all(row.positives[0] in {"a", "b", "e"} - {row.query} and row.id == "x" for row in rows)
    assert rows == same_label_rankings(texts, labels, seed=1)
    assert {tuple(same_label_rankings(texts, labels, seed=s)) for s in range(20)} != {tuple(rows)}
    with pytest.raises(DataError, match="none of the 2 labels has two texts"):
        same_label_rankings(["a", "b"], ["x", "y"])
    with pytest.raises(DataError, match="2 texts but 1 labels"):
        same_label_rankings(["a", "b"], ["x"])


def test_what_cannot_be_trained_leaves_nothing(folder, tmp_path):
    with pytest.raises(DataError, match="1 rankings and 1 groups"):
        train_encoder(folder, ROWS[:1], out=tmp_path / "out")
    with pytest.raises(DataError, match="4 rankings and 2 groups"):
        train_encoder(folder, ROWS, out=tmp_path / "out", groups=["a", "b"])
    with pytest.raises(ModelError, match="lower the learning rate"):
        train_encoder(folder, ROWS, out=tmp_path / "out", settings=EncoderSettings(3, 2, learning_rate=1e30))
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    with pytest.raises(ModelError, match="exists and is not empty"):
        train_encoder(folder, ROWS, out=tmp_path / "full")
    path = tmp_path / "broken"
    broken = load_file(folder / "model.safetensors")
    path.mkdir()
    save_file(broken, path / "model.safetensors")
    with pytest.raises(ModelError, match=r"modules\.json is missing"):
        train_encoder(path, ROWS, out=tmp_path / "out")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("epochs", 0),
        ("learning_rate", float("nan")),
        ("scale", 0.0),
        ("warmup_share", 1.0),
        ("max_tokens", 0),
        ("batch_size", -1),
    ],
)
def test_settings_out_of_range_are_named(name, value):
    with pytest.raises(ModelError, match=name):
        EncoderSettings(**{name: value})
