"""What is kept between calls is never stale, and experts are skipped only where that was measured faster."""

import copy

import pytest
import torch
from torch import nn

from kshot.methods.moe import LoraMoELinear, LoraPair
from kshot.methods.moe.stack import is_sparse_cheaper


def layer(experts=3, rank=2):
    torch.manual_seed(0)
    pairs = [LoraPair(torch.randn(rank, 5), torch.randn(4, rank), 1.0) for _ in range(experts)]
    return LoraMoELinear(nn.Linear(5, 4), pairs, top_k=2).eval()


X = torch.linspace(-1, 1, 15).reshape(3, 5)


def kept(made):
    return made.mixer._stack._kept


@torch.no_grad()
def fresh(made):
    """The output of an equal layer that has kept nothing."""
    other = copy.deepcopy(made)
    other.mixer.forget()
    return other(X)


@torch.no_grad()
def test_the_same_stack_is_used_again():
    made = layer()
    made(X)
    first = kept(made)
    made(X)
    assert kept(made) is first is not None


CHANGES = {
    "in place": lambda made: made.A[1].mul_(2),
    "load_state_dict": lambda made: made.load_state_dict({k: v + 1 for k, v in made.state_dict().items()}),
    "data replaced": lambda made: setattr(made.B[0], "data", made.B[0] * 3),
    "parameter replaced": lambda made: made.A.__setitem__(2, nn.Parameter(made.A[2] + 1)),
    "rounded": lambda made: made.bfloat16().float(),
    "data written, then eval": lambda made: (made.A[0].data.fill_(7), made.eval()),
    "optimiser": lambda made: step(made),
}


def step(made):
    optimizer = torch.optim.AdamW(made.parameters(), lr=0.1)
    with torch.enable_grad():
        made(X).sum().backward()
    optimizer.step()


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
@torch.no_grad()
def test_a_change_is_seen(change):
    made = layer()
    before = made(X)
    change(made)
    assert torch.equal(made(X), fresh(made))
    assert not torch.equal(made(X), before)


def test_nothing_is_kept_while_experts_learn_but_is_while_the_router_alone_does():
    made = layer()
    made(X)
    assert kept(made) is None
    for tensor in (*made.A, *made.B):
        tensor.requires_grad_(False)
    made(X).sum().backward()
    assert kept(made) is not None
    assert made.router.weight.grad is not None


def test_training_after_evaluation_has_gradients_again():
    made = layer()
    with torch.no_grad():
        made(X)
    made(X).sum().backward()
    assert all(a.grad is not None for a in made.A)


def test_inference_tensors_count_no_writes_so_nothing_is_kept_of_them():
    with torch.inference_mode():
        made = layer()
        made(X)
        assert kept(made) is None
        made.A[0].fill_(7)
        out = made(X)
        made.mixer.forget()
        assert torch.equal(out, made(X))
    normal = layer()
    with torch.inference_mode():
        normal(X)
    with torch.no_grad():
        normal.A[0].fill_(7)
    assert torch.equal(normal(X), fresh(normal))


def test_a_copy_keeps_for_itself():
    made = layer()
    with torch.no_grad():
        made(X)
        other = copy.deepcopy(made)
        other.A[0].fill_(7)
        assert torch.equal(other(X), fresh(other))
        assert not torch.equal(other(X), made(X))


@pytest.mark.parametrize(
    ("tokens", "ranks", "k", "expected"),
    [
        (512, (16,) * 4, 2, False),
        (512, (16,) * 8, 2, False),
        (512, (16,) * 16, 2, True),
        (512, (8,) * 16, 2, False),
        (512, (8,) * 32, 2, False),
        (512, (8,) * 64, 2, True),
        (512, (16,) * 32, 32, False),
        (1, (16,) * 64, 2, False),
    ],
)
def test_experts_are_skipped_where_few_of_many_are_used(tokens, ranks, k, expected):
    assert is_sparse_cheaper(torch.zeros(tokens, 1), ranks, k) is expected
    assert not is_sparse_cheaper(torch.zeros(tokens, 1, device="meta"), ranks, k)


def test_auto_takes_the_way_that_was_measured_faster(monkeypatch):
    from kshot.methods.moe import mixer

    ways = []
    for name in ("sparse", "stacked"):
        real = getattr(mixer, name)
        monkeypatch.setattr(mixer, name, lambda *a, n=name, r=real, **k: ways.append(n) or r(*a, **k))
    with torch.no_grad():
        many, x = layer(experts=32, rank=16), torch.randn(100, 5)
        out = many(x)
        one = many(x[:1])
        layer()(x)
    assert ways == ["sparse", "stacked", "stacked"]
    assert torch.allclose(out[:1], one, atol=1e-4)
