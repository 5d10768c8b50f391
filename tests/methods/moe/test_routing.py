"""Which experts a token uses, how much, and how unevenly a layer spreads its tokens."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from kshot.methods.moe.routing import balance_loss, token_gates, top_k_mask

# few different values, so that ties are common
LOGITS = st.lists(st.lists(st.integers(-2, 2), min_size=7, max_size=7), min_size=1, max_size=4)


@given(LOGITS, st.integers(1, 7))
def test_the_k_largest_ties_to_the_lower_index(rows, k):
    expected = [
        [place in sorted(range(7), key=lambda e, row=row: (-row[e], e))[:k] for place in range(7)]
        for row in rows
    ]
    assert top_k_mask(torch.tensor(rows, dtype=torch.float32), k).tolist() == expected


@given(LOGITS, st.integers(1, 7))
def test_normalised_gates_are_the_full_softmax_cut_and_renormalised(rows, k):
    logits = torch.tensor(rows, dtype=torch.float64)
    plain, mask = token_gates(logits, k, normalise=False)
    gates, _ = token_gates(logits, k, normalise=True)
    assert torch.equal(plain, logits.softmax(-1) * mask)
    assert torch.allclose(gates, plain / plain.sum(-1, keepdim=True), atol=1e-12)
    assert torch.allclose(gates.sum(-1), gates.new_ones(len(gates)), atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
def test_the_softmax_is_at_least_float32(dtype):
    gates, _ = token_gates(torch.tensor([[1.0, 2.0, 3.0]], dtype=dtype), 2, normalise=True)
    assert gates.dtype == torch.float32
    assert torch.allclose(
        gates, torch.tensor([[0.0, 1.0, 2.0]]).sub(2).exp().mul(torch.tensor([0, 1, 1])) / (1 + math.exp(-1))
    )


@pytest.mark.parametrize("k", [1, 2, 5])
def test_nan_is_not_hidden_and_no_tokens_are_no_gates(k):
    logits = torch.zeros(2, 6)
    logits[0, 3] = torch.nan
    gates, _ = token_gates(logits, k, normalise=True)
    assert gates.isnan().all(-1).tolist() == [True, False]
    assert token_gates(torch.zeros(0, 6), k, normalise=True)[0].shape == (0, 6)


@pytest.mark.parametrize("value", [1e30, -1e30])
def test_huge_logits(value):
    gates, _ = token_gates(torch.tensor([[value, 0.0, 1.0]]), 2, normalise=True)
    assert gates.isfinite().all()
    assert gates.sum() == 1


class TestBalance:
    def test_even_use_is_the_least(self):
        logits = 5 * torch.eye(4).repeat(3, 1)
        even = {}
        for kind in ("switch", "mole"):
            mask = top_k_mask(logits, 1)
            even[kind] = balance_loss(logits, mask, kind)
            one_sided = 5 * torch.tensor([[1.0, 0, 0, 0]]).repeat(12, 1)
            assert balance_loss(one_sided, top_k_mask(one_sided, 1), kind) > even[kind] + 0.5
        assert even["switch"] == pytest.approx(1.0)
        assert even["mole"] == pytest.approx(4 * math.log(4), rel=1e-6)

    def test_switch_by_hand(self):
        """Two tokens, two experts, top-1: f = (1, 0), P the mean probability; E Σ f P = 2 P_0."""
        logits = torch.tensor([[1.0, 0.0], [2.0, 0.0]])
        first = (torch.sigmoid(torch.tensor(1.0)) + torch.sigmoid(torch.tensor(2.0))) / 2
        assert balance_loss(logits, top_k_mask(logits, 1), "switch") == pytest.approx(2 * first.item())
        both = -(first.log() + (1 - first).log())
        assert balance_loss(logits, top_k_mask(logits, 1), "mole") == pytest.approx(both.item())

    @pytest.mark.parametrize("kind", ["switch", "mole"])
    def test_padding_does_not_count(self, kind):
        torch.manual_seed(0)
        logits = torch.randn(6, 3)
        real = torch.tensor([1, 1, 0, 1, 0, 0])
        part = logits[real.bool()]
        expected = balance_loss(part, top_k_mask(part, 2), kind)
        found = balance_loss(logits, top_k_mask(logits, 2), kind, real=real)
        assert torch.allclose(found, expected)
        assert balance_loss(logits, top_k_mask(logits, 2), kind, real=0 * real).isfinite()

    @pytest.mark.parametrize("kind", ["switch", "mole"])
    def test_its_gradient_evens_the_load(self, kind):
        logits = torch.tensor([[2.0, 0.0, 0.0]] * 4, requires_grad=True)
        balance_loss(logits, top_k_mask(logits.detach(), 1), kind).backward()
        assert (logits.grad[:, 0] > 0).all()
        assert (logits.grad[:, 1:] < 0).all()
