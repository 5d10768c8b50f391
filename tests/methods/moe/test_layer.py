"""The layer: the figures D1, the identities D2 of the specification, and its edges."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from transformers.pytorch_utils import Conv1D

from kshot.errors import AdapterError, ModelError
from kshot.methods.moe import LoraMoELinear, LoraPair


def fill(shape, offset):
    """The specification's deterministic numbers: .5 sin(offset + .7 i), row by row, in double."""
    numbers = torch.arange(math.prod(shape), dtype=torch.float64)
    return (0.5 * torch.sin(offset + 0.7 * numbers)).reshape(shape)


def d1(*, alpha=4.0, **options):
    base = nn.Linear(6, 5, bias=False).double()
    base.weight.data = fill((5, 6), 1)
    pairs = [LoraPair(fill((4, 6), 3 + e), fill((5, 4), 10 + e), alpha / 4) for e in range(4)]
    layer = LoraMoELinear(base, pairs, **options).eval()
    if layer.router.weight.ndim == 2:
        layer.router.weight.data = fill((4, 6), 2)
    return layer


X = 4 * fill((1, 3, 6), 20)


def near(tensor, expected, *, within=2e-6):
    assert torch.allclose(tensor, torch.tensor(expected, dtype=tensor.dtype), rtol=0, atol=within)


class TestD1:
    """Whole first output rows, as the specification prints them."""

    def test_router_logits(self):
        logits = X[0] @ d1().router.weight.T
        expected = [
            [2.612301, 0.894614, -3.489489, 2.526906],
            [-3.032640, 1.445524, 1.615272, -3.029333],
            [0.361268, -2.311982, 1.905680, 0.443421],
        ]
        near(logits, expected)

    @pytest.mark.parametrize(
        ("options", "row"),
        [
            ({}, [3.538885, -2.858203, -0.378357, 2.579209, -1.283759]),
            ({"alpha": 8.0}, [3.566152, -3.254252, 0.340710, 1.620217, -0.195658]),
            ({"alpha": 8.0, "scaled": False}, [3.538885, -2.858203, -0.378357, 2.579209, -1.283759]),
            ({"top_k": 1}, [3.469282, -2.789775, -0.437702, 2.622613, -1.306207]),
            ({"top_k": 4}, [3.510889, -2.807483, -0.445939, 2.655844, -1.360591]),
            ({"gates": "static"}, [3.590103, -2.774534, -0.587244, 2.889177, -1.658989]),
        ],
    )
    @pytest.mark.parametrize("dispatch", ["stacked", "sparse"])
    def test_first_row(self, options, row, dispatch):
        near(d1(**options, dispatch=dispatch)(X)[0, 0], row)

    def test_the_base_alone(self):
        near(d1().base(X)[0, 0], [3.511618, -2.462153, -1.097423, 3.538201, -2.371859])

    def test_static_softmax_and_free_scalars(self):
        layer = d1(gates="static")
        layer.router.weight.data = torch.arange(4.0).double()
        near(layer(X)[0, 0], [3.682570, -2.912608, -0.419519, 2.711182, -1.491292])
        free = d1(gates="static", normalise=False)
        near(free(X)[0, 0], [3.590103, -2.774534, -0.587244, 2.889177, -1.658989])
        free.router.weight.data = torch.arange(4.0).double().softmax(0)
        near(free(X)[0, 0], [3.682570, -2.912608, -0.419519, 2.711182, -1.491292])


@torch.no_grad()
def equation(layer, x):
    """The layer's equation, token by token and expert by expert."""
    out = layer.base(x).reshape(-1, layer.base(x).shape[-1]).double().clone()
    present = layer.mixer.present
    for row, token in zip(out, x.reshape(-1, x.shape[-1]).double(), strict=True):
        logits = (layer.router.weight.double() @ token)[list(present)]
        order = sorted(range(len(present)), key=lambda e: (-logits[e], e))[: layer.mixer.k]
        shares = logits[order].softmax(0)
        for share, e in zip(shares, order, strict=True):
            a, b = layer.A[e].double(), layer.B[e].double()
            row.add_(share * layer.mixer._scalings[e] * (b @ (a @ token)))
    return out.reshape(layer.base(x).shape)


def drawn(seed, ranks, *, inputs=5, outputs=3, dtype=torch.float64, **options):
    """A random layer; rank 0 is an expert that it lacks."""
    torch.manual_seed(seed)
    base = nn.Linear(inputs, outputs).to(dtype)
    pairs = [
        LoraPair(torch.randn(r, inputs).to(dtype), torch.randn(outputs, r).to(dtype), 0.5 + e) if r else None
        for e, r in enumerate(ranks)
    ]
    layer = LoraMoELinear(base, pairs, **options).eval()
    if layer.router.weight.ndim == 2:
        layer.router.weight.data = torch.randn(len(ranks), inputs).to(dtype)
    return layer


