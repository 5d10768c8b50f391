"""Router loads and token gates, against gates computed token by token from the folder."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tiny
import torch
from mixture_folders import adapters, mixture
from peft_folders import peft_folder

import kshot.peft  # noqa: F401 - registers mixtures
from kshot.errors import AdapterError, ModelError
from kshot.methods.moe import MixtureSettings, build_mixture, export_lora, read_mixture
from kshot.methods.moe.observe import RouterLoads, router_loads, token_gates
from kshot.models.hf.adapted import attach, untouched
from kshot.models.hf.model import HfModel

TURNS, TARGETS = tiny.conversations(), tiny.targets()


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("observe")


@pytest.fixture(scope="module", params=["llama", "gpt2"])
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def base(place, kind):
    return HfModel.load(tiny.save(place / f"base-{kind}", kind), device="cpu")


def slow_gates(base, folder, ids):
    """(M, T, E) of one row, one token at a time, from the routers in the folder."""
    found = read_mixture(folder)
    seen = {}
    with untouched(base.model):
        attach(base.model, folder)
        for name in found.routers:
            base.model.get_submodule(name).register_forward_pre_hook(
                lambda _, x, name=name: seen.__setitem__(name, x[0][0].double().numpy())
            )
        with torch.no_grad():
            base.model(torch.tensor([ids]))
    whole = []
    for name in [name for name, _ in base.model.named_modules() if name in found.routers]:
        here = [e for e, adapter in enumerate(found.adapters) if name in adapter.modules]
        rows = []
        for x in seen[name]:
            gates = np.zeros(len(found.names))
            logits = found.routers[name].astype(float)
            logits = logits if found.settings.gates == "static" else logits @ x
            order = sorted(here, key=lambda e: (-logits[e], e))
            used = order if found.settings.gates == "static" else order[: found.settings.top_k]
            if found.settings.normalise:
                exps = {e: np.exp(logits[e] - logits[used].max()) for e in used}
                gates[used] = [exps[e] / sum(exps.values()) for e in used]
            elif found.settings.gates == "static":
                gates[used] = logits[used]
            else:
                exps = np.exp(logits[here] - logits[here].max())
                gates[used] = [exps[here.index(e)] / exps.sum() for e in used]
            rows.append(gates)
        whole.append(rows)
    return np.array(whole)


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("token", {}),
        ("one", {"top_k": 1}),
        ("dense", {"top_k": 3}),
        ("static", {"train": "static"}),
        ("free", {"train": "static", "normalise": False}),
    ],
)
def test_loads_are_the_means_over_all_tokens(base, kind, place, name, settings):
    folder = mixture(place, kind, name=f"{kind}-{name}", **settings)
    rows = [base.text.encode(c, t).ids for c, t in zip(TURNS, TARGETS, strict=True)]
    gates = np.concatenate([slow_gates(base, folder, ids) for ids in rows], axis=1)  # (M, T, E)
    found = router_loads(base, folder, TURNS, TARGETS)
    experts = read_mixture(folder).adapters
    lacks = np.array([[m not in e.modules for e in experts] for m in found.modules])
    here = {m for e in experts for m in e.modules}
    assert found.modules == tuple(name for name, _ in base.model.named_modules() if name in here)
    assert found.experts == tuple(e.name for e in experts)
    assert found.tokens == gates.shape[1] == sum(map(len, rows))
    np.testing.assert_allclose(found.mean, gates.mean(axis=1), atol=1e-5)
    mass = np.abs(gates.mean(axis=1))
    np.testing.assert_allclose(
        found.load, np.where(lacks, np.nan, mass / mass.sum(axis=1, keepdims=True)), atol=1e-5
    )
    np.testing.assert_allclose(found.chosen, np.where(lacks, np.nan, (gates != 0).mean(axis=1)), atol=1e-9)
    shares = np.abs(gates) / np.abs(gates).sum(axis=2, keepdims=True)
    entropy = -(shares * np.log(np.maximum(shares, 1e-300))).sum(axis=2).mean(axis=1)
    np.testing.assert_allclose(found.entropy, entropy, atol=1e-5)
    np.testing.assert_array_equal(np.nansum(found.load, axis=1).round(6), 1)


def test_no_result_depends_on_batches_or_padding(base, kind, place):
    folder = mixture(place, kind, name=f"{kind}-batches")
    whole = router_loads(base, folder, TURNS, TARGETS)
    single = [router_loads(base, folder, [c], [t]) for c, t in zip(TURNS, TARGETS, strict=True)]
    weighed = sum(each.mean * each.tokens for each in single) / whole.tokens
    np.testing.assert_allclose(whole.mean, weighed, atol=1e-5)


def test_prompts_alone_can_be_looked_at(base, kind, place):
    folder = mixture(place, kind, name=f"{kind}-prompts")
    found = router_loads(base, folder, TURNS)
    assert found.tokens == sum(base.count_tokens(TURNS))


def test_tokens_are_the_text_and_rows_the_mean_over_modules(base, kind, place):
    folder = mixture(place, kind, name=f"{kind}-tokens", top_k=1)  # its gates are plain probabilities
    found = token_gates(base, folder, TURNS[3], TARGETS[3])
    row = base.text.encode(TURNS[3], TARGETS[3])
    gates = slow_gates(base, folder, row.ids)
    np.testing.assert_allclose(
        found.gates, (gates / gates.sum(axis=2, keepdims=True)).mean(axis=0), atol=1e-5
    )
    np.testing.assert_allclose(found.gates.sum(axis=1), 1, atol=1e-6)
    assert len(found.tokens) == len(row.ids) == len(found.gates)
    assert "".join(found.tokens) == base.text.full_text(TURNS[3], TARGETS[3]) + "</s>"
    assert "🐎" in found.tokens
    assert found.target_from == row.start
    assert json.loads(json.dumps(found.to_json(), allow_nan=False))["experts"] == list(found.experts)


def test_mean_gates_are_what_an_export_takes(base, kind, place):
    folder = mixture(place, kind, name=f"{kind}-export")
    loads = router_loads(base, folder, TURNS, TARGETS)
    told = export_lora(folder, place / f"{kind}-plain", gates=loads.mean_gates())
    assert not told.exact
    assert base.adapted(told.folder).generate(TURNS[:1], max_new_tokens=2)


def test_the_base_is_left_as_it_was(base, kind, place):
    folder = mixture(place, kind, name=f"{kind}-left")
    before = dict(base.model.named_modules())
    router_loads(base, folder, TURNS)
    token_gates(base, folder, TURNS[0], TARGETS[0])
    assert dict(base.model.named_modules()) == before
    assert not any(m._forward_pre_hooks for m in base.model.modules())


def loads(table):
    load = np.array(table, dtype=float)
    modules, experts = (
        tuple(f"{letter}{i}" for i in range(n)) for letter, n in zip("me", load.shape, strict=True)
    )
    zero = np.nan_to_num(load)
    return RouterLoads(modules, experts, zero, load, load, np.zeros(len(load)), 10)


class TestCollapse:
    def test_an_even_mixture_is_none(self):
        assert loads([[0.5, 0.5], [0.9, 0.1], [0.02, 0.98]]).collapsed() == ()

    def test_one_expert_with_everything(self):
        found = loads([[0.97, 0.03, 0.0], [0.96, 0.02, 0.02], [0.3, 0.4, 0.3]])
        assert found.collapsed() == ("e0 gets more than 95 % of the gate weight in 2 of 3 modules",)

    def test_one_expert_with_nothing(self):
        found = loads([[0.5, 0.495, 0.005], [0.5, 0.5, 0.0]])
        assert found.collapsed() == ("e2 gets less than 1 % of the gate weight in 2 of 2 modules",)

    def test_half_of_the_modules_are_not_most(self):
        assert loads([[0.97, 0.03], [0.5, 0.5]]).collapsed() == ()

    def test_modules_without_a_choice_do_not_count(self):
        assert loads([[1.0, np.nan], [1.0, np.nan], [0.5, 0.5]]).collapsed() == ()
        assert loads([[1.0, np.nan, 0.0], [0.5, 0.5, np.nan]]).collapsed() != ()
        assert loads([[1.0]]).collapsed() == ()

    def test_json_holds_no_nan(self):
        plain = json.dumps(loads([[1.0, np.nan], [0.5, 0.5]]).to_json(), allow_nan=False)
        assert json.loads(plain)["load"] == [[1.0, None], [0.5, 0.5]]


class TestRefusals:
    def test_no_rows_and_lists_of_different_length(self, base, kind, place):
        folder = mixture(place, kind, name=f"{kind}-refusals")
        with pytest.raises(ModelError, match="no rows to look at"):
            router_loads(base, folder, [])
        with pytest.raises(ModelError, match="5 conversations but 1 targets"):
            router_loads(base, folder, TURNS, TARGETS[:1])
        with pytest.raises(ModelError, match=r"row 0 has .* tokens, expected 1 to 256"):
            router_loads(base, folder, [tiny.user("word " * 300)])

    def test_a_plain_adapter(self, base, kind, place):
        adapters(place, kind)
        with pytest.raises(AdapterError, match="its peft_type is 'LORA', expected KSHOT_MOE"):
            router_loads(base, place / f"{kind}-0", TURNS)


def test_a_mixture_of_one_expert_has_one_gate(place):
    base = HfModel.load(tiny.save(place / "single", "llama"), device="cpu")
    peft_folder(place / "only", "llama", r=2, target_modules=["q_proj"])
    from kshot.models.lora import LoraAdapter

    one = build_mixture(
        [LoraAdapter.load(place / "only")], out=place / "of-one", settings=MixtureSettings(top_k=1)
    )
    found = router_loads(base, one, TURNS)
    assert (found.load == 1).all()
    assert (found.entropy == 0).all()
    assert found.collapsed() == ()
