"""Router starts: each against its definition, written out slowly on whole arrays."""

from __future__ import annotations

import numpy as np
import pytest
import tiny
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from mixture_folders import adapters

from kshot.errors import AdapterError, ModelError
from kshot.methods.moe import build_mixture
from kshot.methods.moe.gate_training import trained_gates
from kshot.methods.moe.starts import router_start
from kshot.models.hf.model import HfModel
from kshot.models.lora import LoraAdapter, LoraDelta

TURNS, TARGETS = tiny.conversations(), tiny.targets()
PAIRS = list(zip(TURNS, TARGETS, strict=True))
OWN = [PAIRS[:2], PAIRS[2:4], PAIRS[4:]]
KINDS = ("random", "arrow", "hidden_mean", "phatgoose")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("starts")


@pytest.fixture(scope="module", params=["llama", "gpt2"])
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def base(place, kind):
    return HfModel.load(tiny.save(place / f"base-{kind}", kind), device="cpu")


@pytest.fixture(scope="module")
def experts(place, kind):
    return adapters(place, kind)


def present(experts, module):
    return np.array([module in expert.modules for expert in experts])


def inputs(base, pairs, module):
    """Each row's (T, in) inputs of a module, one row at a time, by transformers alone."""
    found = []
    layer = base.model.get_submodule(module)
    hook = layer.register_forward_pre_hook(lambda _, seen: found.append(seen[0][0].double().numpy()))
    with torch.no_grad():
        for turn, target in pairs:
            base.model(torch.tensor([base.text.encode(turn, target).ids]))
    hook.remove()
    return found


def made(kind, base, experts, **options):
    return router_start(kind, experts, base=base, rows=OWN, steps=6, **options)


@pytest.mark.parametrize("start", KINDS)
def test_every_start_is_whole_and_repeats_itself(base, experts, start, place):
    before = {key: value.clone() for key, value in base.model.state_dict().items()}
    modules = dict(base.model.named_modules())
    first, second = made(start, base, experts, seed=1), made(start, base, experts, seed=1)
    shapes = {n: d.shape[1] for e in experts for n, d in e.modules.items()}
    assert {name: value.shape for name, value in first.items()} == {n: (3, i) for n, i in shapes.items()}
    assert list(first) == sorted(first)
    for name, value in first.items():
        assert value.dtype == np.float32
        assert np.isfinite(value).all()
        np.testing.assert_array_equal(value, second[name])
    assert dict(base.model.named_modules()) == modules
    assert all(torch.equal(before[key], value) for key, value in base.model.state_dict().items())
    assert all(p.requires_grad and p.grad is None for p in base.model.parameters())
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in base.model.modules())
    kind = base.model.config.model_type
    assert build_mixture(experts, out=place / f"{kind}-{start}", routers=first).is_dir()


def test_random_is_uniform_within_its_bound_and_drawn_by_the_seed(experts):
    found = router_start("random", experts, seed=4)
    other = router_start("random", experts, seed=5)
    for name, value in found.items():
        bound = 1 / np.sqrt(value.shape[1])
        assert np.abs(value).max() <= bound
        assert np.abs(value).max() > 0.8 * bound
        assert (value != other[name]).any()


