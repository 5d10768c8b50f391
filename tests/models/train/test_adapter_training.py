"""Adapters of any kind trained further: what learns changes, what does not keeps its bytes."""

from __future__ import annotations

import json
import shutil

import pytest
import tiny
import torch
from peft_folders import peft_folder
from safetensors.torch import load_file, save_file

from kshot.errors import AdapterError, ModelError
from kshot.models.hf.model import HfModel
from kshot.models.train import TrainRows, TrainSettings, train_adapter, train_lora

TURNS, TARGETS = tiny.conversations(), tiny.targets()
ROWS = TrainRows(TURNS, TARGETS)
HELD = TrainRows(TURNS[:3], TARGETS[:3], TURNS[3:], TARGETS[3:])
FAST = TrainSettings(steps=4, learning_rate=5e-3, batch_size=5, warmup_share=0, schedule="constant")
WEIGHTS = "adapter_model.safetensors"


def changed(settings=FAST, **options):
    return TrainSettings(**{k: getattr(settings, k) for k in settings.__slots__} | options)


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    folder = tiny.save(tmp_path_factory.mktemp("base"), chat=tiny.CHATML, attention_dropout=0.0)
    return HfModel.load(folder, device="cpu")


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    folder = tmp_path_factory.mktemp("start") / "expert"
    peft_folder(folder, "llama", r=4, lora_alpha=8, target_modules=["q_proj", "down_proj"])
    return folder


def loss(model, rows=ROWS):
    found = model.token_losses(rows.conversations, rows.targets)
    return sum(each.nats.sum() for each in found) / sum(len(each.nats) for each in found)


def test_it_goes_on_from_where_the_start_stands(base, start, tmp_path):
    before = {path.name: path.read_bytes() for path in start.iterdir()}
    weights = {key: value.clone() for key, value in base.model.state_dict().items()}
    result = train_adapter(base, ROWS, start=start, out=tmp_path / "a", settings=changed(steps=15))
    assert result.losses[0] == pytest.approx(loss(base.adapted(start)), abs=1e-4)
    assert loss(base.adapted(result.folder)) < 0.9 * result.losses[0]
    assert {path.name: path.read_bytes() for path in start.iterdir()} == before
    assert all(torch.equal(weights[key], value) for key, value in base.model.state_dict().items())
    assert (result.best_step, result.held) == (None, ())


def test_the_same_seed_gives_the_same_bytes(base, start, tmp_path):
    for name in ("a", "b"):
        train_adapter(base, ROWS, start=start, out=tmp_path / name, settings=changed(batch_size=2))
    names = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert names == ["README.md", "adapter_config.json", WEIGHTS]
    assert all((tmp_path / "a" / n).read_bytes() == (tmp_path / "b" / n).read_bytes() for n in names)


def test_the_folder_keeps_the_starts_configuration_and_tells_of_both_trainings(base, tmp_path):
    first = train_lora(base, TURNS, TARGETS, out=tmp_path / "a", settings=changed(rank=4)).folder
    second = train_adapter(base, ROWS, start=first, out=tmp_path / "b", settings=FAST).folder
    third = train_adapter(base, ROWS, start=second, out=tmp_path / "c", settings=FAST).folder
    assert (first / "adapter_config.json").read_bytes() == (third / "adapter_config.json").read_bytes()
    card = (third / "README.md").read_text()
    assert card.startswith("---\nbase_model: ")
    assert card.count("## Trained further by kshot") == 2
    assert card.count("| rank | 4 |") == 1  # settings that only a new LoRA has are not told again
    assert card.count("| rows | 5 |") == 3


def test_a_start_without_a_card_gets_one(base, start, tmp_path):
    bare = shutil.copytree(start, tmp_path / "bare", ignore=shutil.ignore_patterns("README.md"))
    out = train_adapter(base, ROWS, start=bare, out=tmp_path / "a", settings=FAST).folder
    assert f"base_model: {base.loaded.name}" in (out / "README.md").read_text()
    assert json.loads((out / "adapter_config.json").read_text())["inference_mode"] is True


def test_half_precision_starts_learn_in_single_precision(base, start, tmp_path):
    """In bfloat16 a small step would be lost."""
    half = shutil.copytree(start, tmp_path / "half")
    save_file({k: v.bfloat16() for k, v in load_file(start / WEIGHTS).items()}, half / WEIGHTS)
    out = train_adapter(
        base, ROWS, start=half, out=tmp_path / "a", settings=changed(learning_rate=1e-6)
    ).folder
    before, after = load_file(half / WEIGHTS), load_file(out / WEIGHTS)
    assert before.keys() == after.keys()
    assert all(after[key].dtype == torch.float32 for key in after)
    apart = max((after[key] - before[key].float()).abs().max() for key in after)
    assert 1e-6 < apart < 1e-5


