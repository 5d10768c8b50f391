"""Which adapters go together, which alone, and that what is refused alone is refused in a bank."""

from __future__ import annotations

import gc
import json
import shutil
import weakref

import numpy as np
import pytest
import tiny
from peft_folders import VARIANTS, peft_folder
from safetensors.torch import load_file, save_file

from kshot.errors import AdapterError
from kshot.models.base import LanguageModel, LossModel
from kshot.models.hf.group import StoredExpert, together
from kshot.models.hf.group import stored as stored_module
from kshot.models.hf.group.factors import linear_shapes, stored_factors
from kshot.models.hf.group.group import can_group
from kshot.models.hf.loading import assemble
from kshot.models.hf.model import HfModel

TURNS, TARGETS = tiny.conversations(), tiny.targets()
PLAIN = {"r": 4, "lora_alpha": 8, "target_modules": ["q_proj", "v_proj", "down_proj"]}


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return HfModel.load(tiny.save(tmp_path_factory.mktemp("base"), chat=tiny.CHATML), device="cpu")


@pytest.fixture(scope="module")
def bank(tmp_path_factory):
    root = tmp_path_factory.mktemp("bank")
    for seed, name in enumerate(("ash", "beech", "cedar", "elm", "oak")):
        peft_folder(root / name, "llama", seed=seed, **PLAIN)
    return [root / name for name in ("ash", "beech", "cedar", "elm", "oak")]


def experts(base, folders):
    return [StoredExpert(base, folder) for folder in folders]


def damaged(folder, copy, change):
    """A copy whose tensors or settings are changed."""
    shutil.copytree(folder, copy)
    path = copy / "adapter_config.json"
    if isinstance(change, dict):
        path.write_text(json.dumps(json.loads(path.read_text()) | change))
    else:
        tensors = load_file(copy / "adapter_model.safetensors")
        change(tensors)
        save_file(tensors, copy / "adapter_model.safetensors", metadata={"format": "pt"})
    return copy


def _nan(tensors):
    tensors[min(tensors)][0, 0] = float("nan")


def _inf(tensors):
    tensors[max(tensors)][1, 1] = float("inf")


def _narrow(tensors):
    key = next(key for key in sorted(tensors) if "q_proj.lora_A" in key)
    tensors[key] = tensors[key][:, :-1].contiguous()


REFUSED = {
    "NaN": _nan,
    "infinity": _inf,
    "other base": _narrow,
    "a tensor is missing": lambda tensors: tensors.pop(min(tensors)),
    "a tensor is unknown": lambda tensors: tensors.update(extra=tensors[min(tensors)].clone()),
    "DoRA": {"use_dora": True},
    "other rank": {"r": 8},
    "more targets": {"target_modules": ["q_proj", "v_proj", "down_proj", "up_proj"]},
    "other type": {"peft_type": "NONESUCH"},
}


def test_a_stored_expert_is_the_adapted_model_read_later(base, bank):
    one, other = StoredExpert(base, bank[0]), base.adapted(bank[0])
    assert isinstance(one, LanguageModel)
    assert isinstance(one, LossModel)
    assert one.id == other.id
    assert one.generate(TURNS, max_new_tokens=4) == other.generate(TURNS, max_new_tokens=4)
    for mine, theirs in zip(
        one.token_losses(TURNS, TARGETS), other.token_losses(TURNS, TARGETS), strict=True
    ):
        np.testing.assert_array_equal(mine.nats, theirs.nats)
    np.testing.assert_array_equal(
        one.choice_scores(TURNS[:1], [["a", "b"]])[0].log_likelihood,
        other.choice_scores(TURNS[:1], [["a", "b"]])[0].log_likelihood,
    )


@pytest.mark.parametrize("size", [1, 2, 3, 5, 9])
def test_every_expert_is_in_one_group(base, bank, size):
    places, names = [], []
    for at, group in together(experts(base, bank), size=size):
        assert group is not None
        places.append(at)
        names += group.names
    assert [len(at) for at in places[:-1]] == [min(size, 5)] * (len(places) - 1)
    assert [place for at in places for place in at] == [0, 1, 2, 3, 4]
    assert names == [folder.name for folder in bank]


def test_adapted_models_are_grouped_with_stored_ones_of_their_base(base, bank, tmp_path):
    other = HfModel.load(tiny.save(tmp_path / "other", num_hidden_layers=1), device="cpu")
    mixed = [base.adapted(bank[0]), StoredExpert(other, bank[1]), StoredExpert(base, bank[2]), object()]
    found = {tuple(at): group and group.names for at, group in together(mixed)}
    assert found == {(1,): None, (3,): None, (0, 2): ("ash", "cedar")}
    assert list(together([])) == []


