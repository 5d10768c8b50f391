"""A linear layer with a mixture of LoRA experts, for any torch model; PEFT's form of it is in ``tuner``."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import torch
from torch import Tensor, nn

from kshot.errors import AdapterError, ModelError
from kshot.methods.moe.mixer import Mixer, Weights
from kshot.methods.moe.settings import MixtureSettings


@final
@dataclass(frozen=True, slots=True, eq=False)
class LoraPair:
    """One expert's factors on one layer: it adds scaling · B A x.

    Attributes:
        A: (r, in).
        B: (out, r).
        scaling: alpha / r, or alpha / sqrt(r) with rsLoRA.

    Raises:
        AdapterError: The factors are no matrices of one rank, or the scaling is no number.
    """

    A: Tensor
    B: Tensor
    scaling: float = 1.0

    def __post_init__(self) -> None:
        if self.A.ndim != 2 or self.B.ndim != 2 or self.A.shape[0] != self.B.shape[1] or not len(self.A):
            shapes = f"A {tuple(self.A.shape)} and B {tuple(self.B.shape)}"
            raise AdapterError(f"{shapes} are no (r, in) and (out, r)")
        if not math.isfinite(self.scaling):
            raise AdapterError(f"the scaling is {self.scaling}, expected a finite number")


@final
class Router(nn.Module):
    """Holds the router's weight: (E, in) of token gates, (E,) of static gates."""

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight)


@final
class LoraMoELinear(nn.Module):
    """y = base(x) + Σ over the chosen experts of g_e(x) s_e B_e A_e x, with g the router's softmax over them.

    The base layer is called as a module, so a quantised one works; it is frozen. The experts' weights are
    copied. The output keeps the base's dtype.

    Args:
        base: The linear layer, (..., in) to (..., out).
        experts: One pair an expert; None where this layer has none of it, which masks it here.
        top_k: Experts that a token uses; fewer where fewer are present.
        gates: ``token`` or ``static``; see ``MixtureSettings``.
        normalise: Whether the chosen gates sum to 1.
        options: Further fields of ``MixtureSettings``: noise, dropout, scores, dispatch ...

    Raises:
        AdapterError: An expert does not fit the others or the base.

    Source: arXiv 2408.15915v2, Eq. 9. Unlike the released code, alpha / r is applied.

    >>> base = nn.Linear(3, 2)
    >>> half = LoraPair(torch.ones(1, 3), torch.ones(2, 1), 0.5)
    >>> layer = LoraMoELinear(base, [half, half], top_k=1)
    >>> bool((layer(torch.ones(3)) - base(torch.ones(3))).allclose(torch.tensor(1.5)))
    True
    """

    def __init__(
        self,
        base: nn.Module,
        experts: Sequence[LoraPair | None],
        *,
        top_k: int = 2,
        gates: str = "token",
        normalise: bool = True,
        **options: Any,
    ) -> None:
        super().__init__()
        known = {"dropout": 0.0} | options | {"top_k": top_k, "gates": gates, "normalise": normalise}
        self.settings = MixtureSettings(**known)
        if self.settings.balance:
            raise ModelError("a layer alone has no balance loss; it is added to the loss by PEFT's tuner")
        inputs = _shape(base, experts)
        self.base = base.requires_grad_(False)
        found = [pair for pair in experts if pair is not None]
        kind = {"dtype": found[0].A.dtype, "device": found[0].A.device} if found else {}
        self.router = Router(first_router(len(experts), inputs, self.settings, **kind))
        self.A = nn.ParameterList(pair.A.detach().clone() for pair in found)
        self.B = nn.ParameterList(pair.B.detach().clone() for pair in found)
        ranks = [len(pair.A) if pair is not None else 0 for pair in experts]
        self.mixer = Mixer(ranks, [pair.scaling if pair else 0.0 for pair in experts], self.settings)

    def forward(self, x: Tensor) -> Tensor:
        """(..., in) to (..., out)."""
        # straight from the dictionary: for one token, a ParameterList costs as much as the products
        a, b = (list(factors._parameters.values()) for factors in (self.A, self.B))
        weights = Weights(self.router.weight, a, b)  # type: ignore[arg-type]
        out: Tensor = self.base(x)
        return self.mixer.add(out, x, weights, training=self.training)

    def train(self, mode: bool = True) -> LoraMoELinear:
        """As torch's; what is kept between calls is dropped."""
        self.mixer.forget()
        return super().train(mode)

    def gates(self, x: Tensor) -> Tensor:
        """(..., E) the weight of each expert for each token."""
        return self.mixer.gates(x, self.router.weight)


def first_router(
    experts: int, inputs: int, settings: MixtureSettings, *, dtype: Any = None, device: Any = None
) -> Tensor:
    """A router to start from: (E, in) uniform within 1/sqrt(in), or equal scalars, (E,)."""
    if settings.gates == "static":
        start = 0.0 if settings.normalise else 1 / experts
        return torch.full((experts,), start, dtype=dtype, device=device)
    weight = torch.empty(experts, inputs, dtype=dtype, device=device)
    return weight.uniform_(-1 / math.sqrt(inputs), 1 / math.sqrt(inputs))


def linear_shape(module: nn.Module) -> tuple[int, int] | None:
    """(in, out) of a linear layer, plain, quantised, or stored the other way like GPT-2's; else None."""
    inputs = getattr(module, "in_features", getattr(module, "infeatures", None))
    outputs = getattr(module, "out_features", getattr(module, "outfeatures", None))
    if isinstance(inputs, int) and isinstance(outputs, int):
        return inputs, outputs
    weight = getattr(module, "weight", None)
    if type(module).__name__ == "Conv1D" and isinstance(weight, Tensor) and weight.ndim == 2:
        return weight.shape[0], weight.shape[1]
    return None


def _shape(base: nn.Module, experts: Sequence[LoraPair | None]) -> int:
    """The number of inputs; every expert must agree with the base and the others."""
    if not experts:
        raise AdapterError("no expert was given; a mixture needs at least one")
    shapes = {(pair.A.shape[1], pair.B.shape[0]) for pair in experts if pair is not None}
    have = linear_shape(base)
    shapes |= {have} if have else set()
    if len(shapes) != 1:
        told = ", ".join(f"{i} to {o}" for i, o in sorted(shapes)) or "none"
        raise AdapterError(f"shapes of the base and its experts differ: {told}; one base model is needed")
    return next(iter(shapes))[0]
