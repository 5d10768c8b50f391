"""Adapters trained on labelled rows: exact masks, same bytes twice, the base as it was."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import pytest
import tiny
import torch
from peft import PeftModel

from kshot.data.example import Example
from kshot.errors import ModelError
from kshot.models.hf.loading import quiet
from kshot.models.hf.model import HfModel
from kshot.models.train.lora_training import TrainSettings, train_lora

TURNS, TARGETS = tiny.conversations(), tiny.targets()
FAST = TrainSettings(steps=6, learning_rate=1e-2, rank=4, alpha=8, batch_size=3)


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    folder = tiny.save(tmp_path_factory.mktemp("base"), chat=tiny.CHATML, attention_dropout=0.0)
    return HfModel.load(folder, device="cpu")


def nats(model):
    return np.concatenate([losses.nats for losses in model.token_losses(TURNS, TARGETS)])


def test_the_first_loss_is_the_scored_loss(base, tmp_path):
    """Training and scoring read rows alike: before any step, the loss is the mean over all target tokens."""
    still = TrainSettings(steps=2, batch_size=len(TURNS), dropout=0.0, learning_rate=1e-9)
    result = train_lora(base, TURNS, TARGETS, out=tmp_path / "a", settings=still)
    assert result.losses[0] == pytest.approx(nats(base).mean(), abs=1e-5)


def test_accumulation_weighs_tokens_as_one_large_batch_does(base, tmp_path):
    kept = {"steps": 3, "dropout": 0.0, "learning_rate": 1e-3, "rank": 4}
    whole = TrainSettings(batch_size=5, **kept)
    parts = TrainSettings(batch_size=1, accumulation=5, **kept)
    one = train_lora(base, TURNS, TARGETS, out=tmp_path / "a", settings=whole)
    other = train_lora(base, TURNS, TARGETS, out=tmp_path / "b", settings=parts)
    assert one.losses == pytest.approx(other.losses, abs=1e-4)


def test_training_lowers_the_loss_and_leaves_the_base_as_it_was(base, tmp_path):
    before, modules = nats(base), dict(base.model.named_modules())
    weights = {key: tensor.clone() for key, tensor in base.model.state_dict().items()}
    seen = []
    settings = TrainSettings(steps=25, learning_rate=2e-2, rank=8, batch_size=5)
    result = train_lora(
        base, TURNS, TARGETS, out=tmp_path / "a", settings=settings, on_step=lambda *step: seen.append(step)
    )
    assert result.losses[-1] < 0.6 * result.losses[0]
    assert [step[:2] for step in seen] == [(i + 1, 25) for i in range(25)]
    assert tuple(step[2] for step in seen) == result.losses
    assert result.steps == 25
    assert nats(base.adapted(result.folder)).mean() < 0.6 * before.mean()
    np.testing.assert_array_equal(nats(base), before)
    assert dict(base.model.named_modules()) == modules
    assert all(torch.equal(weights[key], tensor) for key, tensor in base.model.state_dict().items())
    assert all(parameter.requires_grad and parameter.grad is None for parameter in base.model.parameters())
    assert not any(module.training for module in base.model.modules())
    assert base.model.config.use_cache is True


def test_the_same_seed_gives_the_same_bytes_and_leaves_every_random_state_alone(base, tmp_path):
    drawn = []
    for name in ("a", "b"):
        random.seed(1), np.random.seed(1), torch.manual_seed(1)
        train_lora(base, TURNS, TARGETS, out=tmp_path / name, settings=FAST)
        drawn.append((random.random(), np.random.rand(), torch.rand(1).item()))
    random.seed(1), np.random.seed(1), torch.manual_seed(1)
    expected = (random.random(), np.random.rand(), torch.rand(1).item())
    assert drawn == [expected, expected]
    for path in sorted((tmp_path / "a").iterdir()):
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()
    other = TrainSettings(**{k: getattr(FAST, k) for k in ("steps", "learning_rate", "rank")}, seed=1)
    train_lora(base, TURNS, TARGETS, out=tmp_path / "c", settings=other)
    weights = "adapter_model.safetensors"
    assert (tmp_path / "a" / weights).read_bytes() != (tmp_path / "c" / weights).read_bytes()


def test_the_folder_is_a_plain_peft_folder_with_a_card(base, tmp_path):
    result = train_lora(base, TURNS, TARGETS, out=tmp_path / "deep" / "a", settings=FAST)
    assert sorted(path.name for path in result.folder.iterdir()) == [
        "README.md", "adapter_config.json", "adapter_model.safetensors",
    ]  # fmt: skip
    assert [path.name for path in result.folder.parent.iterdir()] == ["a"]
    config = json.loads((result.folder / "adapter_config.json").read_text())
    assert (config["peft_type"], config["r"], config["lora_alpha"]) == ("LORA", 4, 8)
    assert config["base_model_name_or_path"] == base.loaded.name
    assert config["target_modules"] == sorted(config["target_modules"])
    assert not any("lm_head" in name for name in config["target_modules"])
    card = (result.folder / "README.md").read_text()
    assert "| rows | 5 |" in card
    assert "| learning rate | 0.01 |" in card
    with quiet():
        peft = PeftModel.from_pretrained(HfModel.load(base.loaded.name, device="cpu").model, result.folder)
    assert sum("lora_A" in name for name, _ in peft.named_parameters()) == 14


def test_it_is_quiet(base, tmp_path, capfd):
    train_lora(base, TURNS, TARGETS, out=tmp_path / "a", settings=FAST)
    captured = capfd.readouterr()
    assert (captured.out, captured.err) == ("", "")


def test_gradient_checkpointing_learns_the_same_and_leaves_no_hook(base, tmp_path):
    kept = {"steps": 4, "dropout": 0.0, "rank": 4, "learning_rate": 1e-2}
    plain = train_lora(base, TURNS, TARGETS, out=tmp_path / "a", settings=TrainSettings(**kept))
    saving = train_lora(
        base, TURNS, TARGETS, out=tmp_path / "b", settings=TrainSettings(**kept, gradient_checkpointing=True)
    )
    assert saving.losses == pytest.approx(plain.losses, abs=1e-4)
    assert not any(getattr(module, "gradient_checkpointing", False) for module in base.model.modules())
    assert not base.model.get_input_embeddings()._forward_hooks


def test_chosen_modules_and_a_gpt2(base, tmp_path):
    result = train_lora(
        base, TURNS, TARGETS, out=tmp_path / "a", settings=TrainSettings(steps=1, target_modules=("q_proj",))
    )
    assert base.adapted(result.folder)
    gpt2 = HfModel.load(tiny.save(tmp_path / "gpt2", "gpt2"), device="cpu")
    result = train_lora(gpt2, TURNS, TARGETS, out=tmp_path / "b", settings=FAST)
    assert gpt2.adapted(result.folder)


def test_rows_that_are_too_long_are_left_out_and_named(base, tmp_path):
    rows = [tiny.ROWS[0], Example("word " * 60, "x"), tiny.ROWS[2]]
    settings = TrainSettings(steps=1, max_tokens=100)
    result = train_lora(
        base, tiny.conversations(rows), tiny.targets(rows), out=tmp_path / "a", settings=settings
    )
    assert result.too_long == (1,)


class TestRefusals:
    def test_nothing_left_to_learn(self, base, tmp_path):
        with pytest.raises(ModelError, match=r"all 5 rows have more than 3 tokens"):
            train_lora(base, TURNS, TARGETS, out=tmp_path / "a", settings=TrainSettings(max_tokens=3))
        with pytest.raises(ModelError, match="no rows were given"):
            train_lora(base, [], [], out=tmp_path / "a")
        assert not list(tmp_path.iterdir())

    def test_lists_of_different_length(self, base, tmp_path):
        with pytest.raises(ModelError, match="5 conversations but 4 targets"):
            train_lora(base, TURNS, TARGETS[:4], out=tmp_path / "a")

    def test_a_folder_in_use(self, base, tmp_path):
        (tmp_path / "mine.txt").write_text("keep")
        with pytest.raises(ModelError, match="exists and is not empty"):
            train_lora(base, TURNS, TARGETS, out=tmp_path)
        assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]

    def test_modules_that_are_not_there(self, base, tmp_path):
        with pytest.raises(ModelError, match=r"target modules .'nonesuch',. do not fit"):
            train_lora(
                base, TURNS, TARGETS, out=tmp_path / "a", settings=TrainSettings(target_modules=("nonesuch",))
            )

    def test_a_loss_that_is_no_number_leaves_nothing(self, tmp_path):
        base = HfModel.load(tiny.save(tmp_path / "base"), device="cpu")
        with torch.no_grad():
            base.model.lm_head.weight[3] = float("nan")
        with pytest.raises(ModelError, match="loss of step 1 is no number; lower the learning rate"):
            train_lora(base, TURNS, TARGETS, out=tmp_path / "a", settings=FAST)
        assert [path.name for path in tmp_path.iterdir()] == ["base"]
        assert not any("lora" in name for name, _ in base.model.named_parameters())


def test_no_machine_path_stands_in_the_card(base, tmp_path, monkeypatch):
    monkeypatch.chdir(Path(base.loaded.name).parent)
    relative = HfModel.load(Path(base.loaded.name).name, device="cpu")
    result = train_lora(relative, TURNS, TARGETS, out=tmp_path / "a", settings=FAST)
    for name in ("README.md", "adapter_config.json"):
        assert str(tmp_path.parent) not in (result.folder / name).read_text()