class TestArrow:
    def test_it_is_numpys_top_right_singular_vector(self, experts):
        for name, found in router_start("arrow", experts).items():
            for expert, row in zip(experts, found, strict=True):
                if name not in expert.modules:
                    assert (row == 0).all()
                    continue
                want = np.linalg.svd(expert.delta(name))[2][0]
                want = want if want[np.abs(want).argmax()] > 0 else -want
                np.testing.assert_allclose(row, want, atol=1e-6)

    def test_with_rows_an_experts_own_logits_are_positive_in_the_mean(self, base, experts):
        plain, turned = router_start("arrow", experts), made("arrow", base, experts)
        flips = 0
        for name, found in turned.items():
            np.testing.assert_array_equal(np.abs(found), np.abs(plain[name]))
            flips += (found != plain[name]).any()
            for expert, own in enumerate(OWN):
                mean = np.concatenate(inputs(base, own, name)).mean(axis=0)
                assert found[expert] @ mean >= -1e-6
        assert flips

    @settings(max_examples=60, deadline=None)
    @given(
        arrays(np.float32, (2, 5), elements=st.floats(-4, 4, width=16)),
        arrays(np.float32, (3, 2), elements=st.floats(-4, 4, width=16)),
        st.floats(-3, 3),
    )
    def test_no_direction_is_answered_more_strongly(self, a, b, scaling):
        delta = LoraDelta(a, b, scaling)
        row = router_start("arrow", [LoraAdapter("x", {"q": delta})])["q"][0].astype(float)
        strongest = np.linalg.norm(delta.dense(), 2)
        if not row.any():
            assert strongest == pytest.approx(0, abs=1e-6)
            return
        assert np.linalg.norm(row) == pytest.approx(1, abs=1e-6)
        assert np.linalg.norm(delta.dense() @ row) == pytest.approx(strongest, rel=1e-4, abs=1e-6)
        assert row[np.abs(row).argmax()] > 0 or np.isclose(np.abs(row).max(), row.max())

    def test_the_factors_splitting_does_not_matter(self, experts):
        rng = np.random.default_rng(0)
        turned = []
        for expert in experts:
            modules = {}
            for name, delta in expert.modules.items():
                mix = rng.standard_normal((delta.rank, delta.rank))
                modules[name] = LoraDelta(mix @ delta.a, delta.b @ np.linalg.inv(mix), delta.scaling)
            turned.append(LoraAdapter(expert.name, modules))
        one, other = router_start("arrow", experts), router_start("arrow", turned)
        for name in one:
            np.testing.assert_allclose(one[name], other[name], atol=1e-4)

    def test_an_expert_that_does_nothing_has_no_direction(self):
        nothing = LoraAdapter("x", {"q": LoraDelta(np.ones((2, 3)), np.zeros((4, 2)), 1.0)})
        assert (router_start("arrow", [nothing])["q"] == 0).all()


class TestHiddenMean:
    def test_it_is_the_definition(self, base, experts):
        for name, found in made("hidden_mean", base, experts).items():
            here = present(experts, name)
            seen = [np.concatenate(inputs(base, own, name)) for own in OWN]
            means = np.stack([each.mean(axis=0) for each in seen])
            middle = means[here].mean(axis=0)
            apart = means[here] - middle
            apart -= np.outer(apart @ middle, middle) / (middle @ middle)
            tokens = np.concatenate(seen)
            logits = tokens @ apart.T
            logits -= logits.mean(axis=1, keepdims=True)
            size = np.sqrt((logits**2).mean())
            want = np.zeros_like(found)
            want[here] = apart / size if here.sum() > 1 else 0
            np.testing.assert_allclose(found, want, atol=2e-4 * max(1, np.abs(want).max()))

    def test_there_is_no_favourite_and_the_spread_is_one(self, base, experts):
        for name, found in made("hidden_mean", base, experts).items():
            here = present(experts, name)
            if here.sum() < 2:
                assert (found == 0).all()
                continue
            seen = [np.concatenate(inputs(base, own, name)) for own in OWN]
            middle = np.stack([each.mean(axis=0) for each in seen])[here].mean(axis=0)
            np.testing.assert_allclose(found @ middle, 0, atol=1e-4)
            logits = np.concatenate(seen) @ found[here].T
            logits -= logits.mean(axis=1, keepdims=True)
            assert np.sqrt((logits**2).mean()) == pytest.approx(1, abs=1e-3)

    def test_equal_rows_and_a_single_expert_start_equal(self, base, experts):
        same = router_start("hidden_mean", experts, base=base, rows=[PAIRS] * 3)
        alone = router_start("hidden_mean", experts[:1], base=base, rows=[PAIRS])
        assert all((value == 0).all() for value in [*same.values(), *alone.values()])

    def test_experts_in_another_order_give_rows_in_that_order(self, base, experts):
        order = [2, 0, 1]
        one = router_start("hidden_mean", experts, base=base, rows=OWN)
        other = router_start(
            "hidden_mean", [experts[e] for e in order], base=base, rows=[OWN[e] for e in order]
        )
        for name in one:
            np.testing.assert_allclose(one[name][order], other[name], atol=1e-4)