class TestRates:
    def moved(self, base, start, out, **options):
        folder = train_adapter(base, ROWS, start=start, out=out, settings=changed(steps=1, **options)).folder
        before, after = load_file(start / WEIGHTS), load_file(folder / WEIGHTS)
        return {
            side: max((after[k] - before[k]).abs().max().item() for k in after if side in k)
            for side in ("lora_A", "lora_B")
        }

    def test_the_first_step_of_adam_is_as_long_as_the_rate(self, base, start, tmp_path):
        found = self.moved(base, start, tmp_path / "a", rates=(("lora_B", 10.0), ("lora", 0.1)))
        assert found == {"lora_A": pytest.approx(5e-4, rel=1e-2), "lora_B": pytest.approx(5e-2, rel=1e-2)}
        found = self.moved(base, start, tmp_path / "b", rates=(("lora", 2.0), ("q_proj.lora", 9.0))[:1])
        assert found == {"lora_A": pytest.approx(1e-2, rel=1e-2), "lora_B": pytest.approx(1e-2, rel=1e-2)}

    def test_a_fragment_that_fits_nothing(self, base, start, tmp_path):
        with pytest.raises(
            ModelError, match=r"'router' occurs in no name .* names end in lora_A.default.weight"
        ):
            self.moved(base, start, tmp_path / "a", rates=(("router", 2.0),))
        with pytest.raises(ModelError, match=r"'q_proj' occurs in no name"):
            self.moved(base, start, tmp_path / "a", rates=(("lora", 2.0), ("q_proj", 9.0)))
        assert not list(tmp_path.iterdir())


def test_weight_decay_alone_shrinks_matrices(base, start, tmp_path):
    """AdamW takes rate x decay of a weight away; the gradient's part is cut to nothing."""
    still = changed(steps=1, weight_decay=0.5, learning_rate=0.1, max_grad_norm=1e-30)
    folder = train_adapter(base, ROWS, start=start, out=tmp_path / "a", settings=still).folder
    before, after = load_file(start / WEIGHTS), load_file(folder / WEIGHTS)
    for key in before:
        torch.testing.assert_close(after[key], before[key] * 0.95, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("schedule", "shape"),
    [("constant", [1, 1, 1, 1]), ("linear", [1, 0.75, 0.5, 0.25]), ("cosine", [1, 0.8536, 0.5, 0.1464])],
)
def test_schedules(base, start, tmp_path, schedule, shape):
    """Adam's steps under a gradient of one sign are as long as the rate, whatever the gradient's size."""
    steps = []

    def weights():
        return {k: v.clone() for k, v in base.model.state_dict().items() if "lora_A" in k}

    def step(*_):
        steps.append(weights())

    settings = changed(steps=4, schedule=schedule, learning_rate=1e-6, beta1=0.0, beta2=0.0)
    train_adapter(base, ROWS, start=start, out=tmp_path / "a", settings=settings, on_step=step)
    moved = [
        max((after[k] - before[k]).abs().max().item() for k in after)
        for before, after in zip([None, *steps][1:], steps[1:], strict=False)
    ]
    assert [m / 1e-6 for m in moved] == [pytest.approx(each, abs=0.15) for each in shape[1:]]


class TestHeldBack:
    def test_the_weights_of_the_lowest_loss_are_kept(self, base, start, tmp_path):
        """The same training stopped at the best step by hand gives the same tensors."""
        asked = changed(steps=30, learning_rate=3e-2, check_every=1, patience=4)
        result = train_adapter(base, HELD, start=start, out=tmp_path / "a", settings=asked)
        looks = dict(result.held)
        assert list(looks) == list(range(len(looks)))
        assert result.steps == len(looks) - 1 == result.best_step + 4 < 30
        assert looks[result.best_step] == min(looks.values())
        assert result.best_step > 0
        held = TrainRows(HELD.held_conversations, HELD.held_targets)
        assert loss(base.adapted(result.folder), held) == pytest.approx(min(looks.values()), abs=1e-5)
        short = TrainRows(HELD.conversations, HELD.targets)
        by_hand = train_adapter(
            base, short, start=start, out=tmp_path / "b", settings=changed(asked, steps=result.best_step)
        )
        assert (result.folder / WEIGHTS).read_bytes() == (by_hand.folder / WEIGHTS).read_bytes()
        card = (result.folder / "README.md").read_text()
        assert f"| step of the lowest | {result.best_step} |" in card
        assert "| held-back rows | 2 |" in card

    def test_a_training_that_only_harms_keeps_the_start(self, base, start, tmp_path):
        asked = changed(steps=20, learning_rate=5.0, check_every=2, patience=2)
        result = train_adapter(base, HELD, start=start, out=tmp_path / "a", settings=asked)
        assert (result.best_step, result.steps, [step for step, _ in result.held]) == (0, 4, [0, 2, 4])
        before, after = load_file(start / WEIGHTS), load_file(result.folder / WEIGHTS)
        assert all(torch.equal(before[key], after[key]) for key in before)

    def test_the_last_step_is_looked_at(self, base, start, tmp_path):
        asked = changed(steps=5, check_every=3)
        result = train_adapter(base, HELD, start=start, out=tmp_path / "a", settings=asked)
        assert [step for step, _ in result.held] == [0, 3, 5]

    def test_a_share_of_the_rows(self, base, start, tmp_path):
        asked = changed(held_back=0.45, check_every=2)
        result = train_adapter(base, ROWS, start=start, out=tmp_path / "a", settings=asked)
        assert len(result.kept_aside) == 2
        assert "| rows | 3 |" in (result.folder / "README.md").read_text()
        few = TrainRows(TURNS[:2], TARGETS[:2])  # 0.9 rows are no row
        result = train_adapter(base, few, start=start, out=tmp_path / "b", settings=asked)
        assert (result.kept_aside, result.best_step) == ((), None)

    def test_looking_changes_nothing_else(self, base, start, tmp_path):
        """Dropout and the order of rows draw the same numbers with and without looks."""
        folder = shutil.copytree(start, tmp_path / "dropout")
        config = json.loads((folder / "adapter_config.json").read_text()) | {"lora_dropout": 0.3}
        (folder / "adapter_config.json").write_text(json.dumps(config))
        asked = changed(batch_size=1, check_every=1, patience=99)
        with_looks = train_adapter(base, HELD, start=folder, out=tmp_path / "a", settings=asked)
        short = TrainRows(HELD.conversations, HELD.targets)
        without = train_adapter(base, short, start=folder, out=tmp_path / "b", settings=asked)
        assert with_looks.losses == without.losses