RANKS = st.lists(st.integers(0, 4), min_size=1, max_size=6)
SEED = st.integers(0, 2**31)


@given(SEED, RANKS, st.integers(1, 7), st.sampled_from(["stacked", "sparse"]))
@settings(max_examples=60, deadline=None)
def test_equals_the_equation_for_any_ranks_and_absent_experts(seed, ranks, top_k, dispatch):
    layer = drawn(seed, ranks, top_k=top_k, dispatch=dispatch)
    x = torch.randn(4, 5).double()
    assert torch.allclose(layer(x), equation(layer, x), rtol=0, atol=1e-11)


@given(SEED, st.integers(1, 5), st.integers(1, 5))
@settings(max_examples=30, deadline=None)
def test_one_expert_copied_is_plain_lora_for_any_router(seed, copies, top_k):
    """D2."""
    one = drawn(seed, [3], top_k=1)
    pair = LoraPair(one.A[0], one.B[0], 0.5)
    many = LoraMoELinear(one.base, [pair] * copies, top_k=top_k).eval()
    x = torch.randn(4, 5).double()
    lora = one.base(x) + 0.5 * x @ one.A[0].T @ one.B[0].T
    assert torch.allclose(one(x), lora, rtol=0, atol=1e-12)
    assert torch.allclose(many(x), lora, rtol=0, atol=1e-12)


@given(SEED, RANKS)
@settings(max_examples=30, deadline=None)
def test_b_zero_is_the_base(seed, ranks):
    layer = drawn(seed, ranks)
    for b in layer.B:
        nn.init.zeros_(b)
    x = torch.randn(2, 4, 5).double()
    assert torch.equal(layer(x), layer.base(x))


@given(SEED, st.permutations([0, 1, 2, 3]), st.sampled_from(["stacked", "sparse"]))
@settings(max_examples=30, deadline=None)
def test_permuting_experts_with_router_rows_changes_nothing(seed, order, dispatch):
    """Logits are distinct with probability 1, so ties play no part."""
    layer = drawn(seed, [2, 1, 4, 3], dispatch=dispatch)
    pairs = [LoraPair(layer.A[e], layer.B[e], 0.5 + e) for e in order]
    other = LoraMoELinear(layer.base, pairs, dispatch=dispatch).eval()
    other.router.weight.data = layer.router.weight.data[list(order)]
    x = torch.randn(4, 5).double()
    assert torch.allclose(other(x), layer(x), rtol=0, atol=1e-12)


@given(SEED)
@settings(max_examples=20, deadline=None)
def test_padding_a_rank_with_zeros_changes_nothing(seed):
    layer = drawn(seed, [2, 3])
    wide = [
        LoraPair(torch.cat([a, a.new_zeros(2, 5)]), torch.cat([b, b.new_zeros(3, 2)], dim=1), 0.5 + e)
        for e, (a, b) in enumerate(zip(layer.A, layer.B, strict=True))
    ]
    other = LoraMoELinear(layer.base, wide).eval()
    other.router.weight.data = layer.router.weight.data
    x = torch.randn(4, 5).double()
    assert torch.allclose(other(x), layer(x), rtol=0, atol=1e-12)


@given(SEED)
@settings(max_examples=20, deadline=None)
def test_doubling_alpha_doubles_the_experts_part(seed):
    layer = drawn(seed, [2, 3, 1])
    pairs = [LoraPair(a, b, 2 * (0.5 + e)) for e, (a, b) in enumerate(zip(layer.A, layer.B, strict=True))]
    other = LoraMoELinear(layer.base, pairs).eval()
    other.router.weight.data = layer.router.weight.data
    x = torch.randn(4, 5).double()
    assert torch.allclose(other(x) - other.base(x), 2 * (layer(x) - layer.base(x)), rtol=0, atol=1e-12)


def test_all_experts_is_the_dense_softmax():
    layer = drawn(0, [2, 2, 2], top_k=3)
    x = torch.randn(4, 5).double()
    shares = (x @ layer.router.weight.T).softmax(-1)
    parts = torch.stack([(0.5 + e) * x @ layer.A[e].T @ layer.B[e].T for e in range(3)], dim=-1)
    assert torch.allclose(layer(x) - layer.base(x), (parts * shares[:, None]).sum(-1), rtol=0, atol=1e-12)


