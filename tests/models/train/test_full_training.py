"""All weights trained: the base as it was, its dtype and files on the disk, same bytes twice."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import pytest
import tiny
import torch
from safetensors.torch import load_file

from kshot.errors import ModelError
from kshot.models.hf.model import HfModel
from kshot.models.safetensor_files import folder_header
from kshot.models.train import TrainRows, TrainSettings
from kshot.models.train.full_training import full_learning_rate, stored_dtype, train_full, write_model

TURNS, TARGETS = tiny.conversations(), tiny.targets()
ROWS = TrainRows(TURNS, TARGETS)
FAST = TrainSettings(steps=4, learning_rate=1e-3, batch_size=3)


def saved(folder: Path, kind: str = "llama", dtype: str = "bfloat16") -> Path:
    tiny.model(kind, attention_dropout=0.0).to(getattr(torch, dtype)).save_pretrained(folder)
    tiny.tokenizer(chat=tiny.CHATML).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return saved(tmp_path_factory.mktemp("base") / "model")


@pytest.fixture(scope="module")
def base(folder):
    return HfModel.load(folder, device="cpu")


def nats(model):
    return np.concatenate([losses.nats for losses in model.token_losses(TURNS, TARGETS)])


def test_all_weights_learn_and_the_base_stays_as_it_was(base, tmp_path):
    before = {name: weight.clone() for name, weight in base.model.state_dict().items()}
    losses, seen = nats(base), []
    settings = TrainSettings(steps=20, learning_rate=5e-3, batch_size=5)
    result = train_full(
        base, ROWS, out=tmp_path / "a", settings=settings, on_step=lambda *step: seen.append(step)
    )
    tuned = HfModel.load(result.folder, device="cpu")
    assert nats(tuned).mean() < 0.5 * losses.mean()
    assert result.losses[0] == pytest.approx(losses.mean(), abs=1e-5)
    assert [step[:2] for step in seen] == [(at + 1, 20) for at in range(20)]
    np.testing.assert_array_equal(nats(base), losses)
    assert all(torch.equal(before[name], weight) for name, weight in base.model.state_dict().items())
    assert all(weight.requires_grad and weight.grad is None for weight in base.model.parameters())
    assert not any(module.training for module in base.model.modules())
    changed = [
        name for name, weight in tuned.model.named_parameters() if not torch.equal(weight, before[name])
    ]
    assert changed == [name for name, _ in base.model.named_parameters()]


@pytest.mark.parametrize("kind", tiny.ARCHITECTURES)
def test_the_folder_is_the_bases_in_all_but_the_values(kind, tmp_path):
    """Names, shapes and dtypes as in the base's files, so that the two can be mixed; tied heads stay tied."""
    like = saved(tmp_path / "base", kind)
    model = HfModel.load(like, device="cpu")
    result = train_full(model, ROWS, out=tmp_path / "tuned", settings=FAST)
    ours, theirs = folder_header(result.folder), folder_header(like)
    assert {name: (t.shape, t.dtype) for name, t in ours.items()} == {
        name: (t.shape, t.dtype) for name, t in theirs.items()
    }
    assert stored_dtype(result.folder) == "bfloat16"
    for file in like.iterdir():
        if file.suffix in (".json", ".jinja"):
            assert (result.folder / file.name).read_bytes() == file.read_bytes(), file.name
    card = (result.folder / "README.md").read_text()
    assert "stored as bfloat16" in card
    assert "| learning_rate | 0.001 |" in card
    assert "rank" not in card


def test_the_same_seed_gives_the_same_bytes_and_leaves_random_states_alone(base, tmp_path):
    drawn = []
    for name in ("a", "b"):
        random.seed(1), np.random.seed(1), torch.manual_seed(1)
        train_full(base, ROWS, out=tmp_path / name, settings=FAST)
        drawn.append((random.random(), np.random.rand(), torch.rand(1).item()))
    random.seed(1), np.random.seed(1), torch.manual_seed(1)
    assert drawn == [(random.random(), np.random.rand(), torch.rand(1).item())] * 2
    files = [tmp_path / name / "model.safetensors" for name in ("a", "b")]
    assert files[0].read_bytes() == files[1].read_bytes()
    other = TrainSettings(steps=4, learning_rate=1e-3, batch_size=3, seed=1)
    train_full(base, ROWS, out=tmp_path / "c", settings=other)
    assert (tmp_path / "c" / "model.safetensors").read_bytes() != files[0].read_bytes()


def test_held_back_rows_keep_the_best_weights(base, tmp_path):
    """With a rate that breaks the model, the start's weights are the best, and are what is written."""
    rows = TrainRows(TURNS, TARGETS, TURNS[:2], TARGETS[:2])
    settings = TrainSettings(steps=6, learning_rate=3.0, batch_size=3, check_every=2)
    result = train_full(base, rows, out=tmp_path / "a", settings=settings)
    assert result.best_step == 0
    tuned = load_file(result.folder / "model.safetensors")
    assert all(
        torch.equal(tuned[name], w)
        for name, w in load_file(Path(base.loaded.name) / "model.safetensors").items()
    )


def test_the_default_rate_is_a_tenth_of_the_adapters_at_large_widths(base):
    assert full_learning_rate(base) == pytest.approx(2e-5 * (2048 / 32) ** 0.5)


def test_the_dtype_is_that_of_most_bytes(tmp_path):
    model = tiny.model().to(torch.float16)
    model.model.norm.to(torch.float32)
    model.save_pretrained(tmp_path)
    assert stored_dtype(tmp_path) == "float16"


def test_a_folder_is_written_in_another_dtype(folder, tmp_path):
    write_model(tiny.model(), tmp_path / "out", like=folder, dtype="float16")
    assert stored_dtype(tmp_path / "out") == "float16"
    assert not (tmp_path / "out" / "README.md").exists()
    assert (
        json.loads((tmp_path / "out" / "config.json").read_text())["dtype"] == "bfloat16"
    )  # the base's file


def test_what_cannot_be_trained_is_refused_before_anything_is_written(base, folder, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").touch()
    with pytest.raises(ModelError, match="not empty"):
        train_full(base, ROWS, out=tmp_path / "full")
    with pytest.raises(ModelError, match="nothing to train on: no rows"):
        train_full(base, TrainRows([], []), out=tmp_path / "a")
    broken = HfModel.load(folder, device="cpu")
    with torch.no_grad():
        broken.model.model.norm.weight[0] = float("nan")
    with pytest.raises(ModelError, match=r"model\.norm\.weight holds NaN"):
        train_full(broken, ROWS, out=tmp_path / "a")
    with pytest.raises(ModelError, match="loss of step"):
        train_full(
            base, ROWS, out=tmp_path / "a", settings=TrainSettings(steps=4, learning_rate=1e30, batch_size=3)
        )
    assert not (tmp_path / "a").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["full"]