@pytest.mark.parametrize("name", VARIANTS)
def test_whatever_shape_peft_writes_is_stacked(name, tmp_path):
    kind, options = VARIANTS[name]
    base = HfModel.load(tiny.save(tmp_path / "base", kind, chat=tiny.CHATML), device="cpu")
    peft_folder(tmp_path / "one", kind, seed=1, **options)
    peft_folder(tmp_path / "two", kind, seed=2, **options)
    listed = experts(base, [tmp_path / "one", tmp_path / "two"])
    ((places, group),) = [(at, group.token_losses(TURNS, TARGETS)) for at, group in together(listed) if group]
    assert places == [0, 1]
    for expert, losses in zip(listed, group, strict=True):
        for one, other in zip(losses, expert.token_losses(TURNS, TARGETS), strict=True):
            np.testing.assert_allclose(one.nats, other.nats, rtol=1e-5, atol=2e-5)


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_alone_comes_alone_and_is_refused_by_name(name, base, bank, tmp_path):
    bad = damaged(bank[1], tmp_path / "smith", REFUSED[name])
    listed = experts(base, [bank[0], bad, bank[2]])
    found = {tuple(at): group and group.names for at, group in together(listed)}
    assert found == {(0, 2): ("ash", "cedar"), (1,): None}
    with pytest.raises(AdapterError) as alone:
        base.adapted(bad)
    with pytest.raises(AdapterError) as later:
        listed[1].token_losses(TURNS, TARGETS)
    assert str(later.value) == str(alone.value)
    assert "smith" in str(later.value)


@pytest.mark.parametrize("file", ["adapter_config.json", "adapter_model.safetensors"])
def test_a_folder_that_is_no_adapter_is_refused_at_once(file, base, bank, tmp_path):
    copy = shutil.copytree(bank[0], tmp_path / "smith")
    (copy / file).unlink()
    with pytest.raises(AdapterError, match=f"{file} is missing"):
        StoredExpert(base, copy)


def test_an_adapter_that_changes_between_check_and_reading_is_left_to_peft(base, bank, tmp_path):
    copies = [shutil.copytree(folder, tmp_path / folder.name) for folder in bank[:4]]
    found = together(experts(base, copies), size=2)
    assert next(found)[0] == [0, 1]
    (copies[2] / "adapter_model.safetensors").unlink()
    rest = list(found)  # read already, or given back one by one
    assert [place for at, _ in rest for place in at] == [2, 3]


def test_a_base_whose_cache_cannot_be_shared_has_no_groups(base, bank, monkeypatch):
    monkeypatch.setattr(stored_module, "can_group", lambda _: False)
    assert [group for _, group in together(experts(base, bank))] == [None] * 5


def test_a_base_that_is_spread_over_devices_has_no_groups():
    loaded = tiny.loaded()
    assert can_group(loaded)
    loaded.model.lm_head.to("meta")
    assert not can_group(loaded)


def test_a_base_that_reads_text_in_two_ways_has_two_groups(base, bank):
    """The same weights, once with the chat template and once plain."""
    plain = HfModel(
        assemble(base.model, base.tokenizer, template="plain", batch_tokens=500, name="plain"),
        base.tokenizer,
        id="plain",
    )
    found = together([*experts(base, bank[:2]), *experts(plain, bank[2:4])])
    losses = {tuple(at): group.token_losses(TURNS, TARGETS) for at, group in found}
    assert set(losses) == {(0, 1), (2, 3)}
    alone = StoredExpert(plain, bank[2]).token_losses(TURNS, TARGETS)
    for one, other in zip(losses[2, 3][0], alone, strict=True):
        np.testing.assert_allclose(one.nats, other.nats, rtol=1e-5, atol=2e-5)


def test_two_groups_are_in_memory_at_most(base, bank, monkeypatch):
    """The next is read while one is asked; what was asked is let go."""
    alive, most = [], []
    read = stored_module.stacked

    def counted(*args):
        stacks = read(*args)
        alive.append(weakref.ref(next(iter(stacks.values()))[0]))
        gc.collect()
        most.append(sum(one() is not None for one in alive))
        return stacks

    monkeypatch.setattr(stored_module, "stacked", counted)
    used = []
    for _, group in together(experts(base, bank), size=1):
        group.token_losses(TURNS[:1], TARGETS[:1])
        used.append(group)
    assert len(most) == len(used) == 5
    assert max(most) <= 2


def test_linear_modules_that_read_some_rows_only_cannot_be_stacked(tmp_path):
    """The experts of a sparse mixture get rows of many prompts in an order of their own."""
    import torch

    model = torch.nn.ModuleDict({"experts": torch.nn.ModuleList([torch.nn.Linear(3, 2)])})
    model["shared"] = torch.nn.Linear(4, 5)
    assert linear_shapes(torch.nn.ModuleDict({"mlp": model})) == {"mlp.shared": (5, 4)}
    assert stored_factors(tmp_path, {}, []) is None