def test_plain_probabilities_are_not_renormalised():
    layer = drawn(0, [2, 2, 2], top_k=1, normalise=False)
    x = torch.randn(4, 5).double()
    shares = (x @ layer.router.weight.T).softmax(-1)
    assert torch.allclose(layer.gates(x).sum(-1), shares.max(-1).values.float(), atol=1e-6)


def test_absolute_scores_ignore_the_sign():
    layer = drawn(0, [2, 2, 2], scores="absolute")
    x = torch.randn(4, 5).double()
    assert torch.equal(layer.gates(x), layer.gates(-x))
    assert not torch.equal(drawn(0, [2, 2, 2]).gates(x), drawn(0, [2, 2, 2]).gates(-x))


class TestShapes:
    @pytest.mark.parametrize("shape", [(5,), (1, 5), (2, 3, 5), (2, 1, 3, 5), (0, 5), (2, 0, 5)])
    @pytest.mark.parametrize("dispatch", ["stacked", "sparse"])
    def test_inputs_of_any_rank(self, shape, dispatch):
        layer = drawn(0, [2, 0, 3], dispatch=dispatch)
        x = torch.randn(*shape).double()
        assert layer(x).shape == (*shape[:-1], 3)
        assert layer.gates(x).shape == (*shape[:-1], 3)
        flat = torch.stack([layer(row) for row in x.reshape(-1, 5)]) if x.numel() else x.new_zeros(0, 3)
        assert torch.allclose(layer(x).reshape(-1, 3), flat, atol=1e-12)

    def test_inputs_that_are_not_contiguous(self):
        layer, x = drawn(0, [2, 3, 1]), torch.randn(5, 4, 2).double().transpose(0, 2)
        assert torch.equal(layer(x), layer(x.contiguous()))

    def test_conv1d_stores_its_weight_the_other_way(self):
        conv = Conv1D(3, 5)
        pair = LoraPair(torch.randn(2, 5), torch.randn(3, 2), 1.0)
        layer, x = LoraMoELinear(conv, [pair], top_k=1).eval(), torch.randn(4, 5)
        assert torch.allclose(layer(x), conv(x) + x @ pair.A.T @ pair.B.T, atol=1e-6)

    @pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
    @pytest.mark.parametrize("dispatch", ["stacked", "sparse"])
    def test_a_16_bit_base_gives_16_bits_from_float32_adapters(self, dtype, dispatch):
        layer = drawn(0, [2, 3, 2], dtype=torch.float32, dispatch=dispatch)
        exact = layer(torch.ones(4, 5))
        layer.base.to(dtype)
        out = layer(torch.ones(4, 5, dtype=dtype))
        assert out.dtype == dtype
        assert torch.allclose(out.float(), exact, rtol=2e-2, atol=2e-2)

    def test_autocast(self):
        layer = drawn(0, [2, 3, 2], dtype=torch.float32)
        with torch.autocast("cpu", torch.bfloat16):
            out = layer(torch.ones(4, 5))
        assert torch.allclose(out.float(), layer(torch.ones(4, 5)), rtol=5e-2, atol=5e-2)


class TestEdges:
    @pytest.mark.parametrize("dispatch", ["stacked", "sparse"])
    def test_nan_reaches_the_output_of_its_token_alone(self, dispatch):
        layer, x = drawn(0, [2, 3, 1], dispatch=dispatch), torch.randn(3, 5).double()
        x[1, 2] = torch.nan
        assert layer(x).isnan().all(-1).tolist() == [False, True, False]

    def test_no_expert_present_is_the_plain_layer(self):
        layer = LoraMoELinear(nn.Linear(5, 3), [None, None])
        x = torch.randn(4, 5)
        assert torch.equal(layer(x), layer.base(x))
        assert layer.gates(x).tolist() == [[0.0, 0.0]] * 4

    def test_ties_go_to_the_lower_index(self):
        layer = drawn(0, [2, 2, 2, 2])
        nn.init.zeros_(layer.router.weight)
        assert layer.gates(torch.ones(5).double()).tolist() == [0.5, 0.5, 0.0, 0.0]

    def test_gates_of_absent_experts_are_zero_and_k_shrinks(self):
        gates = drawn(0, [2, 0, 3, 0], top_k=3).gates(torch.randn(6, 5).double())
        assert (gates[:, [1, 3]] == 0).all()
        assert torch.allclose(gates.sum(-1), torch.ones(6))

    def test_a_scaling_of_zero(self):
        pairs = [LoraPair(torch.ones(1, 5), torch.ones(3, 1), 0.0)] * 3
        layer = LoraMoELinear(nn.Linear(5, 3), pairs, dispatch="sparse").eval()
        assert torch.equal(layer(torch.ones(2, 5)), layer.base(torch.ones(2, 5)))

    @pytest.mark.parametrize(
        ("experts", "message"),
        [
            ([], "at least one"),
            ([LoraPair(torch.ones(1, 4), torch.ones(3, 1))], r"4 to 3, 5 to 3"),
            ([LoraPair(torch.ones(1, 5), torch.ones(2, 1))], r"5 to 2, 5 to 3"),
        ],
    )
    def test_experts_that_do_not_fit(self, experts, message):
        with pytest.raises(AdapterError, match=message):
            LoraMoELinear(nn.Linear(5, 3), experts)

    @pytest.mark.parametrize(
        ("a", "b", "scaling"),
        [((2, 5), (3, 1), 1.0), ((5,), (3, 1), 1.0), ((1, 5), (3, 1), math.nan), ((0, 5), (3, 0), 1.0)],
    )
    def test_pairs_that_are_none(self, a, b, scaling):
        with pytest.raises(AdapterError):
            LoraPair(torch.ones(a), torch.ones(b), scaling)

    def test_a_balance_loss_needs_the_tuner(self):
        with pytest.raises(ModelError, match="tuner"):
            drawn(0, [1, 1], balance=0.1)


