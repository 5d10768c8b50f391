"""Mixtures trained: a slow restatement of layer and optimiser, and who gets a gradient (D11)."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import tiny
import torch
from mixture_folders import mixture
from peft_folders import peft_folder
from safetensors.torch import load_file, save_file

import kshot.peft  # noqa: F401 - registers mixtures
from kshot.methods.moe import MixtureSettings, build_mixture, read_mixture
from kshot.methods.moe.observe import router_loads
from kshot.models.hf.model import HfModel
from kshot.models.lora import LoraAdapter
from kshot.models.train import TrainRows, TrainSettings, train_adapter
from kshot.models.train.rows import IGNORED, collated

TURNS, TARGETS = tiny.conversations(), tiny.targets()
ROWS = TrainRows(TURNS, TARGETS)
PLAIN = TrainSettings(steps=3, learning_rate=1e-2, batch_size=5, warmup_share=0, schedule="constant")
WEIGHTS = "adapter_model.safetensors"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("mixtures")


@pytest.fixture(scope="module")
def base(place):
    options = {"intermediate_size": 64, "attention_dropout": 0.0}
    return HfModel.load(tiny.save(place / "base", chat=tiny.CHATML, **options), device="cpu")


@pytest.fixture(scope="module")
def four(place):
    """D3: four adapters, r = alpha = 4, on q_proj and v_proj."""
    found = []
    for at in range(4):
        peft_folder(
            place / f"d3-{at}", "llama", seed=at, r=4, lora_alpha=4, target_modules=["q_proj", "v_proj"]
        )
        found.append(LoraAdapter.load(place / f"d3-{at}"))
    return found


class Slow(torch.nn.Module):
    """y = W x + Σ over the k largest logits, one token and one expert at a time."""

    def __init__(self, base, found, module):
        super().__init__()
        self.base, self.k = base, found.settings.top_k
        self.router = torch.nn.Parameter(torch.tensor(found.routers[module]))
        deltas = [adapter.modules[module] for adapter in found.adapters]
        self.a = torch.nn.ParameterList(torch.tensor(delta.a) for delta in deltas)
        self.b = torch.nn.ParameterList(torch.tensor(delta.b) for delta in deltas)
        self.scalings = [delta.scaling for delta in deltas]

    def forward(self, x):
        rows = []
        for token in x.reshape(-1, x.shape[-1]):
            logits = self.router @ token
            order = sorted(range(len(logits)), key=lambda e: (-logits[e].item(), e))[: self.k]
            gates = torch.softmax(logits[order], 0)
            part = sum(
                g * self.scalings[e] * (self.b[e] @ (self.a[e] @ token))
                for g, e in zip(gates, order, strict=True)
            )
            rows.append(part)
        return self.base(x) + torch.stack(rows).view(*x.shape[:-1], -1)


def slowly(folder, base, steps):
    """A plain loop over a model whose layers are the equation; losses, and the tensors after it by key."""
    model = HfModel.load(base.loaded.name, device="cpu").model.requires_grad_(False)
    found, layers = read_mixture(folder), {}
    for module in found.routers:
        parent, _, name = module.rpartition(".")
        layers[module] = Slow(model.get_submodule(module), found, module)
        layers[module].base.requires_grad_(False)
        setattr(model.get_submodule(parent), name, layers[module])
    learned = [p for p in model.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(learned, lr=1e-2, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0)
    batch = collated([base.text.encode(c, t) for c, t in zip(TURNS, TARGETS, strict=True)])
    losses = []
    for _ in range(steps):
        logits = model(batch["input_ids"], attention_mask=batch["attention_mask"]).logits[:, :-1]
        wanted = batch["labels"][:, 1:]
        at = wanted != IGNORED
        loss = -logits.log_softmax(-1)[at, wanted[at]].mean()
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(learned, 1.0)
        optimiser.step()
        losses.append(loss.item())
    return losses, layers


def test_three_steps_equal_a_plain_loop(base, four, place):
    """D11."""
    folder = build_mixture(four, out=place / "d11", settings=MixtureSettings(dropout=0.0))
    result = train_adapter(base, ROWS, start=folder, out=place / "d11-out", settings=PLAIN)
    losses, layers = slowly(folder, base, 3)
    assert result.losses == pytest.approx(losses, abs=1e-4)
    after = read_mixture(result.folder)
    for module, layer in layers.items():
        np.testing.assert_allclose(after.routers[module], layer.router.detach(), atol=1e-4)
        for adapter, a, b in zip(after.adapters, layer.a, layer.b, strict=True):
            np.testing.assert_allclose(adapter.modules[module].a, a.detach(), atol=1e-4)
            np.testing.assert_allclose(adapter.modules[module].b, b.detach(), atol=1e-4)


def parts(before, after):
    """Which of the tensors a training changed."""
    return {key for key in before if not torch.equal(before[key], after[key])}


def unread_expert(four, folder, **settings):
    """A mixture whose expert 3 no token can choose: logits v·x, -v·x, 0, 0, and ties go to the lower."""
    rng = np.random.default_rng(0)
    routers = {}
    for module, delta in four[0].modules.items():
        v = rng.standard_normal(delta.shape[1])
        routers[module] = np.stack([v, -v, 0 * v, 0 * v]).astype(np.float32)
    options = MixtureSettings(dropout=0.0, **settings)
    return build_mixture(four, out=folder, settings=options, routers=routers)


@pytest.mark.parametrize("dispatch", ["stacked", "sparse"])
def test_gradients_reach_routers_and_chosen_experts_alone(base, four, place, dispatch):
    """D11: one step of Adam moves whatever has a gradient that is not zero."""
    folder = unread_expert(four, place / f"unread-{dispatch}", dispatch=dispatch)
    loads = router_loads(base, folder, TURNS, TARGETS)
    assert (loads.chosen[:, 3] == 0).all()
    assert (loads.chosen[:, :3] > 0).all()
    one = dataclasses.replace(PLAIN, steps=1)
    out = train_adapter(base, ROWS, start=folder, out=place / f"out-{dispatch}", settings=one).folder
    before, after = load_file(folder / WEIGHTS), load_file(out / WEIGHTS)
    moved = parts(before, after)
    assert moved == {key for key in before if not key.endswith(("_A_3", "_B_3"))}
    assert len(before) == 36
    for key in before:
        if key.endswith("router"):
            assert torch.equal(before[key][3], after[key][3])


@pytest.mark.parametrize(
    ("kind", "train", "learns"),
    [
        ("llama", "router", "router"),
        ("gpt2", "static", "router"),
        ("gpt2", "joint", ""),
        ("qwen3", "joint", ""),
        ("mistral", "router", "router"),
    ],
)
def test_what_learns_is_what_the_configuration_says(place, kind, train, learns):
    where = place / f"{kind}-{train}"
    model = HfModel.load(tiny.save(where / "base", kind), device="cpu")
    folder = mixture(where, kind, train=train, name="mix")
    one = dataclasses.replace(PLAIN, steps=1)
    out = train_adapter(model, ROWS, start=folder, out=where / "out", settings=one).folder
    before, after = load_file(folder / WEIGHTS), load_file(out / WEIGHTS)
    moved = parts(before, after)
    assert {key for key in before if learns in key} >= moved
    assert any("router" in key for key in moved)
    assert any("_A_" in key for key in moved) == (train == "joint")
    assert model.adapted(out).generate(TURNS[:1], max_new_tokens=3)


def test_routers_learn_after_a_look_at_held_back_rows(base, four, place):
    """What layers keep from looking (without gradients) must not stand in the way of the next step."""
    folder = build_mixture(four, out=place / "look", settings=MixtureSettings(train="router", dropout=0.0))
    rows = TrainRows(TURNS[:4], TARGETS[:4], TURNS[4:], TARGETS[4:])
    asked = dataclasses.replace(PLAIN, check_every=1, patience=9)
    looked = train_adapter(base, rows, start=folder, out=place / "looked", settings=asked)
    plain = train_adapter(
        base, TrainRows(TURNS[:4], TARGETS[:4]), start=folder, out=place / "blind", settings=asked
    )
    assert looked.losses == plain.losses
    assert [step for step, _ in looked.held] == [0, 1, 2, 3]


def test_gradient_checkpointing_learns_the_same(base, four, place):
    folder = build_mixture(four, out=place / "gc", settings=MixtureSettings(dropout=0.0, balance=0.1))
    saving = dataclasses.replace(PLAIN, gradient_checkpointing=True)
    plain = train_adapter(base, ROWS, start=folder, out=place / "gc-a", settings=PLAIN)
    saved = train_adapter(base, ROWS, start=folder, out=place / "gc-b", settings=saving)
    assert saved.losses == pytest.approx(plain.losses, abs=1e-4)


def test_accumulation_weighs_tokens_as_one_large_batch_does(base, four, place):
    folder = build_mixture(four, out=place / "acc", settings=MixtureSettings(dropout=0.0))
    parts_of = dataclasses.replace(PLAIN, batch_size=1, accumulation=5)
    whole = train_adapter(base, ROWS, start=folder, out=place / "acc-a", settings=PLAIN)
    split = train_adapter(base, ROWS, start=folder, out=place / "acc-b", settings=parts_of)
    assert split.losses == pytest.approx(whole.losses, abs=1e-4)


def test_the_same_seed_gives_the_same_bytes_with_noise_and_dropout(base, four, place):
    drawn = MixtureSettings(noise=0.5, dropout=0.2, balance=0.01)
    folder = build_mixture(four, out=place / "noisy", settings=drawn)
    asked = dataclasses.replace(PLAIN, batch_size=2, held_back=0.3, check_every=1)
    for name in ("n1", "n2"):
        train_adapter(base, ROWS, start=folder, out=place / name, settings=asked)
    for path in (place / "n1").iterdir():
        assert path.read_bytes() == (place / "n2" / path.name).read_bytes()
    other = train_adapter(
        base, ROWS, start=folder, out=place / "n3", settings=dataclasses.replace(asked, seed=1)
    )
    assert (place / "n1" / WEIGHTS).read_bytes() != (other.folder / WEIGHTS).read_bytes()


def test_training_an_expert_alone_and_reading_it_back(base, four, place):
    expert = four[0]
    result = train_adapter(base, ROWS, start=place / "d3-0", out=place / "tuned", settings=PLAIN)
    tuned = LoraAdapter.load(result.folder)
    assert tuned.modules.keys() == expert.modules.keys()
    assert 0.5 < tuned.cosine(expert) < 1


def test_experts_in_half_precision_keep_their_bytes_while_routers_learn(base, four, place):
    whole = build_mixture(four, out=place / "whole", settings=MixtureSettings(train="router"))
    tensors = load_file(whole / WEIGHTS)
    save_file({k: v if "router" in k else v.bfloat16() for k, v in tensors.items()}, whole / WEIGHTS)
    out = train_adapter(base, ROWS, start=whole, out=place / "half-out", settings=PLAIN).folder
    before, after = load_file(whole / WEIGHTS), load_file(out / WEIGHTS)
    for key in before:
        assert before[key].dtype == after[key].dtype
        assert torch.equal(before[key], after[key]) != ("router" in key)


def test_static_scalars_do_not_decay(base, four, place):
    """Decay would pull free scalars to zero; the gradient's part is cut to nothing here."""
    free = MixtureSettings(train="static", normalise=False, dropout=0.0)
    folder = build_mixture(four, out=place / "free", settings=free)
    still = dataclasses.replace(PLAIN, weight_decay=0.5, max_grad_norm=1e-30)
    out = train_adapter(base, ROWS, start=folder, out=place / "free-out", settings=still).folder
    before, after = load_file(folder / WEIGHTS), load_file(out / WEIGHTS)
    for key in before:
        torch.testing.assert_close(after[key], before[key], atol=1e-6, rtol=0)


def test_mixed_precision_learns_about_the_same(base, four, place):
    folder = build_mixture(four, out=place / "mixed", settings=MixtureSettings(dropout=0.0))
    mixed = dataclasses.replace(PLAIN, bf16=True)
    plain = train_adapter(base, ROWS, start=folder, out=place / "mixed-a", settings=PLAIN)
    rough = train_adapter(base, ROWS, start=folder, out=place / "mixed-b", settings=mixed)
    assert rough.losses != plain.losses
    assert rough.losses == pytest.approx(plain.losses, rel=0.05)