class TestRefusals:
    def test_a_start_that_does_not_fit(self, base, tmp_path):
        peft_folder(tmp_path / "other", "gpt2", r=2, target_modules=["c_attn"], fan_in_fan_out=True)
        with pytest.raises(AdapterError, match="other: does not fit this base model"):
            train_adapter(base, ROWS, start=tmp_path / "other", out=tmp_path / "a")
        with pytest.raises(AdapterError, match="no such folder"):
            train_adapter(base, ROWS, start=tmp_path / "none", out=tmp_path / "a")
        assert [path.name for path in tmp_path.iterdir()] == ["other"]

    def test_a_folder_in_use_is_refused_before_anything_is_read(self, base, start):
        with pytest.raises(ModelError, match="exists and is not empty"):
            train_adapter(base, ROWS, start="nonesuch", out=start)

    def test_stopped_in_the_middle_leaves_nothing_and_the_base_as_it_was(self, base, start, tmp_path):
        def stop(step, _steps, _loss):
            if step == 2:
                raise KeyboardInterrupt

        before = dict(base.model.named_modules())
        with pytest.raises(KeyboardInterrupt):
            train_adapter(base, HELD, start=start, out=tmp_path / "a", settings=FAST, on_step=stop)
        assert not list(tmp_path.iterdir())
        assert dict(base.model.named_modules()) == before
        assert all(p.requires_grad and p.grad is None for p in base.model.parameters())
        assert base.model.config.use_cache is True
        assert not base.model.training

    def test_a_loss_that_is_no_number(self, base, start, tmp_path):
        wild = changed(steps=8, learning_rate=1e30)
        with pytest.raises(ModelError, match="no number; lower the learning rate"):
            train_adapter(base, ROWS, start=start, out=tmp_path / "a", settings=wild)
        assert not list(tmp_path.iterdir())

    def test_weights_that_are_no_numbers_after_the_last_step(self, base, start, tmp_path):
        """No loss is computed after the last step, so it would pass unseen."""

        def poison(*_):
            with torch.no_grad():
                next(p for p in base.model.parameters() if p.requires_grad).fill_(torch.nan)

        with pytest.raises(ModelError, match=r"1 weights are no numbers after the last step, first .*lora"):
            train_adapter(
                base, ROWS, start=start, out=tmp_path / "a", settings=changed(steps=1), on_step=poison
            )
        assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("steps", [1, 2, 33])
def test_no_step_has_a_rate_of_zero_where_warm_up_is_less_than_one(base, start, tmp_path, steps):
    warm = changed(steps=steps, warmup_share=0.03)
    cold = changed(steps=steps, warmup_share=0.0)
    told = [
        train_adapter(base, ROWS, start=start, out=tmp_path / name, settings=settings).folder
        for name, settings in (("warm", warm), ("cold", cold))
    ]
    weights = [(folder / WEIGHTS).read_bytes() for folder in told]
    assert weights[0] == weights[1]
    assert weights[0] != (start / WEIGHTS).read_bytes()


@pytest.mark.parametrize("seed", [-1, 1 << 32])
def test_a_seed_that_is_none(seed):
    with pytest.raises(ModelError, match="training setting seed"):
        TrainSettings(seed=seed)