class TestPhatgoose:
    def test_logits_are_standardised_gates(self, base, experts):
        found = made("phatgoose", base, experts, seed=2)
        gates = [trained_gates(base, e, own, seed=2, steps=6) for e, own in zip(experts, OWN, strict=True)]
        for name, value in found.items():
            tokens = np.concatenate([np.concatenate(inputs(base, own, name)) for own in OWN])
            spread = tokens.std(axis=1).mean()
            for expert, row in enumerate(value):
                gate = gates[expert].get(name)
                if gate is None:
                    assert (row == 0).all()
                    continue
                want = (gate - gate.mean()) / gate.std() / np.sqrt(len(gate)) / spread
                np.testing.assert_allclose(row, want, rtol=1e-3, atol=1e-5)

    def test_gates_lower_the_loss_with_all_else_frozen(self, base, experts):
        """Written out by hand: half of every expert's part before, the learned share after."""
        gates = trained_gates(base, experts[0], PAIRS, steps=40)
        assert gates.keys() == experts[0].modules.keys()
        assert all(np.abs(gate).max() > 0.01 for gate in gates.values())
        still = {name: np.zeros_like(gate) for name, gate in gates.items()}
        assert gated_loss(base, experts[0], gates) < 0.99 * gated_loss(base, experts[0], still)

    def test_the_factors_splitting_does_not_matter(self, base, experts):
        modules = {n: LoraDelta(d.a, d.b / 2, d.scaling * 2) for n, d in experts[0].modules.items()}
        one = trained_gates(base, experts[0], PAIRS, steps=6)
        other = trained_gates(base, LoraAdapter("same", modules), PAIRS, steps=6)
        for name in one:
            np.testing.assert_allclose(one[name], other[name], atol=1e-5)

    def test_the_order_of_rows_is_the_seeds(self, base, experts):
        many = PAIRS * 3
        one, two, other = (trained_gates(base, experts[0], many, seed=s, steps=3) for s in (0, 0, 1))
        assert all(np.array_equal(one[name], two[name]) for name in one)
        assert any((one[name] != other[name]).any() for name in one)


def gated_loss(base, expert, gates):
    """Mean nats per target token with σ(v·x) s B A x added by hand."""
    hooks = []
    for name, delta in expert.modules.items():
        change, gate = torch.tensor(delta.dense()), torch.tensor(gates[name])

        def add(_, seen, out, change=change, gate=gate):
            x = seen[0].double()
            return (out + torch.sigmoid(x @ gate)[..., None] * (x @ change.T)).to(out.dtype)

        hooks.append(base.model.get_submodule(name).register_forward_hook(add))
    found = base.token_losses(TURNS, TARGETS)
    for hook in hooks:
        hook.remove()
    return sum(each.nats.sum() for each in found) / sum(len(each.nats) for each in found)


class TestRefusals:
    def test_what_is_missing_is_named(self, base, experts):
        with pytest.raises(ModelError, match="'best' is none of random, arrow, hidden_mean, phatgoose"):
            router_start("best", experts)
        with pytest.raises(AdapterError, match="no adapter was given"):
            router_start("random", [])
        with pytest.raises(ModelError, match="'hidden_mean' needs the base model"):
            router_start("hidden_mean", experts, base=base)
        with pytest.raises(ModelError, match="'arrow' needs the base model"):
            router_start("arrow", experts, rows=OWN)
        with pytest.raises(ModelError, match="3 experts but 2 lists of rows"):
            router_start("phatgoose", experts, base=base, rows=OWN[:2])
        with pytest.raises(ModelError, match="expert 1 has no row of its own"):
            router_start("phatgoose", experts, base=base, rows=[OWN[0], [], OWN[2]])
        with pytest.raises(ModelError, match="0 steps"):
            router_start("random", experts, steps=0)

    def test_experts_of_another_base(self, base, experts):
        odd = LoraAdapter("odd", {"nonesuch": LoraDelta(np.ones((1, 4)), np.ones((4, 1)), 1.0)})
        with pytest.raises(AdapterError, match="module nonesuch is not in"):
            router_start("hidden_mean", [odd], base=base, rows=[PAIRS])
        name, delta = next(iter(experts[0].modules.items()))
        wide = LoraAdapter("wide", {name: LoraDelta(np.ones((1, 99)), delta.b[:, :1], 1.0)})
        with pytest.raises(AdapterError, match=r"wide: .* has 99 inputs, 32 in another expert"):
            router_start("arrow", [experts[0], wide])

    def test_weights_that_are_no_numbers(self):
        bad = LoraAdapter("bad", {"q": LoraDelta(np.full((1, 2), np.nan), np.ones((2, 1)), 1.0)})
        with pytest.raises(AdapterError, match=r"bad: tensor .* holds NaN"):
            router_start("arrow", [bad])
