"""The computation of a mixture on one linear layer: router, gates, experts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, final

import torch
from torch import Tensor
from torch.nn import functional

from kshot.errors import ModelError
from kshot.methods.moe.routing import at_least_float32, balance_loss, token_gates
from kshot.methods.moe.settings import MixtureSettings
from kshot.methods.moe.stack import Stack, is_sparse_cheaper, sparse, stacked


class Weights(NamedTuple):
    """What a mixture learns on one layer.

    Attributes:
        router: (E, in) of token gates, (E,) of static gates.
        a: Of each present expert, (r, in).
        b: Of each present expert, (out, r).
    """

    router: Tensor
    a: Sequence[Tensor]
    b: Sequence[Tensor]


@final
@dataclass(slots=True)
class Run:
    """What the layers of one model share during a forward pass.

    Attributes:
        real: (B, T) whether a position is a token, not padding; None: all are.
        terms: Balance losses of the layers, weighted.
        is_read: Whether somebody reads the terms of this pass.
        was_read: Whether somebody ever did.
        is_blind: Whether a term of this pass was computed without gradients.
    """

    real: Tensor | None = None
    terms: list[Tensor] = field(default_factory=list)
    is_read: bool = False
    was_read: bool = False
    is_blind: bool = False


@final
class Mixer:
    """y + Σ g_e(x) s_e B_e A_e drop(x) over the experts that a layer has.

    Args:
        ranks: Of each of the E experts; 0 where the layer has none of that expert.
        scalings: s of each expert.
        settings: How it routes.
        run: Shared between layers; None: the layer stands alone and its balance loss is not wanted.

    Attributes:
        present: The P experts that the layer has.
        k: How many of them a token uses.
    """

    def __init__(
        self,
        ranks: Sequence[int],
        scalings: Sequence[float],
        settings: MixtureSettings,
        *,
        run: Run | None = None,
    ) -> None:
        self.present = tuple(at for at, rank in enumerate(ranks) if rank)
        self.experts, self.settings, self.run = len(ranks), settings, run
        self.k = min(settings.top_k, len(self.present))
        self._scalings = tuple(scalings[at] if settings.scaled else 1.0 for at in self.present)
        self._stack = Stack(tuple(ranks[at] for at in self.present))
        self._index: dict[tuple[torch.device, torch.dtype], tuple[Tensor, Tensor]] = {}

    def add(self, out: Tensor, x: Tensor, weights: Weights, *, training: bool) -> Tensor:
        """(..., out) the base's output with the experts' parts added, in the base's dtype.

        Args:
            out: (..., out) what the base gave.
            x: (..., in) its input.
            weights: The mixture's.
            training: Whether noise, dropout and the balance loss act.
        """
        if not self.present:
            return out
        x = x.to(weights.a[0].dtype)
        flat = x.reshape(-1, x.shape[-1])  # (T, in)
        gates = self._gates(flat, weights.router, training=training, shape=x.shape[:-1])  # (T, P) or (P,)
        gates = gates * self._on(gates)[1]
        if training and self.settings.dropout:
            flat = functional.dropout(flat, self.settings.dropout)
        a, b = self._stack.of(weights.a, weights.b)  # (R, in), (out, R)
        if self._skips(flat, gates):
            part = sparse(flat, gates, a, b, ranks=self._stack.ranks)
        else:
            part = stacked(flat, gates, a, b, owner=self._stack.owner(flat.device))
        return (out + part.view(out.shape)).to(out.dtype)

    def gates(self, x: Tensor, router: Tensor) -> Tensor:
        """(..., E) the weight of each expert for each token, in evaluation; absent experts have zero."""
        flat = x.to(router.dtype).reshape(-1, x.shape[-1])
        whole = torch.zeros(len(flat), self.experts, device=flat.device)
        if self.present:
            found = self._gates(flat, router, training=False, shape=None)
            whole[:, list(self.present)] = found.float().expand(len(flat), -1)
        return whole.view(*x.shape[:-1], self.experts)

    def delta(self, weights: Weights) -> Tensor:
        """(out, in) what static gates add to the base's weight.

        Raises:
            ModelError: The gates depend on the token.
        """
        if self.settings.gates == "token" and len(self.present) > 1:
            raise ModelError(
                "a mixture whose gates depend on the token cannot be merged into the weights; export it with "
                "mean gates (kshot.methods.moe.export), or train static gates"
            )
        ones = at_least_float32(weights.router.new_ones(1))
        gates = self._static(weights.router) if self.settings.gates == "static" else ones
        a, b = self._stack.of(weights.a, weights.b)
        columns = (gates * self._on(gates)[1]).index_select(0, self._stack.owner(a.device))
        return (b * columns.to(b.dtype)) @ a

    def forget(self) -> None:
        """Drop what is kept between calls."""
        self._stack.forget()

    def _gates(self, flat: Tensor, router: Tensor, *, training: bool, shape: torch.Size | None) -> Tensor:
        if self.settings.gates == "static":
            return self._static(router)
        if len(self.present) == 1 and not training:  # the softmax of one logit, whatever the router says
            return at_least_float32(flat.new_ones(1))
        logits = at_least_float32(functional.linear(flat, self._rows(router)))  # (T, P)
        if self.settings.scores == "absolute":
            logits = logits.abs()
        if training and self.settings.noise:
            logits = logits + self.settings.noise * torch.randn_like(logits)
        gates, mask = token_gates(logits, self.k, normalise=bool(self.settings.normalise))
        if training:
            self._refuse_idle(gates, router)
            self._balance(logits, mask, shape)
        return gates

    def _static(self, router: Tensor) -> Tensor:
        """(P,) the scalars as they multiply the present experts."""
        scalars = at_least_float32(self._rows(router))
        return scalars.softmax(0) if self.settings.normalise else scalars

    def _refuse_idle(self, gates: Tensor, router: Tensor) -> None:
        """A normalised top-1 weight is always 1: say so rather than train a router that cannot learn."""
        idle = self.settings.normalise and self.k == 1 and len(self.present) > 1
        if idle and router.requires_grad and gates.requires_grad:
            gates.register_hook(_no_gradient)  # type: ignore[no-untyped-call]

    def _balance(self, logits: Tensor, mask: Tensor, shape: torch.Size | None) -> None:
        """Computed even when nobody reads it: gradient checkpointing needs the same steps both times."""
        if not self.settings.balance or self.run is None or len(self.present) == 1:
            return
        real = self.run.real
        real = real.reshape(-1) if real is not None and real.shape == shape else None
        term = balance_loss(logits, mask, self.settings.balance_kind, real=real)
        if self.run.is_read:
            self.run.terms.append(self.settings.balance * term)
            self.run.is_blind |= not torch.is_grad_enabled()
        elif torch.is_grad_enabled() and not self.run.was_read:
            raise ModelError(
                "the balance loss is lost: this model's forward does not go through its tuner; "
                "wrap it with PeftModelForCausalLM (task_type CAUSAL_LM), or set balance to 0"
            )

    def _rows(self, router: Tensor) -> Tensor:
        if len(self.present) == self.experts:
            return router
        return router.index_select(0, self._on(router)[0])

    def _skips(self, flat: Tensor, gates: Tensor) -> bool:
        if self.settings.dispatch == "stacked" or gates.ndim == 1 or not len(flat):
            return False
        if self.settings.dispatch == "sparse":
            return True
        return is_sparse_cheaper(flat, self._stack.ranks, self.k)

    def _on(self, like: Tensor) -> tuple[Tensor, Tensor]:
        """Present experts (P,) and their scalings (P,), on a tensor's device and in its dtype."""
        key = (like.device, like.dtype)
        if key not in self._index:
            with torch.inference_mode(False):  # later calls may train
                present = torch.tensor(self.present, device=like.device)
                scalings = torch.tensor(self._scalings, device=like.device, dtype=like.dtype)
            self._index[key] = present, scalings
        return self._index[key]


def _no_gradient(_gradient: Tensor) -> None:
    raise ModelError(
        "a normalised top-1 gate is always 1, so its router cannot learn; train with normalise=False "
        "(the plain probability), or with top_k=2"
    )