class TestTraining:
    def test_the_base_is_frozen_and_everything_else_learns(self):
        layer = drawn(0, [2, 3, 1], top_k=3).train()
        layer(torch.randn(8, 5).double()).square().sum().backward()
        assert [p.grad for p in layer.base.parameters()] == [None, None]
        assert all(bool(p.grad.any()) for n, p in layer.named_parameters() if not n.startswith("base"))

    @pytest.mark.parametrize("gates", ["token", "static"])
    def test_gradients_are_right(self, gates):
        layer = drawn(1, [1, 2], gates=gates)
        x = torch.randn(2, 5).double().requires_grad_()
        weights = [layer.router.weight, *layer.A, *layer.B]
        assert torch.autograd.gradcheck(lambda *_: layer(x), [*weights, x])

    @pytest.mark.parametrize("seed", range(3))
    def test_sparse_and_stacked_have_the_same_gradients(self, seed):
        grads = []
        for dispatch in ("stacked", "sparse"):
            layer = drawn(seed, [2, 3, 1, 2], dispatch=dispatch).train()
            x = torch.linspace(-2, 2, 30).double().reshape(6, 5).requires_grad_()
            layer(x).square().sum().backward()
            grads.append([x.grad, *(p.grad for n, p in layer.named_parameters() if not n.startswith("base"))])
        for one, other in zip(*grads, strict=True):
            assert torch.allclose(one, other, atol=1e-9)

    def test_an_expert_no_token_chose_has_a_zero_gradient_not_none(self):
        """Data-parallel training waits for gradients that never come."""
        for dispatch in ("stacked", "sparse"):
            layer = drawn(0, [2, 2, 2], top_k=1, normalise=False, dispatch=dispatch).train()
            x = torch.randn(1, 5).double()
            layer(x).sum().backward()
            chosen = layer.gates(x)[0].argmax().item()
            assert [bool(a.grad.any()) for a in layer.A] == [e == chosen for e in range(3)]

    def test_normalised_top_1_refuses_to_train_its_router(self):
        layer = drawn(0, [2, 2], top_k=1).train()
        with pytest.raises(ModelError, match="always 1"):
            layer(torch.randn(4, 5).double()).sum().backward()
        layer.router.weight.requires_grad_(False)
        layer(torch.randn(4, 5).double()).sum().backward()
        layer = drawn(0, [2, 2], top_k=1, normalise=False).train()
        layer(torch.randn(4, 5).double()).sum().backward()
        assert bool(layer.router.weight.grad.any())

    def test_noise_and_dropout_act_in_training_alone(self):
        layer, x = drawn(0, [2, 3, 1], noise=1.0, dropout=0.5), torch.randn(40, 5).double()
        assert torch.equal(layer(x), layer(x))
        assert torch.equal(layer(x), drawn(0, [2, 3, 1])(x))
        layer.train()
        assert not torch.equal(layer(x), layer(x))

    def test_the_router_sees_its_input_before_dropout(self):
        layer = drawn(0, [2, 2], dropout=0.9).train()
        for a, b in zip(layer.A, layer.B, strict=True):
            nn.init.zeros_(a), nn.init.zeros_(b)
        seen = []
        gates = layer.mixer._gates
        layer.mixer._gates = lambda flat, *rest, **more: seen.append(flat) or gates(flat, *rest, **more)
        x = torch.randn(7, 5).double()
        layer(x)
        assert torch.equal(seen[0], x)
